"""Reads .csv, .tsv and .parquet files into tables; what pandas would pass over in silence is refused."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import IO, Any

import numpy as np
import pandas as pd

from gdbench.pick.data.columns import some
from gdbench.pick.data.table import FIRST_COLUMN, Table, numbered
from gdbench.pick.data.text_formats import format_of
from kernels import InputError

SAMPLE_BYTES = 1 << 16
"""Bytes at the start that are searched for zero bytes, which text in UTF-8 has none of."""
SAMPLE_ROWS = 1000
"""Rows that are compared with the first line, which may be one of them."""
FORMATTED_ROWS = 10
"""Rows of the sample in which quantities in formats that are no numbers are looked for."""
AS_WRITTEN: dict[str, Any] = {"keep_default_na": False, "skipinitialspace": True}
"""Fields as the text has them."""
MIN_COUNTED = 4
"""Columns from which names that count, such as 0, 1, 2, 3, are names; fewer may be the numbers of a row."""
SEPARATORS = {",": "commas, as in .csv", "\t": "tabs, as in .tsv"}
UNNAMED = re.compile(r"(Unnamed: \d+)?")
"""Names of columns that have none, as pandas writes them when it saves a file again."""


def read_text(
    file: IO[bytes], name: str, targets: Sequence[str], *, separator: str = ",", header: bool = True
) -> Table:
    """Return the columns of text in UTF-8.

    Parameters
    ----------
    file : file
        Opened for reading bytes.
    name : str
        Name of the file, for messages.
    targets : sequence of str
        Names of the columns to be learnt; their numbers without a header.
    separator : str
        What stands between two fields.
    header : bool
        Whether the first line has names.

    Raises
    ------
    InputError
        If it is not such text, a row or a name is out of order, or a target is not there.
    """
    if b"\0" in file.read(SAMPLE_BYTES):
        raise _not_text(name)
    try:
        file.seek(0)
        first = pd.read_csv(file, sep=separator, header=None, nrows=1, dtype=str, **AS_WRITTEN)
        names = [value.strip() for value in first.iloc[0]]
        _check_separator(names, separator, name)
        if header:
            _check_header(file, names, separator, name)
        rows_are_longer = header and _rows_are_longer(file, separator)
        file.seek(0)
        frame = pd.read_csv(file, sep=separator, header=0 if header else None, low_memory=False, skipinitialspace=True)
    except UnicodeDecodeError:
        raise _not_text(name) from None
    except pd.errors.EmptyDataError:
        raise InputError(f"{name} has no lines of text: save the data again") from None
    except pd.errors.ParserError as error:
        raise _not_a_table(name, str(error)) from None
    if not header:
        return _numbered(frame.add_prefix("column "), name, targets)
    frame, notes = _without_labels(_aligned(frame, names, name, rows_are_longer=rows_are_longer), names)
    return _with_targets(frame, notes, name, targets)


def read_parquet(file: IO[bytes], name: str, targets: Sequence[str]) -> Table:
    """Return the columns of a parquet file.

    Raises
    ------
    InputError
        If two columns have one name, or a target is not there.
    """
    import pyarrow.parquet  # noqa: PLC0415 - takes a while, and only this kind of file needs it

    stored = pyarrow.parquet.ParquetFile(file)
    _check_names(stored.schema_arrow.names, name)
    frame = stored.read().to_pandas()
    is_named = any(level is not None for level in frame.index.names)  # then it is a column like the others
    frame = frame.reset_index(drop=not is_named)
    frame.columns = [str(column) for column in frame.columns]
    frame, notes = _without_labels(frame, list(frame.columns))
    return _with_targets(frame, notes, name, targets)


def _rows_are_longer(file: IO[bytes], separator: str) -> bool:
    """Whether the second line has more fields than the first; the index does not tell, since rows may count it."""
    file.seek(0)
    try:
        pd.read_csv(file, sep=separator, header=None, nrows=2, dtype=str, **AS_WRITTEN)
    except pd.errors.ParserError:
        return True
    return False


def _aligned(frame: pd.DataFrame, names: Sequence[str], file: str, *, rows_are_longer: bool) -> pd.DataFrame:
    """Return rows with as many fields as there are names; pandas takes surplus fields for names of the rows.

    Fields at the end that are empty in every row come of separators at the ends of lines; a first one that counts the
    rows is how R saves a table.
    """
    surplus = frame.index.nlevels if rows_are_longer else 0
    whole = frame.set_axis(range(frame.shape[1]), axis=1).reset_index() if surplus else frame
    if surplus == 1 and _counts(whole.iloc[:, 0]) and not whole.iloc[:, -1].isna().all():
        whole = whole.iloc[:, 1:]
    elif surplus and whole.iloc[:, len(whole.columns) - surplus :].isna().all(axis=None):
        whole = whole.iloc[:, : len(whole.columns) - surplus]
    elif surplus:
        raise InputError(f"the rows of {file} have more fields than its header has names: give every column a name")
    return whole.set_axis([name or f"Unnamed: {place}" for place, name in enumerate(names)], axis=1)


def _without_labels(frame: pd.DataFrame, names: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Leave out columns without a name that tell nothing: row labels in front, and empty ones; say which."""
    unnamed = np.array([UNNAMED.fullmatch(name) is not None for name in names], bool)
    empty = unnamed & frame.isna().all().to_numpy()
    labels = np.zeros(len(empty), bool)
    labels[:1] = (unnamed & ~empty)[:1] & _are_labels(frame.iloc[:, 0])
    notes = [
        f"{words} left out"
        for words, mask in (("row labels", labels), ("empty columns without a name", empty))
        if mask.any()
    ]
    return frame.loc[:, ~(empty | labels)], notes


