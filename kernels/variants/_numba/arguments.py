"""A network and its arrays as arguments of compiled functions: numbers and arrays that surely fit each other.

Compiled functions that Python calls take plain tuples, and name their fields inside by ``Codes(*codes)``: Numba takes
2 us to look at a NamedTuple that comes from Python, and would write its class into the cache on disk. They return at
most a number, and write arrays into one that is given: for an array that they return Numba calls a Python function, in
which a signal's handler may raise, and Numba makes a SystemError of that.
"""

from typing import Any, NamedTuple

import numpy as np

from kernels.contract import Array
from kernels.errors import InputError, choices
from kernels.network import Network
from kernels.validation import check_shapes
from kernels.variants._numba.compiled import inlined

IDENTITY, SIGMOID, TANH, RELU, SOFTMAX = range(5)
ACTIVATIONS = {"identity": IDENTITY, "sigmoid": SIGMOID, "tanh": TANH, "relu": RELU, "softmax": SOFTMAX}
"""Codes by which compiled functions know an activation."""
SQUARED_ERROR, BINARY_CROSS_ENTROPY, CROSS_ENTROPY = range(3)
LOSSES = {
    ("identity", "squared_error"): SQUARED_ERROR,
    ("sigmoid", "cross_entropy"): BINARY_CROSS_ENTROPY,
    ("sigmoid", "squared_error"): SQUARED_ERROR,
    ("softmax", "cross_entropy"): CROSS_ENTROPY,
}
"""Codes by which they know a loss."""
TAKES_ACTIVATIONS = {SQUARED_ERROR: True, BINARY_CROSS_ENTROPY: False, CROSS_ENTROPY: False}
"""Whether a loss is computed from the last layer's activations, or from its pre-activations."""
OUTPUT_DELTAS = {
    ("identity", "squared_error"): IDENTITY,
    ("sigmoid", "cross_entropy"): IDENTITY,
    ("sigmoid", "squared_error"): SIGMOID,
    ("softmax", "cross_entropy"): IDENTITY,
}
"""Activation by whose derivative the residual ``a - y`` is multiplied; that of the identity is 1."""


class Codes(NamedTuple):
    """A network's functions, by their codes."""

    hidden: int
    output: int
    loss: int
    delta: int


def codes(network: Network) -> tuple[int, int, int, int]:
    """Return the fields of ``Codes`` for a network."""
    pair = network.output, network.loss
    return ACTIVATIONS[network.hidden], ACTIVATIONS[network.output], LOSSES[pair], OUTPUT_DELTAS[pair]


def arrays(network: Network, theta: Array, X: Array, *Y: Array) -> tuple[Any, ...]:
    """Parameters and rows, contiguous.

    Raises
    ------
    InputError
        If a shape is not the network's or the dtypes differ, which compiled code would not notice.
    """
    check_shapes(network, theta, X, *Y)
    if any(values.dtype != theta.dtype for values in (X, *Y)):
        found = choices(values.dtype for values in (theta, X, *Y))
        raise InputError(f"parameters and rows must have one dtype, got {found}: convert them with astype")
    return tuple(np.ascontiguousarray(values) for values in (theta, X, *Y))


@inlined
def check_order(order, X):
    """Raise IndexError, in compiled code, if the order names a row that X does not have."""
    for row in order:
        if row < 0 or row >= len(X):
            raise IndexError("order names a row that X does not have")


@inlined
def multiplies_derivative(delta):
    """Whether the residual is multiplied by the derivative of the sigmoid, the only one there is beside 1."""
    if delta != SIGMOID and delta != IDENTITY:
        raise ValueError("compiled code has no such output delta: add it where multiplies_derivative is called")
    return delta == SIGMOID
