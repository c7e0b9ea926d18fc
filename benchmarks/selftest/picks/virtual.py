"""Time of a search in CPU seconds of its trials on some workers: other programs take none of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapreplace

from gdbench.pick.steps.measure import ENDED, OutOfTime
from gdbench.pick.steps.problem import Problem
from gdbench.pick.steps.trials import Curves, OnDone, Runner, Trial

Known = dict[tuple[str, Trial], Curves]
"""What came of trials, by the problem's key and the trial."""


@dataclass
class VirtualClock:
    """Seconds that are left of so many; they pass only where somebody says so."""

    most_seconds: float
    spent: float = 0.0

    @property
    def left(self) -> float:
        """Seconds."""
        return max(0.0, self.most_seconds - self.spent)


@dataclass(frozen=True)
class VirtualRunner:
    """Runs each trial once, and lets the clock go on as if workers ran a round's trials one after another.

    A trial that is asked for again, such as by a search with other seconds per step, takes its time again, but is not
    run: the same trial gives the same curves.
    """

    runner: Runner
    clock: VirtualClock
    workers: int
    known: Known

    def run(self, problem: Problem, trials: Sequence[Trial], *, on_done: OnDone | None = None) -> list[Curves]:
        """Run trials and return what came of them.

        Raises
        ------
        OutOfTime
            When the clock says so, as it does within a round where time is that of the wall.
        """
        fresh = [trial for trial in trials if (problem.key, trial) not in self.known]
        self.known.update(
            ((problem.key, trial), curves) for trial, curves in zip(fresh, self.runner.run(problem, fresh), strict=True)
        )
        found = [self.known[problem.key, trial] for trial in trials]
        busy = [0.0] * self.workers  # a heap: when each worker is free
        for place, curves in enumerate(found):
            heapreplace(busy, busy[0] + curves.seconds)
            if max(busy) >= self.clock.left:
                self.clock.spent = self.clock.most_seconds
                raise OutOfTime(ENDED)
            if on_done is not None:
                on_done(place, curves)
        self.clock.spent += max(busy)
        return found
