"""What one timed call is: a builder does the set-up and returns a callable without arguments.

Everything that is not the task (loading, casting, slicing, shuffling) happens in the builder, so it is
outside the clock by construction. To add a task, add its arguments in ``basics/calls.py``, a function here and a
paragraph in docs/method/timing.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from gdbench.basics.arrays import aligned
from gdbench.basics.calls import call_of
from gdbench.experiments.datasets import load
from kernels import Network, Variant
from kernels.contract import Array, Order

Call = Callable[[], object]
SEED = 0
"""Fixes the starting parameters and the order of rows: the same numbers in every process."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Arguments of the kernels for one network on one data set in one dtype."""

    network: Network
    theta: Array
    X: Array
    Y: Array
    order: Order
    learning_rate: float

    def head(self, rows: int) -> Problem:
        """Return the same problem on its first rows."""
        rows = min(rows, len(self.X))
        return replace(self, X=aligned(self.X[:rows]), Y=aligned(self.Y[:rows]), order=np.arange(rows))


@lru_cache(maxsize=2)
def load_problem(network: Network, dataset: str, dtype: str, learning_rate: float) -> Problem:
    """Load the data in a random order of rows (some sets are sorted by class), and start the parameters."""
    data = load(dataset, dtype)
    rng = np.random.default_rng(SEED)
    mixed = rng.permutation(data.n_rows)
    return Problem(
        network=network,
        theta=network.init(rng, dtype),
        X=aligned(data.X[mixed]),
        Y=aligned(data.Y[mixed]),
        order=rng.permutation(data.n_rows),
        learning_rate=learning_rate,
    )


def forward(kernel: Variant, problem: Problem, batch_size: int) -> Call:
    """Outputs for one batch."""
    return _of_a_batch(kernel, "forward", problem, batch_size)


def loss(kernel: Variant, problem: Problem, batch_size: int) -> Call:
    """Loss of one batch, forward pass included."""
    return _of_a_batch(kernel, "loss", problem, batch_size)


def gradient(kernel: Variant, problem: Problem, batch_size: int) -> Call:
    """Gradient of one batch, forward pass included; no update."""
    return _of_a_batch(kernel, "gradient", problem, batch_size)


def epoch(kernel: Variant, problem: Problem, batch_size: int) -> Call:
    """One pass over all rows in a fixed random order: gather, gradient, update, for every batch."""
    return call_of(kernel, "epoch", vars(problem) | {"batch_size": batch_size})


def _of_a_batch(kernel: Variant, task: str, problem: Problem, batch_size: int) -> Call:
    batch = {"X": aligned(problem.X[:batch_size]), "Y": aligned(problem.Y[:batch_size])}
    return call_of(kernel, task, vars(problem) | batch)


TASKS: dict[str, Callable[[Variant, Problem, int], Call]] = {
    builder.__name__: builder for builder in (forward, loss, gradient, epoch)
}
