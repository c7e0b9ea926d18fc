"""Descent, run after run: rows from an endless stream of permutations, exactly B rows a step, losses at some steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import kernels
from kernels.registry import Variant
from selftest.simulated.losses import losses
from selftest.simulated.problems import Problem, Values

Steps = npt.NDArray[np.int64]
VARIANT = "tiled"
TOGETHER = 1 << 22
"""Parameters that are kept until their losses are taken."""


@dataclass(frozen=True, eq=False)
class Descent:
    """Runs of a problem at a batch size: number r starts at the same place and sees the same rows at every rate."""

    problem: Problem
    batch_size: int
    seed: int

    def start(self, run: int) -> Values:
        """Parameters (p,) that a run starts from."""
        return self._begin(run)[0]

    def losses(self, looks: Mapping[float, Steps], runs: range) -> dict[float, Values]:
        """Training losses (R, T) by learning rate, after each number of steps that is asked for it, ascending."""
        kernel, problem = kernels.get(VARIANT), self.problem
        kept = sum(map(len, looks.values())) * problem.network.n_parameters
        size = max(1, TOGETHER // kept)
        parts: dict[float, list[Values]] = {rate: [] for rate in looks}
        for first in range(runs.start, runs.stop, size):
            some = range(first, min(first + size, runs.stop))
            paths = [self._paths(kernel, looks, run) for run in some]
            for rate, steps in looks.items():
                thetas = np.concatenate([path[rate] for path in paths])
                found = losses(problem.network, thetas, problem.X, problem.Y)
                parts[rate].append(found.reshape(len(some), len(steps)))
        return {rate: np.concatenate(found) for rate, found in parts.items()}

    def _paths(self, kernel: Variant, looks: Mapping[float, Steps], run: int) -> dict[float, Values]:
        """Parameters (T, p) of a run by learning rate."""
        start, rng = self._begin(run)
        rows = stream(rng, self.problem.n_rows, self.batch_size * max(int(steps[-1]) for steps in looks.values()))
        return {rate: self._path(kernel, start, rows, rate, steps) for rate, steps in looks.items()}

    def _path(self, kernel: Variant, theta: Values, rows: Steps, rate: float, looks: Steps) -> Values:
        problem, before, found = self.problem, 0, np.empty((len(looks), len(theta)))
        for place, step in enumerate(looks * self.batch_size):
            if step > before:
                some = rows[before:step]
                theta = kernel.epoch(problem.network, theta, problem.X, problem.Y, some, self.batch_size, rate)
            found[place], before = theta, step
        return found

    def _begin(self, run: int) -> tuple[Values, np.random.Generator]:
        """Start of a run, and the randomness of its rows."""
        numbers = np.random.SeedSequence((self.seed, self.problem.number), spawn_key=(self.batch_size, run))
        rng = np.random.default_rng(numbers)
        return np.asarray(self.problem.network.init(rng, np.float64, self.problem.scheme)), rng


def stream(rng: np.random.Generator, n: int, length: int) -> Steps:
    """Beginning of an endless stream of permutations of n rows."""
    passes = -(-length // n)
    return rng.permuted(np.tile(np.arange(n), (passes, 1)), axis=1).ravel()[:length]
