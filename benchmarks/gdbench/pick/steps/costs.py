"""What the trials of a search have cost, and what the next ones will."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from gdbench.pick.steps.trials import Curves, Trial

MIN_RATIO = 0.1
"""Cost of a step at a batch size that was not run, over that at the nearest one that was, at least."""


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
