"""Vectorized without temporaries: every intermediate is written into memory that was taken once.

Differs from ``vectorized`` in memory alone. Faster because an epoch asks the allocator for a work
space once instead of some twenty times an update, and large arrays stay warm in the cache.
"""

from collections.abc import Callable

import numpy as np

from kernels.contract import Array, Order
from kernels.epochs import batches
from kernels.network import Network
from kernels.validation import check_batch_size


def _sigmoid(Z: Array) -> None:
    np.negative(Z, out=Z)
    np.minimum(Z, np.log(np.finfo(Z.dtype).max) - 1, out=Z)  # below the overflow of exp
    np.exp(Z, out=Z)
    Z += 1
    np.reciprocal(Z, out=Z)


def _softmax(Z: Array) -> None:
    Z -= Z.max(axis=1, keepdims=True)
    np.exp(Z, out=Z)
    Z /= Z.sum(axis=1, keepdims=True)


def _multiply_by_sigmoid_derivative(back: Array, A: Array) -> None:
    back *= A
    np.subtract(1, A, out=A)
    back *= A


def _multiply_by_tanh_derivative(back: Array, A: Array) -> None:
    A *= A
    np.subtract(1, A, out=A)
    back *= A


def _multiply_by_relu_derivative(back: Array, A: Array) -> None:
    back *= A > 0


def _squared_error(Z: Array, Y: Array) -> float:
    np.subtract(Z, Y, out=Z)
    return float(np.vdot(Z, Z) / (2 * len(Z)))


def _squared_error_of_sigmoid(Z: Array, Y: Array) -> float:
    _sigmoid(Z)
    return _squared_error(Z, Y)


def _binary_cross_entropy(Z: Array, Y: Array) -> float:
    softplus = np.abs(Z)
    np.exp(np.negative(softplus, out=softplus), out=softplus)
    np.log1p(softplus, out=softplus)
    softplus += np.maximum(Z, 0)
    Z *= Y
    return float(np.subtract(softplus, Z, out=Z).sum() / len(Z))


def _cross_entropy(Z: Array, Y: Array) -> float:
    Z -= Z.max(axis=1, keepdims=True)
    normaliser = np.log(np.exp(Z).sum(axis=1, keepdims=True))
    np.subtract(normaliser, Z, out=Z)
    return float(np.vdot(Y, Z) / len(Z))


def _subtract(A: Array, Y: Array) -> None:
    A -= Y


def _subtract_and_multiply(A: Array, Y: Array) -> None:
    derivative = A * (1 - A)
    A -= Y
    A *= derivative


ACTIVATIONS: dict[str, Callable[[Array], object]] = {
    "identity": lambda Z: None,
    "sigmoid": _sigmoid,
    "tanh": lambda Z: np.tanh(Z, out=Z),
    "relu": lambda Z: np.maximum(Z, 0, out=Z),
    "softmax": _softmax,
}
"""Replace pre-activations Z by their activations."""
DERIVATIVES: dict[str, Callable[[Array, Array], None]] = {
    "sigmoid": _multiply_by_sigmoid_derivative,
    "tanh": _multiply_by_tanh_derivative,
    "relu": _multiply_by_relu_derivative,
}
"""Multiply what comes back by the derivative of a hidden activation, from its value A, which is used up."""
LOSSES: dict[tuple[str, str], Callable[[Array, Array], float]] = {
    ("identity", "squared_error"): _squared_error,
    ("sigmoid", "cross_entropy"): _binary_cross_entropy,
    ("sigmoid", "squared_error"): _squared_error_of_sigmoid,
    ("softmax", "cross_entropy"): _cross_entropy,
}
"""Mean loss, from the pre-activations Z of the last layer, which are used up, and the targets Y."""
OUTPUT_DELTAS: dict[tuple[str, str], Callable[[Array, Array], None]] = {
    ("identity", "squared_error"): _subtract,
    ("sigmoid", "cross_entropy"): _subtract,
    ("sigmoid", "squared_error"): _subtract_and_multiply,
    ("softmax", "cross_entropy"): _subtract,
}
"""Replace the outputs A by the derivative of the summed loss by the last pre-activations."""


