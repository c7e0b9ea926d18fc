"""What the peers on JAX share: its loss, differentiated by JAX itself and compiled once for each network and shape.

JAX takes its threads from the cores that the process may use, so a worker is pinned before this is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from kernels import Network
from kernels.contract import Array

JaxArray: TypeAlias = jax.Array
Layers: TypeAlias = Any
"""Pairs of W (fan_in, fan_out) and b (fan_out,)."""

jax.config.update("jax_enable_x64", True)  # otherwise float64 is computed in float32
put = partial(jax.device_put, may_alias=True)
"""Make an array JAX's, without a copy where its memory begins at a multiple of 64 bytes."""

ACTIVATIONS: dict[str, Callable[[JaxArray], JaxArray]] = {
    "identity": lambda Z: Z,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "softmax": jax.nn.softmax,
}
LOSSES: dict[tuple[str, str], Callable[[JaxArray, JaxArray], JaxArray]] = {
    ("identity", "squared_error"): lambda Z, Y: (Z - Y) ** 2 / 2,
    ("sigmoid", "cross_entropy"): lambda Z, Y: jax.nn.softplus(Z) - Y * Z,
    ("sigmoid", "squared_error"): lambda Z, Y: (jax.nn.sigmoid(Z) - Y) ** 2 / 2,
    ("softmax", "cross_entropy"): lambda Z, Y: -Y * jax.nn.log_softmax(Z),
}
"""Terms of the loss from the pre-activations Z of the last layer and the targets Y."""


def pre_activations(network: Network, layers: Layers, X: JaxArray) -> JaxArray:
    """Pre-activations of the last layer, (n, k)."""
    A = X
    for (W, b), name in zip(layers[:-1], network.activations, strict=False):
        A = ACTIVATIONS[name](A @ W + b)
    W, b = layers[-1]
    return A @ W + b


def mean_loss(layers: Layers, network: Network, X: JaxArray, Y: JaxArray) -> JaxArray:
    """Mean loss over the rows, computed from the last layer's pre-activations."""
    Z = pre_activations(network, layers, X)
    return LOSSES[network.output, network.loss](Z, Y).sum() / len(X)


def updated(
    network: Network, layers: Layers, X: JaxArray, Y: JaxArray, rows: JaxArray, learning_rate: JaxArray
) -> Layers:
    """Layers after one update on some rows; their positions are known to be inside X, so none is checked."""
    x, y = (values.at[rows].get(mode="promise_in_bounds") for values in (X, Y))
    gradients = jax.grad(mean_loss)(layers, network, x, y)
    return jax.tree.map(lambda values, change: values - learning_rate * change, layers, gradients)


def flat(layers: Layers) -> JaxArray:
    """One vector (p,) of the values in layers."""
    return jnp.concatenate([values.ravel() for layer in layers for values in layer])


def forward(network: Network, theta: Array, X: Array) -> Array:
    """Outputs of the network, (n, k), for inputs X (n, d)."""
    return np.asarray(_forward(network, put(theta), put(X)))


def loss(network: Network, theta: Array, X: Array, Y: Array) -> float:
    """Mean loss over the rows of X (n, d) and Y (n, k)."""
    return float(_loss(network, put(theta), put(X), put(Y)))


def gradient(network: Network, theta: Array, X: Array, Y: Array) -> Array:
    """Gradient of ``loss`` by theta, (p,)."""
    return np.asarray(_gradient(network, put(theta), put(X), put(Y)))


@partial(jax.jit, static_argnames="network")
def _forward(network: Network, theta: JaxArray, X: JaxArray) -> JaxArray:
    Z = pre_activations(network, network.unpack(theta), X)
    return ACTIVATIONS[network.output](Z)


@partial(jax.jit, static_argnames="network")
def _loss(network: Network, theta: JaxArray, X: JaxArray, Y: JaxArray) -> JaxArray:
    return mean_loss(network.unpack(theta), network, X, Y)


@partial(jax.jit, static_argnames="network")
def _gradient(network: Network, theta: JaxArray, X: JaxArray, Y: JaxArray) -> JaxArray:
    return flat(jax.grad(mean_loss)(network.unpack(theta), network, X, Y))
