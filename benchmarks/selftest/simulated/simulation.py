"""Part ``simulation``: the exhaustive runs of each problem, stored batch size by batch size."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from time import monotonic

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from gdbench.machine.environment import cpu_model
from kernels import InputError
from selftest.simulated.cells import Cell, find_cell
from selftest.simulated.descent import VARIANT, Descent
from selftest.simulated.losses import Goal, goal_of
from selftest.simulated.problems import PROBLEMS, Problem, Values
from selftest.simulated.stored import Simulated, path_of, read, write

PACKAGES = ("numpy", "numba", "scipy", "scikit-learn")
STARTS = 1000
"""Runs whose mean loss at the start is told."""
SAME = 1e-6
"""Relative difference up to which two goals are the same."""


def measure(names: Sequence[str], folder: Path, seed: int, say: Callable[[str], None]) -> None:
    """Simulate problems; batch sizes that are stored are not run again."""
    for name in names or PROBLEMS:
        with threadpool_limits(1):
            threads = numba.get_num_threads()
            numba.set_num_threads(1)
            try:
                simulate(PROBLEMS[name](), folder, seed, say)
            finally:
                numba.set_num_threads(threads)


def simulate(
    problem: Problem, folder: Path, seed: int, say: Callable[[str], None], sizes: Sequence[int] = ()
) -> Simulated:
    """Simulate a problem at batch sizes, all by default, from the largest to the smallest."""
    found = _begun(problem, folder, seed)
    for size in sorted(sizes or problem.candidates, reverse=True):
        if size in found.candidates:
            continue
        larger = min((cell for cell in found.cells if cell.batch_size > size), key=_size, default=None)
        most = larger.steps * larger.batch_size / size if larger else None  # as many rows: hardly ever more
        rate = larger.learning_rate if larger else _first_rate(problem)
        begin = monotonic()
        cell = find_cell(Descent(problem, size, seed), found.goal, rate=rate, steps=most)
        made = {**_machine(), **{package: version(package) for package in PACKAGES}}
        known = found.made if made in found.made else (*found.made, made)
        found = replace(found, cells=(*found.cells, cell), made=known)
        write(found, folder)
        say(f"{problem.name}: {_line(cell)}, {monotonic() - begin:.1f} s")
    return found


def starts(problem: Problem, seed: int, runs: int = STARTS) -> Values:
    """Parameters (R, p) that runs start from."""
    first = Descent(problem, problem.n_rows, seed)
    return np.stack([first.start(run) for run in range(1 if problem.scheme == "zeros" else runs)])


def _begun(problem: Problem, folder: Path, seed: int) -> Simulated:
    """What is stored of a problem already, or nothing yet."""
    goal = goal_of(problem, starts(problem, seed))
    new = Simulated(
        problem.name,
        problem.family,
        str(problem.network),
        problem.n_rows,
        problem.scheme,
        goal,
        seed,
        VARIANT,
        problem.X.dtype.name,
    )
    path = path_of(problem.name, folder)
    if not path.exists():
        return new
    stored = read(problem.name, folder)
    if replace(stored, goal=goal, made=(), cells=()) != new or not _same(stored.goal, goal):
        raise InputError(f"{path} is of another problem, seed or goal: delete it, or give the problem a new name")
    return stored


def _same(first: Goal, second: Goal) -> bool:
    pairs = zip(asdict(first).values(), asdict(second).values(), strict=True)
    return all(abs(one - other) <= SAME * max(abs(one), abs(other)) for one, other in pairs)


def _first_rate(problem: Problem) -> float:
    """A rate at which descent on all rows is surely stable for a linear model of unit curvature."""
    return float(1 / (1 + np.linalg.eigvalsh(problem.X.T @ problem.X / problem.n_rows)[-1]))


def _machine() -> dict[str, str]:
    return {"cpu": cpu_model(), "system": platform.system(), "python": platform.python_version()}


def _size(cell: Cell) -> int:
    return cell.batch_size


def _line(cell: Cell) -> str:
    return (
        f"B = {cell.batch_size}: {cell.steps:.5g} steps ± {cell.log_error:.2%} at learning rate "
        f"{cell.learning_rate:.4g} ({cell.runs} runs, {len(cell.rates)} rates)"
    )
