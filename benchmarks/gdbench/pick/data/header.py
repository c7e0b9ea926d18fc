"""Tells whether the first line of a table has the names of its columns or values, by comparing it with the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from gdbench.pick.data.text_formats import MISSING, format_of

FORMATTED_ROWS = 10
"""Rows looked at for quantities in formats that are no numbers."""
YEARS = (1900, 2100)
MIN_COUNTED = 4
"""Columns from which 0, 1, 2, 3 over whole numbers are names; fewer may be the numbers of a row."""
MIN_SPACED = 8
"""Evenly spaced numbers that are names, such as wavelengths, whatever stands below them."""


def is_proven(names: Sequence[str], rows: pd.DataFrame) -> bool:
    """Whether a name stands over values of another kind: a word over numbers, or a number over words."""
    return any(_is_another_kind(name, _values(rows, j)) for j, name in enumerate(names))


def is_row(names: Sequence[str], rows: pd.DataFrame) -> bool:
    """Whether the first line has values, as the rows below: numbers over numbers, or texts that occur again.

    Parameters
    ----------
    names : sequence of str
        Fields of the first line.
    rows : DataFrame
        Those below as text, or some of them.
    """
    if rows.empty or is_proven(names, rows):
        return False
    below = [_values(rows, j) for j in range(len(names))]
    numbers = [j for j, name in enumerate(names) if _numeric([name]).all() and _are_numbers(below[j])]
    if numbers:
        return not _are_numeric_names(names, numbers, below)
    telling = [j for j, name in enumerate(names) if name.lower() not in MISSING and not below[j].is_unique]
    return bool(telling) and all(_occurs(names[j], below[j]) for j in telling)


def could_be_names(names: Sequence[str], rows: pd.DataFrame) -> bool:
    """Whether no text of the first line occurs again in a column where values do, or its numbers look like names."""
    if rows.empty or is_row(names, rows):
        return False
    return not any(_occurs(name, _values(rows, j)) for j, name in enumerate(names) if name)


def _values(rows: pd.DataFrame, place: int) -> pd.Series:
    """Return the values of a column that are not missing."""
    values = rows[place].str.strip() if place in rows else pd.Series([], dtype=str)
    return values[~values.str.lower().isin(MISSING)]


def _is_another_kind(name: str, values: pd.Series) -> bool:
    if name.lower() in MISSING or values.empty:
        return False
    if _numeric([name]).all():
        return not _numeric(values).any() and not _occurs(name, values)
    return bool(_numeric(values).mean() > 0.9) and not _occurs(name, values)


def _are_numeric_names(names: Sequence[str], places: Sequence[int], below: Sequence[pd.Series]) -> bool:
    """Whether numbers over numbers are names all the same: they count, are years, or are far from all below."""
    words = [names[j] for j in places]
    numbers = np.array(words, float)
    are_finite = bool(np.isfinite(numbers).all())
    if (
        len(set(words)) < len(words)
        or not are_finite
        or any(_occurs(name, below[j]) for j, name in enumerate(names) if name and j not in places)
    ):
        return False
    columns = [pd.to_numeric(below[j], errors="coerce").dropna().to_numpy(float) for j in places]
    are_whole = all(word.isdecimal() for word in words)
    if are_whole and np.array_equal(numbers, np.arange(len(numbers))):
        second = [column[0] for column in columns]
        if len(words) > 1 and (np.diff(second) == 1).all():
            return False
        is_index = names[0] == "" and len(places) == len(names) - 1
        return is_index or len(words) >= MIN_COUNTED or (len(words) > 1 and any(map(_has_fractions, columns)))
    if are_whole and _are_years(numbers):
        return not any(_are_years(column) for column in columns)
    steps = np.diff(numbers)
    is_even = len(words) > 2 and steps[0] != 0 and np.allclose(steps, steps[0], rtol=1e-3)
    if is_even and len(words) >= MIN_COUNTED and are_whole and all(map(_has_fractions, columns)):
        return True
    again = sum(number in column for number, column in zip(numbers, columns, strict=True))
    if is_even and len(words) >= MIN_SPACED and 2 * again < len(words):
        return True
    is_nearly_even = len(words) > 2 and steps.min() * steps.max() > 0 and abs(steps).max() <= 2 * abs(steps).min()
    return bool(is_nearly_even) and all(
        _is_far(number, column) for number, column in zip(numbers, columns, strict=True)
    )


def _are_years(values: np.ndarray) -> bool:
    return bool(np.mean((values % 1 == 0) & (values >= YEARS[0]) & (values <= YEARS[1])) > 0.5)


def _has_fractions(values: np.ndarray) -> bool:
    return bool(np.mean(values % 1 != 0) > 0.5)


def _is_far(number: float, values: np.ndarray) -> bool:
    """Whether a number lies farther from all values than these lie apart, which no row of a series that rises does."""
    low, high = values.min(), values.max()
    return bool(max(low - number, number - high) > high - low)


def _are_numbers(values: pd.Series) -> bool:
    return 2 * _numeric(values).sum() > len(values)


def _occurs(name: str, values: pd.Series) -> bool:
    """Whether a text occurs among values, or they are quantities of its format."""
    if name in set(values):
        return True
    entry = format_of(name)
    return entry is not None and not _numeric([name]).all() and entry in map(format_of, values[:FORMATTED_ROWS])


def _numeric(values: Iterable[object]) -> pd.Series:
    return pd.to_numeric(pd.Series(list(values), dtype=object), errors="coerce").notna()
