"""What is known of one batch size: its learning rate, and the runs at it that the steps are told from."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from gdbench.pick.steps.crossing import CAUTIOUS_RUNS, FEW_STEPS, Hit, hit, runs_needed, slope
from gdbench.pick.steps.parts import look_rows
from gdbench.pick.steps.rates import FINE, RateSearch
from gdbench.pick.steps.trials import CHECKED, PART, Curves, Plan, Trial, joined, look_grid

Values = npt.NDArray[np.float64]
FIRST_LOOK, LAST_LOOK, RATIO = 0.65, 1.55, 1.08
"""Looks of the runs that are counted, in units of the steps expected: coarse, and about the crossing only."""
NEAR = 0.72, 1.4
"""The same of further runs."""
MAX_MOVES, MOVE_UP, MOVE_DOWN = 6, 1.2, 1.5
"""Times that the looks are moved as the crossing lay beyond them, and how far: from the last look, or the first."""
BEYOND = 3.0
"""Multiple of the steps by which the learning rate was chosen, up to which the crossing is looked for. Runs at one that
is too high stay above the goal, and their mean falls below it some time by chance."""
EDGE = 1.25
"""Ratio by which the crossing has to be within them; else they are moved about it."""
MAX_LOWERED = 8
"""Times that a rate is lowered at which the runs that are counted do not get to the goal."""
MIN_TOLD_RUNS, MAX_TOLD_ERROR = 8, 0.15
"""Runs, and the standard error of log K, by which steps are told. At a rate at which runs differ by more, near the
largest stable one, few runs do not have those that make the mean: a lower rate is taken instead."""
NEAR_GOAL = 0.25
"""Loss above the goal, relative to that of the goal, up to which the shift of a sample is about that at the goal."""
FEW_TOLD_RUNS = 1.5
"""By how much fewer they may be than the runs that make a mean, where they are fewer than twice the least number: these
are made only where one takes seconds, and those that hardly differ need no more."""
FRESH = 1000
"""Number of the first run that is counted: none of those that chose the rate is."""


@dataclass
class SizeCell:
    """One batch size."""

    batch_size: int
    goal: float
    floor: float
    shift: float = 0.0
    """Loss of all rows less that of those that are monitored, as far as it is known from other batch sizes."""
    certain: bool = False
    """Whether all runs are the same, so that one tells everything."""
    pass_steps: float = math.inf
    """Steps of a pass over the rows; infinite where there are no passes."""
    part: int = PART
    """Runs of a trial, at most."""
    rates: RateSearch = field(init=False)
    learning_rate: float | None = None
    """At which the runs are counted, once it is settled."""
    guess: float = math.inf
    """Steps at that rate by the runs that chose it."""
    refined: bool = False
    """Whether that is known as exactly as it is going to be."""
    looks: tuple[int, ...] = ()
    parts: list[Curves] = field(default_factory=list)
    moves: int = 0
    lowered: int = 0
    earlier: Values = field(default_factory=lambda: np.empty(0))
    """Shifts of runs that are no longer counted, at about as many steps."""
    _hit: Hit | None = None
    _spread: float = 0.0
    """Standard error of log(steps) by how runs differ alone, without that of the shift."""

    def __post_init__(self) -> None:
        self.rates = RateSearch(self.batch_size, self.own_goal, self.floor, self.pass_steps)

    @property
    def runs(self) -> int:
        """Runs that are counted."""
        return sum(part.losses.shape[1] for part in self.parts)

    @property
    def own_goal(self) -> float:
        """Loss of the monitored rows at which that of all is at the goal."""
        return self.goal - (float(np.mean(self.shifts)) if len(self.shifts) else self.shift)

    @property
    def shifts(self) -> Values:
        """Loss of all rows less that of those that are monitored, of the runs of which it was told."""
        return np.concatenate([self.earlier, *(part.shifts for part in self.parts)])

    @property
    def shift_error(self) -> float:
        """Standard error of their mean; 0 where all rows are monitored.

        Runs that are counted anew have the same starts and rows as before, so that what both told counts once.
        """
        found = self.shifts
        different = max(len(found) - len(self.earlier), min(len(self.earlier), CHECKED))
        return float(found.std(ddof=1) / math.sqrt(different)) if len(found) > 1 else 0.0

    @property
    def hit(self) -> Hit | None:
        """Where the counted runs cross the goal on average; None where there are none."""
        if self.parts and self._hit is None:
            looks, losses = joined(self.parts)
            goal, floor, pass_steps = self.own_goal, self.floor, self.pass_steps
            if len(looks):
                found = hit(looks, losses, goal=goal, floor=floor, pass_steps=pass_steps, cautious=True)
            else:  # some runs diverged before the looks of the others
                found = Hit(math.inf, math.inf, self.runs, self.runs, math.inf, 0)
            self._spread = found.log_error
            if found.reached and self.shift_error > 0:
                doubt = self.shift_error / max(-slope(looks, losses, found.steps), 1e-300)
                found = replace(found, log_error=math.hypot(found.log_error, min(doubt, 1.0)))
            self._hit = found
        return self._hit

    @property
    def expected(self) -> float:
        """Steps, as far as they are known; infinite if no rate got to the goal."""
        return self.hit.steps if self.hit is not None and self.hit.reached else self.guess

    @property
    def measured(self) -> bool:
        """Whether runs that are counted got to the goal."""
        return self.hit is not None and self.hit.reached

    @property
    def bracketed(self) -> bool:
        """Whether runs got to the goal after the first look, so that the steps are no extrapolation."""
        if not self.measured:
            return False
        first, _ = self._ends()
        return first == 1 or self.expected > first

    def _ends(self) -> tuple[int, int]:
        """First and last look that all counted runs have."""
        shared, _ = joined(self.parts)
        looks = shared if len(shared) else self.looks
        return int(looks[0]), int(looks[-1])

    @property
    def confirmed(self) -> bool:
        """Whether these are enough, and alike enough, for steps to be told."""
        return self.bracketed and (self.certain or (self.runs >= MIN_TOLD_RUNS and not self.differing))

    @property
    def differing(self) -> bool:
        """Whether runs enough for steps to be told differ too much for that."""
        if not self.measured or self.runs < MIN_TOLD_RUNS or self.certain or self.hit is None:
            return False
        needed = runs_needed(*joined(self.parts), self.expected, self.floor)
        few = FEW_TOLD_RUNS if self.runs < 2 * MIN_TOLD_RUNS else 1.0
        return self._spread > MAX_TOLD_ERROR or few * self.runs < needed

    def copy(self) -> SizeCell:
        """Return a cell with the same knowledge, which goes on apart from this one."""
        other = replace(self)
        other.rates = replace(self.rates, hits=dict(self.rates.hits), shifts=dict(self.rates.shifts))
        return other

    def settle(self) -> None:
        """Take the best rate so far; runs at another one are no longer counted."""
        rate = self.rates.vertex()
        if rate is not None and rate != self.learning_rate:
            self._drop_runs()
            self.learning_rate, self.moves, self.lowered, self.guess = rate, 0, 0, self.rates.steps
            self._look_about(self.guess)

    def lower(self) -> None:
        """Take a lower rate, since runs at this one do not get to the goal, or differ too much."""
        assert self.learning_rate is not None
        self._drop_runs()
        self.learning_rate, self.moves = self.learning_rate / FINE, 0
        self.lowered += 1
        self.guess *= FINE
        self._look_about(self.guess)

    def count(self, more: int, *, most: int = CAUTIOUS_RUNS) -> Plan:
        """Add so many runs at the rate that is settled; their looks are moved if the crossing is not among them.

        Where they differ too much for steps to be told, more are made, up to ``most``; then, and where they do not get
        to the goal on average, the rate is lowered.
        """
        if self.learning_rate is None or more <= 0:
            return
        wanted = self.runs + more
        yield from self._count(wanted)
        while not self.measured or self.differing:
            if self.measured and self.runs < most:
                wanted = 2 * self.runs
            elif self.measured and most < CAUTIOUS_RUNS:  # time allows no more: others come first
                return
            elif self.lowered < MAX_LOWERED:
                self.lower()
            else:
                return
            yield from self._count(wanted)

    def _count(self, wanted: int) -> Plan:
        while self.runs < wanted:
            yield from self._run(range(FRESH + self.runs, FRESH + wanted))
            about = self._elsewhere()
            if about is None or self.moves == MAX_MOVES:
                return
            self.moves += 1
            self._drop_runs()
            # where the goal is moved by each new shift, so is the crossing: looks that only moved might follow for ever
            self._look_about(about, beside=self.looks if self.moves > 1 and len(self.earlier) else ())

    def _elsewhere(self) -> float | None:
        """Steps about which to look in place of where the looks are; None where they are right."""
        found, (first, last) = self.hit, self._ends()
        assert found is not None
        if not found.reached:
            about = last * MOVE_UP
            return about if math.isfinite(found.final) and about <= BEYOND * self.guess else None
        if not self.bracketed:
            return first / MOVE_DOWN
        early = found.steps < EDGE * first and first > 1
        return found.steps if early or EDGE * found.steps > last else None

    def _run(self, seeds: Iterable[int]) -> Plan:
        assert self.learning_rate is not None
        numbers, looks, first = tuple(seeds), self.looks, not self.parts
        if not first and self.measured and self.expected > FEW_STEPS:  # the crossing is known: fewer looks will do
            looks = tuple(look for look in looks if NEAR[0] * self.expected < look < NEAR[1] * self.expected)
        check = min(looks, key=lambda look: abs(math.log(look / self.expected)))
        ends = sorted({*range(0, CHECKED, self.part), *range(CHECKED, len(numbers), self.part), len(numbers)})
        size, few = self.batch_size, look_rows(self.batch_size, looks)
        trials = [
            Trial(size, self.learning_rate, numbers[a:b], looks, self.goal, check=check * (a < CHECKED), look_rows=few)
            for a, b in pairwise(end for end in ends if end <= len(numbers))
        ]
        self.parts = [*self.parts, *(yield trials)]
        self._hit = None

    def _drop_runs(self) -> None:
        """Count runs anew; what they told of the shift still holds, if they got near the goal."""
        near = self.hit is not None and self.hit.final - self.goal <= NEAR_GOAL * (self.goal - self.floor)
        self.earlier = self.shifts if near else self.earlier
        self.parts, self._hit = [], None

    def _look_about(self, steps: float, *, beside: tuple[int, ...] = ()) -> None:
        """Look about so many steps, and at some looks besides."""
        ratio = 1.0 if steps <= FEW_STEPS else RATIO
        first = 1 if steps <= FEW_STEPS else FIRST_LOOK * steps
        looks = look_grid(first, LAST_LOOK * steps + 1, ratio, pass_steps=self.pass_steps)
        self.looks = tuple(sorted({*looks, *beside}))
