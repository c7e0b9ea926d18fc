"""What exhaustive runs say of any batch size, joined to seconds per step."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from gdbench.pick.seconds.times import Times
from selftest.picks.cells import Cell
from selftest.picks.judging import RULES
from selftest.picks.runs import PICKED, Found, Runs
from selftest.picks.scores import finite

TOP = 3
"""Best batch sizes, at which the exhaustive runs must be most certain."""


@dataclass(frozen=True)
class Truth:
    """Steps at the best rate of every batch size of a cell, by its exhaustive runs."""

    cell: Cell
    runs: Runs

    def found(self, size: int) -> Found | None:
        """Best rate of a batch size by the most certain runs there, picked or not; None where descent was not run."""
        known = self.runs.most_certain(size)
        if known and known[0].seeds >= self.cell.refined:
            known += replace(self.runs, part=PICKED).most_certain(size)
        return min(known, key=lambda one: one.steps) if known else None

    def is_refined(self, size: int) -> bool:
        """Whether the best rate is known from the full number of runs."""
        found = self.found(size)
        return found is not None and found.seeds >= self.cell.refined

    def steps(self, size: int) -> float:
        """Steps at the best rate; on the curve ``a + b / B`` through the nearest batch sizes where it was not run."""
        found = self.found(size)
        if found is not None:
            return found.steps
        left, right = sorted(sorted(self.cell.sizes, key=lambda other: abs(1 / other - 1 / size))[:2])
        below, above = self.steps(left), self.steps(right)
        slope = (below - above) / (1 / left - 1 / right)
        return above + slope * (1 / size - 1 / right)

    def seconds(self, times: Times) -> dict[int, float]:
        """Time to the target by batch size."""
        return {row.batch_size: self.steps(row.batch_size) * row.seconds for row in times.rows}

    def order(self, times: Times) -> list[int]:
        """Candidates at which descent was run, the fastest first."""
        seconds = self.seconds(times)
        return sorted(self.cell.sizes, key=lambda size: seconds[size])

    def contenders(self, times: Times) -> list[int]:
        """The three fastest candidates, and those that may be as fast as the fastest by their intervals."""
        seconds, order = self.seconds(times), self.order(times)
        least = {size: seconds[size] * math.exp(-self._half_width(size)) for size in order}
        return [size for size in order if size in order[:TOP] or least[size] <= seconds[order[0]]]

    def _half_width(self, size: int) -> float:
        found = self.found(size)
        return found.half_width if found is not None else math.inf

    def table(self, times: Times) -> dict[str, Any]:
        """Rows by batch size, and what the fixed rules would take; plain values."""
        seconds, best = self.seconds(times), self.order(times)[0]
        rows = []
        for row in times.rows:
            found = self.found(row.batch_size)
            kept = {"rate": found.rate, "half_width": finite(found.half_width), "seeds": found.seeds} if found else {}
            rows.append(
                {
                    "batch_size": row.batch_size,
                    "variant": row.variant,
                    "steps": self.steps(row.batch_size),
                    "step_seconds": row.seconds,
                    "seconds": seconds[row.batch_size],
                    "ratio": seconds[row.batch_size] / seconds[best],
                    **kept,
                }
            )
        return {"best": best, "top": self.order(times)[:TOP], "rows": rows, "rules": self.rules(times)}

    def rules(self, times: Times) -> dict[str, tuple[int, float]]:
        """Batch size of each fixed rule, and its regret at its best rate."""
        seconds = self.seconds(times)
        best = seconds[self.order(times)[0]]
        sizes = {
            name: rule(self.cell.candidates, lambda size: step_seconds(times, size)) for name, rule in RULES.items()
        }
        return {name: (size, seconds[size] / best - 1) for name, size in sizes.items()}


def step_seconds(times: Times, size: int) -> float:
    """Seconds of one step."""
    return next(row.seconds for row in times.rows if row.batch_size == size)
