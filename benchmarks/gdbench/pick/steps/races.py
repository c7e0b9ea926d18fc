"""The races of a search: where they are held, where each begins, and what all together say of the best rates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from gdbench.pick.steps.allocation import MAX_RUNS, QUIET, runs_worth
from gdbench.pick.steps.blocks import Values
from gdbench.pick.steps.curve import USUAL_SPREAD, Pooled, pool
from gdbench.pick.steps.problem import DescentProblem
from gdbench.pick.steps.race import FINEST, STEP, Plan, Race, together
from gdbench.pick.steps.rate_law import guess_rate
from gdbench.pick.steps.tiers import Tier

REFERENCE = 32
"""Batch size of the first race, or the largest candidate below and below a quarter of the rows."""
GRID = tuple(2.0**power for power in (1, 0, -1, -2, -3, -4))
"""Rates of the first race, in units of the problem's own scale; it goes on beyond either end if it must."""
PILOTS = (0, 1)
"""Numbers of the runs that find where rates work at all."""
CAPS = (300, 1000, 3000, 10_000, 30_000, 100_000)
"""Steps after which these runs end, one after the other until a rate reaches the goal."""
MIN_CAP_STEPS, CAP_EPOCHS = 20_000, 1000
"""The last of them: so many steps or passes over the rows, whichever is more."""
ENDLESS_ROWS = 10_000
"""Taken for the rows of a problem that has no end of them."""
CAP_SLACK = 3.0
"""Over the bounds that neighbours set: K does not rise with B, and B K falls near all rows only, by less than this."""
FLAT = 0.97
"""A batch size that needs more than this share of the steps of the one before saves nothing worth having."""
CRITICAL_OVER_NOISE = 1.65
"""Critical batch size over the noise scale at the target, as is usual for least squares."""
PAIRED = 0.7
"""Spread of the difference between two rates on the same rows, over that of either."""
RATE_DEPARTURES = (0.05, 0.1, 0.2)
"""Standard deviations of log(rate) about the law, of which the most likely is taken."""
MIN_NOISY = 3
"""Runs of a rate at batch sizes below the critical one, where two would often be lucky together."""
STEPS_ERROR = 0.1
"""Standard error of log K in a race, for a first guess at the curve of steps."""
RATES = 4
"""That a race tries, as a rule."""
DEAR = 0.08
"""Share of all rows that may be processed, for the runs of a batch size."""
TOO_DEAR = 0.15
"""Share of all rows that may be processed, beyond which all rows at once are left to the curve."""


