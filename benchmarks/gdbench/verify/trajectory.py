"""Whether a hundred updates lead a variant to where they lead the reference.

No bound of a single call tells how far rounding may carry a hundred of them, since each update starts
from where the last one ended. So the sensitivity is measured: the trajectory is run again a few times with
every update jolted, at random, by as much as rounding may move that one update in the dtype under test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gdbench.verify.bounds import Values, bounds
from gdbench.verify.inputs import Situation, random_situation, with_labels
from kernels import Network, get
from kernels.contract import Epoch, Order

ROWS = 24
UPDATES = 100
BATCH_SIZES = (1, 7, ROWS)
"""Stochastic, mini-batch with a short last batch of 3, and batch descent."""
MAX_LEARNING_RATE = 0.25
"""Halved where it is too large: a trajectory that diverges, or amplifies rounding, proves nothing."""
JOLTED_RUNS = 3
STACKED_VALUES = 1 << 13
"""Parameters up to which jolted runs are computed together: the cost of a call is most of what few of them take."""
FACTOR = 8
"""Allowance over the largest deviation that three jolted runs showed."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Where a hundred updates lead, and the deviation allowed, relative to the largest true parameter."""

    network: Network
    situation: Situation
    batch_size: int
    learning_rate: float
    truth: Values
    tolerance: float

    def deviation(self, epoch: Epoch) -> float:
        """Largest deviation of the parameters to which an epoch function leads, relative to the largest."""
        theta, X, Y = (values.copy() for values in (self.situation.theta, self.situation.X, self.situation.Y))
        for order in _orders(self.batch_size):
            theta = epoch(self.network, theta, X, Y, order, self.batch_size, self.learning_rate)
        return float(np.abs(theta.astype(float) - self.truth).max() / np.abs(self.truth).max())


def trajectories(network: Network, dtype: npt.DTypeLike, *, labels_only: bool = False) -> list[Trajectory]:
    """Follow the reference, in float64, for a hundred updates at several batch sizes."""
    situation = random_situation(network, dtype, rows=ROWS, seed=3)
    situation = with_labels(network, situation) if labels_only else situation
    return [_trajectory(network, situation, batch_size) for batch_size in BATCH_SIZES]


def _trajectory(network: Network, situation: Situation, batch_size: int) -> Trajectory:
    """Halve the learning rate until the reference descends, and rounding adds up without being amplified."""
    u = float(np.finfo(situation.theta.dtype).eps) / 2
    most = FACTOR * UPDATES * u * max(ROWS, *network.sizes)  # each update errs by u times the length of its sums
    start, X, Y = situation.wide()
    learning_rate, loss = MAX_LEARNING_RATE, get("reference").loss
    while True:
        with np.errstate(over="ignore", invalid="ignore"):
            truth = _followed(network, situation, batch_size, learning_rate)
            if loss(network, truth, X, Y) <= loss(network, start, X, Y):
                tolerance = _tolerance(network, situation, batch_size, learning_rate, truth, most)
                if tolerance <= most:
                    return Trajectory(network, situation, batch_size, learning_rate, truth, tolerance)
        learning_rate /= 2


def _followed(network: Network, situation: Situation, batch_size: int, learning_rate: float) -> Values:
    """Parameters (p,) to which the updates lead the reference."""
    theta, X, Y = situation.wide()
    for order in _orders(batch_size):
        theta = get("reference").epoch(network, theta, X, Y, order, batch_size, learning_rate)
    return theta


def _tolerance(
    network: Network, situation: Situation, batch_size: int, learning_rate: float, truth: Values, most: float
) -> float:
    """Allow what the jolted runs deviate by; where one goes beyond the most, the others are not asked."""
    allowed, together = 0.0, max(1, STACKED_VALUES // network.n_parameters)
    for i in range(0, JOLTED_RUNS, together):
        jolted = _jolted(network, situation, batch_size, learning_rate, range(JOLTED_RUNS)[i : i + together])
        found = FACTOR * float(np.abs(jolted - truth).max() / np.abs(truth).max())
        if not found <= most:  # NaN neither
            return found
        allowed = max(allowed, found)
    return allowed


def _orders(batch_size: int) -> list[Order]:
    """Orders of the rows in as many epochs as make a hundred updates."""
    rng = np.random.default_rng(0)
    epochs = math.ceil(UPDATES / math.ceil(ROWS / batch_size))
    return [rng.permutation(ROWS) for _ in range(epochs)]


def _jolted(network: Network, situation: Situation, batch_size: int, learning_rate: float, seeds: range) -> Values:
    """Parameters (seeds, p) when each update errs by as much as rounding in the dtype of the situation may."""
    theta, X, Y = situation.wide()
    thetas = np.tile(theta, (len(seeds), 1))
    generators = [np.random.default_rng(seed) for seed in seeds]
    for order in _orders(batch_size):
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            updated = bounds(network, thetas, X[rows], Y[rows], situation.theta.dtype).update(learning_rate)
            signs = np.stack([rng.choice((-1.0, 1.0), theta.shape) for rng in generators])
            thetas = updated.value + signs * updated.error
    return thetas
