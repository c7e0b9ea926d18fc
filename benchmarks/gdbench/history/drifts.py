"""Slow drift in a history, which is no commit's fault: it is taken out of the series before their steps are judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gdbench.history.detection.drift import Drift, find_drift
from gdbench.history.detection.noise import Series
from gdbench.history.detection.scale import by_difference, scaled
from gdbench.history.detection.vote import change_points
from gdbench.history.labels import MIN_CASES
from gdbench.history.series import History


@dataclass(frozen=True)
class FoundDrift:
    """A drift with the cases that have it."""

    cases: tuple[str, ...]
    drift: Drift
    shared: bool
    """Whether it is that of the median of all cases."""


@dataclass(frozen=True, eq=False)
class Levelled:
    """A history without its drifts: its values are as they would be, had each case stayed as before it drifted."""

    history: History
    drifts: tuple[FoundDrift, ...]


def without_drift(history: History) -> Levelled:
    """Take the drift that cases share out of a history, and then that of each case of its own.

    A drift counts only if no more steps are left without it: a line that no case follows adds some. Series with
    values of zero or less stay as they are.
    """
    values, drifts = dict(history.values), []
    logs = {case: scaled(series) for case, series in values.items() if not by_difference(series)}
    shared = _shared(logs)
    if shared is not None:
        left = {case: _removed(values[case], shared) for case in logs}
        if sum(map(_steps, left.values())) <= sum(_steps(values[case]) for case in logs):
            values |= left
            drifts.append(FoundDrift(tuple(logs), shared, shared=True))
    for case in logs:
        own = find_drift(scaled(values[case]))
        if own is not None and _steps(_removed(values[case], own)) <= _steps(values[case]):
            values[case] = _removed(values[case], own)
            drifts.append(FoundDrift((case,), own, shared=False))
    return Levelled(replace(history, values=values), tuple(drifts))


def _shared(logs: Mapping[str, Series]) -> Drift | None:
    """Return the drift of the median over cases, each relative to its own median."""
    found = [series - np.nanmedian(series) for series in logs.values() if np.isfinite(series).any()]
    if len(found) < MIN_CASES:
        return None
    together = np.array(found)
    told = np.isfinite(together).sum(axis=0) >= MIN_CASES
    middle = np.full(together.shape[1], np.nan)
    middle[told] = np.nanmedian(together[:, told], axis=0)
    return find_drift(middle)


def _steps(values: Series) -> int:
    return len(change_points(values))


def _removed(values: Series, drift: Drift) -> Series:
    return np.asarray(values * np.exp(-drift.over(len(values))))
