"""Seconds of a step as a line with up to two knees, and the batch size of half the top speed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from gdbench.pick.seconds.times import Knee, TimeModel
from kernels import InputError

Values = npt.NDArray[np.float64]

POINTS_FOR_KNEES = (2, 5, 7)
"""Fewest batch sizes for a line without, with one and with two knees: more than it has parts."""
ROUNDING = 1e-9
"""Relative error of a batch size that is computed."""
MIN_GAIN, MIN_ERROR = 0.25, 0.005
"""A knee more must take this share off the leave-one-out error, and leave no less than that to be gained."""


def fit_time_model(batch_sizes: Sequence[int], seconds: Sequence[float]) -> TimeModel:
    """Fit ``t(B) = fixed + per_row B`` with up to two knees at measured batch sizes.

    The sum of squared relative errors is made least, with parts that are not negative, but for the slope between two
    knees: a step may get cheaper where several threads set in. Knees are those of least leave-one-out error (mean of
    the relative errors, each batch size left out once, its knee kept), and a knee must earn its place.

    Parameters
    ----------
    batch_sizes : sequence of int
        At least one, all different, in any order.
    seconds : sequence of float
        Seconds of a step at each, positive.

    Raises
    ------
    InputError
        If they are not of one length, different, positive and finite.
    """
    B, t = _sorted(batch_sizes, seconds)
    if len(B) == 1:
        return TimeModel(float(t[0]), 0.0, (), float(B[0]), 0.0)
    best = _best(B, t, 0)
    for number in (1, 2):
        if len(B) >= POINTS_FOR_KNEES[number] and best[0] > MIN_ERROR:
            more = _best(B, t, number)
            best = more if more[0] < (1 - MIN_GAIN) * best[0] else best
    _, places = best
    fixed, slopes = _fit(B, t, places)
    knees = tuple(
        Knee(int(place), float(after - before)) for place, (before, after) in zip(places, pairwise(slopes), strict=True)
    )
    error = float(np.median(_left_out(B, t, places)))
    return TimeModel(fixed, float(slopes[0]), knees, _half_throughput(B, fixed, slopes, places), error)


def predict(model: TimeModel, batch_size: float, *, measured: tuple[int, int]) -> float:
    """Seconds of a step by the model, between the smallest and the largest batch size that were measured.

    Raises
    ------
    InputError
        Outside that range, of which the model knows nothing.
    """
    if not measured[0] <= batch_size <= measured[1]:
        raise InputError(
            f"the time of a step was measured from B = {measured[0]} to {measured[1]}, not at {batch_size:g}: "
            "choose a batch size between them"
        )
    bends = sum(knee.seconds_per_row * max(0.0, batch_size - knee.batch_size) for knee in model.knees)
    return model.fixed + model.per_row * batch_size + bends


def _sorted(batch_sizes: Sequence[int], seconds: Sequence[float]) -> tuple[Values, Values]:
    B, t = np.asarray(batch_sizes, float), np.asarray(seconds, float)
    usable = B.shape == t.shape and B.ndim == 1 and len(B) == len(np.unique(B)) > 0
    if not (usable and (B > 0).all() and (t > 0).all() and np.isfinite([B, t]).all()):
        raise InputError("a model of time needs a positive time for each of one or more different batch sizes")
    order = np.argsort(B)
    return B[order], t[order]


def _best(B: Values, t: Values, knees: int) -> tuple[float, tuple[float, ...]]:
    """Least leave-one-out error with so many knees, and where they are."""
    inner = [float(place) for place in B[1:-1]]
    return min((float(np.mean(_left_out(B, t, places))), places) for places in combinations(inner, knees))


def _left_out(B: Values, t: Values, places: tuple[float, ...]) -> Values:
    """Relative error at each batch size of the fit to the others."""
    errors = np.empty(len(B))
    for i in range(len(B)):
        others = np.arange(len(B)) != i
        fixed, slopes = _fit(B[others], t[others], places)
        errors[i] = abs(fixed + _ramps(B[i : i + 1], places)[0] @ slopes - t[i]) / t[i]
    return errors


def _ramps(B: Values, places: tuple[float, ...]) -> Values:
    """Rows of each part of the line, (len(B), parts): how much of B lies between its two ends."""
    ends = np.array([0.0, *places, np.inf])
    ramps: Values = np.clip(B[:, None] - ends[:-1], 0.0, np.diff(ends))
    return ramps


def _fit(B: Values, t: Values, places: tuple[float, ...]) -> tuple[float, Values]:
    """Fixed seconds and the slope of each part: least squares of relative errors."""
    ramps = _ramps(B, places)
    falling = -ramps[:, 1:-1]  # a slope between two knees is the difference of two parts that are not negative
    design = np.column_stack([np.ones(len(B)), ramps, falling]) / t[:, None]
    scale = np.maximum(np.abs(design).max(axis=0), np.finfo(float).tiny)
    parts = nnls(design / scale, np.ones(len(B)))[0] / scale
    slopes = parts[1 : 1 + ramps.shape[1]].copy()
    slopes[1:-1] -= parts[1 + ramps.shape[1] :]
    return float(parts[0]), slopes


def _half_throughput(B: Values, fixed: float, slopes: Values, places: tuple[float, ...]) -> float:
    """Batch size from which on rows, no longer what comes with every step, take most of a step.

    On a line ``a + b B`` that is ``a / b``, where half of the speed 1 / b is reached. Of a line with knees it is that
    of the first part that reaches it, or the knee from which on it is so; if none does, ``a / b`` of the last part. It
    is never below half of the smallest batch size; where time is flat to the end it is the largest: more is not known.
    """
    ends, intercept = [0.0, *places, np.inf], fixed
    for number, slope in enumerate(slopes):
        half = intercept / slope if slope > 0 else np.inf
        if np.isfinite(half) and half <= ends[number + 1] * (1 + ROUNDING):
            return float(max(half, ends[number], B[0] / 2))
        if number + 1 < len(slopes):
            intercept += (slope - slopes[number + 1]) * ends[number + 1]
    return float(B[-1])
