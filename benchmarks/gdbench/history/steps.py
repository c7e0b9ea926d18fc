"""Steps of every series of a history, with their sizes."""

from __future__ import annotations

import numpy as np

from gdbench.history.detection.noise import Noise, Series, from_residuals
from gdbench.history.detection.scale import by_difference, middle, scaled, there
from gdbench.history.detection.shifts import CONFIDENCE, Shift, shift
from gdbench.history.detection.vote import change_points
from gdbench.history.series import History, LevelStep


def find_steps(history: History, *, n_series: int) -> list[LevelStep]:
    """Return the steps of all series, in the order of the cases and then of the commits."""
    return [step for case, values in history.values.items() for step in steps_of(case, values, n_series=n_series)]


def steps_of(case: str, values: Series, *, n_series: int = 1) -> list[LevelStep]:
    """Return the steps of one series, with gaps, of values in any unit; so many are judged together."""
    points = change_points(values, n_series=n_series)
    if not points:
        return []
    noise = noise_of(values, points)
    edges = [0, *points, len(values)]
    return [
        _step(case, values, at, start=start, stop=stop, noise=noise)
        for start, at, stop in zip(edges, points, edges[2:], strict=False)
    ]


def noise_of(values: Series, points: list[int]) -> Noise:
    """Noise of a whole series about the levels between its steps, on its scale."""
    on_scale = scaled(values)
    present = np.flatnonzero(np.isfinite(on_scale))
    inner = [int(np.searchsorted(present, point)) for point in points]
    return from_residuals(on_scale[present], inner)


def size(before: Series, after: Series, *, noise: Noise, confidence: float = CONFIDENCE) -> Shift:
    """Difference of two levels of one series, with gaps, that are on its scale."""
    return shift(there(before), there(after), noise=noise, confidence=confidence)


def _step(case: str, values: Series, at: int, *, start: int, stop: int, noise: Noise) -> LevelStep:
    on_scale = scaled(values)
    return LevelStep(
        case,
        at=at,
        since=int(np.flatnonzero(np.isfinite(values[:at]))[-1]),
        shift=size(on_scale[start:at], on_scale[at:stop], noise=noise),
        before=middle(values[start:at]),
        after=middle(values[at:stop]),
        relative=not by_difference(values),
        values_after=len(there(values[at:stop])),
    )
