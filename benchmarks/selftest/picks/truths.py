"""What the best pick would have been, exactly: for a problem of known expected loss and a synthetic clock.

Exact steps take seconds to compute where there are many columns, so they are kept in a file, a line of JSON each;
several processes may add to it at the same time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from selftest.picks.clocks import Clock
from selftest.picks.exact import ALL_UNTIL, RATIO, best_rate, exact_steps, powers
from selftest.picks.family import Instance

SWEEP_RATES = tuple(2 ** (power / 2) for power in range(-6, 3))
"""Learning rates of the exhaustive sweep, in units of the best one of the batch size: nine from 1/8 to 2."""
SWEEP_SEEDS = 10
SWEEP_SLACK = 3.0
"""A run of the sweep ends at this multiple of the best steps of its batch size."""
BLOW_UP = 3.0
"""And when its loss is more than this multiple of that at the start."""
DIGITS = 9
"""Significant digits of rates and problems in the file: processors differ in the last of sixteen."""
SAME = 1e-6
"""Relative difference up to which two problems are the same one."""


class Truths:
    """Exact steps, computed once and kept in a file under the name of the instance and what was asked.

    An entry bears a few numbers of its problem: if a name has come to mean another problem, it is computed anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[str, dict[str, Any]] = {}
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        for text in lines:
            try:
                entry = json.loads(text)
            except json.JSONDecodeError:  # a line cut short by a crash: computed anew
                continue
            self.known[entry["key"]] = entry

    def steps(self, instance: Instance, batch_size: int, rate: float) -> float:
        """Expected steps to the goal at a batch size and rate; infinite if it is never reached."""
        return self._kept(
            f"steps {batch_size} {_rounded(rate)!r}",
            instance,
            lambda: [exact_steps(instance.oracle, batch_size, rate, instance.goal)],
        )[0]

    def best(self, instance: Instance, batch_size: int) -> tuple[float, float]:
        """Best rate of a candidate, and its expected steps; the search starts from that of the next larger one."""

        def search() -> list[float]:
            larger = next((size for size in instance.candidates if size > batch_size), None)
            near = None if larger is None else self.best(instance, larger)[0]
            return list(best_rate(instance.oracle, batch_size, instance.goal, near=near))

        rate, steps = self._kept(f"best {batch_size}", instance, search)
        return rate, steps

    def sweep_rows(self, instance: Instance) -> float:
        """Rows that the exhaustive sweep would process: every candidate, nine rates, ten seeds."""
        return sum(self._sweep_rows_at(instance, size) for size in instance.candidates)

    def _sweep_rows_at(self, instance: Instance, batch_size: int) -> float:
        def count() -> list[float]:
            rate, steps = self.best(instance, batch_size)
            runs = [run_length(instance, batch_size, rate * unit, SWEEP_SLACK * steps) for unit in SWEEP_RATES]
            return [SWEEP_SEEDS * batch_size * sum(runs)]

        return self._kept(f"sweep {batch_size}", instance, count)[0]

    def _kept(self, what: str, instance: Instance, compute: Callable[[], list[float]]) -> list[float]:
        key, numbers = f"{instance.name} {what}", numbers_of(instance)
        if key not in self.known or not np.allclose(self.known[key]["problem"], numbers, rtol=SAME, atol=0):
            self.known[key] = {"key": key, "problem": numbers, "values": compute()}
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(self.known[key]) + "\n")
        values: list[float] = self.known[key]["values"]
        return values


@lru_cache(maxsize=32)
def numbers_of(instance: Instance) -> list[float]:
    """Goal, rate scale at one row, noise and signal at the start: another definition has other ones."""
    oracle = instance.oracle
    numbers = (instance.goal, oracle.rate_scale(1), *oracle.noise_scale(oracle.start(0)))
    return [_rounded(number) for number in numbers]


def _rounded(number: float) -> float:
    return float(f"{number:.{DIGITS}g}")


def run_length(instance: Instance, batch_size: int, rate: float, most: float) -> float:
    """Return the steps until the expected loss has reached the goal or blown up, at most the given number."""
    grid = np.geomspace(ALL_UNTIL, max(most, ALL_UNTIL), max(2, int(np.log(max(most, ALL_UNTIL)) / np.log(RATIO))))
    steps = np.unique(np.concatenate([np.arange(ALL_UNTIL), grid.astype(np.int64)]))
    losses = powers(instance.oracle, batch_size, rate).at(steps)
    ended = np.flatnonzero((losses <= instance.goal) | (losses > BLOW_UP * instance.start_loss))
    return float(min(most, steps[ended[0]])) if len(ended) else most


def time_of(truths: Truths, instance: Instance, clock: Clock, batch_size: int, rate: float) -> float:
    """Expected seconds to the goal."""
    return truths.steps(instance, batch_size, rate) * clock.seconds(batch_size)


def best_time(truths: Truths, instance: Instance, clock: Clock) -> tuple[int, float]:
    """Best candidate, at its best rate, and its seconds to the goal."""
    seconds = {size: truths.best(instance, size)[1] * clock.seconds(size) for size in instance.candidates}
    best = min(seconds, key=lambda size: seconds[size])
    return best, seconds[best]


def regret(truths: Truths, instance: Instance, clock: Clock, batch_size: int, rate: float) -> float:
    """How much longer a pick takes than the best one, relatively; 0 is best, infinite if it never gets there."""
    return time_of(truths, instance, clock, batch_size, rate) / best_time(truths, instance, clock)[1] - 1


def best_rate_regret(truths: Truths, instance: Instance, clock: Clock, batch_size: int) -> float:
    """Regret of a batch size alone, as if its rate were the best one."""
    steps = truths.best(instance, batch_size)[1]
    return steps * clock.seconds(batch_size) / best_time(truths, instance, clock)[1] - 1
