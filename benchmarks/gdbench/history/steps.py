"""Steps of every series of a history, with their sizes."""

from __future__ import annotations

import numpy as np

from gdbench.history.noise import Noise, Series, from_residuals
from gdbench.history.series import History, LevelStep
from gdbench.history.shifts import CONFIDENCE, Shift, shift
from gdbench.history.vote import change_points


def find_steps(history: History) -> list[LevelStep]:
    """Return the steps of all series, in the order of the cases and then of the commits."""
    return [step for case, values in history.values.items() for step in steps_of(case, values)]


def steps_of(case: str, values: Series) -> list[LevelStep]:
    """Return the steps of one series, with gaps, of values in any unit."""
    points = change_points(values)
    if not points:
        return []
    noise = noise_of(values, points)
    edges = [0, *points, len(values)]
    return [
        _step(case, values, at, level_before=values[start:at], level_after=values[at:stop], noise=noise)
        for start, at, stop in zip(edges, points, edges[2:], strict=False)
    ]


def noise_of(values: Series, points: list[int]) -> Noise:
    """Noise of a series about the levels between its steps."""
    present = _present(values)
    inner = [int(np.searchsorted(present, point)) for point in points]
    return from_residuals(np.log(values[present]), inner)


def logs(values: Series) -> Series:
    """Logs of the values that are there."""
    return np.log(values[_present(values)])


def size(before: Series, after: Series, *, noise: Noise, confidence: float = CONFIDENCE) -> Shift:
    """Ratio of two levels of one series, with gaps."""
    return shift(logs(before), logs(after), noise=noise, confidence=confidence)


def _present(values: Series) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    return np.flatnonzero(np.isfinite(values) & (values > 0))


def _step(case: str, values: Series, at: int, *, level_before: Series, level_after: Series, noise: Noise) -> LevelStep:
    found = size(level_before, level_after, noise=noise)
    since = int(_present(values[:at])[-1])
    return LevelStep(case, at, since, found.ratio, found.low, found.high, values_after=len(_present(level_after)))
