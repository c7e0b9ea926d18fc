"""What the trials of a search have cost, what the next ones will, and how much of the time left they may take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gdbench.pick.steps.trials import Curves, Plan, Trial

MIN_RATIO = 0.1
"""Cost of a step at a batch size that was not run, over that at the nearest one that was, at least."""
SHARE = 0.02
"""Share of the time that is left for one round of trials about the rate of one batch size."""
OTHERS_SHARE, OTHERS_OF_SPENT = 0.1, 0.5
"""Share of the whole time that the batch sizes which cannot win may take, or of what was spent until the choice was
made, whichever is more."""


class SearchClock(Protocol):
    """Tells how much time is left, in seconds, and how much there was."""

    @property
    def left(self) -> float:
        """Seconds until the search shall end."""

    @property
    def most_seconds(self) -> float:
        """Seconds that it had at its beginning."""


@dataclass
class Costs:
    """Account of all trials so far."""

    step_seconds: Mapping[int, float]
    """Seconds of a step as it was timed, by batch size."""
    trials: int = 0
    runs: int = 0
    rows: float = 0.0
    seconds: float = 0.0
    """CPU seconds of all trials."""
    look_seconds: float = 0.0
    _steps: dict[int, float] = field(default_factory=dict)
    """CPU seconds of a step of a run, looks included, by batch size."""

    def add(self, trial: Trial, curves: Curves) -> None:
        """Enter what came of a trial."""
        self.trials += 1
        self.runs += len(trial.seeds)
        self.rows += curves.rows
        self.seconds += curves.seconds
        self.look_seconds += curves.look_seconds
        steps = curves.rows / trial.batch_size
        if steps:
            self._steps[trial.batch_size] = curves.seconds / steps

    def begin_with(self, batch_size: int, seconds: float) -> None:
        """Enter what a step of a run takes, CPU seconds with looks, as it is known before the first trial."""
        self._steps[batch_size] = seconds

    @property
    def look_share(self) -> float:
        """Share of the seconds that looking at the loss took."""
        return self.look_seconds / self.seconds if self.seconds else 0.0

    def step(self, batch_size: int) -> float:
        """CPU seconds of a step of a run, from the nearest batch size that was run."""
        if not self._steps:
            return self.step_seconds[batch_size]
        near = min(self._steps, key=lambda other: abs(math.log(other / batch_size)))
        return self._steps[near] * max(self.step_seconds[batch_size] / self.step_seconds[near], MIN_RATIO)

    def run(self, batch_size: int, steps: float) -> float:
        """CPU seconds of a run of so many steps."""
        return max(steps * self.step(batch_size), 1e-6)

    def account(self, plan: Plan) -> Plan:
        """Carry a plan, and enter what its trials cost."""
        found: list[Curves] | None = None
        while True:
            try:
                trials = next(plan) if found is None else plan.send(found)
            except StopIteration:
                return
            found = yield trials
            for trial, curves in zip(trials, found, strict=True):
                self.add(trial, curves)


@dataclass(frozen=True)
class Allowance:
    """What trials may take of the time that is left."""

    clock: SearchClock
    costs: Costs
    workers: int

    @property
    def left(self) -> float:
        """CPU seconds that are left."""
        return self.clock.left * self.workers

    @property
    def for_others(self) -> float:
        """CPU seconds for batch sizes that cannot win."""
        return max(OTHERS_SHARE * self.clock.most_seconds * self.workers, OTHERS_OF_SPENT * self.costs.seconds)

    def runs(self, batch_size: int, steps: float, most: int, *, share: float = SHARE) -> int:
        """Number of runs of so many steps, a power of two, that take no more than a share of the time that is left."""
        affordable = share * self.left / max(steps * self.costs.step(batch_size), 1e-9)
        return int(2 ** max(math.floor(math.log2(min(max(affordable, 1.0), most))), 0))

    def permits(self, seconds: float, most: float) -> bool:
        """Whether trials of so many CPU seconds take no more than is meant for them, and half of the time left."""
        return seconds <= most and seconds <= self.left / 2
