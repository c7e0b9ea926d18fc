"""Steps to a goal from the losses of several runs: where their mean crosses it, and how sure that is.

The steps are those after which the mean over the runs is at the goal. A single run dips under the goal before the
expected loss does, and the sooner the higher the rate, so first dips would favour rates at which the expected loss
never gets there.

Where each pass goes over all rows once, gradient noise that a part of the pass has added is taken back by the rest of
it (a Brownian bridge): the expected loss rises within a pass and is lowest at its end. So the curve through the looks
is a parabola in log(steps) and what every pass repeats, brought through the means themselves, and it crosses the goal
where it is first below, as a rule at the end of a pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special

from gdbench.pick.steps.trials import ROUNDING, mean_losses

Values = npt.NDArray[np.float64]
WINDOW = 0.35
"""Half-width in log(steps) of the looks through which the crossing is found."""
MIN_LOOKS = 4
"""In the window; with fewer the crossing is interpolated between two looks."""
FEW_STEPS = 12
"""Up to so many steps the crossing is told from the first look at which the mean is at the goal and the one before."""
MIN_PASS_STEPS, MIN_PASS_LOOKS = 3.0, 9
"""Steps of a pass, and looks in the window, from which on what passes repeat can be told apart from the parabola."""
PASS_ERRORS, MIN_ERROR = 2.0, 0.02
"""The curve with passes is told if its standard error is at most so many times that of the parabola, which counts as at
least so large."""
APART, MAX_APART = 0.5, 0.1
"""Part of the distance between the two that is an error of the parabola, where that is told, and the most of it: a rate
is not lowered for what no lower one would change."""
POINTS = 200
"""Steps at which the curve is held to the goal, where the window has more, besides the ends of as many passes."""
RESAMPLES = 200
"""Number of resamples of the runs, from which the standard error follows (bootstrap, Efron 1979)."""
CAUTIOUS_RUNS = 64
"""Fewer runs are told of cautiously: their mean is too low as often as the loss of runs is skewed."""
MAKERS = 10
"""Least number of runs that make the mean there."""
TINY = 1e-300
MIN_LOGNORMAL, MAX_LOG = 4, 500.0
"""Runs from which on a variance of their logarithms is taken; and where it is cut, so that nothing overflows."""


@dataclass(frozen=True)
class Hit:
    """Where the mean over the runs of one rate crossed the goal."""

    steps: float
    """A real number from 1 on; infinite if it never did."""
    log_error: float
    """Standard error of log(steps), such that a normal interval has the width of Student's for so few runs."""
    runs: int
    failed: int
    """Runs that diverged."""
    final: float
    """Mean loss at the last look; infinite if more than a tenth of the runs diverged."""
    last: int
    """Steps at the last look."""

    @property
    def reached(self) -> bool:
        """Whether the mean got to the goal."""
        return math.isfinite(self.steps)


def hit(
    looks: npt.ArrayLike,
    losses: Values,
    *,
    goal: float,
    floor: float,
    pass_steps: float = math.inf,
    cautious: bool = False,
) -> Hit:
    """Find the crossing of the mean.

    Parameters
    ----------
    looks : array, (T,)
        Steps, ascending.
    losses : array, (T, S)
        By look and run.
    goal, floor : float
        Loss to reach, and a value that it does not go below.
    pass_steps : float
        Steps of a pass that takes each row once; infinite where there are no passes.
    cautious : bool
        Whether the mean of few runs, for how much they differ, is taken no lower than that of a log-normal distribution
        with the median, and the spread above it, of their logarithms.
        Near the largest stable rate a few runs in a hundred make most of the mean, and few runs have none of them.
    """
    found = _hit(looks, losses, goal, floor, pass_steps)
    enough = max(CAUTIOUS_RUNS, runs_needed(looks, losses, found.steps, floor)) if found.reached else CAUTIOUS_RUNS
    raised = _no_lower(losses, floor) if cautious and found.runs < enough else losses
    if raised is losses:
        return found
    careful = _hit(looks, raised, goal, floor, pass_steps)
    return replace(careful, steps=max(careful.steps, found.steps))  # a parabola may cross sooner than the one below it


def _hit(looks: npt.ArrayLike, losses: Values, goal: float, floor: float, pass_steps: float) -> Hit:
    steps = np.asarray(looks, float)
    runs = losses.shape[1]
    alive = np.isfinite(losses[-1])
    means = mean_losses(losses)
    failed, final, last = int((~alive).sum()), float(means[-1]), int(steps[-1])
    reached = np.flatnonzero(means <= goal)
    if not len(reached) or not math.isfinite(final):
        return Hit(math.inf, math.inf, runs, failed, final, last)
    first = _interpolated(steps, means, int(reached[0]), goal, floor)
    if runs == 1 or first <= FEW_STEPS:
        found, error = first, _error_of_first(steps, losses[:, alive], goal, floor) if runs > 1 else 0.0
    else:
        found, error = _smoothed(steps, losses[:, alive], first, goal, floor, pass_steps)
    return Hit(max(found, 1.0), error * _widening(int(alive.sum())), runs, failed, final, last)


