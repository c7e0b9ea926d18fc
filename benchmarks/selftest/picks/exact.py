"""Expected losses of the oracles, without sampling: a sum of powers ``Σ coefficient_k base_k^t``, for any step t.

Second moments of the parameters follow a linear map from step to step. For the quadratic it is diagonal; for
Gaussian rows ``m_i <- m_i ((1 - ηh_i)² + η²h_i²/B) + η²/B h_i (Σ_j h_j m_j + σ²)``; for finite rows, with mean μ and
second moment M of ``w - w*``, gradient residuals ``e_i = y_i - x_i w*`` and ``c = (N - B) / (B (N - 1))``,
``μ <- (I - ηH) μ`` and ``M <- M - η(HM + MH) + η²(HMH + c (G - HMH))``,
``G = mean_i x_i x_iᵀ (x_iᵀ M x_i - 2 e_i x_iᵀ μ + e_i²)``. All three maps are symmetric, so eigenvectors separate them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache, singledispatch

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from selftest.picks.oracles import NULL, Gaussian, Oracle, Quadratic, Rows, Values

MAX_STEPS = 10**8
"""A goal not reached by then is never reached."""
RATIO = 1.02
"""Ratio of neighbouring step counts between which the first crossing is looked for."""
ALL_UNTIL = 100
"""Steps up to which each one is looked at."""
LOG_RATE_TOLERANCE = 0.01
"""Tolerance of the logarithm of the best learning rate: costs less than three steps in ten thousand."""
HALVINGS = 40
"""How far below the largest stable rate a rate is looked for."""
MIN_GAP = 1e-10
"""Between two bases; nearer ones are moved apart, which changes a loss by about this share for each step."""


@dataclass(frozen=True)
class Powers:
    """A loss by step, ``Σ coefficients * bases ** t``."""

    coefficients: Values
    bases: Values

    def at(self, steps: npt.ArrayLike) -> Values:
        """(T,) losses after each number of steps; infinite where they overflow."""
        t = np.atleast_1d(np.asarray(steps, dtype=np.float64))
        with np.errstate(all="ignore"):
            found = np.power(self.bases, t[:, None]) @ self.coefficients
        return np.where(np.isfinite(found), found, np.inf)


@singledispatch
def powers(oracle: Oracle, batch_size: float, rate: float) -> Powers:
    """Expected excess loss by step at a batch size and a constant rate."""
    raise TypeError(f"no closed form is known for {type(oracle).__name__}")


@powers.register
def _(oracle: Quadratic, batch_size: float, rate: float) -> Powers:
    shrink = (1 - rate * oracle.h) ** 2
    return _affine(shrink, oracle.h / 2, oracle.first**2, rate**2 * oracle.c / batch_size)


@powers.register
def _(oracle: Gaussian, batch_size: float, rate: float) -> Powers:
    h, share = oracle.h, rate**2 / batch_size
    step = np.diag((1 - rate * h) ** 2 + share * h**2) + share * np.outer(h, h)
    bases, vectors = np.linalg.eigh(step)
    turned = vectors.T @ np.stack([h / 2, oracle.optimum**2, share * oracle.label_variance * h], axis=1)
    return _affine(bases, *turned.T)


@powers.register
def _(oracle: Rows, batch_size: float, rate: float) -> Powers:
    n = oracle.n_rows
    c = (n - batch_size) / (batch_size * (n - 1))
    own = _moments(oracle)
    h, (j, k), share = own.h, np.triu_indices(len(own.h)), rate**2 * c
    shrink = 1 - rate * (h[j] + h[k]) + (rate**2 - share) * h[j] * h[k]
    weights = np.where(j == k, h[j] / 2, 0)
    start = np.where(j == k, 1, math.sqrt(2)) * own.mean[j] * own.mean[k]
    if c == 0:  # all rows at once: nothing is left to chance, and the map is diagonal
        return _affine(shrink, weights, start, np.zeros_like(start))
    bases, vectors = np.linalg.eigh(np.diag(shrink) + share * own.fourth)
    turned = vectors.T @ np.column_stack([weights, start, share * own.noise, -2 * share * own.mixed * own.mean])
    return _driven(_affine(bases, *turned[:, :3].T), turned[:, 0], turned[:, 3:], 1 - rate * h)


def expected_losses(oracle: Oracle, batch_size: int, rate: float, steps: npt.ArrayLike) -> Values:
    """(T,) expected excess losses after the given numbers of steps."""
    return powers(oracle, batch_size, rate).at(steps)


def exact_steps(oracle: Oracle, batch_size: float, rate: float, goal: float) -> float:
    """First crossing of the expected loss with the goal, between steps by log-linear interpolation.

    Returns
    -------
    float
        Steps; infinite if the expected loss never gets there.
    """
    return crossing(powers(oracle, batch_size, rate), goal)


def crossing(curve: Powers, goal: float) -> float:
    """First step, a real number, at which a loss is no more than the goal; infinite if there is none."""
    before = 0
    for steps in _grids():
        reached = np.flatnonzero(curve.at(steps) <= goal)
        if len(reached):
            last = int(steps[reached[0]])
            return _between(curve, before if reached[0] == 0 else int(steps[reached[0] - 1]), last, goal)
        before = int(steps[-1])
    return math.inf


def best_rate(oracle: Oracle, batch_size: float, goal: float, *, near: float | None = None) -> tuple[float, float]:
    """Return the learning rate with the fewest expected steps to the goal, and those steps.

    Parameters
    ----------
    near : float, optional
        A learning rate not far below the best one or above it, such as the best one of a neighbouring batch size.

    Returns
    -------
    tuple of float
        Learning rate and steps; steps are infinite if no rate gets there.
    """
    rates, found = _grid(oracle, batch_size, goal, 2 * (near or oracle.stable_rate(batch_size)))
    least = int(np.argmin(found))
    if not math.isfinite(found[least]):
        return math.nan, math.inf
    best = minimize_scalar(
        lambda log_rate: min(exact_steps(oracle, batch_size, math.exp(log_rate), goal), 10.0 * MAX_STEPS),
        bounds=(math.log(rates[least]) - math.log(2), math.log(rates[least]) + math.log(2)),
        method="bounded",
        options={"xatol": LOG_RATE_TOLERANCE},
    )
    return (math.exp(best.x), float(best.fun)) if best.fun < found[least] else (rates[least], found[least])


def _grid(oracle: Oracle, batch_size: float, goal: float, top: float) -> tuple[list[float], list[float]]:
    """Rates from the top down by halves, and their steps, until these have risen; upwards first if need be."""
    rates = [top, top / 2]
    found = [exact_steps(oracle, batch_size, rate, goal) for rate in rates]
    while found[0] < found[1]:
        rates.insert(0, 2 * rates[0])
        found.insert(0, exact_steps(oracle, batch_size, rates[0], goal))
    while len(rates) < HALVINGS and not found[-1] > min(found):
        rates.append(rates[-1] / 2)
        found.append(exact_steps(oracle, batch_size, rates[-1], goal))
    return rates, found


def _affine(bases: Values, weights: Values, start: Values, push: Values) -> Powers:
    """Sum of ``weights * y(t)`` with ``y <- bases * y + push``."""
    gap = np.where(np.abs(1 - bases) < MIN_GAP, MIN_GAP, 1 - bases)
    rest = push / gap
    return Powers(np.append(weights * (start - rest), weights @ rest), np.append(1 - gap, 1.0))


def _driven(curve: Powers, weights: Values, drive: Values, factors: Values) -> Powers:
    """Add to a curve of ``_affine`` what ``y <- bases * y + drive @ factors^t`` gains, by partial fractions."""
    bases = curve.bases[:-1]
    near = np.abs(bases[:, None] - factors).min(axis=1) < MIN_GAP
    bases = bases + 2 * MIN_GAP * near
    shares = weights[:, None] * drive / (bases[:, None] - factors)
    coefficients = np.concatenate([curve.coefficients, -shares.sum(axis=0)])
    coefficients[: len(bases)] += shares.sum(axis=1)
    return Powers(coefficients, np.concatenate([bases, curve.bases[-1:], factors]))


@dataclass(frozen=True)
class _Moments:
    """Moments of finite rows in the eigenvectors of H; symmetric matrices as vectors, off-diagonal entries times √2."""

    h: Values
    """(r,) eigenvalues of H."""
    mean: Values
    """(r,) start less optimum."""
    fourth: Values
    """(n, n) ``mean_i φ_i φ_iᵀ`` with ``φ_i`` the vector of ``x_i x_iᵀ``; n = r (r + 1) / 2."""
    mixed: Values
    """(n, r) ``mean_i φ_i e_i x_iᵀ``."""
    noise: Values
    """(n,) ``mean_i φ_i e_i²``."""


@lru_cache(maxsize=4)
def _moments(oracle: Rows) -> _Moments:
    values, vectors = np.linalg.eigh(oracle.H)
    vectors = vectors[:, values > NULL * values[-1]]
    x, n = oracle.X @ vectors, oracle.n_rows
    j, k = np.triu_indices(x.shape[1])
    phi = x[:, j] * x[:, k] * np.where(j == k, 1, math.sqrt(2))
    e = oracle.y - oracle.X @ oracle.optimum
    return _Moments(
        h=values[values > NULL * values[-1]],
        mean=-(oracle.optimum @ vectors),
        fourth=phi.T @ phi / n,
        mixed=phi.T @ (x * e[:, None]) / n,
        noise=phi.T @ e**2 / n,
    )


@lru_cache(maxsize=1)
def _grids() -> tuple[npt.NDArray[np.int64], ...]:
    """Every step at first, then steps in ratio RATIO, in pieces."""
    ratios = np.arange(math.log(MAX_STEPS / ALL_UNTIL) / math.log(RATIO) + 1)
    rest = np.round(ALL_UNTIL * RATIO**ratios).astype(np.int64)
    return (np.arange(ALL_UNTIL), *np.array_split(rest, 20))


def _between(curve: Powers, before: int, last: int, goal: float) -> float:
    """First crossing in the steps (before, last], the latter of which has reached the goal."""
    while last - before > 4 * ALL_UNTIL:
        steps = np.unique(np.linspace(before, last, ALL_UNTIL).astype(np.int64))
        first = max(int(np.flatnonzero(curve.at(steps) <= goal)[0]), 1)
        before, last = int(steps[first - 1]), int(steps[first])
    steps = np.arange(before, last + 1)
    losses = curve.at(steps)
    first = int(np.flatnonzero(losses <= goal)[0])
    if first == 0:
        return float(steps[0])
    high, low = math.log(losses[first - 1] / goal), math.log(losses[first] / goal)
    return float(steps[first - 1] + high / (high - low))
