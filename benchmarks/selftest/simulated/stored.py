"""What was simulated, as it is stored: a file for each problem, and the steps that it tells for any learning rate."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator

from gdbench.basics.storage import write_text
from kernels import InputError
from selftest import ROOT
from selftest.simulated.cells import Cell, Rate
from selftest.simulated.losses import Goal

FOLDER = ROOT / "reports" / "pick-selftest" / "simulated"
DIGITS = 7
"""Significant digits of what is stored."""
SAME = 1e-9
"""Logarithms of rates nearer than this are of the same one."""


@dataclass(frozen=True)
class Simulated:
    """Steps to the goal of a problem, by batch size and learning rate.

    Attributes
    ----------
    network : str
        In words, with its sizes.
    made : tuple of dict
        Processors and versions that the runs were made with.
    """

    problem: str
    family: str
    network: str
    n_rows: int
    scheme: str
    goal: Goal
    seed: int
    variant: str
    dtype: str
    made: tuple[dict[str, str], ...] = ()
    cells: tuple[Cell, ...] = field(default=(), repr=False)

    @cached_property
    def _by_size(self) -> dict[int, Cell]:
        return {cell.batch_size: cell for cell in self.cells}

    @property
    def candidates(self) -> tuple[int, ...]:
        """Batch sizes, ascending."""
        return tuple(sorted(self._by_size))

    def cell(self, batch_size: int) -> Cell:
        """Return what is stored of a batch size; InputError if there is nothing."""
        if batch_size not in self._by_size:
            known = ", ".join(map(str, self.candidates))
            raise InputError(f"{self.problem} was not simulated at batch size {batch_size}: choose one of {known}")
        return self._by_size[batch_size]

    def best(self, batch_size: int) -> tuple[int, float]:
        """Steps at the best learning rate, and the standard error of their logarithm."""
        cell = self.cell(batch_size)
        return cell.steps, cell.log_error

    def steps(self, batch_size: int, learning_rate: float) -> tuple[float, float]:
        """Steps at a learning rate, and the standard error of their logarithm.

        Between the rates that are stored log(steps) is a smooth function of log(rate); below them steps and rate are
        inversely proportional; above them, and beside one that did not get there, steps are infinite.

        Returns
        -------
        tuple of float
            Steps are a real number, where the mean loss crosses the goal between two steps, or infinite.
        """
        if not (learning_rate > 0 and math.isfinite(learning_rate)):
            raise InputError(f"a learning rate must be positive and finite, got {learning_rate}")
        rates = _knots(self.cell(batch_size))
        x, y = np.log([one.learning_rate for one in rates]), np.log([one.steps for one in rates])
        errors, log_rate = [one.log_error for one in rates], math.log(learning_rate)
        if log_rate > x[-1] + SAME:
            return math.inf, 0.0
        if log_rate < x[0]:
            return rates[0].steps * rates[0].learning_rate / learning_rate, errors[0]
        log_steps = float(PchipInterpolator(x, y)(min(log_rate, x[-1])))
        return math.exp(log_steps), float(np.interp(log_rate, x, errors))


def _knots(cell: Cell) -> list[Rate]:
    """Rates that reach the goal, up to the first above the best that does not, and the best one itself."""
    best = Rate(cell.learning_rate, cell.steps, cell.log_error, cell.runs)
    lost = [one.learning_rate for one in cell.rates if not math.isfinite(one.steps)]
    limit = min((rate for rate in lost if rate > best.learning_rate), default=math.inf)
    kept = [one for one in cell.rates if one.learning_rate < limit and math.isfinite(one.steps)]
    apart = [one for one in kept if abs(math.log(one.learning_rate / best.learning_rate)) > SAME]
    return sorted([*apart, best], key=lambda one: one.learning_rate)


def path_of(problem: str, folder: Path = FOLDER) -> Path:
    """File of a problem."""
    return folder / f"{problem}.json"


def read(problem: str, folder: Path = FOLDER) -> Simulated:
    """Read what is stored of a problem; InputError if there is nothing."""
    path = path_of(problem, folder)
    if not path.exists():
        command = f"python benchmarks/selftest/run.py simulation --only {problem}"
        raise InputError(f"{problem} has not been simulated: run {command}")
    record = json.loads(path.read_text(encoding="utf-8"))
    return Simulated(
        **{
            **record,
            "goal": Goal(**record["goal"]),
            "made": tuple(record["made"]),
            "cells": tuple(_cell(entry) for entry in record["cells"]),
        }
    )


def write(found: Simulated, folder: Path = FOLDER) -> Path:
    """Store what is known of a problem; a line for each batch size."""
    record = asdict(replace(found, cells=()))
    cells = sorted(found.cells, key=lambda cell: cell.batch_size)
    head = json.dumps({name: value for name, value in record.items() if name != "cells"}, indent=1)
    lines = ",\n  ".join(json.dumps(_plain(cell), allow_nan=False) for cell in cells)
    path = path_of(found.problem, folder)
    write_text(path, f'{head[:-2]},\n "cells": [\n  {lines}\n ]\n}}\n')
    return path


def _plain(cell: Cell) -> dict[str, Any]:
    """Values of a cell; rates are lists of rate, steps, error and runs, None for what is infinite."""
    rates = [[_short(one.learning_rate), _short(one.steps), _short(one.log_error), one.runs] for one in cell.rates]
    return {
        "batch_size": cell.batch_size,
        "learning_rate": _short(cell.learning_rate),
        "steps": _short(cell.steps),
        "log_error": _short(cell.log_error),
        "runs": cell.runs,
        "rates": rates,
    }


def _short(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def _cell(entry: dict[str, Any]) -> Cell:
    rates = [
        Rate(rate, math.inf if steps is None else steps, math.inf if error is None else error, runs)
        for rate, steps, error, runs in entry["rates"]
    ]
    return Cell(**{**entry, "rates": tuple(rates)})
