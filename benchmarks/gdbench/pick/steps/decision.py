"""Whether a choice is made: which batch sizes may still take the least time, and what a wrong choice may cost.

Steps at some batch sizes bound those at another: they do not rise with B, and rows do not fall. Times are those of
whole steps, as a training has; the standard errors of their logarithms are independent of each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gdbench.pick.steps.cell import SizeCell
from gdbench.pick.steps.crossing import Hit, whole, whole_steps

CONTENDER = 2.5
"""Standard errors by which a batch size may be behind the best one and still be looked at more closely."""
DRAWS = 4000
HOPELESS = 1.5
"""Multiple of the least time to the target beyond which a batch size, by the bounds, is not looked at first."""
UNREFINED_ERROR = 0.06
"""What the rate of a batch size that was looked at coarsely may cost, as a standard error of log K."""
SINGLE_ERROR = 0.3
"""Standard error of log K that is taken for a single run."""


def expected_regret(steps: Mapping[int, float], seconds: Mapping[int, float], errors: Mapping[int, float]) -> float:
    """How much longer than the best the batch size with the least time is expected to take, as a share.

    Parameters
    ----------
    steps, seconds : dict of float
        To the target, and of each step, by batch size; times are of whole steps.
    errors : dict of float
        Standard errors of log(steps).

    Examples
    --------
    >>> expected_regret({8: 100.0, 16: 60.0}, {8: 1.0, 16: 4.0}, {8: 0.05, 16: 0.05}) < 1e-6
    True
    """
    sizes = list(steps)
    step_seconds, spreads = (np.array([found[size] for size in sizes]) for found in (seconds, errors))
    noise = np.random.default_rng(0).standard_normal((DRAWS, len(sizes)))
    drawn = whole_steps(np.array([*steps.values()]) * np.exp(noise * spreads)) * step_seconds
    best = int(np.argmin([whole(steps[size]) * seconds[size] for size in sizes]))
    return float(np.mean(drawn[:, best] / drawn.min(axis=1) - 1))


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
        hopeful = {size: self._hopeful(size) for size in self.known}
        best = min(hopeful, key=lambda size: self._seconds(size, hopeful[size]), default=None)
        if best is None:
            return []
        least, error = self._seconds(best, hopeful[best]), self._time_error(best)
        reach = {size: CONTENDER * math.hypot(self._time_error(size), error) for size in hopeful}
        lowest = {size: self._seconds(size, steps * math.exp(-reach[size])) for size, steps in hopeful.items()}
        return [size for size in hopeful if size == best or lowest[size] <= least]

    def may_be_best(self, size: int, found: Hit) -> bool:
        """Whether the time of a batch size may be the least, by steps of it that have been found just now."""
        others = [other for other in self.known if other != size]
        if not others:
            return True
        best = min(others, key=lambda other: self._seconds(other, self.known[other]))
        error = math.hypot(found.log_error, self.step_errors.get(size, 0.0), self._time_error(best))
        lowest = self._seconds(size, found.steps * math.exp(-CONTENDER * error))
        return lowest <= self._seconds(best, self.known[best])

    def expected_regret(self) -> float:
        """Expected regret of the batch size with the least time, from the errors of the steps alone."""
        return expected_regret(self.known, self.step_seconds, {size: self.log_error(size) for size in self.known})

    def _seconds(self, size: int, steps: float) -> float:
        """Time of a training: of whole steps."""
        return whole(steps) * self.step_seconds[size]

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
