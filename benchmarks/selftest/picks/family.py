"""The problems that picks are judged on: closed-form oracles with a target each, from easy to noisy.

Targets are a share of the loss at the start, above the least there is: 1 %, or 10 % where 1 % would take millions of
steps at B = 1. Left out, because all rows at once would get there in fewer than 5 steps: 10 % on the rows of real data
and on condition number 10. Left out, because B = 1 would take more than 200,000: 1 % under label noise of ten times
the start, or of once the start at condition number 1000 (230,000 steps).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from gdbench.experiments import datasets
from selftest.picks.oracles import Gaussian, Oracle, Quadratic, Rows, Values

LARGEST = 4096
"""Largest batch of problems whose rows have no end."""
ENTROPY = 20_180_918
COLUMNS, CURVATURES = 10, 32


@dataclass(frozen=True, eq=False)
class Instance:
    """A problem, the loss to reach, and the batch sizes to choose from."""

    name: str
    oracle: Oracle
    share: float
    """Share of the loss at the start that is the goal."""

    @property
    def goal(self) -> float:
        """Excess loss to reach."""
        return self.share * self.oracle.start_loss()

    @property
    def candidates(self) -> tuple[int, ...]:
        """1, the powers of two below the largest batch, and that one: all rows where they have an end."""
        largest = self.oracle.n_rows or LARGEST
        return (*(2**power for power in range(largest.bit_length()) if 2**power < largest), largest)


def quadratic(noise: float) -> Quadratic:
    """Curvatures 1, 1/2, …, 1/32, the gradient's variance proportional to them (Zhang et al. 2019, section 3)."""
    h = 1 / np.arange(1, CURVATURES + 1)
    return Quadratic(h, noise * h, np.ones(CURVATURES), ENTROPY)


def gaussian(condition: float, noise: float) -> Gaussian:
    """Ten columns of that condition number, equal shares of the loss, label noise in units of the loss at the start."""
    h = np.geomspace(1, 1 / condition, COLUMNS)
    return Gaussian(h, 1 / np.sqrt(h), noise * COLUMNS, ENTROPY)  # σ²/2 is noise times the start, which is 10/2


def rows_of(dataset: str) -> Rows:
    """Columns of a real data set standardised, with a column of ones; its target or class number, standardised."""
    data = datasets.load(dataset)
    target = data.Y @ np.arange(data.Y.shape[1]) if data.Y.shape[1] > 1 else data.Y[:, 0]
    X = np.column_stack([_standardised(data.X), np.ones(data.n_rows)])
    return Rows(np.ascontiguousarray(X), _standardised(target), ENTROPY)


def _standardised(values: Values) -> Values:
    spread = values.std(axis=0)
    return np.asarray((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1))


_MAKERS: dict[str, tuple[Callable[[], Oracle], float]] = {
    "quadratic-0.1": (partial(quadratic, 0.1), 0.01),
    "quadratic-1": (partial(quadratic, 1), 0.01),
    "quadratic-10": (partial(quadratic, 10), 0.01),
    "gaussian-10-0": (partial(gaussian, 10, 0), 0.01),
    "gaussian-10-0.1": (partial(gaussian, 10, 0.1), 0.01),
    "gaussian-100-0": (partial(gaussian, 100, 0), 0.01),
    "gaussian-100-0.1": (partial(gaussian, 100, 0.1), 0.01),
    "gaussian-100-1": (partial(gaussian, 100, 1), 0.01),
    "gaussian-1000-0": (partial(gaussian, 1000, 0), 0.01),
    "gaussian-1000-0.1": (partial(gaussian, 1000, 0.1), 0.01),
    "gaussian-1000-1": (partial(gaussian, 1000, 1), 0.1),
    "diabetes": (partial(rows_of, "diabetes"), 0.01),
    "wine": (partial(rows_of, "wine"), 0.01),
    "breast_cancer": (partial(rows_of, "breast_cancer"), 0.01),
    "digits": (partial(rows_of, "digits"), 0.01),
}


def _make(name: str) -> Instance:
    maker, share = _MAKERS[name]
    return Instance(name, maker(), share)


FAMILY: dict[str, Callable[[], Instance]] = {name: partial(_make, name) for name in _MAKERS}
"""Makers by name: ``gaussian-100-0.1`` has condition number 100 and a label noise of a tenth of the start."""
