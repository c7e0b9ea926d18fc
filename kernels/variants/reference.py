"""Row by row, formula by formula: the truth that every other variant is checked against.

Nothing here is ever optimised. The letters are those of ``kernels/README.md``: for one row and each
layer, ``z = a_previous W + b`` and ``a = f(z)``; going back, ``delta`` is the derivative of the loss by z.
"""

import numpy as np

from kernels.contract import Array
from kernels.network import Network


def forward(network: Network, theta: Array, X: Array) -> Array:
    """Outputs of the network, (n, k), for inputs X (n, d)."""
    return np.stack([_row_forward(network, theta, x)[1][-1] for x in X])


def loss(network: Network, theta: Array, X: Array, Y: Array) -> float:
    """Mean loss over the rows of X (n, d) and Y (n, k), computed from the last layer's weighted sums."""
    total = theta.dtype.type(0)
    for x, y in zip(X, Y, strict=True):
        zs, activations = _row_forward(network, theta, x)
        total += _row_loss(network, zs[-1], activations[-1], y)
    return float(total / len(X))


def gradient(network: Network, theta: Array, X: Array, Y: Array) -> Array:
    """Gradient of ``loss`` by theta, (p,): the mean of the gradients of the rows."""
    total = np.zeros_like(theta)
    for x, y in zip(X, Y, strict=True):
        _add_row_gradient(network, theta, x, y, total)
    return total / len(X)


def _row_forward(network: Network, theta: Array, x: Array) -> tuple[list[Array], list[Array]]:
    """Weighted sums z of each layer, and activations a of the input and of each layer."""
    zs, activations = [], [x]
    for (W, b), name in zip(network.unpack(theta), network.activations, strict=True):
        z = activations[-1] @ W + b
        zs.append(z)
        activations.append(_activation(name, z))
    return zs, activations


def _activation(name: str, z: Array) -> Array:
    if name == "identity":
        return z
    if name == "relu":
        return np.maximum(z, 0)
    if name == "tanh":
        return np.tanh(z)
    if name == "softmax":  # shifted by the row's maximum, so that exp cannot overflow
        e = np.exp(z - z.max())
        return e / e.sum()
    e = np.exp(-np.abs(z))  # sigmoid, with an exponent that is never positive
    return np.where(z >= 0, 1, e) / (1 + e)


def _row_loss(network: Network, z: Array, a: Array, y: Array) -> Array:
    if network.loss == "squared_error":
        return np.sum((a - y) ** 2) / 2
    if network.output == "softmax":  # -ln softmax(z) = ln sum exp(z - max z) - (z - max z)
        shifted = z - z.max()
        return np.sum(y * (np.log(np.sum(np.exp(shifted))) - shifted))
    return np.sum(np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z))))


def _add_row_gradient(network: Network, theta: Array, x: Array, y: Array, total: Array) -> None:
    zs, activations = _row_forward(network, theta, x)
    delta = activations[-1] - y
    if (network.output, network.loss) == ("sigmoid", "squared_error"):
        delta = delta * activations[-1] * (1 - activations[-1])
    layers, totals = network.unpack(theta), network.unpack(total)
    for layer in reversed(range(network.n_layers)):
        dW, db = totals[layer]
        dW += np.outer(activations[layer], delta)
        db += delta
        if layer > 0:
            delta = (layers[layer][0] @ delta) * _slope(network.hidden, zs[layer - 1], activations[layer])


def _slope(name: str, z: Array, a: Array) -> Array:
    """Derivative of a hidden activation a = f(z) by z; that of relu at 0 is 0."""
    if name == "sigmoid":
        return a * (1 - a)
    if name == "tanh":
        return 1 - a**2
    return (z > 0).astype(z.dtype)
