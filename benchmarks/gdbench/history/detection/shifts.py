"""By how much a level differs from the one before: a median of differences with an interval, robust to outliers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from gdbench.history.detection.noise import Noise, Series

CONFIDENCE = 0.95


class Shift(NamedTuple):
    """Later level minus the earlier on the scale of their series (above 0: slower), with its interval."""

    middle: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether the interval leaves out 0, which is no change."""
        return self.low > 0 or self.high < 0


def shift(before: Series, after: Series, *, noise: Noise, confidence: float = CONFIDENCE) -> Shift:
    """Return the difference of two levels by Hodges and Lehmann; its interval inverts the test of Mann and Whitney.

    Parameters
    ----------
    before, after : array (n,), array (m,)
        Values of each level on the scale of their series, at least one of each.
    noise : Noise
        Noise of the series: its autocorrelation widens the interval, as though there were fewer values.
    confidence : float
        Chance that such an interval holds the true difference. Where there are too few values for it, the interval is
        that of a mean with the standard deviation of the noise, which is wider.
    """
    n, m = len(before), len(after)
    differences = np.sort(np.subtract.outer(after, before), axis=None)
    middle = float(np.median(differences))
    quantile = float(stats.norm.ppf((1 + confidence) / 2))
    reach = quantile * float(np.sqrt(noise.inflation * n * m * (n + m + 1) / 12))
    k = int(np.floor(n * m / 2 - reach))
    if k >= 1:
        low, high = float(differences[k - 1]), float(differences[n * m - k])
    else:
        half = quantile * noise.long_run_sd * float(np.sqrt(1 / n + 1 / m))
        low, high = min(middle - half, float(differences[0])), max(middle + half, float(differences[-1]))
    return Shift(middle, low, high)
