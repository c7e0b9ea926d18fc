"""What a reader makes of a file: columns, which of them are to be learnt, and what it left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from kernels import InputError

FIRST_COLUMN = "columns count from 0, and -1 is the last"


@dataclass(frozen=True)
class Table:
    """Columns of a file, with names of their own."""

    frame: pd.DataFrame
    targets: tuple[str, ...]
    """Names of the columns to be learnt."""
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