def forward(network: Network, theta: Array, X: Array) -> Array:
    """Outputs of the network, (n, k), for inputs X (n, d)."""
    activations = _buffers(network, theta, len(X))
    ACTIVATIONS[network.output](_pre_activations(network, network.unpack(theta), X, activations))
    return activations[-1]


def loss(network: Network, theta: Array, X: Array, Y: Array) -> float:
    """Mean loss over the rows of X (n, d) and Y (n, k), computed from the last layer's pre-activations."""
    activations = _buffers(network, theta, len(X))
    Z = _pre_activations(network, network.unpack(theta), X, activations)
    return LOSSES[network.output, network.loss](Z, Y)


def gradient(network: Network, theta: Array, X: Array, Y: Array) -> Array:
    """Gradient of ``loss`` by theta, (p,)."""
    out = np.empty_like(theta)
    _gradient(network, network.unpack(theta), X, Y, _buffers(network, theta, len(X)), network.unpack(out))
    return out


def epoch(
    network: Network, theta: Array, X: Array, Y: Array, order: Order, batch_size: int, learning_rate: float
) -> Array:
    """Parameters (p,) after one pass over the rows in the given order; one work space serves all updates."""
    check_batch_size(batch_size, len(order))  # before memory is taken for it
    theta, step = theta.copy(), np.empty_like(theta)
    layers, slots = network.unpack(theta), network.unpack(step)
    buffers = _buffers(network, theta, batch_size)
    X_batch = np.empty((batch_size, network.n_inputs), theta.dtype)
    Y_batch = np.empty((batch_size, network.n_outputs), theta.dtype)
    learning_rate = float(learning_rate)  # a NumPy scalar would promote float32
    for rows in batches(order, batch_size):
        if len(rows) < batch_size:  # the last batch; views of all of it would cost as much as a small product
            X_batch, Y_batch, *buffers = (array[: len(rows)] for array in (X_batch, Y_batch, *buffers))
        # mode="clip" writes straight into out; the default mode goes through a copy
        np.take(X, rows, axis=0, out=X_batch, mode="clip")
        np.take(Y, rows, axis=0, out=Y_batch, mode="clip")
        _gradient(network, layers, X_batch, Y_batch, buffers, slots)
        step *= learning_rate
        theta -= step
    return theta


def _buffers(network: Network, theta: Array, rows: int) -> list[Array]:
    return [np.empty((rows, width), theta.dtype) for width in network.sizes[1:]]


def _pre_activations(
    network: Network, layers: tuple[tuple[Array, Array], ...], X: Array, activations: list[Array]
) -> Array:
    """Fill the hidden activations and return the pre-activations of the last layer."""
    previous = X
    for (W, b), A in zip(layers, activations, strict=True):
        np.matmul(previous, W, out=A)
        A += b
        if A is not activations[-1]:
            ACTIVATIONS[network.hidden](A)
        previous = A
    return previous


def _gradient(
    network: Network,
    layers: tuple[tuple[Array, Array], ...],
    X: Array,
    Y: Array,
    activations: list[Array],
    slots: tuple[tuple[Array, Array], ...],
) -> None:
    """Write the gradient into slots; activations are overwritten by deltas on the way back."""
    ACTIVATIONS[network.output](_pre_activations(network, layers, X, activations))
    delta = activations[-1]
    OUTPUT_DELTAS[network.output, network.loss](delta, Y)
    delta /= len(X)
    for layer in reversed(range(network.n_layers)):
        previous = activations[layer - 1] if layer > 0 else X
        dW, db = slots[layer]
        # matmul leaves BLAS when the inner size is 1: 143 us against 29 us of dot for 784 x 128 in float32
        product = np.dot if len(X) == 1 else np.matmul
        product(previous.T, delta, out=dW)
        np.sum(delta, axis=0, out=db)
        if layer > 0:
            back = delta @ layers[layer][0].T
            DERIVATIVES[network.hidden](back, previous)
            delta = back
