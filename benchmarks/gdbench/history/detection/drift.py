"""Slow drift beside the steps of one series: a model of a line and steps is held against one of steps alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gdbench.history.detection.detectors import PENALTY, ROUGH_PENALTY, kernel_steps
from gdbench.history.detection.noise import Noise, Series, from_differences, from_residuals, without_spikes

MIN_LENGTH = 20
"""Results that a drift takes at least: what happens in fewer is a step."""
PARTS = 8
"""Parts of a series at whose edges a drift may begin and end."""
MIN_PARTS = 2
"""Parts that it lasts at least."""
LINE_PENALTY = 1.25
"""Cost of a drift in that of a step: it has a size, a beginning and an end."""
MIN_LINE = 1e-9
"""Squares of a line about its means below which steps take its place."""
REFINED = 3
"""Best lines whose steps are sought anew."""


@dataclass(frozen=True)
class Drift:
    """A level that moves evenly from one place of a series to another, and stays there.

    Attributes
    ----------
    start, stop : int
        Indices between which it moves.
    size : float
        By how much, on the scale of the series (above 0: slower).
    """

    start: int
    stop: int
    size: float

    def over(self, n: int) -> Series:
        """Return what it adds to each of n values."""
        return self.size * _line(np.arange(n), self.start, self.stop)


@dataclass(frozen=True)
class _Fit:
    """A drift and the positions of the steps beside it, with their penalised cost."""

    drift: Drift
    steps: tuple[int, ...]
    cost: float


def find_drift(values: Series) -> Drift | None:
    """Return the drift of a series, if a line with fewer steps explains it better than steps alone.

    Both models are fitted by least squares to values without spikes; squares count in long-run variances of the noise,
    which is that about the finest steps, and each step and the line cost a penalty. Where no step is needed, nothing
    drifts that could be taken for one. The drift need not be certain.

    Parameters
    ----------
    values : array (n,)
        On the scale of the series, NaN where a commit has no result.
    """
    x = np.flatnonzero(np.isfinite(values))
    if len(x) < MIN_LENGTH:
        return None
    first = from_differences(values[x])
    smooth = without_spikes(values[x], first.sd)
    noise = from_residuals(smooth, kernel_steps(smooth, first, ROUGH_PENALTY))
    if noise.sd == 0:
        return None
    steps = kernel_steps(smooth, noise)
    if not steps:
        return None
    penalty = PENALTY * float(np.log(len(x)))
    alone = _Sums(smooth, np.zeros(len(x)), noise).error(steps)[0] + penalty * len(steps)
    fits = sorted((_fitted(smooth, x, line, steps, noise) for line in _lines(x)), key=lambda fit: fit.cost)
    refined = [_refined(smooth, x, fit, noise) for fit in fits[:REFINED]]
    best = min(refined, key=lambda fit: fit.cost, default=None)
    return best.drift if best is not None and best.cost < alone else None


def standard_errors(values: Series, drift: Drift, points: Sequence[int]) -> float:
    """Size of a drift in its long-run standard errors, beside steps at some indices of the values.

    The noise is that about line and steps. Beside steps that are certain, a line is small that only makes up for
    other steps.
    """
    x = np.flatnonzero(np.isfinite(values))
    steps = [int(step) for step in np.searchsorted(x, points)]
    smooth = without_spikes(values[x], from_differences(values[x]).sd)
    line = _line(x, drift.start, drift.stop)
    noise = from_residuals(smooth - drift.size * line, steps)
    if noise.sd == 0:
        return np.inf
    without, with_it = (_Sums(smooth, shape, noise).error(steps)[0] for shape in (np.zeros(len(x)), line))
    return float(np.sqrt(max(without - with_it, 0.0)))


def _lines(x: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    """Yield where a drift may begin and end."""
    edges = np.linspace(0, len(x) - 1, PARTS + 1).round().astype(int)
    for i, start in enumerate(edges):
        for stop in edges[i + MIN_PARTS :]:
            if stop - start >= MIN_LENGTH - 1:
                yield int(x[start]), int(x[stop])


def _fitted(smooth: Series, x: NDArray[np.intp], line: tuple[int, int], steps: Sequence[int], noise: Noise) -> _Fit:
    """Fit a line with the steps that are worth their penalty beside it."""
    sums, penalty = _Sums(smooth, _line(x, *line), noise), PENALTY * float(np.log(len(x)))
    kept = list(steps)
    error, size = sums.error(kept)
    while kept:
        without = [(*sums.error(kept[:i] + kept[i + 1 :]), i) for i in range(len(kept))]
        least, its_size, i = min(without)
        if least - error >= penalty:
            break
        error, size = least, its_size
        del kept[i]
    return _Fit(Drift(*line, size), tuple(kept), error + penalty * (len(kept) + LINE_PENALTY))


def _refined(smooth: Series, x: NDArray[np.intp], fit: _Fit, noise: Noise) -> _Fit:
    """Seek the steps anew in what a drift leaves, and fit both again."""
    line = fit.drift.start, fit.drift.stop
    steps = kernel_steps(smooth - fit.drift.size * _line(x, *line), noise)
    best = min(fit, _fitted(smooth, x, line, steps, noise), key=lambda one: one.cost)
    reach = len(x) // (2 * PARTS)
    while reach:
        moved = [_fitted(smooth, x, ends, best.steps, noise) for ends in _moved(best.drift, x, reach)]
        better = min(moved, key=lambda one: one.cost, default=best)
        if better.cost < best.cost:
            best = better
        else:
            reach //= 2
    return best


def _moved(drift: Drift, x: NDArray[np.intp], reach: int) -> Iterator[tuple[int, int]]:
    """Yield the ends of a drift with one of them moved by some results."""
    start, stop = (int(np.searchsorted(x, at)) for at in (drift.start, drift.stop))
    for first, last in ((start - reach, stop), (start + reach, stop), (start, stop - reach), (start, stop + reach)):
        if first >= 0 and last < len(x) and last - first >= MIN_LENGTH - 1:
            yield int(x[first]), int(x[last])


class _Sums:
    """Running sums of a series, a line and their products: the error of a model with any steps follows from them."""

    def __init__(self, smooth: Series, shape: Series, noise: Noise) -> None:
        y = smooth - smooth.mean()
        self.sums = np.pad(np.cumsum([y, shape, y * y, y * shape, shape * shape], axis=1), ((0, 0), (1, 0)))
        self.n, self.variance = len(y), noise.long_run_sd**2

    def error(self, steps: Sequence[int]) -> tuple[float, float]:
        """Squared error in long-run variances of the noise, and the size of the line.

        A level for each part takes its mean from series and line alike; what is left of both is regressed (Frisch and
        Waugh 1933).
        """
        edges = np.array([0, *steps, self.n])
        y, line, yy, y_line, line_line = np.diff(self.sums[:, edges], axis=1)
        counts = np.diff(edges)
        total = float((yy - y * y / counts).sum())
        shared = float((y_line - y * line / counts).sum())
        own = float((line_line - line * line / counts).sum())
        size = shared / own if own > MIN_LINE else 0.0
        return max(total - size * shared, 0.0) / self.variance, size


def _line(x: NDArray[np.intp], start: int, stop: int) -> Series:
    """0 until it begins, 1 from where it ends, even in between."""
    return np.clip((x - start) / (stop - start), 0.0, 1.0)
