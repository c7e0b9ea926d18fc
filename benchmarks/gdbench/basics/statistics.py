"""Pure functions from numbers to numbers: what a few blocks say about a time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import special

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A median with an interval for the median of all blocks that there could be.

    ``coverage`` is the chance that such an interval holds the true median; below six blocks
    even their whole range covers less than 95 %.
    """

    median: float
    low: float
    high: float
    coverage: float


def median_interval(values: Sequence[float]) -> Interval:
    """Return the median of independent values, with the narrowest pair of them that covers 95 %.

    The pair are order statistics, so nothing is assumed of the distribution (David and Nagaraja
    2003, Order Statistics, section 7.1): x(k) and x(m + 1 - k) cover the median of a continuous
    distribution with probability 1 - 2 P(Binomial(m, 1/2) < k).
    """
    ordered = np.sort(np.asarray(values, float))
    m = len(ordered)
    k, coverage = _order_statistic(m)
    return Interval(float(np.median(ordered)), float(ordered[k - 1]), float(ordered[m - k]), coverage)


@cache
def _order_statistic(m: int) -> tuple[int, float]:
    """Return the k of the interval of m values, and its coverage; a report asks thousands of times for the same m.

    ``scipy.stats.quantile_test`` has the same intervals (a test compares them) and none below six values; it tells no
    coverage, and takes a second to import.
    """
    below = special.bdtr(np.arange(m + 1), m, 0.5)
    k = max(1, int(np.searchsorted(below, (1 - CONFIDENCE) / 2)))
    return k, max(0.0, 1 - 2 * float(below[k - 1]))


def ratio_interval(numerator: Sequence[float], denominator: Sequence[float]) -> Interval:
    """Return the ratio of two medians, with an interval from the ratios within each block.

    Both values of a pair come from one process, so what slows that process slows both and cancels.
    """
    ratios = median_interval(list(np.asarray(numerator, float) / np.asarray(denominator, float)))
    ratio = float(np.median(numerator) / np.median(denominator))
    return Interval(ratio, min(ratios.low, ratio), max(ratios.high, ratio), ratios.coverage)