@dataclass
class Races:
    """All races of a search; filled by ``run``."""

    problem: DescentProblem
    candidates: tuple[int, ...]
    goal: float
    tier: Tier
    most_rows: float = math.inf
    """Rows after which nothing is begun that can be left out: a race with all rows, a further round of fresh runs."""
    pilots: list[Race] = field(default_factory=list)
    """Races that find where rates work at all, each with more steps than the one before."""
    held: dict[int, Race] = field(default_factory=dict)
    """By batch size."""

    def run(self) -> Plan:
        """Race at the reference, then at sizes both ways from it until nothing is left to gain, then with all rows."""
        yield from self._run_pilots()
        if self.pilots[-1].best is None:
            return
        yield from self._race_reference()
        if not self.bests():
            return
        up = [size for size in self.candidates if size > self.reference]
        down = [size for size in reversed(self.candidates) if size < self.reference]
        yield from together([self._climb(self._spaced(sizes)) for sizes in (up, down)])
        yield from self._race_all_rows()

    @property
    def reference(self) -> int:
        """Batch size of the first race; the smallest candidate if all are larger."""
        most = min(REFERENCE, max((self.problem.n_rows or ENDLESS_ROWS) // 4, 1))
        return max((size for size in self.candidates if size <= most), default=self.candidates[0])

    @cached_property
    def alike(self) -> bool:
        """Whether all runs start from the same parameters."""
        return np.array_equal(self.problem.start(0), self.problem.start(1))

    @property
    def everything(self) -> list[Race]:
        """Races and pilots."""
        return [*self.pilots, *self.held.values()]

    def bests(self) -> dict[int, float]:
        """Best rate by batch size, between the rates that were tried."""
        found = {size: race.optimum() for size, race in self.held.items()}
        return {size: optimum[0] for size, optimum in found.items() if optimum is not None}

    def best_steps(self, size: int) -> float:
        """Steps at the best rate of a race; infinite if none got there."""
        race = self.held[size]
        return race.hits[race.best].steps if race.best is not None else math.inf

    def critical(self) -> float:
        """Critical batch size, rows, as far as it is known: from the steps of the races, else from the noise scale."""
        most = 4.0 * self.candidates[-1]
        if len(self.bests()) >= 3:
            return float(np.clip(self.pooled_steps(self.candidates).critical, 1.0, most))
        noise = self.noise
        if noise is None or not noise[1, 1] > 0:
            return float(REFERENCE)
        return float(np.clip(CRITICAL_OVER_NOISE * noise[1, 0] / noise[1, 1], 1.0, most))

    @property
    def noise(self) -> Values | None:
        """tr(Σ) and |G|² of the last pilot at its start and soon after it reached the goal, if it did."""
        return self.pilots[-1].noise if self.pilots else None

    def pooled_steps(self, wanted: Sequence[int]) -> Pooled:
        """Log K of batch sizes from the best rates of the races; they were lucky, so it is a little too low."""
        sizes = np.array(sorted(self.bests()), float)
        logs = np.log([max(self.best_steps(int(size)), 1.0) for size in sizes])
        errors, at = np.full(len(sizes), STEPS_ERROR), np.array(wanted, float)
        return pool(sizes, logs, errors, at, n_rows=self.problem.n_rows, departures=(0.1,))

    def pooled_rates(self, wanted: Sequence[int]) -> Pooled:
        """Minus log of the best rate of batch sizes: it follows the same form as log K."""
        found = {size: race.optimum() for size, race in self.held.items()}
        known = [(size, *optimum) for size, optimum in sorted(found.items()) if optimum is not None]
        sizes, rates, errors = np.array(known, float).T
        at = np.array(wanted, float)
        return pool(sizes, -np.log(rates), errors, at, n_rows=self.problem.n_rows, departures=RATE_DEPARTURES)

    def guess(self, size: int) -> float:
        """Rate at a batch size that the races so far suggest."""
        known = self.bests()
        if len(known) < 2:
            return guess_rate(known, size, batch=self.critical())
        near = min(known, key=lambda other: abs(math.log(other / size)))
        return min(math.exp(-self.pooled_rates([size]).mean[0]), known[near] * max(size / near, 1.0))

    def runs_worth(self, size: int, share: float, least: int) -> int:
        """Runs at a batch size; where all rows are in every batch, only the start differs between runs."""
        if size == self.problem.n_rows:
            return 1 if self.alike else max(least, 2)
        return runs_worth(size, self.candidates, critical=self.critical(), share=share, least=least)

    def affordable_runs(self, size: int, steps: float, *, rates: int) -> int:
        """Runs of so many steps and rates that a batch size may take of all rows, two at least."""
        work = rates * steps * (size + self.problem.step_rows)
        return int(max(min(DEAR * self.most_rows / work, MAX_RUNS), 2.0))

    def _race(self, size: int, cap: float) -> Race:
        critical = self.critical()
        least = 1 if size > QUIET * critical else 2 if size > critical else MIN_NOISY
        runs = self.runs_worth(size, self.tier.race_share, least)
        runs = min(runs, self.affordable_runs(size, cap / CAP_SLACK, rates=RATES))
        usual = PAIRED * USUAL_SPREAD / math.sqrt(runs * (1 + size / critical))
        usual = 0.0 if runs == 1 and size == self.problem.n_rows else usual  # all runs are the same
        race = Race(size, tuple(range(runs)), self.goal, self.problem.floor, math.ceil(cap), usual)
        self.held[size] = race
        return race

    def _run_pilots(self) -> Plan:
        """Find where rates work at all; those that never get there are not run for long before one does."""
        scale = self.problem.rate_scale(self.reference)
        grid = [scale * part for part in GRID]
        rows = self.problem.n_rows or ENDLESS_ROWS
        last = math.ceil(max(MIN_CAP_STEPS, CAP_EPOCHS * rows / self.reference))
        for cap in [*(cap for cap in CAPS if cap < last), last]:
            pilot = Race(self.reference, PILOTS, self.goal, self.problem.floor, cap)
            self.pilots.append(pilot)
            yield from pilot.run(grid, step=2.0, finest=2.0)
            if pilot.best is not None or pilot.diverged:
                return
            grid = sorted(pilot.hits)

    def _race_reference(self) -> Plan:
        pilot = self.pilots[-1]
        assert pilot.best is not None
        race = self._race(self.reference, CAP_SLACK * pilot.hits[pilot.best].steps + 1)
        yield from race.run([pilot.best * STEP**power for power in (-1, 0, 1)])

    def _climb(self, sizes: Sequence[int]) -> Plan:
        """Race at one batch size after another, each beginning at the rate that those before suggest."""
        before = self.reference
        for size in sizes:
            steps = self.best_steps(before)
            race = self._race(size, CAP_SLACK * steps * max(before / size, 1.0) + 1)
            yield from self._run_race(race)
            if race.best is None or (size > before and self.best_steps(size) > FLAT * steps):
                return
            before = size

    def _race_all_rows(self) -> Plan:
        """Race at the largest batch size too, unless it costs too much: users want to know what it would take."""
        last, steps = self.candidates[-1], self.best_steps(max(self.bests()))
        cost = 5.0 * self.runs_worth(last, self.tier.race_share, 1) * steps * last
        if last not in self.held and cost <= TOO_DEAR * self.most_rows:
            yield from self._run_race(self._race(last, CAP_SLACK * steps + 1))

    def _run_race(self, race: Race) -> Plan:
        """Begin around what the law says, but never below a rate that is the best of a smaller batch."""
        size = race.batch_size
        step = STEP if size < self.critical() else FINEST  # noise hides what is nearer to the best
        rate = max([self.guess(size), *(rate for other, rate in self.bests().items() if other < size)])
        yield from race.run([rate / step, rate, rate * step], step=step)

    def _spaced(self, sizes: Sequence[int]) -> list[int]:
        """Every size that is at least the tier's ratio from the one before."""
        chosen, before = [], self.reference
        for size in sizes:
            if max(size / before, before / size) >= 0.99 * self.tier.spacing:
                chosen.append(size)
                before = size
        return chosen
