"""The search for steps to the target: races of rates at some batch sizes, then fresh runs at all that matter.

It looks at no clock, so that the same seed finds the same and any machine's times can be joined to it. It covers
the batch sizes from 1 to where more rows no longer save steps, and all rows: beyond, none can win on a machine on
which a step of more rows never takes less time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from gdbench.pick.steps.allocation import QUIET
from gdbench.pick.steps.fresh_runs import FreshRuns
from gdbench.pick.steps.problem import DescentProblem
from gdbench.pick.steps.race import STEP, Plan
from gdbench.pick.steps.races import Races
from gdbench.pick.steps.rate_law import rate_at
from gdbench.pick.steps.tiers import Tier

SHADE = 0.4
"""Standard errors by which log(rate) is taken lower than estimated: too high costs more steps than as much too low."""
FEW = 3
"""Races that it takes to smooth their rates."""


@dataclass
class Search:
    """All that has been found; filled by ``run``."""

    problem: DescentProblem
    candidates: tuple[int, ...]
    goal: float
    tier: Tier
    most_rows: float = math.inf
    """Rows after which nothing is begun that can be left out: a race with all rows, a further round of fresh runs."""
    stage: str = "finding a learning rate"
    races: Races = field(init=False)
    fresh: FreshRuns = field(init=False)

    def __post_init__(self) -> None:
        self.races = Races(self.problem, self.candidates, self.goal, self.tier, self.most_rows)
        self.fresh = FreshRuns(self.races, {})

    @property
    def rows(self) -> float:
        """Rows processed so far, by all runs."""
        return self.fresh.rows + sum(race.rows for race in self.races.everything)

    @property
    def runs(self) -> int:
        """Runs so far."""
        return self.fresh.runs + sum(race.runs for race in self.races.everything)

    def run(self) -> Plan:
        """Race, settle the rates, run afresh."""
        self.stage = "racing learning rates"
        yield from self.races.run()
        if not self.races.bests():
            return
        self.stage = "fresh runs at the best rates"
        self.fresh.rates = self._settled_rates()
        yield from self.fresh.run()

    def _settled_rates(self) -> dict[int, float]:
        """Rates of the batch sizes that matter: smoothed over the races, or known where all runs are the same."""
        best, sizes = self.races.bests(), self._that_matter()
        if len(best) < FEW:
            return {size: rate_at(best, size) / (1.0 if size in best else STEP) for size in sizes}
        fit = self.races.pooled_rates(sizes)
        logs = -fit.mean - SHADE * np.sqrt(np.diag(fit.covariance))
        rates = dict(zip(sizes, np.exp(logs).tolist(), strict=True))
        known = {size: race.best for size, race in self.races.held.items() if race.usual == 0.0}
        return rates | {size: rate for size, rate in known.items() if rate is not None}

    def _that_matter(self) -> list[int]:
        """Batch sizes up to where steps no longer fall, and those with a race."""
        best, last = self.races.bests(), self.candidates[-1]
        top = max((size for size in best if size != last), default=last)
        most = min(self.tier.spacing * top, QUIET * self.races.critical())
        return [size for size in self.candidates if size < most or size in best]
