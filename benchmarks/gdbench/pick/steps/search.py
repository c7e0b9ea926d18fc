"""The search for steps: learning rates over the whole range of batch sizes, then runs where the decision is open.

It begins at one batch size, goes both ways from it by factors of 4 as long as a batch size may still win, fills the
gaps, and spends the rest of its time on the batch sizes whose time to the target may be the least, until what is
expected to be lost by the choice is small.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from gdbench.pick.steps.candidates import reference_size, spaced
from gdbench.pick.steps.cell import MIN_TOLD_RUNS, SizeCell
from gdbench.pick.steps.costs import SHARE, Allowance, Costs, SearchClock
from gdbench.pick.steps.crossing import CAUTIOUS_RUNS
from gdbench.pick.steps.decision import Standing, steps_near
from gdbench.pick.steps.pilot import ENDLESS_ROWS, PILOT_RUNS, run_pilot
from gdbench.pick.steps.problem import DescentProblem
from gdbench.pick.steps.rates import COARSE, FINE, MAX_RAISES, RateSearch
from gdbench.pick.steps.targets import Beginning
from gdbench.pick.steps.tiers import Tier
from gdbench.pick.steps.trials import PART, Plan, together

CONFIRMING_SHARE = 0.2
"""Share of the time that is left for the first runs that tell steps at all: there is no answer without them."""
UNLIKE_SHARE, MAX_UNLIKE_RUNS = 0.05, 1024
"""The same, and the runs at most, where runs differ so much that fewer do not have those that make their mean."""
EXPLORING_RUNS, FIRST_RUNS, MAX_RUNS = 8, 16, 4096
"""Runs of a trial that looks for a rate; at first counted; counted at most."""
PART_SECONDS = 0.5
"""CPU seconds of a trial that has several runs, about."""
EXPLORING_SHARE = 0.005
"""Share of the time that is left for such a trial: up to six at each of up to ten batch sizes."""
REFINING_SHARE, RACED_RATES, MIN_RACING_RUNS, MIN_RACING_SINGLE = 0.35, 10, 4, 2.5
"""Share of the time left for the rates of all that may win; what a race costs, in runs of one rate for each of its
runs; the fewest of these for which it is worth it; and the same where one run tells all, at up to 25 rates."""
CHEAP_SHARE, CHEAP_LOOKS, PART_ROWS = 0.01, 4, 2048
"""Share of the tier's seconds that a race, and the runs counted after it, take in CPU time at each batch size that may
win, however sure they are sooner: an error of runs is itself known from few of them, and what nobody notices is well
spent. Its number of runs is by nominal costs, lest the answer depend on how busy the machine is: looks of a run cost as
much as so many updates by all rows, or by so many of them if there are more."""
STUCK, STUCK_RUNS = 1.25, 256
"""Multiple of the error that more runs should have, beyond which no others are made, and the fewest of which that is
asked: where the ends of two passes are near the goal, runs tell one or the other, however many they are, and
where a sample of the rows is monitored, the error of its goal falls more slowly."""
ASKED_RUNS = 100
"""What it costs to look at a batch size coarsely, in runs."""


@dataclass
class Search:
    """All that has been found; filled by ``run``."""

    problem: DescentProblem
    goal: float
    step_seconds: Mapping[int, float]
    """Seconds of a step by batch size, ascending: the candidates."""
    step_errors: Mapping[int, float]
    """Standard errors of their logarithms."""
    clock: SearchClock
    effort: Tier
    workers: int = 1
    asked: frozenset[int] = frozenset()
    """Batch sizes that users compare with, which are looked at even if they cannot win, where that costs little."""
    begin: Beginning | None = None
    """What is known of the batch size where it begins; what a pilot tells, if nothing was."""
    stage: str = "finding a learning rate"
    pilot: RateSearch = field(init=False)
    cells: dict[int, SizeCell] = field(default_factory=dict)
    standing: Standing = field(init=False)
    costs: Costs = field(init=False)
    allowance: Allowance = field(init=False)

    def __post_init__(self) -> None:
        self.standing = Standing(self.cells, self.step_seconds, self.step_errors)
        self.costs = Costs(self.step_seconds)
        self.allowance = Allowance(self.clock, self.costs, self.workers)
        if self.begin is not None and self.begin.seconds:
            self.costs.begin_with(self.begin.batch_size, self.begin.seconds)
        self.pilot = RateSearch(self.reference, self.goal, self.problem.floor, self._pass_steps(self.reference))

    @property
    def sizes(self) -> list[int]:
        """Candidates, ascending."""
        return sorted(self.step_seconds)

    @property
    def reference(self) -> int:
        """Batch size where the search begins."""
        if self.begin is not None:
            return self.begin.batch_size
        return reference_size(self.sizes, self.problem.n_rows or ENDLESS_ROWS)

    def run(self) -> Plan:
        """Find a rate, look over the whole range, then race."""
        yield from self.costs.account(self._run())

    def _run(self) -> Plan:
        if self.begin is None:
            yield from run_pilot(self.pilot, self.problem, self.goal)
            if self.pilot.best is None:
                return
            self.begin = Beginning(self.reference, self.pilot.hits, self.goal - self.pilot.goal, PILOT_RUNS)
        self.stage = "looking over all batch sizes"
        yield from self._begin(self.begin)
        yield from together([self._walk(spaced(self.sizes, self.reference, way)) for way in (-1, 1)])
        yield from self._race()
        self.stage = "telling the others more exactly"
        for size in sorted(self.asked - self.cells.keys()) if self.standing.known else ():
            seconds = ASKED_RUNS * steps_near(self.standing.known, size) * self.costs.step(size)
            if self.allowance.permits(seconds, self.allowance.for_others):
                yield from self._fill(size)
        yield from self._complete()

    # ---- the whole range

    def _begin(self, begin: Beginning) -> Plan:
        """Look at the first batch size: with more runs than what is known of it comes from, if time allows."""
        known = RateSearch(begin.batch_size, self.goal, self.problem.floor, hits=dict(begin.hits))
        assert known.best is not None
        if self._exploring_runs(begin.batch_size, known.steps) > begin.runs:
            yield from self._explore(begin.batch_size, known.best, known.steps)
        else:
            yield from self._explore(begin.batch_size, known.best, known.steps, (), known=begin)

    def _explore(
        self,
        size: int,
        rate: float,
        expected: float,
        ratios: Sequence[float] = (0.5, 1.0, 2.0),
        known: Beginning | None = None,
    ) -> Plan:
        """Find the rate of a batch size and count a few runs at it."""
        cell = self.cells[size] = SizeCell(
            size,
            self.goal,
            self.problem.floor,
            self._shift(size),
            self._is_certain(size),
            self._pass_steps(size),
            self._part(size, expected),
        )
        if known is not None:
            cell.rates.hits.update(known.hits)
        rates = [rate * ratio for ratio in ratios]
        first = size == self.reference  # others begin at what is told here
        raises = MAX_RAISES if first else 0
        # where one run is all that time allows, a parabola through rates a factor of 2 apart tells as much
        ratio = FINE if first or self._is_certain(size) or self._exploring_runs(size, expected) > 1 else COARSE
        # fewer runs than those that are known would be compared with them
        runs = partial(self._exploring_runs, size, least=known.runs if known is not None else 1)
        yield from cell.rates.explore(rates, runs, expected, ratio=ratio, raises=raises)
        cell.settle()
        if cell.learning_rate is not None:
            counted = self._runs(size, cell.expected, FIRST_RUNS)
            if not self.standing.answered:
                counted = max(counted, self._runs(size, cell.expected, MIN_TOLD_RUNS, share=CONFIRMING_SHARE))
            yield from cell.count(counted, most=self._most(cell))
            cell.rates.goal = cell.own_goal

    def _exploring_runs(self, size: int, steps: float, least: int = 1) -> int:
        """Runs of a trial that looks for a rate."""
        return max(self._runs(size, steps, EXPLORING_RUNS, share=EXPLORING_SHARE), least)

    def _part(self, size: int, steps: float) -> int:
        """Runs of a trial, at most: fewer where they take long, so that all processes have some."""
        return max(min(PART, int(PART_SECONDS / self.costs.run(size, steps))), 1)

    def _is_certain(self, size: int) -> bool:
        """Whether all runs of a batch size are the same."""
        return size == self.problem.n_rows and self.problem.alike

    def _pass_steps(self, size: int) -> float:
        return self.problem.pass_rows / size

    def _shift(self, size: int) -> float:
        """Shift at the nearest batch size of which it is known."""
        known = [other for other, cell in self.cells.items() if len(cell.shifts)]
        near = min(known, key=lambda other: abs(math.log(other / size)), default=None)
        if near is not None:
            return float(np.mean(self.cells[near].shifts))
        return self.begin.shift if self.begin is not None else 0.0

    def _walk(self, sizes: Sequence[int]) -> Plan:
        """Go from batch size to batch size, each beginning at what the one before had, while one may win."""
        before = self.reference
        for size in sizes:
            cell = self.cells[before]
            if cell.learning_rate is None:
                return
            if not self.standing.may_win(size):
                return
            ratio = size / before
            ratios = (1.0, 2.0, 4.0) if ratio > 1 else (0.25, 0.5, 1.0)
            yield from self._explore(size, cell.learning_rate, cell.expected * max(1.0, 1 / ratio), ratios)
            before = size

    def _fill(self, size: int) -> Plan:
        """Look at a batch size between two that are known, or below all of them."""
        known = [other for other in sorted(self.cells) if self.cells[other].measured]
        if not known:
            return
        rates = np.log([self.cells[other].learning_rate or math.nan for other in known])
        rate = math.exp(float(np.interp(math.log(size), np.log(known), rates)))
        expected = steps_near(self.standing.known, size)
        below = min(size / known[0], 0.5)  # of rates that are in proportion to the batch, or all the same
        ratios = (below, math.sqrt(below), 1.0) if size < known[0] else (math.sqrt(0.5), 1.0, math.sqrt(2))
        yield from self._explore(size, rate, 1.2 * expected, ratios)

    # ---- where the decision is open

    def _race(self) -> Plan:
        """Fill the gaps, tell the rates of those that may win exactly, then add runs until the choice is safe."""
        while contenders := self.standing.contenders():
            lacking = self._lacking(contenders)
            if lacking:  # what one or two runs tell bounds nothing, and would be no answer
                yield from together([self._count(size, more) for size, more in lacking.items()])
                continue
            gaps = [size for size in self.sizes if size not in self.cells and self.standing.may_win(size)]
            if gaps:  # at first, and where a rate that is told more exactly lowers the bounds
                yield from together([self._fill(size) for size in gaps])
                continue
            self.stage = "comparing those that may win"
            raw = [size for size in contenders if not self.cells[size].refined]
            if raw:
                share = REFINING_SHARE * self.allowance.left / len(raw)
                yield from together([self._refine(size, share) for size in raw])
                continue
            wanted = contenders
            if self.standing.expected_regret() < self.effort.regret:
                wanted = [size for size in contenders if self._wants_more(size)]
                if not wanted:
                    return
            plans = [self._count(size, self._more(size)) for size in wanted]
            before = self.costs.runs
            yield from together(plans)
            if self.costs.runs == before or self.clock.left <= 0:
                return

    def _complete(self) -> Plan:
        """Bring every batch size to the accuracy of the table, the cheapest first, as far as time allows."""
        most = self.allowance.for_others
        for size in sorted(self.cells, key=self._run_seconds):
            cell = self.cells[size]
            if not cell.measured:
                continue
            spent = self.costs.seconds
            while cell.measured and self.standing.log_error(size) > self.effort.error and cell.runs < MAX_RUNS:
                wanted = cell.runs * ((self.standing.log_error(size) / self.effort.error) ** 2 - 1)
                more = min(math.ceil(wanted) + FIRST_RUNS // 2, 3 * cell.runs)
                if not self.allowance.permits(more * self._run_seconds(size), most - (self.costs.seconds - spent)):
                    break
                hoped = self.standing.log_error(size) * math.sqrt(cell.runs / (cell.runs + more))
                yield from self._count(size, more)
                cell = self.cells[size]
                if cell.measured and cell.runs >= STUCK_RUNS and self.standing.log_error(size) > STUCK * hoped:
                    break
            most -= self.costs.seconds - spent

    def _refine(self, size: int, seconds: float) -> Plan:
        """Tell the rate of a batch size exactly, in so many CPU seconds, and count runs at it.

        What was known stands until then, lest an end in the midst leave less.
        """
        cell = self.cells[size].copy()
        cell.refined = True
        affordable = seconds / (RACED_RATES * self._run_seconds(size))
        if affordable >= (MIN_RACING_SINGLE if cell.certain else MIN_RACING_RUNS):
            most = 1 if cell.certain else min(affordable, self.effort.racing_runs)
            yield from cell.rates.race(
                2 ** int(math.log2(most)),
                self.effort.rate_error,
                exact=size == self.problem.n_rows,
                least_runs=self._cheap_runs(size, RACED_RATES),
                worth=partial(self.standing.may_be_best, size),
            )
            cell.settle()
        counted = self._runs(size, cell.expected, CAUTIOUS_RUNS, share=2 * SHARE)
        counted = max(counted, min(self.cells[size].runs, MIN_TOLD_RUNS))  # what was told before is told again
        yield from cell.count(counted - cell.runs, most=self._most(cell))
        self.cells[size] = cell

    def _count(self, size: int, more: int) -> Plan:
        """Add runs; what was known stands until they have been made."""
        cell = self.cells[size].copy()
        yield from cell.count(more, most=self._most(cell))
        self.cells[size] = cell

    def _most(self, cell: SizeCell) -> int:
        """Runs up to which those that differ much are added to, before the learning rate is lowered."""
        if not cell.refined:
            return self._runs(cell.batch_size, cell.expected, CAUTIOUS_RUNS, share=CONFIRMING_SHARE / 2)
        return max(self._runs(cell.batch_size, cell.expected, MAX_UNLIKE_RUNS, share=UNLIKE_SHARE), CAUTIOUS_RUNS)

    def _more(self, size: int) -> int:
        """Double the runs of a contender, as far as time allows: a third of what is left for all contenders."""
        cell = self.cells[size]
        if cell.runs >= MAX_RUNS or self._is_certain(size):
            return 0
        budget = self.allowance.left / (3 * max(len(self.standing.contenders()), 1))
        return int(min(cell.runs, MAX_RUNS - cell.runs, budget / self._run_seconds(size)))

    def _lacking(self, contenders: Sequence[int]) -> dict[int, int]:
        """Runs that batch sizes lack for their steps to be told; the cheapest, as far as half of the time left goes."""
        lacking = {size: MIN_TOLD_RUNS - self.cells[size].runs for size in contenders if not self.cells[size].certain}
        seconds = {size: more * self._run_seconds(size) for size, more in lacking.items() if more > 0}
        found, left = {}, self.allowance.left / 2
        for size in sorted(seconds, key=seconds.__getitem__):
            left -= seconds[size]
            if left < 0:
                break
            found[size] = lacking[size]
        return found

    def _wants_more(self, size: int) -> bool:
        """Whether a batch size that may win has too few runs to be told, or fewer than cost next to nothing."""
        cell = self.cells[size]
        return not cell.confirmed or cell.runs < self._cheap_runs(size)

    def _cheap_runs(self, size: int, rates: int = 1) -> int:
        """Runs at some rates of a batch size that take hardly any time; a power of two."""
        steps, monitored = self.cells[size].expected, self.problem.sampled_rows or self.problem.n_rows or 0
        rows = rates * (steps * size + CHEAP_LOOKS * min(monitored, PART_ROWS))
        nominal = CHEAP_SHARE * self.effort.budget_seconds / (rows * self.problem.row_seconds)
        most = 2 ** int(math.log2(min(max(nominal, 1.0), MAX_RUNS)))
        return self._runs(size, rates * steps, most)

    def _runs(self, size: int, steps: float, most: int, *, share: float = SHARE) -> int:
        """Number of runs of a trial that takes no more than its share of the time that is left; a power of two."""
        return 1 if self._is_certain(size) else self.allowance.runs(size, steps, most, share=share)

    def _run_seconds(self, size: int) -> float:
        return self.costs.run(size, self.cells[size].expected)
