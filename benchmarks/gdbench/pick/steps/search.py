"""The search for steps: learning rates over the whole range of batch sizes, then runs where the decision is open.

It begins at one batch size, goes both ways from it by factors of 4 as long as a batch size may still win, fills the
gaps, and spends the rest of its time on the batch sizes whose time to the target may be the least, until what is
expected to be lost by the choice is small.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from gdbench.pick.steps.bounds import least_steps, steps_near
from gdbench.pick.steps.cell import CAUTIOUS_RUNS, MIN_TOLD_RUNS, SizeCell
from gdbench.pick.steps.costs import Costs
from gdbench.pick.steps.decision import contenders, expected_regret
from gdbench.pick.steps.problem import DescentProblem
from gdbench.pick.steps.rates import CAP, MAX_RAISES, Plan, RateSearch
from gdbench.pick.steps.tiers import Tier
from gdbench.pick.steps.trials import Curves, Trial

REFERENCE = 32
"""Batch size where it begins, or the largest candidate below and below a quarter of the rows."""
PILOT_RATES = tuple(2.0**power for power in (1, 0, -1, -2, -3, -4, -5))
"""Learning rates of the pilot in units of the problem's own scale; it goes on below them if all diverge."""
PILOT_CAPS = (30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)
"""Steps after which the pilot's runs end, one after the other until a rate reaches the goal."""
MIN_CAP_STEPS, CAP_EPOCHS = 20_000, 1000
"""The last of them: so many steps or passes over the rows, whichever is more."""
ENDLESS_ROWS = 10_000
"""Taken for the rows of a problem that has no end of them."""
SPACING = 4
"""Ratio of batch sizes that are looked at first."""
HOPELESS = 1.5
"""Multiple of the least time to the target beyond which a batch size, by the bounds, is not looked at first."""
SHARE = 0.02
"""Share of the time that is left for one round of trials about the rate of one batch size."""
CONFIRMING_SHARE = 0.2
"""The same for the first runs that tell steps at all: there is no answer without them."""
UNLIKE_SHARE, MAX_UNLIKE_RUNS = 0.05, 1024
"""The same, and the runs at most, where runs differ so much that fewer do not have those that make their mean."""
EXPLORING_RUNS, FIRST_RUNS, MAX_RUNS = 8, 16, 4096
"""Runs of a trial that looks for a rate; at first counted; counted at most."""
REFINING_SHARE, RACED_RATES, MIN_RACING_RUNS = 0.35, 10, 4
"""Share of the time left for the rates of all that may win; what a race costs, in runs of one rate for each of its
runs; and the fewest of these for which it is worth it."""
UNREFINED_ERROR = 0.06
"""What the rate of a batch size that was looked at coarsely may cost, as a standard error of log K."""
SINGLE_ERROR = 0.3
"""Standard error of log K that is taken for a single run."""
ASKED_RUNS = 100
"""What it costs to look at a batch size coarsely, in runs."""
TABLE_SHARE = 0.35
"""Share of the time that the batch sizes which cannot win may take."""


