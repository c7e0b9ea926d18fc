"""JAX with a whole epoch compiled: one ``lax.scan`` over the batches, gather included, so Python is left once.

A last batch that is shorter is one more update after the scan, in the same compiled function. Each number of
rows and each batch size is compiled anew.
"""

from __future__ import annotations

from functools import partial

import jax
import numpy as np

from gdbench.peers._jax import JaxArray, Layers, flat, forward, gradient, loss, put, updated
from kernels import Network
from kernels.contract import Array, Order
from kernels.validation import check_batch_size

__all__ = ["epoch", "forward", "gradient", "loss"]
COMPILES_SHAPES = True


def epoch(
    network: Network, theta: Array, X: Array, Y: Array, order: Order, batch_size: int, learning_rate: float
) -> Array:
    """Parameters (p,) after one pass over the rows in the given order."""
    check_batch_size(batch_size, len(order))
    full = len(order) - len(order) % batch_size
    batches, rest = order[:full].reshape(-1, batch_size), order[full:]
    learning_rate = theta.dtype.type(learning_rate)
    return np.asarray(_epoch(network, put(theta), put(X), put(Y), put(batches), put(rest), learning_rate))


@partial(jax.jit, static_argnames="network")
def _epoch(
    network: Network,
    theta: JaxArray,
    X: JaxArray,
    Y: JaxArray,
    batches: JaxArray,
    rest: JaxArray,
    learning_rate: JaxArray,
) -> JaxArray:
    def update(layers: Layers, rows: JaxArray) -> tuple[Layers, None]:
        return updated(network, layers, X, Y, rows, learning_rate), None

    layers, _ = jax.lax.scan(update, network.unpack(theta), batches)
    if len(rest):
        layers, _ = update(layers, rest)
    return flat(layers)
