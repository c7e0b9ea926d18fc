"""A user's own files are read to the number in every format, and encoded and scaled as said."""

import os
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

from gdbench.basics import records
from gdbench.experiments import scaling
from gdbench.experiments.scaling import standardised
from gdbench.pick.data.files import READERS, read_file
from gdbench.pick.data.source import RowSource
from kernels import InputError, Network, fit

from .user_files import NUMBERS, PRICE, SAVERS, SPECIES, N, X, numbers_file, saved


@pytest.mark.parametrize("ending", READERS)
def test_numbers_come_back_assaved(tmp_path: Path, ending: str) -> None:
    path, target = numbers_file(tmp_path, ending)
    data = read_file(path, target=target, standardise=False)
    np.testing.assert_allclose(data.X, X, rtol=1e-15 if ending in (".csv", ".tsv") else 0)
    np.testing.assert_allclose(data.Y, PRICE[:, None], rtol=1e-15 if ending in (".csv", ".tsv") else 0)
    assert (data.name, data.kind, data.scaling) == (path.name, "regression", "as in the file")
    assert data.origin.startswith(f"{path.name}, target ")
    assert str(tmp_path) not in data.origin
    for values in (data.X, data.Y):
        assert values.dtype == np.float64
        assert values.flags.c_contiguous


@pytest.mark.parametrize("ending", READERS)
def test_numbers_are_standardised_unless_told_not_to(tmp_path: Path, ending: str) -> None:
    path, target = numbers_file(tmp_path, ending)
    data = read_file(path, target=target)
    np.testing.assert_allclose(data.X, StandardScaler().fit_transform(X), atol=1e-12)
    np.testing.assert_allclose(data.Y, StandardScaler().fit_transform(PRICE[:, None]), atol=1e-12)
    assert data.scaling == "standardised"


def test_the_checksum_is_of_the_numbers_and_of_nothing_else(tmp_path: Path) -> None:
    checksums = {}
    for ending in (".npy", ".npz", ".parquet"):
        path, target = numbers_file(tmp_path, ending)
        checksums[ending] = read_file(path, target=target).sha256
        assert read_file(path, target=target, standardise=False).sha256 == checksums[ending]
    assert len(set(checksums.values())) == 1
    for column in (1, 2):  # an input, the target
        changed = NUMBERS.copy()
        changed.iloc[3, column] *= 1 + 1e-9
        assert read_file(saved(tmp_path, ".parquet", changed), target=["price"]).sha256 not in checksums.values()


@pytest.mark.parametrize("ending", SAVERS)
@pytest.mark.parametrize("column", [SPECIES, pd.Categorical(SPECIES)], ids=["text", "categorical"])
def test_classes_of_text_are_one_hot_in_sorted_order(tmp_path: Path, ending: str, column: object) -> None:
    data = read_file(saved(tmp_path, ending, NUMBERS.assign(species=column)), target=["species"])
    names = sorted(set(SPECIES))
    np.testing.assert_array_equal(data.Y, [[float(name == species) for name in names] for species in SPECIES])
    assert data.kind == "classification"
    assert data.X.shape == (N, 3)
    assert "classes setosa, virginica, Éland" in data.origin


@pytest.mark.parametrize("ending", SAVERS)
@pytest.mark.parametrize(
    ("values", "true"),
    [(("yes", "no"), "yes"), ((True, False), True)],
    ids=["text", "true and false"],
)
def test_two_classes_are_one_column(tmp_path: Path, ending: str, values: tuple[object, object], true: object) -> None:
    column = [values[i % 3 == 0] for i in range(N)]
    data = read_file(saved(tmp_path, ending, NUMBERS.assign(sold=column)), target=["sold"])
    np.testing.assert_array_equal(data.Y, [[float(value == true)] for value in column])
    assert data.kind == "classification"


@pytest.mark.parametrize("ending", SAVERS)
def test_numbers_are_classes_if_asked_for(tmp_path: Path, ending: str) -> None:
    rooms = np.array([12, 3, 7])[np.arange(N) % 3]
    path = saved(tmp_path, ending, NUMBERS.assign(rooms=rooms))
    assert read_file(path, target=["rooms"]).kind == "regression"
    classes = read_file(path, target=["rooms"], kind="classification")
    np.testing.assert_array_equal(classes.Y, np.column_stack([rooms == 3, rooms == 7, rooms == 12]))
    logical = read_file(saved(tmp_path, ending, NUMBERS.assign(old=rooms > 5)), target=["old"], kind="regression")
    np.testing.assert_allclose(logical.Y, StandardScaler().fit_transform((rooms > 5)[:, None]))


