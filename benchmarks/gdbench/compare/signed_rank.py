"""The signed-rank test of Wilcoxon over blocks: its null distribution, intervals and p-values for many cases at once.

Symbols: n blocks, M = n (n + 1) / 2 Walsh averages (x_i + x_j) / 2 with i <= j. The signed-rank statistic counts
the Walsh averages above the hypothesised centre, so that test and interval are two views of one thing
(Hollander, Wolfe and Chicken 2014, Nonparametric Statistical Methods, sections 3.1 to 3.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

SHIFT_FLIPS = 4999
"""Random sign vectors of the joint test: the smallest p-value is 1 / 5000."""


class Intervals(NamedTuple):
    """Centre of symmetry of each case's values, with its exact interval; NaN where there are too few blocks."""

    centre: Floats
    low: Floats
    high: Floats


@cache
def null_cdf(n: int) -> Floats:
    """Return P(T <= t), t = 0, 1, …, M, of the signed-rank statistic of n values that are symmetric about 0.

    Each rank is in the sum or not with equal chance: the distribution is built a rank at a time.
    """
    chances = np.ones(1)
    for rank in range(1, n + 1):
        chances = (np.pad(chances, (0, rank)) + np.pad(chances, (rank, 0))) / 2
    return np.cumsum(chances)


def count_outcomes(n: int, chance: float) -> int:
    """Return how many values 0, 1, …, k - 1 of the statistic lie in a lower tail of at most this chance."""
    return int(np.searchsorted(null_cdf(n), chance, side="right"))


def min_blocks(confidence: float) -> int:
    """Return the fewest blocks with an interval at this confidence: 6 at 95 %."""
    n = 1
    while not count_outcomes(n, (1 - confidence) / 2):
        n += 1
    return n


def walsh_averages(values: Floats) -> Floats:
    """Return the M averages of all pairs along the last axis, (…, n) -> (…, M), each value also with itself."""
    i, j = np.triu_indices(values.shape[-1])
    return np.asarray((values[..., i] + values[..., j]) / 2)


def pseudomedian(values: Floats, axis: int = -1) -> Floats:
    """Return the median of the Walsh averages along an axis (Hodges and Lehmann 1963)."""
    ordered = np.sort(np.moveaxis(values, axis, -1), axis=-1)  # their averages are nearly in order: found sooner
    return np.asarray(np.median(walsh_averages(ordered), axis=-1, overwrite_input=True))


def same_length(d: Floats) -> Iterator[tuple[NDArray[np.intp], Floats]]:
    """Yield the cases that have equally many blocks, and their values (cases, n), sorted and without NaN."""
    counts = np.sum(~np.isnan(d), axis=0)
    ordered = np.sort(d, axis=0)  # NaN comes last
    for n in np.unique(counts):
        cases = np.flatnonzero(counts == n)
        yield cases, np.ascontiguousarray(ordered[:n, cases].T)


def intervals(d: Floats, *, confidence: float) -> Intervals:
    """Return the centre of each column of d (blocks, cases) with its exact interval of at least this confidence."""
    found = np.full((3, d.shape[1]), np.nan)
    for cases, values in same_length(d):
        n = values.shape[1]
        k = count_outcomes(n, (1 - confidence) / 2)
        if k:
            walsh = np.sort(walsh_averages(values), axis=1)
            found[:, cases] = np.median(walsh, axis=1), walsh[:, k - 1], walsh[:, -k]
    return Intervals(*found)


def p_values(d: Floats, *, margins: Floats) -> tuple[Floats, Floats]:
    """Return one-sided exact p-values of each column of d (blocks, cases): above +margin, and below -margin.

    ``margins`` (cases,) are in the units of d. A case without blocks has p = 1.
    """
    found = np.ones((2, d.shape[1]))
    for cases, values in same_length(d):
        if values.shape[1]:
            margin = margins[cases, None]
            found[0, cases] = _p_beyond(values - margin)
            found[1, cases] = _p_beyond(-margin - values)
    return found[0], found[1]


def _p_beyond(distances: Floats) -> Floats:
    """Return the p-values of "centre above 0" for distances (cases, n) beyond a margin.

    A value at the margin itself is not beyond it, and counts as the smallest one on the near side: SciPy would drop
    it, or share its rank, which makes p too small. The lower tail of the mirrored values is summed without loss.
    """
    near = np.where(distances == 0, np.finfo(float).tiny, -distances)
    return np.asarray(stats.wilcoxon(near, alternative="less", method="exact", axis=1).pvalue)


def common_shift(d: Floats) -> float:
    """Return the p-value of "some case of d (blocks, cases) is shifted", with one sign flip per block for all cases.

    Cases of one block share its noise; a flip keeps that. The statistic is the largest |sum| / root sum of squares
    of a case, whose denominator no flip changes. A lost block (NaN) has no say in its case.
    """
    filled = np.nan_to_num(d)
    filled = filled[:, np.any(filled != 0, axis=0)]
    if not filled.size:
        return 1.0
    scaled = filled / np.sqrt(np.sum(filled**2, axis=0))
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(SHIFT_FLIPS, len(scaled)))
    seen = np.abs(scaled.sum(axis=0)).max()
    as_large = np.abs(signs @ scaled).max(axis=1) >= seen * (1 - 1e-12)
    return float((1 + np.sum(as_large)) / (1 + SHIFT_FLIPS))
