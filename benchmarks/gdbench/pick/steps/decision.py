"""Whether a choice is made: which batch sizes may still take the least time, and what a wrong choice may cost.

Steps at some batch sizes bound those at another: they do not rise with B, and rows do not fall. All times are
logarithms, each with a standard error that is independent of the others'.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gdbench.pick.steps.cell import SizeCell
from gdbench.pick.steps.crossing import Hit

CONTENDER = 2.5
"""Standard errors by which a batch size may be behind the best one and still be looked at more closely."""
DRAWS = 4000
HOPELESS = 1.5
"""Multiple of the least time to the target beyond which a batch size, by the bounds, is not looked at first."""
UNREFINED_ERROR = 0.06
"""What the rate of a batch size that was looked at coarsely may cost, as a standard error of log K."""
SINGLE_ERROR = 0.3
"""Standard error of log K that is taken for a single run."""


def contenders(logs: Mapping[int, float], errors: Mapping[int, float]) -> list[int]:
    """Batch sizes whose time may be the least.

    Examples
    --------
    >>> contenders({8: 0.0, 16: 0.1, 32: 0.5}, {8: 0.05, 16: 0.05, 32: 0.05})
    [8, 16]
    """
    best = min(logs, key=lambda size: logs[size], default=None)
    if best is None:
        return []
    reach = {size: CONTENDER * math.hypot(errors[size], errors[best]) for size in logs}
    return [size for size in logs if size == best or logs[size] - logs[best] <= reach[size]]


def expected_regret(logs: Mapping[int, float], errors: Mapping[int, float]) -> float:
    """How much longer than the best the batch size with the least time is expected to take, as a share.

    Examples
    --------
    >>> expected_regret({8: 0.0, 16: 1.0}, {8: 0.05, 16: 0.05}) < 1e-6
    True
    """
    means = np.array([*logs.values()])
    spreads = np.array([errors[size] for size in logs])
    drawn = means + np.random.default_rng(0).standard_normal((DRAWS, len(means))) * spreads
    return float(np.mean(np.exp(drawn[:, means.argmin()] - drawn.min(axis=1)) - 1))


def least_steps(known: Mapping[int, float], batch_size: int) -> float:
    """Fewest steps that a batch size can need, given those of others; 0 if there are none.

    Examples
    --------
    >>> least_steps({8: 100.0, 32: 50.0}, 16), least_steps({8: 100.0, 32: 50.0}, 4)
    (50.0, 100.0)
    """
    return max((steps * min(1.0, other / batch_size) for other, steps in known.items()), default=0.0)


def steps_near(known: Mapping[int, float], batch_size: int) -> float:
    """Steps at a batch size between those of others, ascending; below all of them as many rows as at the smallest.

    Examples
    --------
    >>> round(steps_near({8: 100.0, 32: 25.0}, 16), 6), round(steps_near({8: 100.0, 32: 25.0}, 4), 6)
    (50.0, 200.0)
    """
    between = np.interp(math.log(batch_size), np.log([*known]), np.log([*known.values()]))
    return math.exp(float(between)) * max(min(known) / batch_size, 1.0)


@dataclass(frozen=True)
class Standing:
    """What is known of the batch sizes that were looked at, and which of them may win."""

    cells: Mapping[int, SizeCell]
    step_seconds: Mapping[int, float]
    step_errors: Mapping[int, float]
    """Standard errors of their logarithms."""

    @property
    def known(self) -> dict[int, float]:
        """Steps by batch size, ascending, where runs got to the goal."""
        return {size: self.cells[size].expected for size in sorted(self.cells) if self.cells[size].measured}

    @property
    def answered(self) -> bool:
        """Whether enough runs confirm the steps of a batch size."""
        return any(cell.confirmed for cell in self.cells.values())

    @property
    def told(self) -> dict[int, SizeCell]:
        """Batch sizes whose steps are told: those that enough runs confirm; where there is none, all that got there."""
        measured = {size: cell for size, cell in self.cells.items() if cell.measured}
        return {size: cell for size, cell in measured.items() if cell.confirmed} or measured

    def may_win(self, size: int) -> bool:
        """Whether the bounds let a batch size be nearly the fastest: those of steps that are no more than told."""
        least = min((steps * self.step_seconds[other] for other, steps in self.known.items()), default=math.inf)
        bounds = {other: steps * math.exp(-CONTENDER * self.log_error(other)) for other, steps in self.known.items()}
        return least_steps(bounds, size) * self.step_seconds[size] <= HOPELESS * least

    def contenders(self) -> list[int]:
        """Batch sizes whose time to the target may be the least."""
        logs = {size: math.log(self._hopeful(size) * self.step_seconds[size]) for size in self.known}
        return contenders(logs, {size: self._time_error(size) for size in self.known})

    def may_be_best(self, size: int, found: Hit) -> bool:
        """Whether the time of a batch size may be the least, by steps of it that have been found just now."""
        others = [other for other in self.known if other != size]
        if not others:
            return True
        best = min(others, key=lambda other: self.known[other] * self.step_seconds[other])
        behind = math.log(found.steps * self.step_seconds[size] / (self.known[best] * self.step_seconds[best]))
        error = math.hypot(found.log_error, self.step_errors.get(size, 0.0))
        return behind <= CONTENDER * math.hypot(error, self._time_error(best))

    def expected_regret(self) -> float:
        """Expected regret of the batch size with the least time, from the errors of the steps alone."""
        logs = {size: math.log(steps * self.step_seconds[size]) for size, steps in self.known.items()}
        return expected_regret(logs, {size: self.log_error(size) for size in self.known})

    def log_error(self, size: int) -> float:
        """Standard error of log K at a batch size; 0 where all runs are the same."""
        cell = self.cells[size]
        assert cell.hit is not None
        if cell.certain:
            return 0.0
        return cell.hit.log_error if cell.runs > 1 else SINGLE_ERROR

    def _hopeful(self, size: int) -> float:
        """Steps of a batch size; if its rate is only roughly known, no more than those between its neighbours."""
        known = self.known
        others = {other: steps for other, steps in known.items() if other != size}
        inside = others and min(others) < size < max(others)
        if self.cells[size].refined or not inside:
            return known[size]
        return min(known[size], steps_near(others, size))

    def _time_error(self, size: int) -> float:
        """Standard error of the logarithm of the time to the target at the best rate."""
        rate = 0.0 if self.cells[size].refined else UNREFINED_ERROR
        return math.hypot(self.log_error(size), rate, self.step_errors.get(size, 0.0))
