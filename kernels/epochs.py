"""Epochs in batches: batch, mini-batch and stochastic descent are one loop over the batch size.

One update is ``theta - learning_rate * gradient(batch)``; one epoch passes over all rows once, in a given order.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kernels.contract import Array, Epoch, Epochs, Gradient, Loss, Losses, Order
from kernels.network import Network
from kernels.validation import check_batch_size


def descent_name(batch_size: int, n: int) -> str:
    """Name of the regime that a batch size implies on n rows: batch, stochastic or minibatch."""
    if batch_size == n:
        return "batch"
    return "stochastic" if batch_size == 1 else "minibatch"


def batches(order: Order, batch_size: int) -> Iterator[Order]:
    """Yield consecutive slices of order; the last one may be shorter.

    Raises
    ------
    InputError
        If batch_size is below 1 or above the number of rows.
    """
    check_batch_size(batch_size, len(order))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def build_epoch(gradient: Gradient) -> Epoch:
    """Make ``epoch`` for a variant that has none: gather a batch, take its gradient, update, repeat."""

    def epoch(
        network: Network,
        theta: Array,
        X: Array,
        Y: Array,
        order: Order,
        batch_size: int,
        learning_rate: float,
    ) -> Array:
        learning_rate = float(learning_rate)  # a NumPy float64 scalar would promote float32 parameters
        for rows in batches(order, batch_size):
            theta = theta - learning_rate * gradient(network, theta, X[rows], Y[rows])
        return theta

    return epoch


def build_epochs(epoch: Epoch) -> Epochs:
    """Make ``epochs`` for a variant that has none: run after run."""

    def epochs(
        network: Network,
        thetas: Array,
        X: Array,
        Y: Array,
        orders: Order,
        batch_size: int,
        learning_rate: float,
    ) -> Array:
        runs = zip(thetas, orders, strict=True)
        return np.stack([epoch(network, theta, X, Y, order, batch_size, learning_rate) for theta, order in runs])

    return epochs


def build_losses(loss: Loss) -> Losses:
    """Make ``losses`` for a variant that has none: run after run."""

    def losses(network: Network, thetas: Array, X: Array, Y: Array, rows: Order | None) -> Array:
        if rows is None:
            found = [loss(network, theta, X, Y) for theta in thetas]
        else:
            found = [loss(network, theta, X[own], Y[own]) for theta, own in zip(thetas, rows, strict=True)]
        return np.array(found, thetas.dtype)

    return losses
