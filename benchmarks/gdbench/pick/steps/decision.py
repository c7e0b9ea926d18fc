"""Whether a choice is made: which batch sizes may still take the least time, and what a wrong choice may cost.

Steps at some batch sizes bound those at another: they do not rise with B, and rows do not fall. Times are those of
whole steps, as a training has; the standard errors of their logarithms are independent of each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gdbench.pick.steps.cell import SizeCell
from gdbench.pick.steps.crossing import Hit, whole, whole_steps

Values = npt.NDArray[np.float64]
CONTENDER, MAY_WIN = 2.5, 0.006
"""Standard errors by which steps of others may be too many where they bound those of a batch size; and, as likely as
that, the probability to be faster than the best one with which a batch size is looked at more closely."""
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
    best = min(sizes, key=lambda size: whole(steps[size]) * seconds[size])
    rows = [(steps[size], seconds[size], errors[size], 0.0) for size in sizes]
    drawn = _drawn_times(rows)
    return float(np.mean(drawn[sizes.index(best)] / drawn.min(axis=0) - 1))


def _drawn_times(rows: Sequence[tuple[float, float, float, float]]) -> Values:
    """Times (R, draws), given steps, seconds per step, and the standard errors of both logarithms by batch size."""
    steps, seconds, of_steps, of_seconds = np.array(rows).T[:, :, None]
    noise = np.random.default_rng(0).standard_normal((2, len(rows), DRAWS))
    return np.asarray(whole_steps(steps * np.exp(noise[0] * of_steps)) * seconds * np.exp(noise[1] * of_seconds))


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
        drawn = _drawn_times([self._with_errors(size, steps, self.log_error(size)) for size, steps in hopeful.items()])
        wins = (drawn <= drawn[list(hopeful).index(best)]).mean(axis=1)
        return [size for size, share in zip(hopeful, wins, strict=True) if size == best or share >= MAY_WIN]

    def may_be_best(self, size: int, found: Hit) -> bool:
        """Whether the time of a batch size may be the least, by steps of it that have been found just now."""
        others = [other for other in self.known if other != size]
        if not others:
            return True
        best = min(others, key=lambda other: self._seconds(other, self.known[other]))
        rival = self._with_errors(best, self.known[best], self.log_error(best))
        own = (found.steps, self.step_seconds[size], found.log_error, self.step_errors.get(size, 0.0))
        drawn = _drawn_times([own, rival])
        return bool((drawn[0] <= drawn[1]).mean() >= MAY_WIN)

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

    def _with_errors(self, size: int, steps: float, error: float) -> tuple[float, float, float, float]:
        """Steps and seconds of a batch size with their errors; what its rate may cost is one of the seconds."""
        rate = 0.0 if self.cells[size].refined else UNREFINED_ERROR
        return steps, self.step_seconds[size], error, math.hypot(rate, self.step_errors.get(size, 0.0))
