"""Exhaustive runs of descent on a real cell: steps to the target at any batch size and rate, kept as they are found."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gdbench.pick.steps.crossing import hit
from gdbench.pick.steps.parts import look_rows
from gdbench.pick.steps.problem import DescentProblem
from gdbench.pick.steps.trials import Curves, Runner, Trial, joined, look_grid
from selftest.journal import Journal
from selftest.picks.findings import code_of_runs
from selftest.picks.scores import NORMAL_90, finite

EVERYWHERE, PICKED = "runs", "runs of picks"
"""Parts of the journal: of the best rates, and of what was picked."""
SLACK = 2.0
"""Multiple of its crossing up to which a trial goes on, so that all runs together cross before it ends."""
FIRST_LOOK, LOOK_RATIO = 0.05, 1.06
"""First look, as a share of the most steps; ratio of neighbours. The ends of passes are looked at as well."""
OCTAVE = 16
"""Rates of the grid in a factor of 2."""
COARSE, FINE, FINEST = 8, 4, 1
"""Steps on the grid: factors of the square root of 2, of its own, and one that a single run without noise deserves."""
MAX_RATES = 30
"""Looked at in search of the best one, before it is given up."""


@dataclass(frozen=True)
class Found:
    """Steps of the mean over the runs of one rate, infinite if it does not get there."""

    rate: float
    steps: float
    half_width: float
    """Half the width of the 90 % interval of log(steps)."""
    seeds: int
    failed: int


@dataclass(frozen=True)
class Runs:
    """Descent on one cell, whose findings are kept in a journal."""

    cell: str
    problem: DescentProblem
    goal: float
    together: int
    """Runs of a trial."""
    caps: Mapping[int, int]
    """Most steps, by batch size."""
    runner: Runner
    journal: Journal
    part: str = EVERYWHERE

    def at(self, size: int, rates: Iterable[float], seeds: int) -> dict[float, Found]:
        """Steps of the first runs by learning rate; those of all rates are on the same batches."""
        wanted = sorted(set(rates))
        known = self._known(size, seeds)
        missing = [rate for rate in wanted if rate not in known]
        last, pass_steps = self.caps[size], self.problem.pass_rows / size
        looks = look_grid(FIRST_LOOK * last, last, LOOK_RATIO, pass_steps=pass_steps)
        parts = [tuple(range(begin, min(begin + self.together, seeds))) for begin in range(0, seeds, self.together)]
        few = look_rows(size, looks)
        trials = [
            Trial(size, rate, numbers, looks, self.goal, SLACK, look_rows=few) for rate in missing for numbers in parts
        ]
        curves = self.runner.run(self.problem, trials) if trials else []
        for place, rate in enumerate(missing):
            known[rate] = self._hit(size, rate, curves[place * len(parts) : (place + 1) * len(parts)])
            self._keep(size, known[rate])
        return {rate: known[rate] for rate in wanted}

    def best(self, size: int, near: float, seeds: int, *, step: int) -> Found:
        """Find the rate with the fewest steps on a grid of ``step / 16`` octaves: its neighbours are no better."""
        rate, seen = near, dict[float, Found]()
        while len(seen) < MAX_RATES:
            seen |= self.at(size, [shifted(rate, step * side) for side in (-1, 0, 1)], seeds)
            least = min(seen.values(), key=lambda found: (found.steps, found.rate))
            if not math.isfinite(least.steps):
                rate = shifted(min(seen), -step)
            elif {shifted(least.rate, -step), shifted(least.rate, step)} <= set(seen):
                return least
            else:
                rate = least.rate
        raise RuntimeError(f"{self.cell}: no best rate between {min(seen):g} and {max(seen):g} at B = {size}")

    def most_certain(self, size: int) -> list[Found]:
        """All rates that were run most often at a batch size."""
        entries = self._entries(size)
        most = max((entry["seeds"] for entry in entries), default=0)
        return [_found(entry) for entry in entries if entry["seeds"] == most]

    def _known(self, size: int, seeds: int) -> dict[float, Found]:
        return {one.rate: one for one in map(_found, self._entries(size)) if one.seeds == seeds}

    def _entries(self, size: int) -> list[dict[str, Any]]:
        """What was found at a batch size by runs as they are made today."""
        names = {"cell": self.cell, "size": size, "code": code_of_runs()}
        return [entry for entry in self.journal.entries(self.part) if names.items() <= entry.items()]

    def _hit(self, size: int, rate: float, curves: Sequence[Curves]) -> Found:
        looks, losses = joined(curves)
        one = hit(looks, losses, goal=self.goal, floor=self.problem.floor, pass_steps=self.problem.pass_rows / size)
        return Found(rate, one.steps, NORMAL_90 * one.log_error, one.runs, one.failed)

    def _keep(self, size: int, found: Found) -> None:
        key = f"{self.cell} {size} {found.rate!r} {found.seeds}"
        steps, half = finite(found.steps), finite(found.half_width)
        values = {"rate": found.rate, "steps": steps, "half_width": half, "seeds": found.seeds, "failed": found.failed}
        self.journal.write(self.part, key, cell=self.cell, size=size, code=code_of_runs(), **values)


def on_grid(rate: float, step: int = FINE) -> float:
    """Return the nearest rate of the grid of ``step / 16`` octaves."""
    return 2.0 ** (step * round(OCTAVE / step * math.log2(rate)) / OCTAVE)


def shifted(rate: float, steps: int) -> float:
    """Return the learning rate a number of steps of the grid above one of it."""
    return 2.0 ** (round(OCTAVE * math.log2(rate) + steps) / OCTAVE)


def vertex(found: Sequence[Found]) -> float:
    """Rate of fewest steps by a parabola through the logarithms at the best rate and its neighbours."""
    ordered = sorted((one for one in found if math.isfinite(one.steps)), key=lambda one: one.rate)
    place = min(range(len(ordered)), key=lambda index: ordered[index].steps)
    if place in (0, len(ordered) - 1):
        return ordered[place].rate
    near = ordered[place - 1 : place + 2]
    x, y = np.log([one.rate for one in near]), np.log([one.steps for one in near])
    curve, slope, _ = np.polyfit(x - x[1], y, 2)
    return float(math.exp(x[1] - slope / (2 * curve))) if curve > 0 else ordered[place].rate


def _found(entry: Mapping[str, float]) -> Found:
    steps, half = (math.inf if entry[name] is None else entry[name] for name in ("steps", "half_width"))
    return Found(entry["rate"], steps, half, int(entry["seeds"]), int(entry["failed"]))
