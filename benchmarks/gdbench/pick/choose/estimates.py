"""Both halves joined at the batch sizes that were measured in both, with what noise may have done to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from gdbench.pick.choose.objectives import Objective
from gdbench.pick.seconds.times import Times, TimesRow
from gdbench.pick.steps.answer import Steps, StepsRow
from gdbench.pick.steps.crossing import whole, whole_steps

Values = npt.NDArray[np.float64]

Z90 = NormalDist().inv_cdf(0.95)
"""Standard deviations from the middle to either end of a 90 % interval."""
DRAWS = 4000
"""Samples of the noise for an interval of a ratio."""
LEAST = 1e-3
"""Part of a step by which a crossing is above the whole number below."""
MAX_LOG = 200.0
"""Logarithms are cut here, so that absurdly wide intervals overflow nowhere."""


@dataclass(frozen=True, eq=False)
class Estimates:
    """Logarithms of steps and of seconds per step at R batch sizes, all normal and independent."""

    batch_sizes: tuple[int, ...]
    log_steps: Values
    """(R,) of whole steps, zeros if the objective needs none."""
    log_crossing: Values
    """(R,) of the real number where the loss is at the target, which noise is about: whole steps are the next above."""
    log_seconds: Values
    """(R,) of a step."""
    steps_error: Values
    """(R,) standard errors of ``log_crossing``."""
    seconds_error: Values
    """(R,) and of ``log_seconds``."""
    reach: Values
    """(R, 2) by how much the logarithm of the steps may be less, and more, at 90 %: to whole numbers on either side."""

    @property
    def log_time(self) -> Values:
        """(R,) logarithm of the time to the target."""
        return np.asarray(self.log_steps + self.log_seconds)

    def values(self, objective: Objective) -> Values:
        """(R,) of the objective."""
        return objective.values(np.exp(self.log_steps), np.exp(self.log_seconds), np.array(self.batch_sizes, float))

    def draw_values(self, objective: Objective, draws: int) -> Values:
        """(draws, R) of the objective, with whole steps; the same draws every time."""
        return objective.values(*self._drawn(draws), np.array(self.batch_sizes, float))

    def _drawn(self, draws: int) -> tuple[Values, Values]:
        """(draws, R) steps and seconds per step."""
        noise = np.random.default_rng(0).standard_normal((2, draws, len(self.batch_sizes)))
        steps = whole_steps(_exp(self.log_crossing + noise[0] * self.steps_error))
        return steps, _exp(self.log_seconds + noise[1] * self.seconds_error)

    def interval_of_time(self, index: int) -> tuple[float, float]:
        """90 % interval of the time to the target, seconds: as many whole steps as the ends of the steps' interval."""
        down, up = np.hypot(self.reach[index], Z90 * self.seconds_error[index])
        return _ends(self.log_time[index], float(down), float(up))

    def ratio_interval(self, index: int, to: int) -> tuple[float, float]:
        """90 % interval of the time at one batch size relative to another, both of whole steps."""
        steps, seconds = self._drawn(DRAWS)
        times, ratio = steps * seconds, math.exp(self.log_time[index] - self.log_time[to])
        low, high = np.quantile(times[:, index] / times[:, to], (0.05, 0.95))
        return min(float(low), ratio), max(float(high), ratio)


def join(steps: Steps | None, times: Times, batch_sizes: tuple[int, ...]) -> Estimates:
    """Join the halves at batch sizes that were measured in both; without ``steps`` their part is zero."""
    timed = {row.batch_size: row for row in times.rows}
    rows = [timed[size] for size in batch_sizes]
    stepped = {row.batch_size: row for row in (steps.rows if steps is not None else ())}
    found = [stepped.get(size) for size in batch_sizes]
    return Estimates(
        batch_sizes,
        np.array([math.log(row.steps) if row and row.steps else 0.0 for row in found]),
        np.array([math.log(_crossing(row)) if row else 0.0 for row in found]),
        np.log([row.seconds for row in rows]),
        np.array([row.log_error or 0.0 if row else 0.0 for row in found]),
        np.array([_error(row) for row in rows]),
        np.array([_reach(row) if row else (0.0, 0.0) for row in found]),
    )


def regrets(drawn: Values, index: int, among: Sequence[int]) -> Values:
    """(draws,) of how much worse one batch size is than the best of some in each draw, such as 0.03."""
    return np.asarray(drawn[:, index] / drawn[:, list(among)].min(axis=1) - 1)


def _error(row: TimesRow) -> float:
    """Standard error of the logarithm of a step's seconds, from its 90 % interval."""
    low = row.low if row.low > 0 else row.seconds**2 / row.high
    return math.log(row.high / low) / 2 / Z90


def _crossing(row: StepsRow) -> float:
    """Real number of steps that the interval is about; the whole number is less than one above it."""
    if not row.steps or row.low is None or row.high is None:
        return float(row.steps or 1)
    reach = math.exp(Z90 * (row.log_error or 0.0))  # to either end, unless that is cut: at 1, or at the whole number
    found = row.low * reach if row.low > 1 else row.high / reach
    return min(max(found, row.steps - 1 + LEAST), float(row.steps))


def _reach(row: StepsRow) -> tuple[float, float]:
    """Distance of the logarithm of the steps from those of the ends of their interval."""
    if not row.steps or row.low is None or row.high is None:
        return 0.0, 0.0
    return abs(math.log(whole(row.low) / row.steps)), abs(math.log(whole(row.high) / row.steps))


def _ends(middle: float, down: float, up: float) -> tuple[float, float]:
    return math.exp(max(middle - down, -MAX_LOG)), math.exp(min(middle + up, MAX_LOG))


def _exp(logarithms: Values) -> Values:
    return np.asarray(np.exp(np.clip(logarithms, -MAX_LOG, MAX_LOG)))
