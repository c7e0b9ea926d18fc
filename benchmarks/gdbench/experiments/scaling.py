"""Columns brought to one scale, a part of the rows at a time, so that of many rows there is one copy."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

VALUES_AT_ONCE = 1 << 20
"""Values that are worked on at once, of which there are copies: 8 MiB each."""


def standardised(values: Values) -> Values:
    """Return the values (n, c) with mean 0 and variance 1 by column; constant columns become zeros."""
    n, c = values.shape
    at_once = VALUES_AT_ONCE // c + 1
    parts = [slice(begin, begin + at_once) for begin in range(0, n, at_once)]
    low = np.min([values[rows].min(axis=0) for rows in parts], axis=0)
    high = np.max([values[rows].max(axis=0) for rows in parts], axis=0)
    exponent = np.frexp(np.maximum(-low, high))[1]

    def moderate(rows: slice) -> Values:
        part: Values = np.ldexp(values[rows], -exponent)  # exact, and squares of huge or tiny values stay in range
        return part

    mean = _sum(moderate(rows).sum(axis=0) for rows in parts) / n
    variance = _sum(np.square(moderate(rows) - mean).sum(axis=0) for rows in parts) / n
    varies = high > low
    spread, scaled = np.where(varies, np.sqrt(variance), 1), np.empty((n, c))
    for rows in parts:  # 0.1 is not quite the mean of many 0.1
        scaled[rows] = np.where(varies, (moderate(rows) - mean) / spread, 0)
    return scaled


def _sum(sums: Iterable[Values]) -> Values:
    return np.asarray(np.sum(list(sums), axis=0))
