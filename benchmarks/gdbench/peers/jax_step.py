"""JAX with one compiled update, called from a loop in Python: gather, gradient by ``jax.grad`` and update in one call.

The memory of the old parameters is given back for the new ones, and rows are gathered in the compiled code from
data that JAX holds already: a batch cut out by NumPy would be handed over, and copied, in each call.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from gdbench.peers._jax import JaxArray, Layers, flat, forward, gradient, loss, put, updated
from kernels import Network
from kernels.contract import Array, Order
from kernels.epochs import batches

__all__ = ["epoch", "forward", "gradient", "loss"]
COMPILES_SHAPES = True


def epoch(
    network: Network, theta: Array, X: Array, Y: Array, order: Order, batch_size: int, learning_rate: float
) -> Array:
    """Parameters (p,) after one pass over the rows in the given order."""
    slices = batches(order, batch_size)
    layers, learning_rate = _unpack(network, jnp.array(theta)), theta.dtype.type(learning_rate)
    X, Y = put(X), put(Y)
    for rows in slices:
        layers = _step(network, layers, X, Y, rows, learning_rate)
    return np.asarray(_flat(layers))


@partial(jax.jit, static_argnames="network")
def _unpack(network: Network, theta: JaxArray) -> Layers:
    return network.unpack(theta)


@partial(jax.jit, static_argnames="network", donate_argnames="layers")
def _step(
    network: Network, layers: Layers, X: JaxArray, Y: JaxArray, rows: JaxArray, learning_rate: JaxArray
) -> Layers:
    return updated(network, layers, X, Y, rows, learning_rate)


_flat = jax.jit(flat)
