"""Columns of text: those of quantities are refused, and those of categories are not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from gdbench.pick.data import text_formats, text_quantities
from gdbench.pick.data.text_formats import Format
from kernels import InputError

EXAMPLE = "doors-2"
"""A category with a number in it that nobody takes for a quantity."""


@dataclass(frozen=True)
class Role:
    """What a column is for."""

    is_target: bool
    is_label: bool
    """Whether its values are asked for, or stored, as classes."""

    def remedy(self, entry: Format) -> str:
        """Return what to do with a column of quantities."""
        first = "drop it, or " if entry is text_formats.DATES and not self.is_target else ""
        return first + entry.remedy + (self.way_out(entry) if entry.doubtful or self.is_target else "")

    def way_out(self, entry: Format) -> str:
        """Return what to do if they are no quantities."""
        if not self.is_target:
            return f" or, if they are categories, write them as words (such as {EXAMPLE})"
        asked = ", or ask with --kind classification" if entry.doubtful and not self.is_label else ""
        return f" or, if they are classes, write them as words (such as {EXAMPLE}){asked}"


def check_text(values: pd.Series, name: str, file: str, role: Role) -> None:
    """Raise InputError if all values are quantities as text, or all but a few: each would be a category of its own."""
    counts = values.value_counts(sort=False)
    looked_at = counts.iloc[: text_formats.MAX_LOOKED_AT]
    found = text_quantities.formats_of(looked_at.index)
    if role.is_label:
        found = _beyond_doubt(found, are_all=len(found) == len(looked_at))
    _check_truths(looked_at.index, name, file)
    others = looked_at[~looked_at.index.isin(list(found))]
    if found and others.empty:
        example, entry = text_formats.most_telling(found)
        raise InputError(
            f"the column {name} of {file} holds {entry.words}, such as {text_formats.shown(example)}: "
            f"{role.remedy(entry)}"
        )
    if _are_exceptions(others, looked_at, len(found), role):
        entry = text_formats.most_telling(found)[1]
        words = "numbers" if entry is text_formats.NUMERALS else entry.words
        count = f"{'at least ' if len(counts) > len(looked_at) else ''}{others.sum()} of {len(values)} rows"
        raise InputError(
            f"the column {name} of {file} holds {words} but for {count}, "
            f"the first with {text_formats.shown(others.index[0])}: correct these rows or drop them"
            f"{role.way_out(entry)}"
        )


def _check_truths(values: Iterable[str], name: str, file: str) -> None:
    """Raise InputError if a column of True and False has them as numbers too."""
    words = {value.strip().lower() for value in values} - text_formats.MISSING
    numbers = words & {"0", "1", "0.0", "1.0"}
    if numbers and words - numbers and words - numbers <= {"true", "false"}:
        raise InputError(
            f"the column {name} of {file} holds True and False as well as 1 and 0: write them in one way, as numbers"
        )


def _are_exceptions(others: pd.Series, counts: pd.Series, n_found: int, role: Role) -> bool:
    """Whether texts among quantities make no categories of these: few rows have them, or few different ones there are.

    Parameters
    ----------
    others : Series
        Rows of each text that is no quantity.
    counts : Series
        Rows of each different value.
    n_found : int
        Different values that are quantities.
    role : Role
        Of the column; labels go by their rows alone.
    """
    telling = others[[value.strip().lower() not in text_formats.MISSING for value in others.index]]
    few_rows = 2 * others.sum() < counts.sum() or 2 * telling.sum() < counts.sum() - others.sum() + telling.sum()
    few_values = n_found >= text_quantities.MIN_VALUES and 2 * len(telling) < n_found
    return n_found > 0 and (few_rows or (few_values and not role.is_label))


def _beyond_doubt(found: dict[str, Format], *, are_all: bool) -> dict[str, Format]:
    """Leave out what may be labels: what is doubtful, and numerals where there is nothing else."""
    if are_all and all(entry.doubtful for entry in found.values()):
        return {}
    return {value: entry for value, entry in found.items() if not entry.doubtful or entry is text_formats.NUMERALS}
