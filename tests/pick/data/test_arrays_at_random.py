"""Arrays and typed tables of any make: .npy, .npz and .parquet are read to what is in them, or refused in a line."""

import os
import re
import tempfile
import warnings
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gdbench.experiments.datasets import Dataset
from gdbench.pick.data.files import read_file
from gdbench.pick.data.table import LABELS_LEFT_OUT
from kernels import InputError

EXAMPLES = int(os.environ.get("GDBENCH_FUZZ_EXAMPLES", "60"))
"""A few thousand are for a long evening."""
FUZZ = settings(max_examples=EXAMPLES, deadline=None)
NUMBERS = st.sampled_from("bBhHiIqQefdg?").flatmap(
    lambda code: st.sampled_from([np.dtype(code), np.dtype(code).newbyteorder()])
)
OTHERS = st.sampled_from(["F", "D", "U3", "S3", "M8[s]", "m8[D]", "O", "V4", "i4,f8"]).map(np.dtype)
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6)
TABLE_SHAPES = st.tuples(st.integers(2, 8), st.integers(2, 5))
DAMAGES: tuple[Callable[[bytes, int], bytes], ...] = (
    lambda content, at: content[:at],
    lambda content, at: content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :],
    lambda content, at: content[:at] + bytes(8) + content[at + 8 :],
    lambda content, at: content[:at] + b"9" + content[at:],
    lambda content, at: content[at:],
)


def read(path: Path, target: Sequence[str] | None, kind: str | None = None) -> Dataset | str:
    """Return what a file holds, or the line in which it is refused; a warning would be an error."""
    try:
        with warnings.catch_warnings(action="error"):
            found = read_file(path, target=target, standardise=False, kind=kind)
    except InputError as error:
        said = str(error)
    else:
        return confirmed(found)
    assert re.fullmatch(r"[^\n]*: [^\n]+", said)  # a line, with its remedy behind a colon
    event("refused")
    return said


def confirmed(found: Dataset) -> Dataset:
    """Hold what was read to what every reader promises."""
    event("read")
    for values in (found.X, found.Y):
        assert values.dtype == np.float64
        assert np.isfinite(values).all()
    return found


def float64(values: np.ndarray) -> np.ndarray:
    """Return numbers as they are computed with; those beyond its range become infinite."""
    with np.errstate(over="ignore"):
        return values.astype(np.float64)


def any_array(draw: st.DrawFn, shape: Any, dtype: Any) -> np.ndarray:
    kind = draw(dtype)
    if kind.kind == "O":
        return np.full(draw(shape), None, object)
    if kind.kind == "V":
        return np.zeros(draw(shape), kind)
    return np.asarray(draw(arrays.arrays(kind, shape)), order=draw(st.sampled_from("CF")))


@st.composite
def npy_arrays(draw: st.DrawFn) -> np.ndarray:
    shape = draw(st.sampled_from([SHAPES, TABLE_SHAPES, TABLE_SHAPES]))
    return any_array(draw, shape, st.one_of(NUMBERS, NUMBERS, NUMBERS, OTHERS))


