"""Lines of a title or of comments above the names of a table: told by what stands below them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import IO

import pandas as pd

from gdbench.pick.data import header as headers
from gdbench.pick.data.other_text import SAMPLE_BYTES
from kernels import InputError

MAX_ABOVE = 50
"""Lines above a table; what is odd farther down is taken for a fault in it."""
SAMPLE_ROWS = 100
"""Rows below the names that are compared with them."""
COMMENTS = ("#", "%", "//")
LONGER = re.compile(r"Expected \d+ fields in line (\d+), saw")
"""What pandas says of the first line that has more fields than the first one."""


def check_above(file: IO[bytes], separator: str, name: str) -> None:
    """Raise InputError if a table stands below lines of comments, or its names below other lines.

    Names do if a line has words over numbers, all lines below have as many fields, and those above are comments or
    have fewer.

    Parameters
    ----------
    file : file
        Opened for reading bytes.
    separator : str
        What stands between two fields.
    name : str
        Name of the file, for messages.
    """
    file.seek(0)
    first = [line.strip() for line in file.read(SAMPLE_BYTES).decode("utf-8-sig", "replace").splitlines()[:MAX_ABOVE]]
    begin, table = _first_of_table(file, n_comments(first), separator)
    if begin == 0 or table.shape[1] < 2 or table.isna().any(axis=None):
        return
    above = "the line" if begin == 1 else f"the {begin} lines"
    if headers.is_proven([str(value).strip() for value in table.iloc[0]], table.iloc[1:]):
        raise InputError(f"the names of {name} stand in line {begin + 1}: delete {above} above")
    has_fewer = first[0].count(separator) + 1 < table.shape[1]  # else the comment may have the names
    if n_comments(first) >= begin and (begin > 1 or has_fewer):
        raise InputError(f"the table of {name} begins in line {begin + 1}, below comments: delete {above} above")


def n_comments(lines: Sequence[str]) -> int:
    """Return how many lines at the start are comments, or empty ones among these."""
    begin = next((i for i, line in enumerate(lines) if line and not line.startswith(COMMENTS)), 0)
    return begin if any(lines[:begin]) else 0


def _first_of_table(file: IO[bytes], begin: int, separator: str) -> tuple[int, pd.DataFrame]:
    """Return from which line on, counted from 0, no other has more fields, and its rows; none if there is no such."""
    while begin < MAX_ABOVE:
        file.seek(0)
        try:
            return begin, pd.read_csv(
                file,
                sep=separator,
                header=None,
                skiprows=begin,
                nrows=SAMPLE_ROWS,
                dtype=str,
                keep_default_na=False,
                skipinitialspace=True,
            )
        except pd.errors.ParserError as error:
            longer = LONGER.search(str(error))
            if longer is None:  # such as a quotation mark without a second one
                break
            begin = int(longer[1]) - 1
        except pd.errors.EmptyDataError:
            break
    return 0, pd.DataFrame()