def _are_labels(column: pd.Series) -> bool:
    """Whether a column without a name only tells rows apart: each has a whole number or a text of its own."""
    return column.dtype.kind not in "fb" and column.is_unique


def _counts(column: pd.Series) -> bool:
    return any(np.array_equal(column, np.arange(len(column)) + first) for first in (0, 1))


def _numbered(frame: pd.DataFrame, name: str, targets: Sequence[str]) -> Table:
    """Return a table without names, and without empty columns at its end, which separators at ends of lines make."""
    filled = np.flatnonzero(frame.notna().any())
    frame = frame.iloc[:, : filled[-1] + 1 if len(filled) else None]
    are_text = [not pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes]
    rest = frame.iloc[1:].loc[:, are_text].apply(pd.to_numeric, errors="coerce")
    if len(rest) and not _numeric(frame.iloc[0]).any() and rest.notna().all().any():
        raise InputError(f"the first line of {name} has names, {some(frame.iloc[0])}: leave out --no-header")
    if not targets:
        raise InputError(f"{name} does not say what is to be learnt: name a column by --target; {FIRST_COLUMN}")
    return Table(frame, numbered(targets, list(frame.columns), name))


def _with_targets(frame: pd.DataFrame, notes: list[str], name: str, targets: Sequence[str]) -> Table:
    there = some(frame.columns) or "none"
    if not targets:
        raise InputError(f"{name} does not say what is to be learnt: name a column by --target, out of {there}")
    absent = [target for target in targets if target not in frame]
    if absent:
        raise InputError(f"{name} has no column {absent[0]!r}: choose the target out of {there}")
    return Table(frame, tuple(dict.fromkeys(targets)), tuple(notes))


def _check_separator(names: Sequence[str], separator: str, file: str) -> None:
    other = next((mark for mark in ",;\t|" if mark in names[0]), None)
    if len(names) == 1 and other:
        remedy = f", or call the file {SEPARATORS[other][-4:]}" if other in SEPARATORS else ""
        wanted = SEPARATORS[separator].partition(",")[0]
        raise InputError(f"the columns of {file} are separated by {other!r}: separate them by {wanted}{remedy}")


def _check_header(file: IO[bytes], names: Sequence[str], separator: str, name: str) -> None:
    """Raise InputError if two names are the same, or they are no names but the first row."""
    if _numeric(names).any() and not _is_counting(names):
        file.seek(0)
        try:
            rows = pd.read_csv(file, sep=separator, header=None, nrows=SAMPLE_ROWS, dtype=str, **AS_WRITTEN).iloc[1:]
        except pd.errors.ParserError:  # told by whoever reads all of it
            rows = pd.DataFrame()
        if _is_row(names, rows):
            raise InputError(
                f"the first line of {name} has numbers instead of names, {some(names)}: add --no-header and name "
                f"the target by its column's number ({FIRST_COLUMN}), or add a line of names"
            )
    _check_names([name for name in names if name], name)


def _is_row(names: Sequence[str], rows: pd.DataFrame) -> bool:
    """Whether every field of the first line is like those below it."""
    return all(name == "" or (j in rows and _is_one_of(name, rows[j].str.strip())) for j, name in enumerate(names))


def _is_one_of(name: str, values: pd.Series) -> bool:
    """Whether a name is a number over numbers, a quantity over others of its format, or a text that occurs below."""
    if _numeric([name]).all():
        return 2 * _numeric(values).sum() > len(values)
    return name in set(values) or (
        (entry := format_of(name)) is not None and entry in map(format_of, values[:FORMATTED_ROWS])
    )


def _is_counting(names: Sequence[str]) -> bool:
    """Whether names are consecutive whole numbers, as of columns that were never named, or of years; at least four."""
    numbers = [int(name) for name in names if name.isdecimal()]
    return len(numbers) >= MIN_COUNTED and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _numeric(values: Iterable[object]) -> pd.Series:
    return pd.to_numeric(pd.Series(list(values), dtype=object), errors="coerce").notna()


def _check_names(names: Iterable[str], file: str) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"{file} has more than one column called {some(twice)}: give every column its own name")


def _not_text(name: str) -> InputError:
    return InputError(
        f"{name} is not text in UTF-8: save it as such, or, if it is .npy, .npz or .parquet, give it that ending"
    )


def _not_a_table(name: str, error: str) -> InputError:
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", error)
    if found is None:
        return InputError(f"{name} breaks off inside of a quoted text: close the quotation mark")
    expected, line, saw = found.groups()
    return InputError(f"line {line} of {name} has {saw} fields instead of {expected}: correct it or drop it")
