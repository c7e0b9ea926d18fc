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

from gdbench.verify.bounds import SAFETY, Values, bounds
from gdbench.verify.inputs import Situation, random_situation, with_labels
from kernels import Network, Variant, get
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
MANY_VALUES = 1 << 17
"""Parameters from which one jolted run is enough."""
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


def trajectories(network: Network, dtype: npt.DTypeLike) -> list[Trajectory]:
    """Follow the reference, in float64, for a hundred updates at several batch sizes; targets are plain labels.

    Every variant takes labels, also one that learns from classes alone; with soft targets single updates are compared.
    """
    situation = with_labels(network, random_situation(network, dtype, rows=ROWS, seed=3))
    return [_trajectory(network, situation, batch_size) for batch_size in BATCH_SIZES]


def _trajectory(network: Network, situation: Situation, batch_size: int) -> Trajectory:
    """Halve the learning rate until the reference descends, and rounding adds up without being amplified.

    Rates are tried by ``vectorized``, in float64 as the truth is, if its gradient is right: row by row the reference
    takes many times as long. It makes the trajectory of the rate that is taken, and all is asked of that one again.
    """
    u = float(np.finfo(situation.theta.dtype).eps) / 2
    most = FACTOR * UPDATES * u * max(ROWS, *network.sizes)  # each update errs by u times the length of its sums
    start, X, Y = situation.wide()
    learning_rate, reference, rehearsal = MAX_LEARNING_RATE, get("reference"), _rehearsal(network, start, X, Y)

    def descends(variant: Variant, theta: Values) -> bool:
        return variant.loss(network, theta, X, Y) <= variant.loss(network, start, X, Y)

    while True:
        with np.errstate(over="ignore", invalid="ignore"):
            tried = _followed(rehearsal, network, situation, batch_size, learning_rate)
            if descends(rehearsal, tried):
                jolted = _jolted_runs(network, situation, batch_size, learning_rate, tried, most)
                if _allowance(jolted, tried) <= most:
                    truth = _followed(reference, network, situation, batch_size, learning_rate)
                    tolerance = _allowance(jolted, truth)
                    if descends(reference, truth) and tolerance <= most:
                        return Trajectory(network, situation, batch_size, learning_rate, truth, tolerance)
                    rehearsal = reference
        learning_rate /= 2


def _rehearsal(network: Network, theta: Values, X: Values, Y: Values) -> Variant:
    """Variant to try learning rates with: one that is wrong would have them halved until nothing moves."""
    fast, limits = get("vectorized"), bounds(network, theta, X, Y, np.float64).gradient
    agrees = np.abs(fast.gradient(network, theta, X, Y) - limits.value) <= SAFETY * limits.error
    return fast if agrees.all() else get("reference")


def _followed(
    variant: Variant, network: Network, situation: Situation, batch_size: int, learning_rate: float
) -> Values:
    """Parameters (p,) to which the updates lead a variant, in float64."""
    theta, X, Y = situation.wide()
    for order in _orders(batch_size):
        theta = variant.epoch(network, theta, X, Y, order, batch_size, learning_rate)
    return theta


def _jolted_runs(
    network: Network, situation: Situation, batch_size: int, learning_rate: float, tried: Values, most: float
) -> Values:
    """Parameters (runs, p) to which jolted runs lead; where one goes beyond the most, the others are not asked.

    Of large networks one run is enough: the largest of so many deviations hardly changes from run to run, and fewer
    runs only ever allow less.
    """
    runs = JOLTED_RUNS if network.n_parameters < MANY_VALUES else 1
    found, together = np.empty((0, network.n_parameters)), max(1, STACKED_VALUES // network.n_parameters)
    for i in range(0, runs, together):
        jolted = _jolted(network, situation, batch_size, learning_rate, range(runs)[i : i + together])
        found = np.concatenate([found, jolted])
        if not _allowance(jolted, tried) <= most:  # NaN neither
            break
    return found


def _allowance(jolted: Values, truth: Values) -> float:
    """Deviation that is allowed, relative to the largest true parameter, from where jolted runs (runs, p) lead."""
    return FACTOR * float(np.abs(jolted - truth).max() / np.abs(truth).max())


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