@pytest.mark.parametrize("ending", SAVERS)
@pytest.mark.parametrize("standardise", [True, False])
def test_inputs_of_text_are_one_hot_where_they_stand(tmp_path: Path, ending: str, standardise: bool) -> None:
    frame = pd.DataFrame({"size": X[:, 0], "species": SPECIES, "old": X[:, 1] > 0, "price": PRICE})
    data = read_file(saved(tmp_path, ending, frame), target=["price"], standardise=standardise)
    expected = pd.get_dummies(frame[["size", "species", "old"]], columns=["species"], dtype=float)
    columns = ["size", *(f"species_{name}" for name in sorted(set(SPECIES))), "old"]
    raw = expected[columns].to_numpy(float)
    np.testing.assert_allclose(data.X, StandardScaler().fit_transform(raw) if standardise else raw, atol=1e-12)
    assert data.origin.endswith(", one-hot encoded: species")


@pytest.mark.parametrize("ending", SAVERS)
def test_several_targets_are_several_outputs_in_the_order_of_the_words(tmp_path: Path, ending: str) -> None:
    path = saved(tmp_path, ending, NUMBERS)
    data = read_file(path, target=["price", "size", "price"], standardise=False)
    np.testing.assert_allclose(data.Y, np.column_stack([PRICE, X[:, 0]]), rtol=1e-15)
    np.testing.assert_allclose(data.X, X[:, 1:], rtol=1e-15)


def test_columns_of_an_array_are_named_by_number(tmp_path: Path) -> None:
    path = tmp_path / "values.npy"
    np.save(path, NUMBERS.to_numpy())
    data = read_file(path, target=["-3", "1"], standardise=False)
    np.testing.assert_array_equal(data.Y, X)
    np.testing.assert_array_equal(data.X, PRICE[:, None])


@pytest.mark.parametrize(
    ("arrays", "target"),
    [
        ({"x": X, "Y": PRICE}, None),
        ({"data": X, "target": PRICE[:, None]}, None),
        ({"features": X.astype(">f8"), "labels": PRICE.astype(">f8")}, None),
        ({"inputs": X, "cost": PRICE}, ["cost"]),
        ({"X": X, "cost": PRICE, "y": X[:, 0]}, ["cost"]),
    ],
    ids=["x, Y", "data, target", "features, labels", "other names", "one of several"],
)
def test_arrays_are_found_by_their_names(tmp_path: Path, arrays: dict[str, np.ndarray], target: list[str]) -> None:
    path = tmp_path / "houses.npz"
    np.savez_compressed(path, **arrays)
    data = read_file(path, target=target, standardise=False)
    np.testing.assert_array_equal(data.X, X)
    np.testing.assert_array_equal(data.Y, PRICE[:, None])


def test_classes_in_arrays(tmp_path: Path) -> None:
    path, codes = tmp_path / "species.npz", np.unique(SPECIES, return_inverse=True)[1]
    for labels, kind in ((SPECIES, None), (codes, "classification"), (np.eye(3)[codes], "classification")):
        np.savez(path, X=X, y=labels)
        data = read_file(path, kind=kind)
        np.testing.assert_array_equal(data.Y, np.eye(3)[codes])
        assert data.kind == "classification"


def test_a_constant_input_becomes_zeros(tmp_path: Path) -> None:
    """Ten times 0.1 has a mean that is not 0.1, so its deviation is not quite zero."""
    data = read_file(saved(tmp_path, ".csv", NUMBERS.assign(same=0.1, word="always")), target=["price"])
    np.testing.assert_array_equal(data.X[:, 2:], 0)
    np.testing.assert_allclose(data.X[:, :2], StandardScaler().fit_transform(X), atol=1e-12)


