"""Fresh runs at the best rates: they tell the steps, since those of the races that chose the rates were lucky."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gdbench.pick.steps.allocation import sweep_rows
from gdbench.pick.steps.blocks import Block, Curves, Values
from gdbench.pick.steps.curve import DEPARTURES, LENGTH_OCTAVES, Pooled, pool, smooth_variances
from gdbench.pick.steps.hitting import MIN_SPREAD, Hit, hit
from gdbench.pick.steps.race import FINEST, Plan
from gdbench.pick.steps.races import CAP_SLACK, STEPS_ERROR, Races

FIRST = 1000
"""Number of the first fresh run: runs that choose a rate and runs that tell its steps are never the same."""
SLACK = 1.15
"""Multiple of the steps to the goal after which a run ends, so that the curve can be smoothed there."""
LOWER = 1.25
"""Ratio of the two rates that are compared last."""
MIN_GAIN = 0.02
"""In log K, of the higher of two rates over the lower one. At the best rate it is about 0.04."""
MAX_GAIN = 0.3
"""In log K, of the rate that got there over one that did not."""
MAX_RETRIES = 3
"""How often the rate of a batch size that did not get there is lowered."""
MIN_STARTS = 6
"""Runs of every batch size where their starts differ, which large batches do not average out."""
START_SPREAD, START_COUNT = 0.15, 4.0
"""Usual standard deviation of log K between starts, and the runs that it counts for."""
MIN_PART = 0.3
"""Share of the usual number of runs that is made, however much the races have cost."""

Told = tuple[Hit, int]
"""What a round of runs told, and how many runs it had."""
Telling = Generator[list[Block], list[Curves], dict[int, Told]]
"""A plan that returns what its runs told, by batch size."""


@dataclass
class FreshRuns:
    """Steps by batch size at given rates; filled by ``run``."""

    races: Races
    rates: dict[int, float]
    """By batch size; lowered where they turn out too high."""
    told: dict[int, list[Told]] = field(default_factory=dict)
    """By batch size, a round after the other."""
    rows: float = 0.0
    runs: int = 0
    share: float = 0.0
    """Share of an exhaustive sweep that the runs of one rate in one round may cost."""

    def run(self) -> Plan:
        """Run at all batch sizes, at the rates and a little lower, then again where that did not suffice."""
        self.share = self._affordable()
        yield from self._round(sorted(self.rates), 0)
        yield from self._confirm()
        for number in range(1, self.races.tier.rounds):
            wanted = self._wanting()
            if not wanted:
                return
            yield from self._round(wanted, number)

    def own(self, size: int) -> tuple[float, float, int] | None:
        """Log K of a batch size from its own runs, the variance of one run, and how many there were.

        None if they did not get there.
        """
        told = self.told.get(size, [])
        if not told or not all(math.isfinite(found.steps) and found.steps > 0 for found, _ in told):
            return None
        counts = np.array([runs for _, runs in told])
        logs = np.log([found.steps for found, _ in told])
        variances = counts * np.array([found.spread for found, _ in told]) ** 2
        total = int(counts.sum())
        return float(counts @ logs / total), float(counts @ variances / total), total

    def lucky(self, size: int) -> tuple[float, float, int] | None:
        """Return the same from a race, as long as a search that was stopped has no fresh runs of all batch sizes."""
        if self.rates and self.rates.keys() <= self.told.keys():
            return None
        if size in self.told or size not in self.races.bests():
            return None
        runs = len(self.races.held[size].seeds)
        return math.log(max(self.races.best_steps(size), 1.0)), runs * STEPS_ERROR**2, runs

    def pooled(self, wanted: Sequence[int]) -> Pooled | None:
        """Log K of batch sizes from the runs at all of them; None while none got there."""
        owns = {size: self.own(size) or self.lucky(size) for size in sorted({*self.told, *self.races.held})}
        known = [(size, *own) for size, own in owns.items() if own is not None]
        if not known:
            return None
        sizes, logs, variances, counts = np.array(known, float).T
        smooth = smooth_variances(sizes, variances, counts, critical=self.races.critical())
        errors = np.hypot(np.sqrt(smooth / counts), MIN_SPREAD)
        n_rows = self.races.problem.n_rows
        fit = pool(sizes, logs, errors, np.array(wanted, float), n_rows=n_rows, departures=DEPARTURES)
        return replace(fit, covariance=fit.covariance + self._of_starts(sizes, variances, counts))

    def _of_starts(self, sizes: Values, variances: Values, counts: Values) -> float:
        """Variance of log K that all batch sizes have in common, since runs of a number start alike at all of them.

        From the runs of large batches, which differ in nothing else, and what is usual.
        """
        if self.races.alike:
            return 0.0
        large = sizes >= self.races.critical()
        weights = np.where(large, counts - 1.0, 0.0)
        total = float(weights.sum()) + START_COUNT
        found = (float(weights @ variances) + START_COUNT * START_SPREAD**2) / total
        return found / float(np.median(counts))

    def _round(self, sizes: Sequence[int], number: int) -> Plan:
        yield from self._run(sizes, number)
        for again in range(1, MAX_RETRIES + 1):
            failed = [size for size in sizes if self.own(size) is None]
            if not failed:
                return
            for size in failed:  # too near the rate at which it diverges
                self.rates[size] /= FINEST
                self.told.pop(size)
            yield from self._run(failed, number + again * self.races.tier.rounds)

    def _run(self, sizes: Sequence[int], number: int) -> Plan:
        found = yield from self._results({size: self.rates[size] for size in sizes}, number)
        for size, told in found.items():
            self.told.setdefault(size, []).append(told)

    def _results(self, rates: Mapping[int, float], number: int) -> Telling:
        blocks = [self._block(size, rate, FIRST * (number + 1)) for size, rate in rates.items()]
        found, told = (yield blocks), {}
        for block, curves in zip(blocks, found, strict=True):
            result = hit(curves.steps, curves.losses[:, 0], goal=self.races.goal, floor=self.races.problem.floor)
            told[block.batch_size] = result, len(block.seeds)
            self.rows += curves.rows
            self.runs += len(block.seeds)
        return told

    def _block(self, size: int, rate: float, first: int) -> Block:
        near = min(self.races.bests(), key=lambda other: abs(math.log(other / size)))
        cap = CAP_SLACK * self.races.best_steps(near) * max(near / size, 1.0) + 1
        most = self.races.affordable_runs(size, cap / CAP_SLACK, rates=2)
        least = 2 if self.races.alike else MIN_STARTS
        runs = min(self.races.runs_worth(size, self.share, least), max(most, 2))
        seeds = tuple(range(first, first + runs))
        return Block(size, (rate,), seeds, self.races.goal, math.ceil(cap), SLACK)

    def _confirm(self) -> Plan:
        """Run the same rows at a lower rate, and go on with that where it needs no more steps.

        Rates that are too high looked good by luck; the difference between the two, averaged over neighbouring
        batch sizes, is known far better than either.
        """
        sizes = [size for size in sorted(self.rates) if self.own(size) is not None and self._differs(size)]
        if not sizes:
            return
        rates = {size: self.rates[size] / LOWER for size in sizes}
        lower = yield from self._results(rates, 0)
        gains = {size: _gain(self.told[size][0][0].steps, lower[size][0].steps) for size in sizes}
        for size in sizes:
            if _averaged(gains, size) >= -MIN_GAIN:  # asked of the higher, which would cost more if it is too high
                self.rates[size], self.told[size] = rates[size], [lower[size]]

    def _differs(self, size: int) -> bool:
        """Whether runs differ by more than their start, so that a race may have had luck."""
        return size != self.races.problem.n_rows

    def _affordable(self) -> float:
        """Share for the runs of each of two rates, such that all runs together stay within the tier's."""
        tier, candidates = self.races.tier, self.races.candidates
        rows = np.exp(self.races.pooled_steps(candidates).mean) * np.array(candidates, float)
        usual = [
            self.races.runs_worth(size, tier.estimate_share, 2) if size in self.rates else 0 for size in candidates
        ]
        cost = 2.0 * SLACK * float(usual @ rows)
        left = tier.share * sweep_rows(rows) - sum(race.rows for race in self.races.everything)
        return tier.estimate_share * float(np.clip(left / cost, MIN_PART, 1.0))

    def _wanting(self) -> list[int]:
        """Batch sizes whose steps are not yet known well enough, if another round is within the tier's share."""
        fit = self.pooled(self.races.candidates)
        if fit is None:
            return []
        rows = np.exp(fit.mean) * np.array(self.races.candidates, float)
        doubt = dict(zip(self.races.candidates, np.sqrt(np.diag(fit.covariance)), strict=True))
        unsure = [size for size in self.rates if doubt[size] > self.races.tier.spread]
        each = dict(zip(self.races.candidates, rows, strict=True))
        cost = sum(self.races.runs_worth(size, self.share, 2) * each[size] for size in unsure)
        spent = self.rows + sum(race.rows for race in self.races.everything)
        allowed = min(self.races.tier.share * sweep_rows(rows), self.races.most_rows)
        return unsure if spent + cost <= allowed else []


def _gain(higher: float, lower: float) -> float:
    """Log of the steps at the higher rate over those at the lower one, as far as either got there."""
    if math.isfinite(higher) and math.isfinite(lower):
        return math.log(max(higher, 1.0) / max(lower, 1.0))  # none where the start is below the goal
    return MAX_GAIN if math.isinf(higher) else -MAX_GAIN


def _averaged(gains: Mapping[int, float], size: int) -> float:
    """Average of what is known by batch size, over about four octaves to either side."""
    weights = {other: math.exp(-0.5 * (math.log2(other / size) / (2.0 * LENGTH_OCTAVES)) ** 2) for other in gains}
    return sum(weights[other] * gains[other] for other in gains) / sum(weights.values())