@FUZZ
@given(values=npy_arrays(), target=st.integers(-7, 7))
def test_an_array_is_read_to_what_numpy_reads_or_refused(values: np.ndarray, target: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.npy")
        np.save(path, values, allow_pickle=True)
        found = read(path, [str(target)])
    columns = values.shape[1] if values.ndim == 2 else 0
    is_table = values.dtype.kind in "iufb" and columns > 1 and len(values) > 1 and -columns <= target < columns
    learnable = is_table and np.isfinite(float64(values)).all() and len(np.unique(float64(values)[:, target])) > 1
    assert isinstance(found, Dataset) == learnable, found
    if isinstance(found, Dataset):
        np.testing.assert_array_equal(found.Y[:, 0], float64(values)[:, target])
        np.testing.assert_array_equal(found.X, np.delete(float64(values), target, axis=1))


INPUT_NAMES = ("X", "x", "data", "features", "x_train", "X_train", "trainX", "mine", "Éland")
TARGET_NAMES = ("y", "Y", "target", "labels", "y_train", "trainY", "yours", "b[0]")


@st.composite
def npz_arrays(draw: st.DrawFn) -> tuple[dict[str, np.ndarray], list[str] | None]:
    """Return arrays by name, and the targets that are named; the first two arrays mostly belong together."""
    n = draw(st.integers(0, 8))
    inputs, target = draw(st.sampled_from(INPUT_NAMES)), draw(st.sampled_from(TARGET_NAMES))
    kinds = st.one_of(NUMBERS, NUMBERS, NUMBERS, OTHERS)
    found = {
        inputs: any_array(draw, st.one_of(st.tuples(st.just(n), st.integers(1, 4)), SHAPES), kinds),
        target: any_array(draw, st.one_of(st.just((n,)), st.tuples(st.just(n), st.integers(1, 2)), SHAPES), kinds),
    }
    for name in draw(st.lists(st.sampled_from(["x_test", "y_test", "notes", "weights"]), max_size=2)):
        found[name] = any_array(draw, SHAPES, kinds)
    return found, draw(st.sampled_from([None, [target], [target], ["gone"]]))


@FUZZ
@given(drawn=npz_arrays(), compressed=st.booleans())
def test_arrays_are_read_to_what_numpy_reads_or_refused(
    drawn: tuple[dict[str, np.ndarray], list[str] | None], compressed: bool
) -> None:
    there, target = drawn
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.npz")
        (np.savez_compressed if compressed else np.savez)(path, **there)
        found = read(path, target)
    inputs, wanted = list(there.values())[:2]
    is_usual = len(there) == 2 and target is not None and target != ["gone"]
    if is_usual:
        learnable = (
            all(values.dtype.kind in "iufb" and np.isfinite(float64(values)).all() for values in (inputs, wanted))
            and inputs.ndim == 2
            and wanted.ndim in (1, 2)
            and len(inputs) == len(wanted) > 1
            and all(len(np.unique(column)) > 1 for column in float64(wanted).reshape(len(wanted), -1).T)
            and inputs.shape[1] > 0
            and wanted.size > 0
        )
        assert learnable <= isinstance(found, Dataset), found
    if isinstance(found, Dataset) and found.kind == "regression":
        matching = [
            values for values in there.values() if values.ndim == 2 and np.array_equal(float64(values), found.X)
        ]
        assert matching
        np.testing.assert_array_equal(found.Y, float64(wanted).reshape(len(wanted), -1))


N_ROWS = st.integers(2, 9)
FLOATS = st.floats(-1e9, 1e9)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1))
TYPES: dict[str, tuple[pyarrow.DataType, st.SearchStrategy[Any]]] = {
    "float64": (pyarrow.float64(), st.floats()),
    "plain": (pyarrow.float64(), FLOATS),
    "float32": (pyarrow.float32(), st.floats(width=32)),
    "float16": (pyarrow.float16(), st.floats(width=16).map(np.float16)),
    "int64": (pyarrow.int64(), st.integers(-(2**63), 2**63 - 1)),
    "uint8": (pyarrow.uint8(), st.integers(0, 255)),
    "uint64": (pyarrow.uint64(), st.integers(0, 2**64 - 1)),
    "flag": (pyarrow.bool_(), st.booleans()),
    "decimal": (pyarrow.decimal128(12, 2), st.decimals(-1000, 1000, places=2)),
    "word": (pyarrow.string(), st.sampled_from(["red", "green", "[b]"])),
    "large word": (pyarrow.large_string(), st.sampled_from(["red", "green"])),
    "category": (pyarrow.dictionary(pyarrow.int8(), pyarrow.string()), st.sampled_from(["low", "high"])),
    "numbers as text": (pyarrow.string(), st.integers(1000, 9999).map("{:,}".format)),
    "date": (pyarrow.date32(), st.dates(date(1990, 1, 1), date(2030, 1, 1))),
    "moment": (pyarrow.timestamp("us"), MOMENTS),
    "moment there": (pyarrow.timestamp("ns", "Europe/Paris"), MOMENTS),
    "hour": (pyarrow.time64("us"), st.times(time(0), time(23))),
    "span": (pyarrow.duration("ms"), st.timedeltas(timedelta(0), timedelta(9))),
    "bytes": (pyarrow.binary(), st.binary(max_size=3)),
    "list": (pyarrow.list_(pyarrow.int64()), st.lists(st.integers(0, 9), max_size=2)),
    "struct": (pyarrow.struct([("a", pyarrow.int64())]), st.builds(lambda a: {"a": a}, st.integers(0, 9))),
    "nothing": (pyarrow.null(), st.none()),
}
AS_NUMBERS = ("float64", "plain", "float32", "float16", "int64", "uint8", "uint64", "flag", "decimal")
AS_CATEGORIES = ("word", "large word", "category")


