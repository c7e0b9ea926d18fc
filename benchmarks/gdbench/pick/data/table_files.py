"""Reads .csv, .tsv and .parquet files into tables; what pandas would pass over in silence is refused."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import IO, Any

import numpy as np
import pandas as pd

from gdbench.pick.data import header as headers
from gdbench.pick.data.columns import some
from gdbench.pick.data.table import FIRST_COLUMN, Table, numbered
from kernels import InputError

SAMPLE_BYTES = 1 << 16
"""Bytes at the start that are searched for zero bytes, which text in UTF-8 has none of."""
SAMPLE_ROWS = 1000
"""Rows that are compared with the first line, which may be one of them."""
AS_WRITTEN: dict[str, Any] = {"keep_default_na": False, "skipinitialspace": True}
"""Fields as the text has them."""
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
        _check_separator(file, names, separator, name)
        rows = _sample(file, separator)
        if header:
            _check_header(rows, names, name)
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
        return _numbered(frame.add_prefix("column "), names, rows, name, targets)
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

    stored = pyarrow.parquet.ParquetFile(file, page_checksum_verification=True)
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
        raise InputError(
            f"the rows of {file} have more fields than its header has names: give every column a name, "
            "or delete lines above the header"
        )
    return whole.set_axis([name or f"Unnamed: {place}" for place, name in enumerate(names)], axis=1)


def _without_labels(frame: pd.DataFrame, names: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Leave out columns without a name that tell nothing: row labels in front, and empty ones; say which."""
    unnamed = np.array([UNNAMED.fullmatch(name) is not None for name in names], bool)
    empty = unnamed & frame.isna().all().to_numpy()
    labels = np.zeros(len(empty), bool)
    labels[:1] = (unnamed & ~empty)[:1].any() and _are_labels(frame.iloc[:, 0])
    notes = [
        f"{words} left out"
        for words, mask in (("row labels", labels), ("empty columns without a name", empty))
        if mask.any()
    ]
    return frame.loc[:, ~(empty | labels)], notes


def _are_labels(column: pd.Series) -> bool:
    """Whether a column without a name only tells rows apart: each has a whole number or a text of its own."""
    is_plain = column.dtype.kind != "O" or pd.api.types.infer_dtype(column, skipna=True) == "string"
    return is_plain and column.dtype.kind not in "fb" and column.is_unique


def _counts(column: pd.Series) -> bool:
    return any(np.array_equal(column, np.arange(len(column)) + first) for first in (0, 1))


def _numbered(
    frame: pd.DataFrame, first: Sequence[str], rows: pd.DataFrame, name: str, targets: Sequence[str]
) -> Table:
    """Return a table without names, and without empty columns at its end, which separators at ends of lines make."""
    filled = np.flatnonzero(frame.notna().any())
    frame = frame.iloc[:, : filled[-1] + 1 if len(filled) else None]
    if headers.is_proven(first, rows):
        raise InputError(f"the first line of {name} has names, {some(first)}: leave out --no-header")
    if not targets:
        raise InputError(f"{name} does not say what is to be learnt: name a column by --target; {FIRST_COLUMN}")
    notes = (f"first line taken for a row: {some(first)}",) if headers.could_be_names(first, rows) else ()
    return Table(frame, numbered(targets, list(frame.columns), name), notes)


def _with_targets(frame: pd.DataFrame, notes: list[str], name: str, targets: Sequence[str]) -> Table:
    there = some(frame.columns) or "none"
    if not targets:
        raise InputError(f"{name} does not say what is to be learnt: name a column by --target, out of {there}")
    absent = [target for target in targets if target not in frame]
    if absent:
        raise InputError(f"{name} has no column {absent[0]!r}: choose the target out of {there}")
    return Table(frame, tuple(dict.fromkeys(targets)), tuple(notes))


def _check_separator(file: IO[bytes], names: Sequence[str], separator: str, name: str) -> None:
    """Raise InputError if the lines have one column for this separator and more for another, outside of quotes."""
    file.seek(0)
    lines = [line.strip() for line in io.TextIOWrapper(io.BytesIO(file.read(SAMPLE_BYTES)), "utf-8-sig", "replace")]
    lines = [re.sub(r'"[^"]*"', "", line) for line in lines if line][:2]
    if re.fullmatch(r"(?i)sep=.", lines[0]):
        raise InputError(f"the first line of {name}, {lines[0]}, is for a spreadsheet: delete it")
    if len(names) > 1:
        return
    other = next((mark for mark in ",;\t|" if mark != separator and all(mark in line for line in lines)), None)
    wanted = SEPARATORS[separator].partition(",")[0]
    if other:
        remedy = f", or call the file {SEPARATORS[other][-4:]}" if other in SEPARATORS else ""
        raise InputError(f"the columns of {name} are separated by {other!r}: separate them by {wanted}{remedy}")
    counts = {len(line.split()) for line in lines}
    if len(counts) == 1 and counts != {1} and len(lines) == 2:
        raise InputError(f"the columns of {name} are separated by spaces: separate them by {wanted}")


def _sample(file: IO[bytes], separator: str) -> pd.DataFrame:
    """Return rows below the first line as text; none if lines differ in length, which whoever reads all of it tells."""
    file.seek(0)
    try:
        lines: pd.DataFrame = pd.read_csv(file, sep=separator, header=None, nrows=SAMPLE_ROWS, dtype=str, **AS_WRITTEN)
    except pd.errors.ParserError:
        return pd.DataFrame()
    return lines.drop(index=0)


def _check_header(rows: pd.DataFrame, names: Sequence[str], name: str) -> None:
    """Raise InputError if two names are the same, or they are no names but the first row."""
    if headers.is_row(names, rows):
        kind = "numbers" if pd.to_numeric(pd.Series(names), errors="coerce").notna().any() else "values"
        raise InputError(
            f"the first line of {name} has {kind} instead of names, {some(names)}: add --no-header and name the "
            f"target by its column's number ({FIRST_COLUMN}), or add a line of names or, if they are names, make them "
            "words, such as y2018"
        )
    _check_names([name for name in names if name], name, " or, if the first line has none, add --no-header")


def _check_names(names: Iterable[str], file: str, more: str = "") -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"{file} has more than one column called {some(twice)}: give every column its own name{more}")


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
