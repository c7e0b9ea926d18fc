"""Tables as programs leave them: without a header, with row labels, with separators too many, with rows to test on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gdbench.cli.pick import command
from gdbench.cli.pick_options import question_of
from gdbench.pick.data.files import read_file
from gdbench.pick.data.source import describe
from kernels import InputError

from .user_files import NUMBERS, PRICE, SPECIES, N, X

IRIS = NUMBERS.assign(species=SPECIES)


def text(path: Path, frame: pd.DataFrame, **options: object) -> Path:
    frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",", **options)
    return path


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
@pytest.mark.parametrize(
    "frame",
    [NUMBERS, IRIS, NUMBERS.round().astype(int), NUMBERS.assign(price=[f"${value:.2f}" for value in abs(PRICE)])],
    ids=["numbers", "labels", "whole numbers", "money"],
)
def test_a_first_line_of_numbers_is_no_header(tmp_path: Path, ending: str, frame: pd.DataFrame) -> None:
    """Whole numbers have 0 and -0 twice, which are no names that stand twice."""
    path = text(tmp_path / f"a{ending}", frame, header=False)
    with pytest.raises(InputError, match=r"first line of a.* has numbers instead of names, .*: add --no-header"):
        read_file(path, target=["1"])


@pytest.mark.parametrize(
    "names",
    [
        ("0", "1", "2", "3"),
        ("1", "2", "3", "4"),
        ("2001", "2002", "2003", "2004"),
        ("400.5", "401.0", "401.5", "species"),
        ("1", "2", "3", "y"),
    ],
)
def test_names_that_are_numbers_are_names_where_they_count_or_another_is_a_word(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    path = text(tmp_path / "a.csv", IRIS[["size", "age", "price"]].assign(y=PRICE).set_axis(names, axis=1))
    data = read_file(path, target=[names[-1]], standardise=False)
    np.testing.assert_allclose(data.X, NUMBERS, rtol=1e-15)


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
@pytest.mark.parametrize("target", ["2", "-2", "column 2"])
def test_columns_without_names_are_found_by_number(tmp_path: Path, ending: str, target: str) -> None:
    path = text(tmp_path / f"a{ending}", IRIS, header=False)
    data = read_file(path, target=[target], header=False, standardise=False)
    np.testing.assert_allclose(data.Y[:, 0], PRICE, rtol=1e-15)
    np.testing.assert_allclose(data.X, np.column_stack([X, pd.get_dummies(SPECIES, dtype=float)]), rtol=1e-15)


def test_the_command_takes_numbers_and_the_record_remembers(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", NUMBERS, header=False)
    arguments = [str(path), "--no-header", "--target", "-1", "--network", "linear"]
    question = question_of(command.make_context("pick", arguments).params)
    assert (question.source.header, question.dataset.n_rows) == (False, N)
    assert question.source.load().sha256 == question.dataset.sha256
    assert describe(question.source, question.dataset, n_rows=question.n_rows).source.header is False


@pytest.mark.parametrize(
    ("name", "write", "options", "words"),
    [
        ("a.csv", lambda path: text(path, NUMBERS, header=False), {"target": ["3"]}, "no column '3': .* from 0 to 2"),
        ("a.csv", lambda path: text(path, NUMBERS, header=False), {"target": ["price"]}, "no column 'price': name the"),
        (
            "a.csv",
            lambda path: text(path, NUMBERS, header=False),
            {},
            "by --target; columns count from 0",
        ),
        ("a.csv", lambda path: text(path, NUMBERS), {"target": ["2"]}, "has names, size, age, price: leave out --no-h"),
        ("a.npz", lambda path: np.savez(path, X=X, y=PRICE), {}, "--no-header belongs to .csv, .tsv, not to a.npz"),
        ("a.csv", lambda path: NUMBERS.to_csv(path, index=False, sep="\t"), {"target": ["2"]}, "or call the file .tsv"),
        (
            "a.tsv",
            lambda path: NUMBERS.to_csv(path, index=False),
            {"target": ["2"]},
            "separate them by tabs, or call the",
        ),
    ],
)
def test_what_cannot_be_without_names_is_refused(
    tmp_path: Path, name: str, write: Callable[[Path], object], options: dict[str, object], words: str
) -> None:
    write(tmp_path / name)
    with pytest.raises(InputError, match=words):
        read_file(tmp_path / name, header=False, **options)


HEADER, LINES = "size,age,price", [",".join(map(repr, row)) for row in NUMBERS.to_numpy().tolist()]
STRAY: dict[str, tuple[str, Callable[[int, str], str], str]] = {
    "separators at the ends of lines": (f"{HEADER},,", lambda i, line: f"{line},,", "empty columns"),
    "separators at the ends of rows": (HEADER, lambda i, line: f"{line},", ""),
    "two at the ends of rows": (HEADER, lambda i, line: f"{line},,", ""),
    "a separator behind the names": (f"{HEADER},", lambda i, line: line, "empty columns"),
    "a column of a spreadsheet": ("size,,age,price", lambda i, line: line.replace(",", ",,", 1), "empty columns"),
    "row numbers without a name": (f",{HEADER}", lambda i, line: f"{i},{line}", "row labels"),
    "row numbers of a sample": (f",{HEADER}", lambda i, line: f"{7 * i % 61},{line}", "row labels"),
    "row names of R": (f",{HEADER}", lambda i, line: f"Car {i},{line}", "row labels"),
    "row numbers of R": (HEADER, lambda i, line: f"{i + 1},{line}", "row labels left out"),
    "row numbers from 0": (HEADER, lambda i, line: f"{i},{line}", "row labels left out"),
    "row numbers and an empty column": (f",Unnamed: 0,{HEADER}", lambda i, line: f"{i},,{line}", "row labels"),
    "row numbers saved twice": (f",Unnamed: 0,{HEADER}", lambda i, line: f"{i},{i},{line}", "row labels left out"),
    "row numbers of a sample saved twice": (
        f",Unnamed: 0,{HEADER}",
        lambda i, line: f"{i},{7 * i % 61},{line}",
        "row labels left out",
    ),
    "row numbers saved three times": (
        f",Unnamed: 0.1,Unnamed: 0,{HEADER}",
        lambda i, line: f"{i},{i},{i},{line}",
        "row labels left out",
    ),
}
"""First line, each row, and what is said of it."""


@pytest.mark.parametrize("name", STRAY)
def test_what_has_no_name_and_tells_nothing_is_left_out(tmp_path: Path, name: str) -> None:
    first, write, words = STRAY[name]
    (tmp_path / "a.csv").write_text("\n".join([first, *(write(i, line) for i, line in enumerate(LINES))]) + "\n")
    data = read_file(tmp_path / "a.csv", target=["price"], standardise=False)
    np.testing.assert_array_equal(data.X, X)
    np.testing.assert_array_equal(data.Y[:, 0], PRICE)
    assert words in data.origin


def test_a_first_column_that_counts_is_not_lost_with_a_stray_separator(tmp_path: Path) -> None:
    """pandas takes it for names of the rows, and moves all names to the right."""
    rows = [f"{i},{value!r}," for i, value in enumerate(PRICE.tolist())]
    (tmp_path / "a.csv").write_text("\n".join(["size,price", *rows]) + "\n")
    data = read_file(tmp_path / "a.csv", target=["price"], standardise=False)
    np.testing.assert_array_equal(data.X[:, 0], np.arange(N))
    np.testing.assert_array_equal(data.Y[:, 0], PRICE)


def test_a_column_without_a_name_that_tells_something_stays(tmp_path: Path) -> None:
    NUMBERS.rename(columns={"size": "", "age": "Unnamed: 1"}).to_csv(tmp_path / "a.csv", index=False)
    np.testing.assert_allclose(read_file(tmp_path / "a.csv", target=["price"], standardise=False).X, X, rtol=1e-15)


def test_columns_without_names_get_names_of_their_own(tmp_path: Path) -> None:
    rows = [f"{size!r},{age!r},{price!r}" for size, age, price in NUMBERS.to_numpy().tolist()]
    (tmp_path / "a.csv").write_text("\n".join(["price,,Unnamed: 1", *rows]) + "\n")
    data = read_file(tmp_path / "a.csv", target=["price"], standardise=False)
    np.testing.assert_array_equal(data.X, NUMBERS[["age", "price"]])
    np.testing.assert_array_equal(data.Y[:, 0], NUMBERS["size"])


@pytest.mark.parametrize(("columns", "words"), [(["a"], "the column a of"), (["a", "b"], "the columns a, b of")])
def test_columns_without_values_are_named_and_not_their_rows(tmp_path: Path, columns: list[str], words: str) -> None:
    path = text(tmp_path / "a.csv", NUMBERS.assign(**dict.fromkeys(columns)))
    with pytest.raises(InputError, match=f"{words} a.csv ha.* no values at all: drop what is empty"):
        read_file(path, target=["price"])


def test_rows_are_not_to_be_dropped_where_none_would_be_left(tmp_path: Path) -> None:
    holes = NUMBERS.mask(np.arange(N)[:, None] % 2 == [0, 1, 0])
    with pytest.raises(InputError, match=r"60 of 60 rows .* missing values \(in .*\): fill the values in \(fillna"):
        read_file(text(tmp_path / "a.csv", holes), target=["price"])


KERAS = {"x_train": X, "y_train": SPECIES, "x_test": X[:9], "y_test": SPECIES[:9]}


@pytest.mark.parametrize(
    ("rename", "target", "rows", "words"),
    [
        ({}, None, N, "inputs x_train, without x_test, y_test"),
        ({}, ["y_train"], N, "inputs x_train"),
        ({}, ["y_test"], 9, "inputs x_test, without x_train, y_train"),
        ({"x_train": "X_train", "x_test": "X_test"}, None, N, "inputs X_train"),
        ({"x_train": "train_images", "y_train": "train_labels"}, None, N, "inputs train_images"),
        ({"x_train": "train_images", "y_train": "train_labels"}, ["train_labels"], N, "inputs train_images"),
    ],
)
def test_of_rows_to_train_and_to_test_on_the_former_are_taken_and_it_is_said(
    tmp_path: Path, rename: dict[str, str], target: list[str] | None, rows: int, words: str
) -> None:
    np.savez(tmp_path / "a.npz", **{rename.get(name, name): values for name, values in KERAS.items()})
    data = read_file(tmp_path / "a.npz", target=target, standardise=False)
    np.testing.assert_array_equal(data.X, X[:rows])
    assert words in data.origin


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ("Xtrain", "ytrain"),
        ("trainX", "trainY"),
        ("X_tr", "y_tr"),
        ("XTrain", "YTrain"),
        ("tr_x", "tr_y"),
        ("X_training", "y_training"),
        ("data_train", "targets_train"),
    ],
)
def test_arrays_to_train_on_are_found_however_they_are_named(tmp_path: Path, inputs: str, outputs: str) -> None:
    others = {name.replace("train", "test").replace("Train", "Test").replace("tr", "te") for name in (inputs, outputs)}
    np.savez(tmp_path / "a.npz", **{inputs: X, outputs: PRICE}, **dict.fromkeys(others, PRICE[:9]))
    for target in (None, [outputs]):
        data = read_file(tmp_path / "a.npz", target=target, standardise=False)
        np.testing.assert_array_equal(data.X, X)
        np.testing.assert_array_equal(data.Y[:, 0], PRICE)
        assert f"inputs {inputs}, without " in data.origin


def test_arrays_that_are_not_found_are_named_by_what_is_missing(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", rows=X, more=X, y_train=PRICE)
    with pytest.raises(InputError, match="only rows, more beside the target y_train: save the inputs as"):
        read_file(tmp_path / "a.npz", target=["y_train"])
    np.savez(tmp_path / "a.npz", **{**KERAS, "x_train": X.reshape(N, 2, 1)})
    with pytest.raises(InputError, match=r"the array x_train of a.npz has shape \(60, 2, 1\): save two dimensions"):
        read_file(tmp_path / "a.npz")