@st.composite
def typed_tables(draw: st.DrawFn) -> tuple[pyarrow.Table, list[str]]:
    """Return a table, and the type of each column by its name above."""
    n, kinds = draw(N_ROWS), draw(st.lists(st.sampled_from([*TYPES, *["plain"] * 12]), min_size=2, max_size=4))
    names = draw(st.lists(st.text(max_size=4), min_size=len(kinds), max_size=len(kinds), unique=True))
    columns = []
    for kind in kinds:
        stored, values = TYPES[kind]
        holes = draw(st.booleans()) and draw(st.booleans())
        values = st.one_of(values, st.none()) if holes else values
        columns.append(pyarrow.array(draw(st.lists(values, min_size=n, max_size=n)), stored))
    return pyarrow.table(columns, names=names), kinds


def _expected(column: pyarrow.ChunkedArray, kind: str) -> np.ndarray | None:
    """Return what becomes of a column, (n, columns), by another way than reading does; None where it is refused."""
    values = column.to_pylist()
    if None in values or kind not in (*AS_NUMBERS, *AS_CATEGORIES):
        return None
    if kind in AS_NUMBERS:
        numbers = np.array([[float(value)] for value in values])
        return numbers if np.isfinite(numbers).all() else None
    words = sorted(set(values))
    if len(words) > max(2, len(values) // 2):
        return None
    return np.array([[float(value == word) for word in words] for value in values])


def _are_labels(column: pyarrow.ChunkedArray, name: str, kind: str) -> bool:
    """Whether a column without a name only tells rows apart, and is no input therefore."""
    values = column.to_pylist()
    can_tell_apart = kind not in ("float64", "plain", "float32", "float16", "flag")
    return not name.strip() and can_tell_apart and len(set(values)) == len(values)


@FUZZ
@given(drawn=typed_tables())
def test_a_typed_table_is_read_to_what_arrow_reads_or_refused(drawn: tuple[pyarrow.Table, list[str]]) -> None:
    table, kinds = drawn
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.parquet")
        try:
            pyarrow.parquet.write_table(table, path)
        except (pyarrow.ArrowNotImplementedError, pyarrow.ArrowInvalid):
            assume(False)
        found = read(path, [table.column_names[-1]])
    expected = [_expected(column, kind) for column, kind in zip(table.columns, kinds, strict=True)]
    if isinstance(found, Dataset):
        inputs = expected[:-1]
        if LABELS_LEFT_OUT in found.origin:
            assert _are_labels(table.column(0), table.column_names[0], kinds[0])
            inputs = inputs[1:]
        known = [values for values in inputs if values is not None]
        if len(known) == len(inputs):  # else an empty column without a name was left out
            np.testing.assert_array_equal(found.X, np.column_stack(known))
        else:
            assert "left out" in found.origin
        if found.kind == "regression":
            np.testing.assert_array_equal(found.Y, expected[-1])
    elif all(values is not None for values in expected) and "" not in table.column_names:
        assert len(np.unique(expected[-1], axis=0)) == 1 or kinds[-1] in AS_CATEGORIES, found


@FUZZ
@given(
    ending=st.sampled_from([".npy", ".npz", ".parquet"]),
    damages=st.lists(st.tuples(st.sampled_from(DAMAGES), st.floats(0, 0.999)), min_size=1, max_size=3),
    rows=st.integers(2, 40),
)
def test_a_damaged_file_is_read_or_refused(
    ending: str, damages: list[tuple[Callable[[bytes, int], bytes], float]], rows: int
) -> None:
    values = np.arange(3.0 * rows).reshape(rows, 3) ** 1.5
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a{ending}")
        if ending == ".npy":
            np.save(path, values)
        elif ending == ".npz":
            np.savez_compressed(path, X=values[:, :2], y=values[:, 2])
        else:
            pd.DataFrame(values, columns=["a", "b", "y"]).to_parquet(path)
        content = path.read_bytes()
        for damage, place in damages:
            content = damage(content, int(place * len(content))) if content else content
        path.write_bytes(content)
        read(path, {".npy": ["-1"], ".npz": None, ".parquet": ["y"]}[ending])
