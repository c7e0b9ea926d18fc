"""What a reader makes of a file: columns, which of them are to be learnt, and what it left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gdbench.pick.data.columns import some
from kernels import InputError

UNNAMED = re.compile(r"(Unnamed: \d+(\.\d+)?)?")
"""Names of columns that have none, as pandas writes them when it saves a file again."""
SAVED_AGAIN = re.compile(r"Unnamed: 0(\.\d+)?")
"""Names of row labels that were read as a column, and saved."""
LABELS_LEFT_OUT = "row labels left out"
FIRST_COLUMN = "columns count from 0, and -1 is the last"


@dataclass(frozen=True)
class Table:
    """Columns of a file, with names of their own."""

    frame: pd.DataFrame
    targets: tuple[str, ...]
    """Names of the columns to be learnt."""
    n_rows: int
    """Rows of the file, of which these columns may hold a sample."""
    notes: tuple[str, ...] = ()
    """What was decided about the file that its user did not say, such as columns that were left out."""


def numbered(words: Sequence[str], names: Sequence[str], file: str) -> tuple[str, ...]:
    """Return the names of columns that are given by number, from 0, or -1 for the last, or by these names.

    Raises
    ------
    InputError
        If there is no such column.
    """
    found = []
    for word in words:
        try:
            found.append(word if word in names else names[range(len(names))[int(word)]])
        except (ValueError, IndexError):
            raise InputError(
                f"{file} has no column {word!r}: name the target by its number, from 0 to {len(names) - 1}, "
                "or -1 for the last"
            ) from None
    return tuple(dict.fromkeys(found))


def named(
    frame: pd.DataFrame,
    names: Sequence[str],
    targets: Sequence[str],
    *,
    file: str,
    n_rows: int,
    notes: Sequence[str] = (),
) -> Table:
    """Return the table of columns with names, without those that have none and tell nothing.

    Parameters
    ----------
    frame : DataFrame
        Columns, or a sample of their rows.
    names : sequence of str
        Their names as the file has them.
    targets : sequence of str
        Names of those to be learnt.
    file : str
        Its name, for messages.
    n_rows : int
        Rows of the file.
    notes : sequence of str
        What its reader decided.

    Raises
    ------
    InputError
        If a target is not there.
    """
    frame, left_out = _without_labels(frame, names)
    there = some(frame.columns) or "none"
    if len(names) > 1 and sum(map(bool, names)) <= 1:
        there += ", or delete what stands above the names"
    if not targets:
        raise InputError(f"{file} does not say what is to be learnt: name a column by --target, out of {there}")
    absent = [target for target in targets if target not in frame]
    if absent:
        raise InputError(f"{file} has no column {absent[0]!r}: choose the target out of {there}")
    return Table(frame, tuple(dict.fromkeys(targets)), n_rows, tuple(dict.fromkeys([*notes, *left_out])))


def check_names(names: Iterable[str], file: str, more: str = "") -> None:
    """Raise InputError if two columns have one name."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"{file} has more than one column called {some(twice)}: give every column its own name{more}")


def _without_labels(frame: pd.DataFrame, names: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Leave out columns without a name that tell nothing: row labels in front, and empty ones; say which."""
    unnamed = np.array([UNNAMED.fullmatch(name) is not None for name in names], bool)
    if not unnamed.any():
        return frame, []
    empty = unnamed & frame.isna().all().to_numpy()
    may_be = [place == 0 or SAVED_AGAIN.fullmatch(name) is not None for place, name in enumerate(names)]
    places = [int(place) for place in np.flatnonzero(unnamed & ~empty & may_be)]
    labels = np.zeros(len(empty), bool)
    labels[[place for place in places if _are_labels(frame.iloc[:, place])]] = True
    notes = [
        words
        for words, mask in ((LABELS_LEFT_OUT, labels), ("empty columns without a name left out", empty))
        if mask.any()
    ]
    return frame.loc[:, ~(empty | labels)], notes


def _are_labels(column: pd.Series) -> bool:
    """Whether a column without a name only tells rows apart: each has a whole number or a text of its own."""
    is_plain = column.dtype.kind != "O" or pd.api.types.infer_dtype(column, skipna=True) == "string"
    return is_plain and column.dtype.kind not in "fb" and column.is_unique
