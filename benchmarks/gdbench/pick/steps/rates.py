"""The best learning rate of one batch size: trials at a few rates, on the same starts and rows, closer and closer.

Steps over the rate fall as its inverse, are flat about the best and rise steeply towards where descent is unstable.
Where three neighbouring rates get to the goal, the minimum of the parabola through their logarithms is taken; where
one does not, or where the curve is too steep to be a parabola, the best rate that was tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from gdbench.pick.steps.crossing import FEW_STEPS, Hit, hit
from gdbench.pick.steps.parts import look_rows
from gdbench.pick.steps.trials import LAST, PART, Curves, Plan, Trial, joined, look_grid

COARSE, FINE, FINER, FINEST, SINGLE = 2.0, 2.0**0.5, 2.0**0.25, 2.0**0.125, 2.0**0.03125
"""Ratios of neighbouring rates: where the best one is looked for; where it is told more exactly; where no parabola
holds, of runs that differ, and of runs that hardly do; where one run tells all, which costs little."""
CAUTION = 1.0
"""Standard errors that are added to the logarithm of a rate's steps before rates are compared: what few runs say of a
rate near the largest stable one is too good as often as they vary much."""
LOOK_RATIO, FIRST_LOOK = 1.15, 0.2
"""Ratio of the looks of such a trial, and the share of the expected steps at which they begin."""
SLACK = 1.2
"""The runs go on to this multiple of their crossing, so that it can be told exactly."""
CAP = 2.5
"""Multiple of the steps of the best rate so far that another one is given."""
MAX_ROUNDS, MAX_RAISES = 8, 4
"""Rounds in which the neighbourhood of the best rate is looked for; and how often more steps are given where no rate
gets there, ``CAP`` times as many each time: two runs that are lucky tell a fortieth of the true steps."""
RACE_POWERS, RACE_RUNS, RACE_SEED = (-3, -2, -1, 0, 1, 2), 64, 100
"""Rates of a race about the best one so far, as powers of ``FINER``; its first runs, and the number of the first."""
RACE_LOOKS, RACE_RATIO = (0.5, 2.0), 1.08
"""First and last look of a race, in units of the steps expected; ratio of neighbours."""
RACE_NEAR, RACE_PASSES = (0.62, 1.6), 1.2
"""Looks of further runs of a race, in units of the rate's own steps, and passes on either side that they hold at least:
the crossing may turn out to be at the end of the pass before, or of the next one."""
RACE_WIDTH = 2.0
"""Standard errors by which a rate may be behind the best one and stay in the race."""
QUIET_ERROR = 0.01
"""Standard error of log(steps) below which runs hardly differ: the best rate is then close to the largest stable one,
where steps rise at once, and is looked for closely."""
STEEP = 1.3
"""Slope of log(steps) over log(rate) beyond which no parabola is laid through a rate and its neighbours."""


@dataclass
class RateSearch:
    """What is known of the rates of one batch size; ``hits`` is of the last, most exact stage."""

    batch_size: int
    goal: float
    floor: float
    pass_steps: float = math.inf
    """Steps of a pass over the rows; infinite where there are no passes."""
    hits: dict[float, Hit] = field(default_factory=dict)
    checked: bool = False
    """Whether the loss of all rows is told at the end of each trial."""
    shifts: dict[float, float] = field(default_factory=dict)
    """By how much it was above that of the rows that are monitored, by rate."""

    @property
    def best(self) -> float | None:
        """Best rate of those tried, cautiously compared; None if none got to the goal."""
        rate = min(self.hits, key=self._score, default=None)
        return rate if rate is not None and self.hits[rate].reached else None

    @property
    def steps(self) -> float:
        """Steps at the best rate; infinite if there is none."""
        return self.hits[self.best].steps if self.best is not None else math.inf

    @property
    def diverged(self) -> bool:
        """Whether all rates diverged."""
        return all(math.isinf(found.final) for found in self.hits.values())

    def vertex(self) -> float | None:
        """Rate with the fewest steps, between the rates that were tried."""
        best = self.best
        if best is None:
            return None
        sides = self._neighbours(best)
        if sides is None:
            return best
        x = np.log(np.array([sides[0], best, sides[1]]) / best)
        y = np.array([self._score(rate) for rate in (sides[0], best, sides[1])])
        bend, slope, _ = np.polyfit(x, y, 2)
        return best * math.exp(float(np.clip(-slope / (2 * bend), x[0], x[2]))) if bend > 0 else best

    def explore(
        self,
        rates: Iterable[float],
        runs: Callable[[float], int],
        expected: float,
        *,
        ratio: float = FINE,
        raises: int = 0,
    ) -> Plan:
        """Find the best rate to a factor.

        Parameters
        ----------
        rates : iterable of float
            Where to begin; none to go on with what is known.
        runs : callable
            Number of runs of a trial, given its steps.
        expected : float
            Steps that the best rate is expected to need, at most.
        ratio : float
            That factor; it begins with ``COARSE``.
        raises : int
            How often more steps are given where no rate gets there.
        """
        wanted, seeds = sorted(rates), range(0)
        for _ in range(MAX_ROUNDS):
            seeds = seeds or range(runs(expected))
            yield from self._try(wanted, seeds, expected)
            low, high = min(self.hits), max(self.hits)
            if self.best is None:
                nearest = min(self.hits, key=lambda rate: self.hits[rate].final)
                if self.diverged or (nearest == low and not self.checked):
                    wanted = [low / COARSE, low / COARSE**2, low / COARSE**3]
                elif raises:  # fewer runs were lucky, and what they told was expected
                    raises, expected = raises - 1, CAP * expected
                    wanted = [nearest / COARSE, nearest, nearest * COARSE]
                else:
                    return
            elif self.best == low:
                wanted = [low / COARSE]
            elif self.best == high:
                wanted = [high * COARSE]
            else:
                break
        yield from self._narrow(ratio, seeds, expected)

    def race(
        self,
        most_runs: int,
        error: float,
        *,
        exact: bool,
        least_runs: int = 1,
        worth: Callable[[Hit], bool] | None = None,
    ) -> Plan:
        """Tell the best rate more exactly: more and more other runs at the rates that may still be the best.

        Parameters
        ----------
        most_runs : int
            Of one rate.
        error : float
            Standard error of log(steps) that is enough to compare rates by.
        exact : bool
            Whether all runs are the same.
        least_runs : int
            Of a rate that may be the best, since they cost little.
        worth : callable, optional
            Whether going on is worth it, by what is known of the best rate so far; always if not given.
        """
        centre = self.vertex()
        if centre is None:
            return
        expected, before, self.hits = self.steps, self.hits, {}
        first, last = (part * expected for part in RACE_LOOKS)
        racing = _Race(self, look_grid(first, last + 2, RACE_RATIO, pass_steps=self.pass_steps))
        wanted = {centre * FINER**power for power in RACE_POWERS}
        runs = min(RACE_RUNS, most_runs)
        while True:
            yield from racing.add(wanted, runs)
            if self.best is None:  # more runs than before tell that none gets there so soon: what was known stands
                self.hits = before
                return
            if self.best in (min(self.hits), max(self.hits)) and len(self.hits) < MAX_ROUNDS + len(RACE_POWERS):
                wanted = {self.best / FINER if self.best == min(self.hits) else self.best * FINER}
                continue
            wanted = {rate for rate in self.hits if self._may_be_best(rate)}
            if worth is not None and not worth(self.hits[self.best]):
                return
            sure = runs >= least_runs and all(self.hits[rate].log_error < error for rate in wanted)
            if sure or runs >= most_runs:
                break
            runs = min(2 * runs, most_runs)
        if exact or self.hits[self.best].log_error < QUIET_ERROR:
            ratio = FINEST if runs > 1 else SINGLE
            yield from self._narrow(ratio, range(RACE_SEED, RACE_SEED + runs), expected)

    def _may_be_best(self, rate: float) -> bool:
        best, found = self.hits[self.best or rate], self.hits[rate]
        if not found.reached:
            return False
        behind = math.log(found.steps / best.steps)
        return behind <= RACE_WIDTH * math.hypot(found.log_error, best.log_error)

    def _narrow(self, ratio: float, seeds: Iterable[int], expected: float) -> Plan:
        """Try rates between the best one and its neighbours until these are no further away than a ratio."""
        while (best := self.best) is not None:
            sides = [
                max((r for r in self.hits if r < best), default=0.0),
                min((r for r in self.hits if r > best), default=0.0),
            ]
            wanted = [math.sqrt(best * side) for side in sides if side and max(best / side, side / best) > ratio * 1.01]
            if not wanted:
                return
            yield from self._try(wanted, seeds, expected)

    def _try(self, rates: Iterable[float], seeds: Iterable[int], expected: float) -> Plan:
        rates, seeds = tuple(rates), tuple(seeds)
        if not rates:
            return
        known = min(self.steps, expected)
        first, last = FIRST_LOOK * known, math.ceil(CAP * known) + 2
        looks = look_grid(first, last, LOOK_RATIO, pass_steps=self.pass_steps)
        check = LAST if self.checked else 0
        few = look_rows(self.batch_size, looks)
        trials = [Trial(self.batch_size, rate, seeds, looks, self.goal, SLACK, check, few) for rate in rates]
        for trial, curves in zip(trials, (yield trials), strict=True):
            self.hits[trial.learning_rate] = self.told([curves])
            if len(curves.shifts):
                self.shifts[trial.learning_rate] = float(curves.shifts.mean())
        early = [rate for rate in rates if 1 < looks[0] >= self.hits[rate].steps]
        if early:  # they were at the goal before anybody looked
            yield from self._try(early, seeds, looks[0])

    def _neighbours(self, best: float) -> tuple[float, float] | None:
        """Rates on either side of the best that lie on one parabola with it."""
        below, above = self._sides(best)
        if below is None or above is None:
            return None
        slopes = [
            (self._score(rate) - self._score(best)) / abs(math.log(rate / best))
            for rate in (below, above)
            if self.hits[rate].reached
        ]
        return (below, above) if len(slopes) == 2 and max(slopes) < STEEP else None

    def _sides(self, best: float) -> tuple[float | None, float | None]:
        """Rates next to the best one, of those tried."""
        below = max((rate for rate in self.hits if rate < best), default=None)
        return below, min((rate for rate in self.hits if rate > best), default=None)

    def told(self, parts: Sequence[Curves]) -> Hit:
        """Where the runs of a rate cross the goal, cautiously if they are few."""
        looks, losses = joined(parts)
        if not len(looks):  # some runs diverged before the looks of the others
            runs = losses.shape[1]
            return Hit(math.inf, math.inf, runs, runs, math.inf, 0)
        return hit(looks, losses, goal=self.goal, floor=self.floor, pass_steps=self.pass_steps, cautious=True)

    def _score(self, rate: float) -> float:
        found = self.hits[rate]
        return math.log(found.steps) + CAUTION * found.log_error if found.reached else math.inf


@dataclass
class _Race:
    """Runs of several rates on the same starts and rows, to which more are added."""

    search: RateSearch
    looks: tuple[int, ...]
    parts: dict[float, list[Curves]] = field(default_factory=dict)

    def add(self, rates: Iterable[float], runs: int) -> Plan:
        """Bring these rates to so many runs."""
        trials, size = [], self.search.batch_size
        few = look_rows(size, self.looks)  # the same for all rates, so that the rows are
        for rate in sorted(rates):
            known, looks = sum(part.losses.shape[1] for part in self.parts.get(rate, ())), self._looks(rate)
            for begin in range(known, runs, PART):
                seeds = tuple(range(RACE_SEED + begin, RACE_SEED + min(begin + PART, runs)))
                trials.append(Trial(size, rate, seeds, looks, self.search.goal, look_rows=few))
        trials.sort(key=lambda trial: trial.seeds[0])  # rates side by side, since rows that were drawn last are kept
        if not trials:
            return
        for trial, curves in zip(trials, (yield trials), strict=True):
            self.parts.setdefault(trial.learning_rate, []).append(curves)
        for rate in {trial.learning_rate for trial in trials}:
            self.search.hits[rate] = self._told(rate)

    def _told(self, rate: float) -> Hit:
        """Where all runs of a rate cross the goal, or only those with all looks, if that is not among the others'."""
        found = self.search.told(self.parts[rate])
        first = joined(self.parts[rate])[0][:1]
        if len(first) and self.looks[0] < first[0] >= found.steps:
            found = self.search.told([part for part in self.parts[rate] if part.looks[0] == self.looks[0]])
        return found

    def _looks(self, rate: float) -> tuple[int, ...]:
        """Looks of further runs: about the crossing only, where it is known, since only the curve about it tells."""
        found = self.search.hits.get(rate)
        if rate not in self.parts or found is None or not found.reached or found.steps <= FEW_STEPS:
            return self.looks
        first, last = (part * found.steps for part in RACE_NEAR)
        if math.isfinite(self.search.pass_steps):
            reach = RACE_PASSES * self.search.pass_steps
            first, last = min(first, found.steps - reach), max(last, found.steps + reach)
        return tuple(look for look in self.looks if first < look < last) or self.looks
