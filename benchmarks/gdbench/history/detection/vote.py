"""Change points of one series: what at least two of three detectors propose, where it fits best, if it is certain."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gdbench.history.detection import detectors
from gdbench.history.detection.certainty import threshold
from gdbench.history.detection.noise import OUTLIER_SDS, Series, from_differences, from_residuals, without_spikes
from gdbench.history.detection.scale import scaled

TOLERANCE = 5
"""Values by which two detectors may differ about one step."""
VOTES = 2
MIN_VALUES = 8
"""A shorter series has no four values on each side of anything."""
SETTLED = 4
"""Values that a level needs to be final; a level in the middle of the series that has fewer is a burst of outliers."""
YOUNGEST = 3
"""Values that the last level needs to be proposed at all: of one or two, a slow moment is the likelier cause."""


def change_points(values: Series, *, n_series: int = 1) -> list[int]:
    """Return the indices at which new levels begin.

    Parameters
    ----------
    values : array (n,)
        Values in the order of their commits, in any unit; NaN where a commit has none.
    n_series : int
        Series that are judged together: the more there are, the larger a step must be.

    Returns
    -------
    list of int
        Into ``values``: each is the first value of a level. Steps are judged relative to the level before, or by their
        difference where there are values of zero or less.
    """
    return points_on_scale(scaled(values), n_series=n_series)


def points_on_scale(on_scale: Series, *, n_series: int) -> list[int]:
    """Return the change points of values that are on the scale of their series already."""
    present = np.flatnonzero(np.isfinite(on_scale))
    if len(present) < MIN_VALUES:
        return []
    points = certain(on_scale[present], _consensus(on_scale[present]), threshold(n_series))
    return [int(present[point]) for point in points]


def _consensus(values: Series) -> list[int]:
    """Return where at least two detectors propose a step; asv's is the slowest, and is asked only if it can matter."""
    first = from_differences(values)
    smooth = without_spikes(values, first.sd)
    noise = from_residuals(smooth, detectors.kernel_steps(smooth, first, detectors.ROUGH_PENALTY))
    proposals = [detectors.kernel_steps(smooth, noise), detectors.rank_steps(values, noise)]
    if any(len(place) < VOTES for place in _places(proposals)):
        proposals.append(detectors.asv_steps(values))
    return refined(values, agreed(proposals))


def agreed(proposals: list[list[int]]) -> list[int]:
    """Return one position for each place at which at least two lists have one, the median of theirs."""
    places = _places(proposals)
    return [int(np.median([*place.values()])) for place in places if len(place) >= VOTES]


def _places(proposals: list[list[int]]) -> list[dict[int, int]]:
    """Gather the positions that are near each other: the last of each voter."""
    votes = sorted((position, voter) for voter, positions in enumerate(proposals) for position in positions)
    places: list[dict[int, int]] = []
    for position, voter in votes:
        if places and position - min(places[-1].values()) <= TOLERANCE:
            places[-1][voter] = position
        else:
            places.append({voter: position})
    return places


def refined(values: Series, points: list[int]) -> list[int]:
    """Move each position to where the least absolute error of the levels beside it is smallest."""
    moved = list(points)
    for i, point in enumerate(moved):
        start = moved[i - 1] if i else 0
        stop = moved[i + 1] if i + 1 < len(moved) else len(values)
        near = range(max(start + 1, point - TOLERANCE), min(stop, point + TOLERANCE + 1))
        moved[i] = min(near, key=_error_of_split(values, start, stop))
    return moved


def _error_of_split(values: Series, start: int, stop: int) -> Callable[[int], float]:
    return lambda at: absolute_error(values[start:at]) + absolute_error(values[at:stop])


def absolute_error(values: Series) -> float:
    """Sum of the distances from the median."""
    return float(np.abs(values - np.median(values)).sum())


def certain(values: Series, points: list[int], least: float) -> list[int]:
    """Drop the least certain step, place the others anew and judge again, until all that are left are certain.

    Parameters
    ----------
    values : array (n,)
        On the scale of the series, without gaps.
    points : list of int
        Positions of proposed steps.
    least : float
        Long-run standard errors by which the levels beside a step must differ.
    """
    while points:
        scores = _scores(values, points)
        short = _beside_short(len(values), points)
        weakest = min(short or range(len(points)), key=scores.__getitem__)
        if not short and scores[weakest] >= least:
            return points
        points = refined(values, points[:weakest] + points[weakest + 1 :])
    return []


def _scores(values: Series, points: list[int]) -> list[float]:
    """Difference of the levels at each step in its long-run standard errors; outliers count as far as the limit."""
    noise = from_residuals(values, points)
    parts = np.split(values, points)
    levels = [_level(part, noise.sd) for part in parts]
    scale = max(noise.long_run_sd, float(np.finfo(float).tiny))
    return [
        abs(after - before) / scale / float(np.sqrt(1 / len(left) + 1 / len(right)))
        for before, after, left, right in zip(levels, levels[1:], parts, parts[1:], strict=False)
    ]


def _level(values: Series, sd: float) -> float:
    middle = np.median(values)
    return float(np.clip(values, middle - OUTLIER_SDS * sd, middle + OUTLIER_SDS * sd).mean())


def _beside_short(n: int, points: list[int]) -> list[int]:
    """Return which steps are beside a level that has too few values."""
    lengths = np.diff([0, *points, n])
    least = np.full(len(lengths), SETTLED)
    least[-1] = YOUNGEST
    short = lengths < least
    return [int(i) for i in np.flatnonzero(short[:-1] | short[1:])]
