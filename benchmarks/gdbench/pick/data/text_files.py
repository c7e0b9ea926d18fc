"""Reads .csv and .tsv files into tables; what pandas would pass over in silence is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import chain
from typing import IO, Any

import numpy as np
import pandas as pd

from gdbench.pick.data import header as headers
from gdbench.pick.data.columns import some
from gdbench.pick.data.lines_above import check_above, n_comments
from gdbench.pick.data.other_text import SAMPLE_BYTES, check_kind, first_lines
from gdbench.pick.data.sampling import Rows, Sampling
from gdbench.pick.data.table import FIRST_COLUMN, LABELS_LEFT_OUT, Table, check_names, named, numbered
from gdbench.pick.data.text_formats import shown
from gdbench.pick.data.text_lines import Lines, lines_of
from kernels import InputError

SAMPLE_ROWS = 1000
"""Rows that are compared with the first line, which may be one of them."""
AS_WRITTEN: dict[str, Any] = {"keep_default_na": False, "skipinitialspace": True}
"""Fields as the text has them."""
UNSEPARATED_LINES = 5
"""Lines of one column that are searched for another separator."""
UNKNOWN = re.compile(r"[^\w\s.+\-\"'()%]+")
"""What may separate columns and is none of those that are known, such as ^ or ::."""
SEPARATORS = {",": "commas, as in .csv", "\t": "tabs, as in .tsv"}


def read_text(
    file: IO[bytes],
    name: str,
    targets: Sequence[str],
    sampling: Sampling,
    *,
    separator: str = ",",
    header: bool = True,
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
    sampling : Sampling
        How many rows of a large file are kept, and which.
    separator : str
        What stands between two fields.
    header : bool
        Whether the first line has names.

    Raises
    ------
    InputError
        If it is not such text, a row or a name is out of order, or a target is not there.
    """
    if b"\0" in file.read(SAMPLE_BYTES):  # text in UTF-8 has none
        raise _not_text(name)
    lines = Lines(file)
    try:
        file.seek(0)
        first = pd.read_csv(file, sep=separator, header=None, nrows=1, dtype=str, **AS_WRITTEN)
        names = [value.strip() for value in first.iloc[0]]
        _check_separator(file, names, separator, name)
        rows = _sample(file, separator)
        if header:
            _check_header(rows, names, name)
        rows_are_longer = header and _rows_are_longer(file, separator)
        lines = lines_of(file, name, len(names), sampling, header=header)
        frame = _frame(lines, separator, header=header)
    except UnicodeDecodeError:
        raise _not_text(name) from None
    except pd.errors.EmptyDataError:
        raise InputError(f"{name} has no lines of text: save the data again") from None
    except pd.errors.ParserError as error:
        raise _not_a_table(name, str(error), lines.number) from None
    _check_fields(frame, names, separator, name)
    n = lines.n_rows(len(frame))
    if not header:
        return _numbered(frame.add_prefix("column "), names, rows, targets, file=name, n_rows=n)
    frame, notes = _aligned(frame, names, name, rows=lines.rows(len(frame)), rows_are_longer=rows_are_longer)
    return named(frame, names, targets, file=name, n_rows=n, notes=notes)


def _frame(lines: Lines, separator: str, *, header: bool) -> pd.DataFrame:
    first = 0 if header else None
    return pd.read_csv(lines.file, sep=separator, header=first, low_memory=False, skipinitialspace=True)


def _rows_are_longer(file: IO[bytes], separator: str) -> bool:
    """Whether the second line has more fields than the first; the index does not tell, since rows may count it."""
    file.seek(0)
    try:
        pd.read_csv(file, sep=separator, header=None, nrows=2, dtype=str, **AS_WRITTEN)
    except pd.errors.ParserError:
        return True
    return False


