"""A network and its arrays as arguments of compiled functions: numbers and arrays that surely fit each other."""

from typing import Any

import numpy as np

from kernels.contract import Array
from kernels.errors import InputError, choices
from kernels.network import Network
from kernels.validation import check_shapes
from kernels.variants._compiled import inlined

IDENTITY, SIGMOID, TANH, RELU, SOFTMAX = range(5)
ACTIVATIONS = {"identity": IDENTITY, "sigmoid": SIGMOID, "tanh": TANH, "relu": RELU, "softmax": SOFTMAX}
"""Codes by which compiled functions know an activation."""
LOSSES = {
    ("identity", "squared_error"): True,
    ("sigmoid", "cross_entropy"): False,
    ("sigmoid", "squared_error"): True,
    ("softmax", "cross_entropy"): False,
}
"""Whether the loss is the squared error: compiled functions know the others by the output."""


def codes(network: Network) -> tuple[int, int, bool]:
    """Hidden activation, output activation, and whether the loss is the squared error."""
    return ACTIVATIONS[network.hidden], ACTIVATIONS[network.output], LOSSES[network.output, network.loss]


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
