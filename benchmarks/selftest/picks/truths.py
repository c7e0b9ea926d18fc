"""Exact steps of problems whose expected loss is known, at any learning rate and at the best one.

The best one takes minutes to find where there are many columns, so it is kept in a file, a line of JSON for each batch
size; several processes may add to it at the same time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from gdbench.pick.steps.answer import Target
from gdbench.pick.steps.problem import DescentProblem
from selftest.picks.exact import best_rate, exact_steps
from selftest.picks.family import FAMILY, Instance

DIGITS = 9
"""Significant digits of a problem's numbers in the file: processors differ in the last of sixteen."""
SAME = 1e-6
"""Relative difference up to which two problems are the same one."""
KINDS, ROWS = ("quadratic", "gaussian"), "rows"
"""Families of instances: the first two are in their names."""


class Truths:
    """Exact steps at best rates, computed once and kept in a file under the name of the instance and the batch size.

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

    def best(self, instance: Instance, batch_size: int) -> tuple[float, float]:
        """Best rate of a candidate, and its expected steps; the search starts from that of the next larger one."""
        key, numbers = f"{instance.name} best {batch_size}", numbers_of(instance)
        if key not in self.known or not np.allclose(self.known[key]["problem"], numbers, rtol=SAME, atol=0):
            self.known[key] = {"key": key, "problem": numbers, "values": list(self._search(instance, batch_size))}
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(self.known[key]) + "\n")
        rate, steps = self.known[key]["values"]
        return rate, steps

    def _search(self, instance: Instance, batch_size: int) -> tuple[float, float]:
        larger = next((size for size in instance.candidates if size > batch_size), None)
        near = None if larger is None else self.best(instance, larger)[0]
        return best_rate(instance.oracle, batch_size, instance.goal, near=near)


@lru_cache(maxsize=32)
def numbers_of(instance: Instance) -> list[float]:
    """Goal, rate scale at one row, noise and signal at the start: another definition has other ones."""
    oracle = instance.oracle
    numbers = (instance.goal, oracle.stable_rate(1), *oracle.noise_scale(oracle.start(0)))
    return [float(f"{number:.{DIGITS}g}") for number in numbers]


@dataclass(frozen=True, eq=False)
class ExactTruth:
    """An instance and its exact steps."""

    instance: Instance
    truths: Truths
    """Those at the best learning rates."""
    _known: dict[tuple[int, float], float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the instance."""
        return self.instance.name

    @property
    def family(self) -> str:
        """``quadratic``, ``gaussian``, or ``rows`` of a data set."""
        kind = self.name.partition("-")[0]
        return kind if kind in KINDS else ROWS

    @property
    def n_rows(self) -> int | None:
        """Rows; None where they have no end."""
        return self.instance.oracle.n_rows

    @property
    def candidates(self) -> tuple[int, ...]:
        """Batch sizes to choose from."""
        return self.instance.candidates

    @property
    def target(self) -> Target:
        """Loss to reach."""
        start = self.instance.oracle.start_loss()
        return Target(self.instance.goal, start, 0.0, "training loss", "a share of the loss at the start")

    def problem(self, seed: int) -> DescentProblem:
        """What is searched, with the randomness of a seed."""
        return replace(self.instance.oracle, entropy=seed)

    def steps(self, batch_size: int, learning_rate: float) -> tuple[float, float]:
        """Steps to the goal, infinite if it is never reached, and their error, 0."""
        key = batch_size, learning_rate
        if key not in self._known:
            self._known[key] = exact_steps(self.instance.oracle, batch_size, learning_rate, self.instance.goal)
        return self._known[key], 0.0

    def best(self, batch_size: int) -> tuple[float, float]:
        """Steps at the best learning rate, and their error, 0."""
        return self.truths.best(self.instance, batch_size)[1], 0.0


def exact_truth(name: str, path: Path) -> ExactTruth:
    """Return an instance of the family, with the file that has its best rates."""
    return ExactTruth(FAMILY[name](), Truths(path))
