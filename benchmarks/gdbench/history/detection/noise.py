"""How noisy a series over commits is, though its level steps and some of its values are outliers.

Results of neighbouring commits are alike, since they were measured on a machine in the same state. A detector that
takes them as independent finds steps in that likeness: everything here is judged by the long-run standard deviation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Series: TypeAlias = NDArray[np.float64]
OUTLIER_SDS = 2.5
"""Distance from the level, in standard deviations, beyond which a value counts no more than one at that distance."""
WINDOW = 7
"""Values over which the running median is taken."""
PRIOR_AUTOCORRELATION, PRIOR_VALUES = 0.4, 30
"""What is assumed of the autocorrelation before a series is seen, and for how many values that counts.

A hundred values leave it uncertain by 0.1, and taking it too low makes steps out of nothing.
"""


@dataclass(frozen=True)
class Noise:
    """Marginal standard deviation and autocorrelation between neighbours, of an AR(1) process."""

    sd: float
    autocorrelation: float

    @property
    def inflation(self) -> float:
        """Variance of a mean of many values, relative to that of independent ones."""
        return (1 + self.autocorrelation) / (1 - self.autocorrelation)

    @property
    def long_run_sd(self) -> float:
        """Standard deviation of a mean of m values, times the root of m."""
        return self.sd * float(np.sqrt(self.inflation))


def from_differences(values: Series) -> Noise:
    """Estimate the noise of a series whose steps are not known yet.

    In an AR(1) process, differences of neighbours have the variance 2 sd² (1 - a) and those at distance two
    2 sd² (1 - a²), so that the ratio is 1 + a; a step changes only one or two of them, which a median passes over.
    """
    near, far = (_spread(values[lag:] - values[:-lag]) ** 2 for lag in (1, 2))
    if near == 0:
        return Noise(0.0, PRIOR_AUTOCORRELATION)
    autocorrelation = float(np.clip(far / near - 1, 0, 0.7))
    return Noise(float(np.sqrt(near / (2 * (1 - autocorrelation)))), autocorrelation)


def from_residuals(values: Series, points: list[int]) -> Noise:
    """Estimate the noise about the levels between change points, from all but the outliers."""
    residuals = np.concatenate([part - np.median(part) for part in np.split(values, points)])
    sd = _spread(residuals)
    kept = np.abs(residuals) <= 3 * sd
    pairs = kept[:-1] & kept[1:]
    count = int(pairs.sum())
    if sd == 0 or count == 0:
        return Noise(sd, PRIOR_AUTOCORRELATION)
    units = residuals / sd  # squares of very small numbers would vanish
    raw = float(units[:-1][pairs] @ units[1:][pairs]) / count / float(np.mean(units[kept] ** 2))
    # Each level is fitted to the values, which takes about (1 + 3 a) / n from the estimate (Kendall 1954).
    unbiased = raw + (1 + 3 * max(raw, 0)) * (1 + 2 * len(points)) / count
    shrunk = (count * unbiased + PRIOR_VALUES * PRIOR_AUTOCORRELATION) / (count + PRIOR_VALUES)
    return Noise(sd, float(np.clip(shrunk, 0, 0.8)))


def without_spikes(values: Series, sd: float) -> Series:
    """Bring values that are far from the running median nearer to it."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, WINDOW // 2, mode="edge"), WINDOW)
    level = np.median(windows, axis=1)
    return np.clip(values, level - OUTLIER_SDS * sd, level + OUTLIER_SDS * sd)


def _spread(values: Series) -> float:
    return float(stats.median_abs_deviation(values, scale="normal"))
