"""Problems whose expected loss is known in closed form, as descent is run on them, and small ones of each kind."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gdbench.pick.steps.problem import DescentProblem, Values
from selftest.picks.oracles import Gaussian, Oracle, Quadratic

CLIFF = Quadratic(np.array([1.0, 0.1]), np.zeros(2), np.ones(2), entropy=5)
"""No noise: steps fall with the rate up to 2 / 1.1 = 1.82, and at 2 / h = 2 it diverges."""


def valley(entropy: int = 5) -> Gaussian:
    """Noise of the gradient and of the labels: too high a rate does not get there, too low a one is slow."""
    h = np.geomspace(1, 0.1, 4)
    return Gaussian(h, 1 / np.sqrt(h), 0.4, entropy)


def heavy_tails(entropy: int = 5) -> Gaussian:
    """One column, no noise of the labels, batches of one: a few runs in thousands make the mean.

    The loss of most runs falls at rates far beyond 2/3, where its mean rises.
    """
    return Gaussian(np.ones(1), np.ones(1), 0.0, entropy)


def as_problem(oracle: Oracle) -> DescentProblem:
    """Return the oracle behind the protocol of a problem."""
    return oracle if hasattr(oracle, "begin") else ExactProblem(oracle)


def start_loss(oracle: Oracle) -> float:
    return float(oracle.losses(oracle.start(0)[None])[0])


@dataclass(frozen=True, eq=False)
class ExactProblem:
    """An oracle whose runs go on in lockstep."""

    oracle: Oracle
    floor: float = 0.0
    alike: bool = True
    sampled_rows: int | None = None
    pass_rows: float = math.inf
    row_seconds: float = 1e-7

    @property
    def key(self) -> str:
        return self.oracle.key

    @property
    def n_rows(self) -> int | None:
        return self.oracle.n_rows

    def begin(self, batch_size: int, learning_rate: float, seeds: Sequence[int], *, look_rows: int = 0) -> "ExactRuns":
        return ExactRuns(self.oracle, batch_size, learning_rate, seeds)

    def start_loss(self) -> float:
        return start_loss(self.oracle)

    def stable_rate(self, batch_size: int) -> float:
        return self.oracle.rate_scale(batch_size)


class ExactRuns:
    """Runs on an oracle, each with randomness of its own."""

    def __init__(self, oracle: Oracle, batch_size: int, rate: float, seeds: Sequence[int]) -> None:
        self.oracle, self.rate = oracle, rate
        self.thetas = np.stack([oracle.start(seed) for seed in seeds])[None]
        self.draw = oracle.sampler(batch_size, tuple(seeds))

    def advance(self, steps: int) -> None:
        for _ in range(steps):
            self.thetas = self.thetas - self.rate * self.oracle.gradients(self.thetas, self.draw())

    def losses(self) -> Values:
        return self.oracle.losses(self.thetas[0])

    def all_losses(self) -> Values:
        return self.losses()
