"""A race of learning rates at one batch size: which rate needs the fewest steps.

A race is a generator: it yields the blocks that it wants to be run next and is sent what came of them, so that the
races of several batch sizes can go on at the same time without knowing of each other.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import numpy as np

from gdbench.pick.steps.blocks import Block, Curves, Values
from gdbench.pick.steps.hitting import Hit, hit

Plan = Generator[list[Block], list[Curves], None]
STEP = math.sqrt(2.0)
"""Ratio of neighbouring rates at which a race looks for the best first."""
FINEST = 2.0**0.25
"""Ratio of neighbouring rates at the end of a race."""
NEAR = 0.6
"""Distance in log(rate) within which costs are taken for a parabola."""
CURVATURE, CURVATURE_SPREAD = 0.8, 0.6
"""Curvature of log K over log(rate) at the best rate, and its spread: a rate 30 % too low costs about 10 %."""
UNLIKE = 0.5
"""Share of a cost above the least by which it may depart from the parabola."""
NOISY = 0.05
"""Standard error of log K beyond which rates nearer to each other than ``STEP`` are tied."""
MIN_RATE_ERROR = 0.03
STEEP = 0.04
"""In log K between neighbouring rates: less need not be resolved."""
MAX_EXTENSIONS = 8
"""How often a race may look beyond its lowest or highest rate."""
SLACK = 1.35
"""Multiple of the steps of the best after which the other rates are stopped."""
WORSE = 0.3
"""Least excess of log K that is granted to a rate that diverged or was stopped: it was slower than the slack allows."""


@dataclass
class Race:
    """What is known of the rates at one batch size; filled by ``run``."""

    batch_size: int
    seeds: tuple[int, ...]
    goal: float
    floor: float
    cap: int
    """Steps after which a block ends, as long as nothing has reached the goal."""
    usual: float = 0.0
    """Standard error of log K that is usual for so many runs at this batch size: runs that were lucky also agree."""
    hits: dict[float, Hit] = field(default_factory=dict)
    rows: float = 0.0
    runs: int = 0
    noise: Values | None = None
    """tr(Σ) and |G|² at the start and soon after the goal was reached, if it was; see ``Curves``."""

    @property
    def best(self) -> float | None:
        """Rate with the lowest cost so far, None if none reached the goal."""
        reached = [rate for rate, found in self.hits.items() if math.isfinite(found.steps)]
        return min(reached, key=self._cost) if reached else None

    @property
    def diverged(self) -> bool:
        """Whether every rate diverged."""
        return bool(self.hits) and all(found.failed * 10 > len(self.seeds) for found in self.hits.values())

    def run(self, grid: Sequence[float], *, step: float = STEP, finest: float = FINEST) -> Plan:
        """Race the rates of a grid (any order), then go on until rates to both sides of the best are near enough.

        ``step`` is the ratio at which the sides are looked for at first; it is halved, in log(rate), to ``finest``,
        unless the sides are hardly worse than the best.
        """
        yield from self._try(grid)
        for _ in range(MAX_EXTENSIONS):
            wanted = self._wanted(step)
            last = self._last_step(finest)
            while not wanted and step > 1.01 * last and self._steep():
                step = math.sqrt(step)
                wanted = self._wanted(step)
            if not wanted:
                return
            yield from self._try(wanted)

    def optimum(self) -> tuple[float, float] | None:
        """Rate with the fewest steps, between the rates tried, and the standard error of its logarithm.

        The vertex of a parabola in log(rate), fitted to the costs of the rates near the best; of a curvature that
        was found common, unless the data have one of their own.
        """
        if self.best is None:
            return None
        near = [rate for rate in sorted(self.hits) if abs(math.log(rate / self.best)) < NEAR]
        x = np.log(np.array(near) / self.best)
        y = np.array([self._cost(rate, doubt=0.0) for rate in near])
        spreads = np.array([min(max(self.hits[rate].spread, 0.01), WORSE) for rate in near])
        weights = 1.0 / np.hypot(spreads, UNLIKE * (y - y.min()))
        design = np.column_stack([np.ones_like(x), x, x * x])
        rows = np.vstack([design * weights[:, None], [0.0, 0.0, 1.0 / CURVATURE_SPREAD]])
        right = np.append(y * weights, CURVATURE / CURVATURE_SPREAD)
        _, slope, curvature = np.linalg.lstsq(rows, right, rcond=None)[0]
        curvature = max(float(curvature), 0.3 * CURVATURE)
        place = near.index(self.best)
        low, high = x[max(place - 1, 0)], 0.0 if self._cliff(self.best) else x[min(place + 1, len(x) - 1)]
        vertex = float(np.clip(-0.5 * slope / curvature, 0.5 * low, 0.5 * high))
        spread = min(max(self.hits[self.best].spread, self.usual), WORSE)
        error = math.hypot(MIN_RATE_ERROR, spread / (2.0 * curvature * max(np.ptp(x) / 2.0, 0.1)))
        return self.best * math.exp(vertex), min(error, 0.5)

    def _cost(self, rate: float, *, doubt: float = 1.0) -> float:
        """Log K and its standard error: runs that differ much are near where they diverge, and may have been lucky.

        A rate that never got there costs at least ``WORSE`` more than the cheapest that did.
        """
        found = self.hits[rate]
        if math.isfinite(found.steps):
            return math.log(max(found.steps, 1.0)) + doubt * min(found.spread, WORSE)
        known = min(self._cost(other) for other, each in self.hits.items() if math.isfinite(each.steps)) + WORSE
        return known if found.failed else max(known, math.log(max(found.last, 1)))

    def _try(self, rates: Sequence[float]) -> Plan:
        fresh = tuple(sorted(rate for rate in rates if not self._known(rate)))
        if not fresh:
            return
        best = self.best
        most = self.cap if best is None else math.ceil(SLACK * self.hits[best].steps) + 1
        block = Block(self.batch_size, fresh, self.seeds, self.goal, min(most, self.cap), SLACK)
        (curves,) = yield [block]
        for number, rate in enumerate(fresh):
            self.hits[rate] = hit(curves.steps, curves.losses[:, number], goal=self.goal, floor=self.floor)
        self.rows += curves.rows
        self.runs += len(fresh) * len(self.seeds)
        if np.isfinite(curves.noise).all():
            self.noise = curves.noise

    def _known(self, rate: float) -> bool:
        return any(abs(math.log(rate / other)) < 0.05 for other in self.hits)

    def _wanted(self, step: float) -> list[float]:
        """Rates to try next: below the lowest if all diverged, else a ``step`` to the sides of the best."""
        if self.best is None:
            return self._elsewhere()
        rates, best = sorted(self.hits), self.best
        sides = [side for side in (best / step, best * step) if not self._between(best, side)]
        if best == rates[0] and sides:
            sides.append(best / step**2)
        return [rate for rate in sides if not self._known(rate)]

    def _between(self, best: float, side: float) -> bool:
        """Whether a rate is known that is not farther from the best than a side is."""
        low, high = sorted((best, side))
        return any(low / 1.02 <= rate <= high * 1.02 and rate != best for rate in self.hits)

    def _last_step(self, finest: float) -> float:
        """Ratio of rates at which a race ends: finer at a cliff, and where all runs are the same."""
        if finest < STEP and self.usual == 0.0:
            return math.sqrt(math.sqrt(finest))
        return math.sqrt(finest) if self.best is not None and self._cliff(self.best) else finest

    def _steep(self) -> bool:
        """Whether the nearest known rates cost so much more than the best that the optimum may lie between."""
        rates = sorted(self.hits)
        place = rates.index(self.best) if self.best is not None else 0
        near = rates[max(place - 1, 0) : place] + rates[place + 1 : place + 2]
        if self.best is None or max(self.hits[self.best].spread, self.usual) > NOISY:
            return False
        return any(self._cost(rate) - self._cost(self.best) > STEEP for rate in near)

    def _elsewhere(self) -> list[float]:
        """Rates to try while none has reached the goal: beyond the end where the loss fell farthest."""
        rates = sorted(self.hits)
        fell = min(rates, key=lambda rate: self.hits[rate].final)
        if fell == rates[-1] and math.isfinite(self.hits[fell].final):
            return [rates[-1] * 2.0, rates[-1] * 4.0]
        if fell == rates[0] or math.isinf(self.hits[fell].final):
            return [rates[0] / STEP**power for power in (1, 2, 3, 5)]
        return []

    def _cliff(self, rate: float) -> bool:
        """Whether the next higher rate that was tried never got there."""
        higher = [other for other in self.hits if other > rate]
        return bool(higher) and not math.isfinite(self.hits[min(higher)].steps)


def together(plans: Sequence[Plan]) -> Plan:
    """Join plans: each round asks for the blocks of all that are not done."""
    wanted: dict[int, list[Block]] = {}
    for number, plan in enumerate(plans):
        _proceed(wanted, number, plan, None)
    while wanted:
        order = sorted(wanted)
        found = yield [block for number in order for block in wanted[number]]
        sizes = {number: len(wanted[number]) for number in order}
        for number in order:
            mine, found = found[: sizes[number]], found[sizes[number] :]
            _proceed(wanted, number, plans[number], mine)


def _proceed(wanted: dict[int, list[Block]], number: int, plan: Plan, found: list[Curves] | None) -> None:
    try:
        wanted[number] = next(plan) if found is None else plan.send(found)
    except StopIteration:
        wanted.pop(number, None)
