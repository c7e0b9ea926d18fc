"""Row by row, formula by formula: the truth that every other variant is checked against.

Nothing here is ever optimised. The letters are those of ``kernels/README.md``: for one row and each
layer, ``z = a_previous W + b`` and ``a = f(z)``; going back, ``delta`` is the derivative of the loss by z.
"""

from collections.abc import Callable

import numpy as np

from kernels.contract import Array
from kernels.network import Network


def _sigmoid(z: Array) -> Array:
    e = np.exp(-np.abs(z))  # an exponent that is never positive
    return np.where(z >= 0, 1, e) / (1 + e)


def _softmax(z: Array) -> Array:
    e = np.exp(z - z.max())  # shifted by the row's maximum, so that exp cannot overflow
    return e / e.sum()


def _squared_error(z: Array, a: Array, y: Array) -> Array:
    return np.sum((a - y) ** 2) / 2


def _binary_cross_entropy(z: Array, a: Array, y: Array) -> Array:
    return np.sum(np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z))))


def _cross_entropy(z: Array, a: Array, y: Array) -> Array:
    shifted = z - z.max()  # -ln softmax(z) = ln sum exp(z - max z) - (z - max z)
    return np.sum(y * (np.log(np.sum(np.exp(shifted))) - shifted))


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda z: z,
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "softmax": _softmax,
}
DERIVATIVES: dict[str, Callable[[Array, Array], Array]] = {
    "sigmoid": lambda z, a: a * (1 - a),
    "tanh": lambda z, a: 1 - a**2,
    "relu": lambda z, a: (z > 0).astype(z.dtype),
}
"""Derivative of a hidden activation a = f(z) by z; that of relu at 0 is 0."""
LOSSES: dict[tuple[str, str], Callable[[Array, Array, Array], Array]] = {
    ("identity", "squared_error"): _squared_error,
    ("sigmoid", "cross_entropy"): _binary_cross_entropy,
    ("sigmoid", "squared_error"): _squared_error,
    ("softmax", "cross_entropy"): _cross_entropy,
}
"""Loss of a row from the pre-activations z and activations a of the last layer, and the targets y."""
OUTPUT_DELTAS: dict[tuple[str, str], Callable[[Array, Array], Array]] = {
    ("identity", "squared_error"): lambda residual, a: residual,
    ("sigmoid", "cross_entropy"): lambda residual, a: residual,
    ("sigmoid", "squared_error"): lambda residual, a: residual * a * (1 - a),
    ("softmax", "cross_entropy"): lambda residual, a: residual,
}
"""Derivative of the loss by the last z, from the residual a - y."""


def forward(network: Network, theta: Array, X: Array) -> Array:
    """Outputs of the network, (n, k), for inputs X (n, d)."""
    return np.stack([_row_forward(network, theta, x)[1][-1] for x in X])


def loss(network: Network, theta: Array, X: Array, Y: Array) -> float:
    """Mean loss over the rows of X (n, d) and Y (n, k), computed from the last layer's pre-activations."""
    total = theta.dtype.type(0)
    for x, y in zip(X, Y, strict=True):
        zs, activations = _row_forward(network, theta, x)
        total += LOSSES[network.output, network.loss](zs[-1], activations[-1], y)
    return float(total / len(X))


def gradient(network: Network, theta: Array, X: Array, Y: Array) -> Array:
    """Gradient of ``loss`` by theta, (p,): the mean of the gradients of the rows."""
    total = np.zeros_like(theta)
    for x, y in zip(X, Y, strict=True):
        _add_row_gradient(network, theta, x, y, total)
    return total / len(X)


def _row_forward(network: Network, theta: Array, x: Array) -> tuple[list[Array], list[Array]]:
    """Pre-activations z of each layer, and activations a of the input and of each layer."""
    zs, activations = [], [x]
    for (W, b), name in zip(network.unpack(theta), network.activations, strict=True):
        z = activations[-1] @ W + b
        zs.append(z)
        activations.append(ACTIVATIONS[name](z))
    return zs, activations


def _add_row_gradient(network: Network, theta: Array, x: Array, y: Array, total: Array) -> None:
    zs, activations = _row_forward(network, theta, x)
    delta = OUTPUT_DELTAS[network.output, network.loss](activations[-1] - y, activations[-1])
    layers, totals = network.unpack(theta), network.unpack(total)
    for layer in reversed(range(network.n_layers)):
        dW, db = totals[layer]
        dW += np.outer(activations[layer], delta)
        db += delta
        if layer > 0:
            delta = (layers[layer][0] @ delta) * DERIVATIVES[network.hidden](zs[layer - 1], activations[layer])
