"""Steps to a goal from the losses of several runs: where their mean curve crosses it, and how sure that is.

The curve is the mean over the runs, smoothed over neighbouring looks. A single run, or the mean of a few, dips under
the goal before the expected loss does, and the sooner the higher the rate, so that first dips would favour rates at
which the expected loss never gets there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
WIDTH = 0.3
"""Half-width in log(steps) of the window over which a curve is smoothed."""
MIN_LOOKS = 4
"""In a window; with fewer, early on, the curve is taken as it is."""
MAX_FAILURES = 0.1
"""Share of the runs of a rate that may diverge before the rate counts as diverged."""
MIN_SPREAD = 0.01
"""Standard deviation of log K that interpolation between looks leaves, whatever the runs agree on."""


@dataclass(frozen=True)
class Hit:
    """Where the mean over the runs of one rate crossed the goal."""

    steps: float
    """Crossing of the mean curve, interpolated; infinite if it never did."""
    spread: float
    """Standard error of log(steps), from the spread of the runs' losses there; infinite with it."""
    first: float
    """Median over the runs of their own first crossing, not smoothed; infinite if half of them never did."""
    failed: int
    """Runs that diverged."""
    last: int
    """Steps at the last look."""
    final: float
    """Mean loss at the last look."""


def hit(steps: npt.ArrayLike, losses: Values, *, goal: float, floor: float) -> Hit:
    """Find the crossing of the mean curve; losses (T, S) by look and run, ``floor`` a bound of them from below."""
    looks = np.asarray(steps, float)
    failed = int((~np.isfinite(losses[-1])).sum())
    means = mean_losses(losses)
    own = [first_crossing(looks, column, goal=goal, floor=floor) for column in losses.T]
    if not math.isfinite(means[-1]):  # also if it was under the goal before
        return Hit(math.inf, math.inf, float(np.median(own)), failed, int(looks[-1]), float(means[-1]))
    smooth = mean_curve(looks, losses, floor=floor)
    crossing = first_crossing(looks, smooth, goal=goal, floor=floor)
    spread = _spread(looks, losses, smooth, crossing) if math.isfinite(crossing) else math.inf
    return Hit(crossing, spread, float(np.median(own)), failed, int(looks[-1]), float(means[-1]))


def mean_losses(losses: Values) -> Values:
    """Mean (...) over the runs (..., S) that have not diverged; infinite if more than one in ten have."""
    finite = np.isfinite(losses)
    count = finite.sum(axis=-1)
    sums = np.where(finite, losses, 0.0).sum(axis=-1)
    enough = losses.shape[-1] - count <= MAX_FAILURES * losses.shape[-1]
    return np.where(enough, sums / np.maximum(count, 1), np.inf)


def mean_curve(steps: Values, losses: Values, *, floor: float) -> Values:
    """Mean (T,) over the runs (T, S), smoothed by local linear regression of log(loss - floor) on log(steps).

    The curve of a single run, which stands where all runs are the same, is taken as it is.
    """
    means = mean_losses(losses)
    gaps = means - floor
    if losses.shape[1] == 1 or not (np.isfinite(gaps) & (gaps > 0)).all():
        return means
    x, y = np.log(np.maximum(steps, 0.5)), np.log(gaps)
    found = means.copy()
    for place in range(1, len(x)):
        weights = _weights(x, place)
        near = weights > 0
        if near.sum() >= MIN_LOOKS:
            found[place] = floor + math.exp(_fitted(x[near] - x[place], y[near], weights[near]))
    return found


def first_crossing(steps: Values, losses: Values, *, goal: float, floor: float) -> float:
    """Steps, not whole, at which losses (T,) first reach the goal: linear in log(loss - floor) over steps."""
    below = np.flatnonzero(losses <= goal)
    if not below.size:
        return math.inf
    right = int(below[0])
    if right == 0:
        return 0.0
    gaps = np.array([losses[right - 1], goal, losses[right]]) - floor
    if not np.isfinite(gaps).all():
        return float(steps[right])
    above, at, under = np.log(gaps) if gaps.min() > 0 else gaps  # at the floor: linear in the loss itself
    return float(steps[right - 1] + (above - at) / (above - under) * (steps[right] - steps[right - 1]))


def _weights(x: Values, place: int) -> Values:
    """Tricube weights of looks about one of them; the first look, at no steps, is no part of a curve in log(steps)."""
    weights = np.clip(1.0 - np.abs((x - x[place]) / WIDTH) ** 3, 0.0, None) ** 3
    weights[0] = 0.0
    return np.asarray(weights)


def _fitted(x: Values, y: Values, weights: Values) -> float:
    """Value at 0 of the line through (x, y) by weighted least squares; ``polyfit`` takes seven times as long."""
    total = weights.sum()
    mean_x, mean_y = float(weights @ x / total), float(weights @ y / total)
    spread = float(weights @ (x - mean_x) ** 2)
    slope = float(weights @ ((x - mean_x) * (y - mean_y))) / spread if spread > 0 else 0.0
    return mean_y - slope * mean_x


def _spread(steps: Values, losses: Values, smooth: Values, crossing: float) -> float:
    """Standard error of log K: that of the mean loss about the crossing, over the curve's slope in log(steps)."""
    right = min(int(np.searchsorted(steps, crossing)), len(steps) - 1)
    runs = losses[:, np.isfinite(losses[-1])]
    if runs.shape[1] < 2 or right == 0:
        return MIN_SPREAD
    weights = _weights(np.log(np.maximum(steps, 0.5)), right)
    weights = weights / weights.sum() if weights.sum() > 0 else np.eye(len(steps))[right]
    error = (weights @ runs).std(ddof=1) / math.sqrt(runs.shape[1])
    slope = _slope(steps, smooth, right)
    return math.hypot(float(error) / slope, MIN_SPREAD) if slope > 0 else math.inf


def _slope(steps: Values, means: Values, right: int) -> float:
    """Fall of the mean loss by unit of log(steps), over the last stretch of at least 30 %."""
    left = int(np.searchsorted(steps, steps[right] / 1.3, side="right")) - 1
    left = min(max(left, 0), right - 1)
    return float((means[left] - means[right]) / math.log(steps[right] / max(steps[left], 0.5)))