def _aligned(
    frame: pd.DataFrame, names: Sequence[str], file: str, *, rows: Rows, rows_are_longer: bool
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return rows with as many fields as there are names, and what was left out.

    pandas takes surplus fields for names of the rows.
    Fields at the end that are empty in every row come of separators at the ends of lines; a first one that counts the
    ``rows`` is how R saves a table.
    """
    notes: tuple[str, ...] = ()
    surplus = frame.index.nlevels if rows_are_longer else 0
    whole = frame.set_axis(range(frame.shape[1]), axis=1).reset_index() if surplus else frame
    if surplus == 1 and _counts(whole.iloc[:, 0], rows) and not whole.iloc[:, -1].isna().all():
        whole, notes = whole.iloc[:, 1:], (LABELS_LEFT_OUT,)
    elif surplus and whole.iloc[:, len(whole.columns) - surplus :].isna().all(axis=None):
        whole = whole.iloc[:, : len(whole.columns) - surplus]
    elif surplus:
        raise InputError(
            f"the rows of {file} have more fields than its header has names: give every column a name, "
            "or delete lines above the header"
        )
    return whole.set_axis(_filled_in(names), axis=1), notes


def _filled_in(names: Sequence[str]) -> list[str]:
    """Return names with one of its own for each column that has none."""
    filled: list[str] = []
    for place, name in enumerate(names):
        new = name or f"Unnamed: {place}"
        while not name and (new in names or new in filled):
            new += "_"
        filled.append(new)
    return filled


def _check_fields(frame: pd.DataFrame, names: Sequence[str], separator: str, file: str) -> None:
    """Raise InputError if a field has ends of lines and separators, as rows behind a stray quotation mark."""
    texts = [column.dropna().unique() for _, column in frame.items() if column.dtype.kind == "O"]
    levels = [frame.index.get_level_values(level).unique() for level in range(frame.index.nlevels)]
    for text in chain(names, *texts, *(level for level in levels if level.dtype.kind == "O")):
        if isinstance(text, str) and "\n" in text and separator in text:
            raise InputError(
                f"a field of {file} goes on over {len(text.splitlines())} lines, {shown(text)}: close its quotation "
                "mark or, if it is one text, write it on one line"
            )


def _counts(column: pd.Series, rows: Rows) -> bool:
    return any(np.array_equal(column, rows + first) for first in (0, 1))


def _numbered(
    frame: pd.DataFrame, first: Sequence[str], rows: pd.DataFrame, targets: Sequence[str], *, file: str, n_rows: int
) -> Table:
    """Return a table without names, and without empty columns at its end, which separators at ends of lines make."""
    filled = np.flatnonzero(frame.notna().any())
    frame = frame.iloc[:, : filled[-1] + 1 if len(filled) else None]
    if headers.is_proven(first, rows):
        raise InputError(f"the first line of {file} has names, {some(first)}: leave out --no-header")
    if not targets:
        raise InputError(f"{file} does not say what is to be learnt: name a column by --target; {FIRST_COLUMN}")
    notes = (f"first line taken for a row: {some(first)}",) if headers.could_be_names(first, rows) else ()
    return Table(frame, numbered(targets, list(frame.columns), file), n_rows, notes)


def _check_separator(file: IO[bytes], names: Sequence[str], separator: str, name: str) -> None:
    """Raise InputError if the lines have one column for this separator and more for another, outside of quotes."""
    lines = first_lines(file)
    check_kind(lines, name, separator)
    check_above(file, separator, name)
    if len(names) > 1:
        return
    lines = lines[n_comments(lines) :]
    first = [re.sub(r'"[^"]*"', "", line) for line in lines[:UNSEPARATED_LINES]]
    lines = first[:2]
    other = next((mark for mark in ",;\t|" if mark != separator and all(mark in line for line in lines)), None)
    wanted = SEPARATORS[separator].partition(",")[0]
    if other:
        remedy = f", or call the file {SEPARATORS[other][-4:]}" if other in SEPARATORS else ""
        raise InputError(f"the columns of {name} are separated by {other!r}: separate them by {wanted}{remedy}")
    counts = {len(line.split()) for line in lines}
    if len(counts) == 1 and counts != {1} and len(lines) == 2:
        raise InputError(f"the columns of {name} are separated by spaces: separate them by {wanted}")
    count = (
        {mark: first[0].count(mark) for mark in UNKNOWN.findall(first[0]) if mark != separator}
        if len(first) > 1
        else {}
    )
    unknown = next((mark for mark, n in count.items() if all(line.count(mark) == n for line in first)), None)
    if unknown:
        raise InputError(
            f"the columns of {name} seem to be separated by {unknown!r}, which is not known: separate them by {wanted}"
        )


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
    check_names([name for name in names if name], name, " or, if the first line has none, add --no-header")


def _not_text(name: str) -> InputError:
    return InputError(
        f"{name} is not text in UTF-8: save it as such, or, if it is .npy, .npz or .parquet, give it that ending"
    )


def _not_a_table(name: str, error: str, number: Callable[[int], int]) -> InputError:
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", error)
    if found is None:
        return InputError(f"{name} breaks off inside of a quoted text: close the quotation mark")
    expected, line, saw = map(int, found.groups())
    return InputError(f"line {number(line)} of {name} has {saw} fields instead of {expected}: correct it or drop it")
