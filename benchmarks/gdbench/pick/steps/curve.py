"""Steps over batch size, pooled: ``K(B) = S (1 + Bn / B)`` and, where the data say so, a smooth departure from it.

The two-parameter form is the trade-off of arXiv 1812.06162. The departure is a Gaussian process over log B with a
prior of mean zero, so that where runs are few the form decides and where they are many they do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import least_squares

Values = npt.NDArray[np.float64]
LENGTH_OCTAVES = 2.0
"""Over which a departure from the form changes."""
DEPARTURES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Standard deviations of the departure in log K, of which the most likely is taken."""
USUAL_SPREAD, USUAL_COUNT = 0.25, 6.0
"""Standard deviation of log K between runs below the critical batch size, and the runs that it counts for."""
SYSTEMATIC = 0.025
"""Standard error of log K that is common to all batch sizes: few runs cross a little early, as oracles show."""
USUAL_DEPARTURE = 0.1
"""Departures much larger than this are believed only if the data insist."""
DOUBT = 10.0
"""A critical batch this many times beyond the batch sizes with data is not known."""


@dataclass(frozen=True)
class Pooled:
    """Log K at the batch sizes asked for."""

    mean: Values
    covariance: Values
    floor: float
    critical: float
    departure: float
    """Standard deviation of the departure from the form that suits the data best."""
    identified: bool


def pool(
    sizes: Values, logs: Values, errors: Values, wanted: Values, *, n_rows: int | None, departures: Sequence[float]
) -> Pooled:
    """Fit estimates of log K at batch sizes (m,), with their standard errors, and predict it at others (w,)."""
    x, at = scarcity(sizes, n_rows), scarcity(wanted, n_rows)
    floor, critical = _fit_form(x, logs, np.hypot(errors, 0.03))
    found = max(
        (_Departure(sizes, x, logs, errors, floor=floor, critical=critical, size=size) for size in departures),
        key=lambda fit: fit.likelihood,
    )
    mean, covariance = found.predict(wanted, at)
    covariance += SYSTEMATIC**2
    known = len(sizes) > 1 and sizes.min() / DOUBT < critical < sizes.max() * DOUBT
    return Pooled(mean, covariance, floor, critical, found.size, bool(known))


def smooth_variances(sizes: Values, variances: Values, counts: Values, *, critical: float) -> Values:
    """Variances (m,) of log K of one run, each known from few, averaged with their neighbours' and with what is usual.

    Steps and their estimated variance go together: runs that were lucky also agree, so that a batch size's own
    estimate would make it look surest where it is wrong. A single run stands where all are the same: no variance.
    """
    usual = USUAL_SPREAD**2 / (1.0 + sizes / critical)
    distance = np.log2(sizes)[:, None] - np.log2(sizes)[None]
    weights = np.exp(-0.5 * (distance / LENGTH_OCTAVES) ** 2) * (counts - 1.0)
    found = (weights @ variances + USUAL_COUNT * usual) / (weights.sum(axis=1) + USUAL_COUNT)
    return np.where(counts > 1, found, 0.0)


def scarcity(sizes: Values, n_rows: int | None) -> Values:
    """``1 / B``, or for n rows ``(1 / B - 1 / n) n / (n - 1)``: the variance of a mean over a batch drawn from them."""
    if n_rows is None:
        return np.asarray(1.0 / sizes)
    return np.asarray((1.0 / sizes - 1.0 / n_rows) * n_rows / max(n_rows - 1, 1))


def log_form(x: Values, floor: float, critical: float) -> Values:
    """Log of ``floor (1 + critical x)``."""
    return np.asarray(math.log(floor) + np.log1p(critical * x))


def _fit_form(x: Values, logs: Values, errors: Values) -> tuple[float, float]:
    """Least squares on log K, robust against a batch size that departs from the form; K of at least one step."""
    scarce = x[x > 1e-12] if (x > 1e-12).any() else np.array([1.0])  # only all rows at once
    least, most = scarce.min(), scarce.max()
    guess = logs.min(), -math.log(np.median(scarce))

    def residuals(parameters: Values) -> Values:
        return np.asarray((log_form(x, math.exp(parameters[0]), math.exp(parameters[1])) - logs) / errors)

    middle = float(np.median(logs))  # rates may be of any scale
    bounds = ([middle - 50.0, math.log(1e-3 / most)], [math.inf, math.log(1e3 / least)])
    start = np.clip(guess, *bounds)
    found = least_squares(residuals, start, bounds=bounds, loss="soft_l1", x_scale=1.0)
    return math.exp(found.x[0]), math.exp(found.x[1])


class _Departure:
    """Posterior of the form's two logarithms and of a smooth departure, by generalised least squares about the fit."""

    def __init__(
        self, sizes: Values, x: Values, logs: Values, errors: Values, *, floor: float, critical: float, size: float
    ) -> None:
        self.sizes, self.x, self.floor, self.critical, self.size = sizes, x, floor, critical, size
        self.least = 0.25 / sizes.max()
        self.residuals = logs - log_form(x, floor, critical)
        self.factor = cho_factor(self._prior((sizes, x), (sizes, x)) + np.diag(errors**2))
        self.solved = cho_solve(self.factor, self.residuals)
        determinant = 2.0 * float(np.log(np.diag(self.factor[0])).sum())
        self.likelihood = -0.5 * (float(self.residuals @ self.solved) + determinant + (size / USUAL_DEPARTURE) ** 2)

    def predict(self, wanted: Values, x: Values) -> tuple[Values, Values]:
        """Mean (w,) and covariance (w, w) of log K."""
        cross = self._prior((wanted, x), (self.sizes, self.x))
        mean = log_form(x, self.floor, self.critical) + cross @ self.solved
        covariance = self._prior((wanted, x), (wanted, x)) - cross @ cho_solve(self.factor, cross.T)
        return mean, 0.5 * (covariance + covariance.T)

    def _octave(self, x: Values) -> Values:
        """Place of a batch size on the scale over which a departure is smooth: log2(B), stretched near all rows."""
        return np.asarray(-np.log2(x + self.least))

    def _prior(self, left: tuple[Values, Values], right: tuple[Values, Values]) -> Values:
        """Covariance between batch sizes: vague about the two parameters of the form, ``size`` about the departure."""
        distance = self._octave(left[1])[:, None] - self._octave(right[1])[None]
        smooth = self.size**2 * np.exp(-0.5 * (distance / LENGTH_OCTAVES) ** 2)
        slopes = [self.critical * x / (1.0 + self.critical * x) for _, x in (left, right)]
        return np.asarray(4.0 + 4.0 * slopes[0][:, None] * slopes[1][None] + smooth)
