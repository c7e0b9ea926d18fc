"""Reads .csv and .parquet files into tables; what pandas would pass over in silence is refused."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import IO

import numpy as np
import pandas as pd

from gdbench.pick.data.columns import some
from kernels import InputError

SAMPLE_BYTES = 1 << 16
"""Looked at for zero bytes, which text in UTF-8 has none of."""


def read_csv(file: IO[bytes], name: str, targets: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Return the columns of comma-separated text in UTF-8 with a header, and which are targets.

    Raises
    ------
    InputError
        If it is not such text, a row or a name is out of order, or a target is not there.
    """
    if b"\0" in file.read(SAMPLE_BYTES):
        raise _not_text(name)
    try:
        file.seek(0)
        header = pd.read_csv(file, header=None, nrows=1, dtype=str, keep_default_na=False, skipinitialspace=True)
        names = [value.strip() for value in header.iloc[0]]
        _check_header(names, name)
        file.seek(0)
        frame = pd.read_csv(file, low_memory=False, skipinitialspace=True)
    except UnicodeDecodeError:
        raise _not_text(name) from None
    except pd.errors.EmptyDataError:
        raise InputError(f"{name} has no lines of text: save the data again") from None
    except pd.errors.ParserError as error:
        raise _not_a_table(name, str(error)) from None
    rows = np.arange(len(frame))
    if not np.array_equal(frame.index, rows):  # pandas takes fields without a name as names of the rows
        raise InputError(f"the rows of {name} have more fields than its header has names: give every column a name")
    frame.columns = [wanted or given for wanted, given in zip(names, frame.columns, strict=True)]
    if not names[0] and any(np.array_equal(frame.iloc[:, 0], rows + first) for first in (0, 1)):
        frame = frame.iloc[:, 1:]  # the row numbers that pandas and R save by default: they tell nothing
    return _with_targets(frame, name, targets)


def read_parquet(file: IO[bytes], name: str, targets: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Return the columns of a parquet file, and which are targets.

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
    return _with_targets(frame, name, targets)


def _with_targets(frame: pd.DataFrame, name: str, targets: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    there = some(frame.columns) or "none"
    if not targets:
        raise InputError(f"{name} does not say what is to be learnt: name a column by --target, out of {there}")
    absent = [target for target in targets if target not in frame]
    if absent:
        raise InputError(f"{name} has no column {absent[0]!r}: choose the target out of {there}")
    return frame, list(dict.fromkeys(targets))


def _check_header(names: Sequence[str], file: str) -> None:
    separator = next((mark for mark in ";\t|" if mark in names[0]), None)
    if len(names) == 1 and separator:
        raise InputError(f"the columns of {file} are separated by {separator!r}: separate them by commas")
    _check_names([name for name in names if name], file)


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
