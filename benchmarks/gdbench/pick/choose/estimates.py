"""Both halves joined at the batch sizes that have both, with what noise may have done to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from gdbench.pick.choose.objectives import Objective
from gdbench.pick.seconds.times import Times, TimesRow
from gdbench.pick.steps.answer import Steps

Values = npt.NDArray[np.float64]

Z90 = NormalDist().inv_cdf(0.95)
"""Standard deviations from the middle to either end of a 90 % interval."""
MAX_LOG = 200.0
"""Logarithms are cut here, so that absurdly wide intervals overflow nowhere."""


@dataclass(frozen=True, eq=False)
class Estimates:
    """Logarithms of steps and of seconds per step at R batch sizes, normal with these covariances."""

    batch_sizes: tuple[int, ...]
    log_steps: Values
    """(R,), zeros if the objective needs no steps."""
    log_seconds: Values
    """(R,) of a step."""
    steps_covariance: Values
    """(R, R)"""
    seconds_variance: Values
    """(R,)"""

    @property
    def log_time(self) -> Values:
        """(R,) logarithm of the time to the target."""
        return np.asarray(self.log_steps + self.log_seconds)

    @property
    def covariance_of_time(self) -> Values:
        """(R, R) of ``log_time``."""
        return np.asarray(self.steps_covariance + np.diag(self.seconds_variance))

    def values(self, objective: Objective) -> Values:
        """(R,) of the objective."""
        return objective.values(np.exp(self.log_steps), np.exp(self.log_seconds), np.array(self.batch_sizes, float))

    def draw_values(self, objective: Objective, draws: int) -> Values:
        """(draws, R) of the objective; the same draws every time."""
        rng = np.random.default_rng(0)
        size = len(self.batch_sizes)
        factor = _root(self.steps_covariance)
        steps = self.log_steps + rng.standard_normal((draws, size)) @ factor
        seconds = self.log_seconds + rng.standard_normal((draws, size)) * np.sqrt(self.seconds_variance)
        return objective.values(_exp(steps), _exp(seconds), np.array(self.batch_sizes, float))

    def interval_of_time(self, index: int) -> tuple[float, float]:
        """90 % interval of the expected time to the target, seconds."""
        return _interval(self.log_time[index], self.covariance_of_time[index, index])

    def ratio_interval(self, index: int, to: int) -> tuple[float, float]:
        """90 % interval of the time at one batch size relative to another."""
        C = self.covariance_of_time
        middle = self.log_time[index] - self.log_time[to]
        return _interval(middle, C[index, index] + C[to, to] - 2 * C[index, to])


def join(steps: Steps | None, times: Times, batch_sizes: tuple[int, ...]) -> Estimates:
    """Join the halves at batch sizes that both have; without ``steps`` their part is zero.

    Parameters
    ----------
    batch_sizes
        With steps, unless there are none at all, and timed.
    """
    timed = {row.batch_size: row for row in times.rows}
    rows = [timed[size] for size in batch_sizes]
    log_steps, covariance = _steps_part(steps, batch_sizes)
    return Estimates(
        batch_sizes,
        log_steps,
        np.log([row.seconds for row in rows]),
        covariance,
        np.array([_variance(row) for row in rows]),
    )


def regrets(drawn: Values, index: int, among: Sequence[int]) -> Values:
    """(draws,) of how much worse one batch size is than the best of some in each draw, such as 0.03."""
    return np.asarray(drawn[:, index] / drawn[:, list(among)].min(axis=1) - 1)


def relative_half_width(drawn: Values, index: int) -> float:
    """Half-width of the 90 % interval of one batch size's value, relative to its median."""
    low, middle, high = np.quantile(drawn[:, index], (0.05, 0.5, 0.95))
    return float((high - low) / 2 / middle)


def _steps_part(steps: Steps | None, batch_sizes: tuple[int, ...]) -> tuple[Values, Values]:
    if steps is None:
        return np.zeros(len(batch_sizes)), np.zeros((len(batch_sizes),) * 2)
    known = {row.batch_size: row.steps for row in steps.rows if row.steps is not None}
    places = [list(known).index(size) for size in batch_sizes]
    covariance = np.array(steps.covariance, float).reshape(len(known), len(known))
    return np.log([known[size] for size in batch_sizes]), covariance[np.ix_(places, places)]


def _variance(row: TimesRow) -> float:
    """Variance of the logarithm of a step's seconds, from its 90 % interval."""
    low = row.low if row.low > 0 else row.seconds**2 / row.high
    return float((math.log(row.high / low) / 2 / Z90) ** 2)


def _root(covariance: Values) -> Values:
    """Return ``A`` with ``Aᵀ A = covariance``; what rounding made negative counts as zero."""
    eigenvalues, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(eigenvalues, 0))).T)


def _interval(middle: float, variance: float) -> tuple[float, float]:
    reach = Z90 * math.sqrt(max(variance, 0.0))
    return math.exp(max(middle - reach, -MAX_LOG)), math.exp(min(middle + reach, MAX_LOG))


def _exp(logarithms: Values) -> Values:
    return np.asarray(np.exp(np.clip(logarithms, -MAX_LOG, MAX_LOG)))