def test_the_range_of_floats_is_no_limit_of_scaling() -> None:
    values = np.array([0.0, 1.0, 3.0, 2.0])
    expected = StandardScaler().fit_transform(values[:, None])[:, 0]
    scales = np.array([1e308 / 3, -1e308 / 3, 1e-300, 1.0])
    np.testing.assert_allclose(standardised(values[:, None] * scales).T, np.sign(scales)[:, None] * expected)


def test_many_rows_are_scaled_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.column_stack([X * 1e200, np.full(N, 0.1), -X * 1e-200])
    whole = standardised(values)
    monkeypatch.setattr(scaling, "VALUES_AT_ONCE", 7 * values.shape[1])
    np.testing.assert_allclose(standardised(values), whole, rtol=1e-12)
    np.testing.assert_array_equal(standardised(values)[:, 2], 0)


def test_what_pandas_adds_is_left_out_and_what_it_hides_comes_back(tmp_path: Path) -> None:
    NUMBERS.to_csv(tmp_path / "rows.csv")  # with its row numbers
    NUMBERS.set_axis(np.arange(N) + 1).to_csv(tmp_path / "from_one.csv")
    NUMBERS.set_index("age").to_parquet(tmp_path / "index.parquet")
    shuffled = NUMBERS.iloc[::-1]
    shuffled.to_parquet(tmp_path / "shuffled.parquet")
    for name in ("rows.csv", "from_one.csv"):
        np.testing.assert_allclose(read_file(tmp_path / name, target=["price"], standardise=False).X, X, rtol=1e-15)
    index = read_file(tmp_path / "index.parquet", target=["price"], standardise=False)
    np.testing.assert_array_equal(index.X, X[:, ::-1])
    np.testing.assert_array_equal(
        read_file(tmp_path / "shuffled.parquet", target=["price"], standardise=False).X, X[::-1]
    )


def test_a_folder_that_looks_like_a_partition_adds_no_column(tmp_path: Path) -> None:
    folder = tmp_path / "year=2020"
    folder.mkdir()
    assert read_file(saved(folder, ".parquet", NUMBERS), target=["price"]).X.shape == (N, 2)


@pytest.mark.parametrize("prefix", [b"\xef\xbb\xbf", b"\n\n", b""], ids=["byte order mark", "blank lines", "plain"])
def test_text_with_spaces_after_its_commas(tmp_path: Path, prefix: bytes) -> None:
    path = tmp_path / "hand.CSV"
    path.write_bytes(prefix + b'size , "kind", price\n1, a, 5\n2, "b", 6\n3, a, 7\n4, b, 8\n')
    data = read_file(path, target=["price"], standardise=False)
    np.testing.assert_array_equal(data.X, [[1, 1, 0], [2, 0, 1], [3, 1, 0], [4, 0, 1]])
    np.testing.assert_array_equal(data.Y, [[5], [6], [7], [8]])


def test_exact_numbers_of_a_database(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [Decimal("1.25"), Decimal("2.5")], "b": pd.array([1, 2], "Int64"), "y": [1.0, 0.0]})
    data = read_file(saved(tmp_path, ".parquet", frame), target=["y"], standardise=False)
    np.testing.assert_array_equal(data.X, [[1.25, 1], [2.5, 2]])


@pytest.mark.parametrize("target", ["price", "species"])
def test_a_network_learns_from_it(tmp_path: Path, target: str) -> None:
    data = read_file(saved(tmp_path, ".csv", NUMBERS.assign(species=SPECIES)), target=[target])
    d, k = data.X.shape[1], data.Y.shape[1]
    network = Network.softmax(d, k) if target == "species" else Network.linear(d, k)
    found = fit(network, data.X, data.Y, variant="vectorized", batch_size=N, learning_rate=0.1, epochs=5)
    assert found.losses[-1] < found.losses[0]


def test_a_name_that_is_no_text_is_read_and_printed(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/donn\xe9es.csv"))
    NUMBERS.to_csv(path, index=False)
    data = read_file(path, target=["price"])
    assert data.name == "donn\N{REPLACEMENT CHARACTER}es.csv"
    with pytest.raises(InputError, match=r"donn.es[.]csv has no column"):
        read_file(path, target=["cost"])
    kept = tmp_path / "kept.json"
    source = RowSource(file=str(path), target=("price",))
    records.write(kept, source)
    assert records.read(kept, RowSource, remedy="pick again") == source  # so that another pick finds it
