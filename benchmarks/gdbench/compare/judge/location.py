"""Where the log-ratios of a case lie: a location that spikes do not move, and values that carry its error."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

REACH = 5.0
"""Standard deviations from the centre at which a value has no weight left."""
ITERATIONS = 10
NORMAL_QUARTILE = float(special.ndtri(0.75))
TAILS, MAX_MOVED = (0.05, 0.95), 0.4
MIN_SENSITIVITY = 0.4
"""Below it the values are too few, or too odd, for their derivative to be believed."""


def pseudo_values(d: Floats) -> Floats:
    """Return values whose mean is the biweight location of each column of d (n, cases), and whose spread its error.

    Tukey's biweight gives a value the less weight the farther it is from the centre, and a spike none. The
    pseudo-value of an M-estimate T with scale s is T + s psi((x - T) / s) / mean psi'; the variance of their mean is
    that of T (Huber and Ronchetti 2009, Robust Statistics, section 6.5). NaN stays NaN. Columns that are equal in
    more than half of their values are returned as they are.
    """
    centre, scale = median_of(d), scale_of(d)
    degenerate = ~(scale > 0)
    reach = REACH * np.where(degenerate, 1.0, scale)
    there = ~np.isnan(d)
    filled = np.where(there, d, 0.0)
    for _ in range(ITERATIONS):
        weights = np.maximum(1 - ((filled - centre) / reach) ** 2, 0.0) ** 2 * there
        centre = np.sum(weights * filled, axis=0) / np.maximum(weights.sum(axis=0), 1e-12)
    u = (d - centre) / reach
    inside = np.abs(u) < 1
    psi = np.where(np.isnan(u), np.nan, np.where(inside, u * (1 - u**2) ** 2, 0.0)) * reach
    slope = np.where(inside, (1 - u**2) * (1 - 5 * u**2), 0.0)
    known = np.maximum(there.sum(axis=0), 1)
    sensitivity = np.maximum(np.sum(np.where(there, slope, 0.0), axis=0) / known, MIN_SENSITIVITY)
    return np.where(degenerate, d, centre + psi / sensitivity)


def asymmetry(d: Floats) -> float:
    """Return by how much spikes on one side may move the locations of d (blocks, cases), in units of their scale.

    Below 0: downwards. Half the difference of the distances of the upper and the lower twentieth from the middle, all
    cases together, is more than a biweight location moves in simulated spikes of any size in up to a fifth of the
    blocks; it moves by ``MAX_MOVED`` at most.
    """
    known = d[:, np.isfinite(d).all(axis=0)]
    scale = scale_of(known)
    units = ((known - median_of(known)) / np.where(scale > 0, scale, np.nan)) if known.size else known
    units = units[np.isfinite(units)]
    if not len(units):
        return 0.0
    lower, upper = np.quantile(units, TAILS)
    return float(np.clip((lower + upper) / 2, -MAX_MOVED, MAX_MOVED))


def scale_of(d: Floats) -> Floats:
    """Return the standard deviation of each column of d (n, cases), from the median absolute deviation."""
    return np.asarray(median_of(np.abs(d - median_of(d))) / NORMAL_QUARTILE * _small_sample(d))


def median_of(d: Floats) -> Floats:
    """Return the median of each column of d (n, cases) but for what is NaN in it; NaN of nothing."""
    if not len(d):
        return np.full(d.shape[1], np.nan)
    if not np.isnan(d).any():
        return np.asarray(np.median(d, axis=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column of NaN
        return np.asarray(np.nanmedian(d, axis=0))


def mean_of(d: Floats) -> Floats:
    """Return the mean of each column of d (n, cases) but for what is NaN in it; NaN of nothing."""
    known = np.sum(~np.isnan(d), axis=0)
    return np.asarray(np.nansum(d, axis=0) / np.where(known > 0, known, np.nan))


def variance_of(d: Floats) -> Floats:
    """Return the variance of each column of d (n, cases) but for what is NaN in it; NaN of fewer than two values."""
    known = np.sum(~np.isnan(d), axis=0)
    return np.asarray(np.nansum((d - mean_of(d)) ** 2, axis=0) / np.where(known > 1, known - 1, np.nan))


def _small_sample(d: Floats) -> Floats:
    """Factor by which the median absolute deviation of so few normal values is too small (Williams 2011)."""
    n = np.maximum(np.sum(~np.isnan(d), axis=0), 2)
    return np.asarray(n / (n - 0.8))
