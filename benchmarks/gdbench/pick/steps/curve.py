"""Steps over batch size as ``K(B) = S (1 + Bn / B)``, the trade-off curve of McCandlish et al. 2018 (arXiv 1812.06162).

It explains the answer and fills the gaps of the table; it is never held against what was measured.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from gdbench.pick.steps.answer import Curve

Values = npt.NDArray[np.float64]
MIN_ERROR = 0.03
"""Standard error of log K at least, since the curve is none of the data's own."""
DOUBT = 10.0
"""A critical batch this many times beyond the batch sizes with data is not known."""


def fit_curve(sizes: npt.ArrayLike, steps: npt.ArrayLike, errors: npt.ArrayLike, *, n_rows: int | None) -> Curve:
    """Fit the two parameters to steps at batch sizes (m,) with standard errors of their logarithms (m,)."""
    sizes, logs = np.asarray(sizes, float), np.log(np.asarray(steps, float))
    x, errors = scarcity(sizes, n_rows), np.hypot(np.asarray(errors, float), MIN_ERROR)
    scarce = x[x > 1e-12] if (x > 1e-12).any() else np.array([1.0])  # only all rows at once
    middle = float(np.median(logs))
    bounds = [middle - 50.0, math.log(1e-3 / scarce.max())], [math.inf, math.log(1e3 / scarce.min())]
    start = np.clip([logs.min(), -math.log(np.median(scarce))], *bounds)
    found = least_squares(lambda p: (_log_steps(x, *np.exp(p)) - logs) / errors, start, bounds=bounds, loss="soft_l1")
    floor, critical = map(float, np.exp(found.x))
    worst = float(np.abs(np.expm1(logs - _log_steps(x, floor, critical))).max())
    identified = len(sizes) > 1 and sizes.min() / DOUBT < critical < sizes.max() * DOUBT
    return Curve(floor, critical, worst, bool(identified))


def steps_by(curve: Curve, size: int, n_rows: int | None) -> float:
    """Steps at a batch size by the curve."""
    return float(np.exp(_log_steps(scarcity(np.array([size], float), n_rows), curve.floor, curve.critical))[0])


def scarcity(sizes: Values, n_rows: int | None) -> Values:
    """``1 / B``, or for n rows ``(1 / B - 1 / n) n / (n - 1)``: the variance of a mean over a batch drawn from them."""
    if n_rows is None:
        return np.asarray(1.0 / sizes)
    return np.asarray((1.0 / sizes - 1.0 / n_rows) * n_rows / max(n_rows - 1, 1))


def _log_steps(x: Values, floor: float, critical: float) -> Values:
    return np.asarray(math.log(floor) + np.log1p(critical * x))