def _no_lower(losses: Values, floor: float) -> Values:
    """Raise the losses of each look such that their mean is that of a log-normal distribution, where it is less."""
    alive = np.isfinite(losses[-1])
    gaps = losses[:, alive] - floor
    if alive.sum() < MIN_LOGNORMAL or not (gaps > 0).all():
        return losses
    middle, variance = _log_normal(gaps)
    wanted = np.exp(np.minimum(middle + variance / 2, MAX_LOG))
    raised = losses.copy()
    raised[:, alive] = floor + gaps * np.maximum(wanted / gaps.mean(axis=1), 1.0)[:, None]
    return raised


def _log_normal(gaps: Values) -> tuple[Values, Values]:
    """Median and variance (T,) of the logarithms of gaps (T, S), by those above the median.

    Runs far below the others say nothing of those far above.
    """
    logs = np.log(gaps)
    middle = np.median(logs, axis=1)
    above = np.maximum(logs - middle[:, None], 0.0)
    return middle, 2 * np.square(above).sum(axis=1) / (gaps.shape[1] - 1)


def runs_needed(looks: npt.ArrayLike, losses: Values, steps: float, floor: float) -> float:
    """Runs whose mean is near the expected loss after so many steps, by how much their logarithms vary there.

    Of a log-normal distribution the mean is made by ever fewer runs the wider it is: by one in exp(variance).
    """
    near = int(np.abs(np.log(np.asarray(looks, float) / steps)).argmin())
    gaps = losses[near, np.isfinite(losses[-1])] - floor
    if len(gaps) < 2 or not (gaps > 0).all():
        return 0.0
    _, variance = _log_normal(gaps[None])
    return float(MAKERS * np.exp(np.minimum(variance[0], MAX_LOG)))


def slope(looks: npt.ArrayLike, losses: Values, steps: float) -> float:
    """Change of the mean loss by log(steps) where the steps are so many."""
    logs, means = np.log(np.asarray(looks, float)), mean_losses(losses)
    if len(logs) < 2:
        return -math.inf
    index = int(np.clip(np.searchsorted(logs, math.log(steps)), 1, len(logs) - 1))
    return float((means[index] - means[index - 1]) / (logs[index] - logs[index - 1]))


def whole(steps: float) -> int:
    """Smallest whole number of steps, at least 1, that is no less but for rounding."""
    return int(whole_steps(np.array(steps)))


def whole_steps(steps: Values) -> Values:
    """Return the same of each of several numbers."""
    return np.asarray(np.maximum(np.ceil(steps - 1e-6 * np.maximum(steps, 1.0)), 1.0))


def _interpolated(steps: Values, means: Values, index: int, goal: float, floor: float) -> float:
    """First crossing; between looks on the line through log(loss - floor), also where they are a step apart.

    A learning rate that is far below the goal after its last step is better than one that is there just so.
    """
    if index == 0:
        return float(steps[index])
    high, low = means[index - 1] - floor, means[index] - floor
    wanted = goal - floor
    if not (low > 0 and wanted > 0 and math.isfinite(high)):
        return float(steps[index])
    share = math.log(high / wanted) / math.log(high / low)
    return float(steps[index - 1] * (steps[index] / steps[index - 1]) ** share)


def _smoothed(
    steps: Values, losses: Values, first: float, goal: float, floor: float, pass_steps: float
) -> tuple[float, float]:
    """Crossing of a curve through the mean's logarithm, and its error; with what passes repeat if that is as certain.

    Few runs do not tell what passes repeat, and where the ends of several passes are near the goal, any may be told.
    """
    plain = _curve(steps, losses, first, goal, floor, math.inf)
    near = np.abs(np.log(steps / plain[0])) <= WINDOW
    if losses.shape[1] < CAUTIOUS_RUNS or near.sum() < MIN_PASS_LOOKS or not MIN_PASS_STEPS <= pass_steps <= plain[0]:
        return plain
    passes = _curve(steps, losses, plain[0], goal, floor, pass_steps)
    if passes[1] <= PASS_ERRORS * max(plain[1], MIN_ERROR):
        return passes
    return plain[0], math.hypot(plain[1], min(APART * abs(math.log(passes[0] / plain[0])), MAX_APART))