class SearchClock(Protocol):
    """Tells how much time is left, in seconds, and how much there was."""

    @property
    def left(self) -> float:
        """Seconds until the search shall end."""

    @property
    def most_seconds(self) -> float:
        """Seconds that it had at its beginning."""


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
    stage: str = "finding a learning rate"
    pilot: RateSearch = field(init=False)
    cells: dict[int, SizeCell] = field(default_factory=dict)
    costs: Costs = field(init=False)
    settled: bool = False
    """Whether it ended because the decision was made, not the time."""

    def __post_init__(self) -> None:
        self.costs = Costs(self.step_seconds)
        self.pilot = RateSearch(self.reference, self.goal, self.problem.floor)

    @property
    def sizes(self) -> list[int]:
        """Candidates, ascending."""
        return sorted(self.step_seconds)

    @property
    def known(self) -> dict[int, float]:
        """Steps by batch size, ascending, where runs got to the goal."""
        return {size: self.cells[size].expected for size in sorted(self.cells) if self.cells[size].measured}

    def _may_win(self, size: int) -> bool:
        least = min((steps * self.step_seconds[other] for other, steps in self.known.items()), default=math.inf)
        return least_steps(self.known, size) * self.step_seconds[size] <= HOPELESS * least

    @property
    def answered(self) -> bool:
        """Whether enough runs confirm the steps of a batch size."""
        return any(cell.confirmed for cell in self.cells.values())

    @property
    def told(self) -> dict[int, SizeCell]:
        """Batch sizes whose steps are told: those that enough runs confirm; where there is none, all that got there."""
        measured = {size: cell for size, cell in self.cells.items() if cell.measured}
        return {size: cell for size, cell in measured.items() if cell.confirmed} or measured

    @property
    def reference(self) -> int:
        """Batch size where the search begins."""
        most = min(REFERENCE, max((self.problem.n_rows or ENDLESS_ROWS) // 4, 1))
        return max((size for size in self.sizes if size <= most), default=self.sizes[0])

    def run(self) -> Plan:
        """Find a rate, look over the whole range, then race."""
        yield from self._watched(self._run())

    def _run(self) -> Plan:
        yield from self._run_pilot()
        if self.pilot.best is None:
            return
        self.stage = "looking over all batch sizes"
        yield from self._explore(self.reference, self.pilot.best, self.pilot.steps)
        yield from together([self._walk(self._spaced(-1)), self._walk(self._spaced(1))])
        yield from together([self._fill(size) for size in self.sizes if size not in self.cells and self._may_win(size)])
        self.stage = "comparing those that may win"
        yield from self._race()
        self.stage = "telling the others more exactly"
        for size in sorted(self.asked - self.cells.keys()) if self.known else ():
            if self._affordable(ASKED_RUNS * steps_near(self.known, size) * self.costs.step(size), self._table_seconds):
                yield from self._fill(size)
        yield from self._complete()

    # ---- the whole range

    def _run_pilot(self) -> Plan:
        """Find where rates work at all; those that never get there are not run for long before one does."""
        scale, rows = self.problem.stable_rate(self.reference), self.problem.n_rows or ENDLESS_ROWS
        rates = [scale * part for part in PILOT_RATES]
        last = math.ceil(max(MIN_CAP_STEPS, CAP_EPOCHS * rows / self.reference))
        for cap in [*(cap for cap in PILOT_CAPS if cap < last), last]:
            self.pilot.hits.clear()
            self.pilot.checked = cap > PILOT_CAPS[0]
            yield from self.pilot.explore(rates, lambda steps: 2, cap / CAP)
            if self.pilot.best is not None or self.pilot.diverged:
                return
            alive = sorted(self.pilot.hits, key=lambda rate: self.pilot.hits[rate].final)
            rates = sorted(alive[: max(3, len(alive) // 2 + 1)])
            if alive[0] == rates[0]:  # a lower rate may end lower still: gradient noise keeps this one up
                rates = [rates[0] / 4, rates[0] / 2, *rates[:-1]]
            elif alive[0] == rates[-1]:
                rates = [*rates[1:], rates[-1] * 2]
            self.pilot.goal = self.goal - self.pilot.shifts.get(alive[0], 0.0)

    def _explore(self, size: int, rate: float, expected: float, ratios: Sequence[float] = (0.5, 1.0, 2.0)) -> Plan:
        """Find the rate of a batch size and count a few runs at it."""
        cell = self.cells[size] = SizeCell(
            size, self.goal, self.problem.floor, self._shift(size), self._is_certain(size)
        )
        rates = [rate * ratio for ratio in ratios]
        raises = MAX_RAISES if size == self.reference else 0  # others begin at what more than two runs told
        yield from cell.rates.explore(
            rates, lambda steps: self._runs(size, steps, EXPLORING_RUNS), expected, raises=raises
        )
        cell.settle()
        if cell.learning_rate is not None:
            runs = self._runs(size, cell.expected, FIRST_RUNS)
            if not self.answered:
                runs = max(runs, self._runs(size, cell.expected, MIN_TOLD_RUNS, share=CONFIRMING_SHARE))
            yield from cell.count(runs)
            cell.rates.goal = cell.own_goal

    def _is_certain(self, size: int) -> bool:
        """Whether all runs of a batch size are the same."""
        return size == self.problem.n_rows and self.problem.alike

    def _shift(self, size: int) -> float:
        """Shift at the nearest batch size of which it is known."""
        known = [other for other, cell in self.cells.items() if len(cell.shifts)]
        near = min(known, key=lambda other: abs(math.log(other / size)), default=None)
        return self.goal - self.pilot.goal if near is None else float(np.mean(self.cells[near].shifts))

    def _walk(self, sizes: Sequence[int]) -> Plan:
        """Go from batch size to batch size, each beginning at what the one before had, while one may win."""
        before = self.reference
        for size in sizes:
            cell = self.cells[before]
            if cell.learning_rate is None:
                return
            if not self._may_win(size):
                return
            ratio = size / before
            ratios = (1.0, 2.0, 4.0) if ratio > 1 else (0.25, 0.5, 1.0)
            yield from self._explore(size, cell.learning_rate, cell.expected * max(1.0, 1 / ratio), ratios)
            before = size

    def _fill(self, size: int) -> Plan:
        """Look at a batch size between two that are known."""
        known = [other for other in sorted(self.cells) if self.cells[other].measured]
        if not known:
            return
        rates = np.log([self.cells[other].learning_rate or math.nan for other in known])
        rate = math.exp(float(np.interp(math.log(size), np.log(known), rates)))
        expected = steps_near(self.known, size)
        root = math.sqrt(2)
        yield from self._explore(size, rate, 1.2 * expected, (1 / root, 1.0, root))

    def _spaced(self, direction: int) -> list[int]:
        """Batch sizes above or below the reference, each at least ``SPACING`` from the one before, and all rows."""
        chosen, before = [], self.reference
        sizes = [size for size in self.sizes[::direction] if direction * (size - self.reference) > 0]
        for size in sizes:
            if max(size / before, before / size) >= 0.99 * SPACING or size == sizes[-1]:
                chosen.append(size)
                before = size
        return chosen

    # ---- where the decision is open

    def _race(self) -> Plan:
        """Tell the rates of those that may win exactly, then add runs to them until the choice is safe."""
        while contenders := self._contenders():
            raw = [size for size in contenders if not self.cells[size].refined]
            if raw:
                share = REFINING_SHARE * self._left / len(raw)
                yield from together([self._refine(self.cells[size], share) for size in raw])
                continue
            if self.expected_regret() < self.effort.regret:
                self.settled = True
                return
            plans = [self.cells[size].count(self._more(size)) for size in contenders]
            before = self.costs.runs
            yield from together(plans)
            if self.costs.runs == before or self.clock.left <= 0:
                return

    def _complete(self) -> Plan:
        """Bring every batch size to the accuracy of the table, the cheapest first, as far as time allows."""
        most = self._table_seconds
        for size in sorted(self.cells, key=self._run_seconds):
            cell = self.cells[size]
            if not cell.measured:
                continue
            spent = self.costs.seconds
            while cell.measured and self.log_error(size) > self.effort.error and cell.runs < MAX_RUNS:
                wanted = cell.runs * ((self.log_error(size) / self.effort.error) ** 2 - 1)
                more = min(math.ceil(wanted) + FIRST_RUNS // 2, 3 * cell.runs)
                if not self._affordable(more * self._run_seconds(size), most - (self.costs.seconds - spent)):
                    break
                yield from cell.count(more)
            most -= self.costs.seconds - spent

    @property
    def _table_seconds(self) -> float:
        """CPU seconds for batch sizes that cannot win."""
        return TABLE_SHARE * self.clock.most_seconds * self.workers

    def _affordable(self, seconds: float, most: float) -> bool:
        return seconds <= most and seconds <= self._left / 2

    def _refine(self, cell: SizeCell, seconds: float) -> Plan:
        """Tell the rate of a batch size exactly, in so many CPU seconds, and count runs at it."""
        cell.refined = True
        affordable = seconds / (RACED_RATES * self._run_seconds(cell.batch_size))
        if cell.certain:
            yield from cell.rates.race(1, self.effort.rate_error, exact=True)
        elif affordable >= MIN_RACING_RUNS:
            runs = 2 ** int(math.log2(min(affordable, self.effort.racing_runs)))
            exact = cell.batch_size == self.problem.n_rows
            yield from cell.rates.race(runs, self.effort.rate_error, exact=exact)
        cell.settle()
        counted = self._runs(cell.batch_size, cell.expected, 2 * FIRST_RUNS, share=2 * SHARE)
        most = self._runs(cell.batch_size, cell.expected, MAX_UNLIKE_RUNS, share=UNLIKE_SHARE)
        yield from cell.count(counted - cell.runs, most=max(most, CAUTIOUS_RUNS))

    def _contenders(self) -> list[int]:
        """Batch sizes whose time to the target may be the least."""
        logs = {size: math.log(self._hopeful(size) * self.step_seconds[size]) for size in self.known}
        return contenders(logs, {size: self._whole_error(size) for size in self.known})

    def _hopeful(self, size: int) -> float:
        """Steps of a batch size; if its rate is only roughly known, no more than those between its neighbours."""
        known = self.known
        others = {other: steps for other, steps in known.items() if other != size}
        inside = others and min(others) < size < max(others)
        if self.cells[size].refined or not inside:
            return known[size]
        return min(known[size], steps_near(others, size))

    @property
    def _log_times(self) -> dict[int, float]:
        return {size: math.log(steps * self.step_seconds[size]) for size, steps in self.known.items()}

    def _whole_error(self, size: int) -> float:
        """Standard error of the logarithm of the time to the target at the best rate."""
        rate = 0.0 if self.cells[size].refined else UNREFINED_ERROR
        return math.hypot(self.log_error(size), rate, self.step_errors.get(size, 0.0))

    def expected_regret(self) -> float:
        """Expected regret of the batch size with the least time, from the errors of the steps alone."""
        return expected_regret(self._log_times, {size: self.log_error(size) for size in self.known})

    def log_error(self, size: int) -> float:
        """Standard error of log K at a batch size; of runs that hardly differ among few, what is usual."""
        cell = self.cells[size]
        assert cell.hit is not None
        if self._is_certain(size):
            return 0.0
        return cell.hit.log_error if cell.runs > 1 else SINGLE_ERROR

    def _more(self, size: int) -> int:
        """Double the runs of a contender, as far as time allows: a third of what is left for all contenders."""
        cell = self.cells[size]
        if cell.runs >= MAX_RUNS or self._is_certain(size):
            return 0
        budget = self._left / (3 * max(len(self._contenders()), 1))
        return int(min(cell.runs, MAX_RUNS - cell.runs, budget / self._run_seconds(size)))

    # ---- what it costs

    def _runs(self, size: int, steps: float, most: int, *, share: float = SHARE) -> int:
        """Number of runs of a trial, a power of two, that takes no more than its share of the time that is left."""
        if self._is_certain(size):
            return 1
        affordable = share * self._left / max(steps * self.costs.step(size), 1e-9)
        return int(2 ** max(math.floor(math.log2(min(max(affordable, 1.0), most))), 0))

    @property
    def _left(self) -> float:
        """CPU seconds that are left."""
        return self.clock.left * self.workers

    def _run_seconds(self, size: int) -> float:
        return max(self.cells[size].expected * self.costs.step(size), 1e-6)

    def _watched(self, plan: Plan) -> Plan:
        """Carry a plan, and keep account of what its trials cost."""
        found: list[Curves] | None = None
        while True:
            try:
                trials = next(plan) if found is None else plan.send(found)
            except StopIteration:
                return
            found = yield trials
            for trial, curves in zip(trials, found, strict=True):
                self.costs.add(trial, curves)


def together(plans: Iterable[Plan]) -> Plan:
    """Carry several plans at once: a round holds the next trials of each."""
    waiting: list[tuple[Plan, list[Trial]]] = []
    for plan in plans:
        trials = next(plan, None)
        if trials is not None:
            waiting.append((plan, trials))
    while waiting:
        found = yield [trial for _, trials in waiting for trial in trials]
        following, at = [], 0
        for plan, trials in waiting:
            own = found[at : at + len(trials)]
            at += len(trials)
            try:
                following.append((plan, plan.send(own)))
            except StopIteration:
                continue
        waiting = following
