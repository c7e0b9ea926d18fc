"""Slow drift in a history, which is no commit's fault: it is taken out of the series before their steps are judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gdbench.history.detection.certainty import threshold
from gdbench.history.detection.drift import Drift, find_drift, standard_errors
from gdbench.history.detection.noise import Series
from gdbench.history.detection.scale import by_difference, scaled
from gdbench.history.detection.vote import change_points, points_on_scale
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


def without_drift(history: History, *, n_series: int) -> Levelled:
    """Take the drift that cases share out of a history, and then that of each case of its own.

    A drift counts only if it is certain beside the steps that are left without it, and if these are no more than with
    it: a line that no case follows adds some. Series with values of zero or less stay as they are.
    """
    values, drifts = dict(history.values), []
    logs = {case: scaled(series) for case, series in values.items() if not by_difference(series)}
    shared = _certain_drift(_median(logs), n_series)
    if shared is not None:
        left = {case: _removed(values[case], shared) for case in logs}
        if sum(_steps(left[case], n_series) - _steps(values[case], n_series) for case in logs) <= 0:
            values |= left
            drifts.append(FoundDrift(tuple(logs), shared, shared=True))
    for case in logs:
        own = _certain_drift(scaled(values[case]), n_series)
        if own is not None and _steps(_removed(values[case], own), n_series) <= _steps(values[case], n_series):
            values[case] = _removed(values[case], own)
            drifts.append(FoundDrift((case,), own, shared=False))
    return Levelled(replace(history, values=values), tuple(drifts))


def _certain_drift(values: Series, n_series: int) -> Drift | None:
    """Return the drift of a series, if it is certain beside the steps of the rest."""
    drift = find_drift(values)
    if drift is None:
        return None
    points = points_on_scale(values - drift.over(len(values)), n_series=n_series)
    return drift if standard_errors(values, drift, points) >= threshold(n_series) else None


def _median(logs: Mapping[str, Series]) -> Series:
    """Return the median over cases, each relative to its own median; of few cases nothing."""
    found = [series - np.nanmedian(series) for series in logs.values() if np.isfinite(series).any()]
    if len(found) < MIN_CASES:
        return np.empty(0)
    together = np.array(found)
    told = np.isfinite(together).sum(axis=0) >= MIN_CASES
    middle = np.full(together.shape[1], np.nan)
    middle[told] = np.nanmedian(together[:, told], axis=0)
    return middle


def _steps(values: Series, n_series: int) -> int:
    return len(change_points(values, n_series=n_series))


def _removed(values: Series, drift: Drift) -> Series:
    return np.asarray(values * np.exp(-drift.over(len(values))))