def _curve(
    steps: Values, losses: Values, first: float, goal: float, floor: float, pass_steps: float
) -> tuple[float, float]:
    """Crossing of a curve in a window, and its error by resampling the runs."""
    rng = np.random.default_rng(len(losses))
    runs = losses.shape[1]
    shares = rng.multinomial(runs, np.full(runs, 1 / runs), size=RESAMPLES).T / runs
    for _ in range(2):  # the second window is about the first one's crossing
        near = np.abs(np.log(steps / first)) <= WINDOW
        gaps = losses[near] - floor
        means = np.column_stack([gaps.mean(axis=1), gaps @ shares])
        if near.sum() < MIN_LOOKS or not (means > 0).all() or not goal > floor:
            return first, _error_of_first(steps, losses, goal, floor)
        if math.isfinite(pass_steps) and near.sum() < MIN_PASS_LOOKS:
            return first, math.inf
        degree = 2 if near.sum() > MIN_LOOKS else 1
        points = _points(first, pass_steps)
        found, logs = _basis(steps[near], first, degree, pass_steps), np.log(means / (goal - floor))
        coefficients = np.linalg.pinv(found) @ logs
        curves = _basis(points, first, degree, pass_steps) @ coefficients
        if math.isfinite(pass_steps):
            curves = curves + _between(
                np.log(points), np.log(steps[near]), _more_than_noise(logs - found @ coefficients)
            )
        roots = _first_below(np.log(points / first), curves)
        if not abs(roots[0]) <= WINDOW:  # no such curve: what is clipped tells no error, nor do looks as far apart
            apart = float(np.diff(np.log(steps[near])).max()) / math.sqrt(12)
            return first, math.hypot(max(float(roots.std()), _error_of_first(steps, losses, goal, floor)), apart)
        first *= math.exp(roots[0])
    return first, float(roots[1:].std())


def _basis(steps: Values, first: float, degree: int, pass_steps: float) -> Values:
    """(T, columns) what a curve is made of: powers of log(steps); by the part of a pass, curves with ends of 0."""
    parabola = np.vander(np.log(steps / first), degree + 1)
    if math.isinf(pass_steps):
        return parabola
    part = (steps / pass_steps) % 1.0
    bridge = part * (1 - part)  # its variance, of numbers that are drawn without replacement
    return np.hstack([parabola, bridge[:, None] * np.vander(1 - 2 * part, 3)])


def _more_than_noise(rest: Values) -> Values:
    """Shrink what means are off a curve (looks, 1 + resamples), first those told, by what of it is noise of the runs.

    The factor is the positive part of ``1 - variance / square`` (James and Stein 1961, for each look). Else a curve is
    first below the goal where noise takes it there, the sooner the flatter it is.
    """
    noise = rest[:, 1:].var(axis=1, keepdims=True)
    return np.asarray(rest * (1 - np.minimum(noise / np.maximum(np.square(rest), TINY), 1.0)))


def _between(x: Values, known: Values, values: Values) -> Values:
    """Values (T, m) at ascending places, on lines between those at known ones, and constant beyond them."""
    right = np.clip(np.searchsorted(known, x), 1, len(known) - 1)
    share = np.clip((x - known[right - 1]) / (known[right] - known[right - 1]), 0.0, 1.0)[:, None]
    return (1 - share) * values[right - 1] + share * values[right]


def _points(first: float, pass_steps: float) -> Values:
    """Steps, ascending, at which the curve is held to the goal: in twice the window, with the ends of passes.

    With passes these are whole numbers: where a pass ends between two steps, no step has the loss of its end.
    """
    low, high = first * math.exp(-2 * WINDOW), first * math.exp(2 * WINDOW)
    points = np.geomspace(low, high, POINTS)
    if math.isinf(pass_steps):
        return points
    ends = np.arange(math.ceil(low / pass_steps), high / pass_steps)
    lasts = np.floor(ends[:: -(-len(ends) // POINTS)] * pass_steps + ROUNDING)
    return np.unique(np.concatenate([np.maximum(np.round(points), 1.0), lasts]))


def _first_below(x: Values, curves: Values) -> Values:
    """Where each curve (P, m) over x (P,) falls below 0: first after its maximum over negative x, between two points.

    The last x where it nowhere falls below 0, the first where it is nowhere above.
    """
    top = curves[x <= 0].argmax(axis=0)
    below = (curves <= 0) & (np.arange(len(x))[:, None] >= top)
    place = np.where(below.any(axis=0), below.argmax(axis=0), len(x) - 1)
    before, column = np.maximum(place - 1, 0), np.arange(curves.shape[1])
    high, low = curves[before, column], curves[place, column]
    share = np.clip(high / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    found = np.where(low <= 0, x[before] + share * (x[place] - x[before]), x[place])
    return np.where(place > top, found, x[0])


def _error_of_first(steps: Values, losses: Values, goal: float, floor: float) -> float:
    """Standard deviation of the log of the first crossing, over resampled runs; the last look where they never do."""
    rng = np.random.default_rng(len(losses))
    runs = losses.shape[1]
    shares = rng.multinomial(runs, np.full(runs, 1 / runs), size=RESAMPLES).T / runs
    means = losses @ shares
    reached = means <= goal
    first = [
        _interpolated(steps, mean, int(at), goal, floor) if there else steps[-1]
        for mean, at, there in zip(means.T, reached.argmax(axis=0), reached.any(axis=0), strict=True)
    ]
    return float(np.log(np.maximum(first, 1.0)).std())


@lru_cache(maxsize=1024)
def _widening(runs: int) -> float:
    """Widens a standard error from few runs: the resampled variance is too small, and so is a normal interval."""
    if runs < 2:
        return 1.0
    return float(math.sqrt(runs / (runs - 1)) * special.stdtrit(runs - 1, 0.95) / special.ndtri(0.95))
