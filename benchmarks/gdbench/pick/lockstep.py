"""Gradients and losses of many parameter vectors of one network at once: the canonical float64 kernel of the picker.

The formulas are those of ``kernels/README.md``; the letters are theirs. Runs lie in the first two axes, L rates and
S seeds, and the rows of a seed are shared by all its rates. The fixed cost of a NumPy call is paid once for all runs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from kernels import Network

Values = npt.NDArray[np.float64]
CHUNK_BYTES = 8 << 20
"""Of one layer's activations when losses are computed: a few rows at a time stay in the cache."""


def gradients(network: Network, thetas: Values, X: Values, Y: Values) -> Values:
    """Mean gradients (L, S, p) at thetas (L, S, p) over rows X (S, B, d), Y (S, B, k) of each seed.

    Values that overflow become infinite or NaN without a warning: the run has diverged.
    """
    layers = _layers(network, thetas)
    activations = [X[None]]
    for (W, b), name in zip(layers, network.activations, strict=True):
        activations.append(activate(name, np.matmul(activations[-1], W) + b[..., None, :]))
    delta = output_delta(network, activations[-1], Y[None]) / X.shape[1]
    found = np.empty_like(thetas)
    for number in reversed(range(network.n_layers)):
        dW, db = _layers(network, found)[number]
        below = activations[number]
        if X.shape[1] == 1:  # an outer product: matmul leaves BLAS where the inner size is 1
            np.multiply(below[..., 0, :, None], delta[..., 0, None, :], out=dW)
        else:
            np.matmul(np.swapaxes(below, -1, -2), delta, out=dW)
        delta.sum(axis=-2, out=db)
        if number:
            delta = np.matmul(delta, np.swapaxes(layers[number][0], -1, -2)) * slope(network.hidden, below)
    return found


def losses(network: Network, thetas: Values, X: Values, Y: Values) -> Values:
    """Mean loss (R,) at thetas (R, p) over rows X (n, d), Y (n, k); infinite where it is not a number."""
    widest = max(network.sizes[1:])
    chunk = max(CHUNK_BYTES // (8 * widest * len(thetas)), 1)
    total = np.zeros(len(thetas))
    for begin in range(0, len(X), chunk):
        rows = slice(begin, begin + chunk)
        total += _loss_sums(network, thetas, X[rows], Y[rows])
    total /= len(X)
    return np.where(np.isfinite(total), total, np.inf)


def _loss_sums(network: Network, thetas: Values, X: Values, Y: Values) -> Values:
    layers = _layers(network, thetas)
    A = X[None]
    for (W, b), name in zip(layers[:-1], network.activations[:-1], strict=True):
        A = activate(name, np.matmul(A, W) + b[:, None, :])
    W, b = layers[-1]
    return _losses_of_sums(network, np.matmul(A, W) + b[:, None, :], Y)


def _layers(network: Network, thetas: Values) -> list[tuple[Values, Values]]:
    """Views ((..., fan_in, fan_out), (..., fan_out)) of thetas (..., p)."""
    layers, start = [], 0
    for fan_in, fan_out in network.shapes:
        middle, stop = start + fan_in * fan_out, start + (fan_in + 1) * fan_out
        W = thetas[..., start:middle].reshape(*thetas.shape[:-1], fan_in, fan_out)
        layers.append((W, thetas[..., middle:stop]))
        start = stop
    return layers


def activate(name: str, Z: Values) -> Values:
    """Activation of that name at weighted sums Z (..., k), of every row by itself."""
    if name == "sigmoid":
        return np.asarray(expit(Z))
    if name == "tanh":
        return np.tanh(Z)
    if name == "relu":
        return np.maximum(Z, 0.0)
    if name == "softmax":
        E = np.exp(Z - Z.max(axis=-1, keepdims=True))
        return np.asarray(E / E.sum(axis=-1, keepdims=True))
    return Z


def slope(name: str, A: Values) -> Values:
    """Derivative of a hidden activation by its weighted sum, from its value A (any shape)."""
    if name == "sigmoid":
        return A * (1.0 - A)
    return 1.0 - A * A if name == "tanh" else np.asarray(A > 0, float)


def output_delta(network: Network, A: Values, Y: Values) -> Values:
    """Derivative of a row's loss by the last weighted sums, from the outputs A (..., k) and the targets Y (..., k)."""
    delta = A - Y
    return delta * A * (1.0 - A) if (network.output, network.loss) == ("sigmoid", "squared_error") else delta


def _losses_of_sums(network: Network, Z: Values, Y: Values) -> Values:
    """Sum over rows and outputs, stably from the weighted sums Z (R, rows, k)."""
    if network.loss == "squared_error":
        return np.asarray(0.5 * np.square(activate(network.output, Z) - Y).sum(axis=(1, 2)))
    if network.output == "softmax":
        top = Z.max(axis=-1, keepdims=True)
        spread = np.log(np.exp(Z - top).sum(axis=-1)) + top[..., 0]
        return np.asarray((spread - (Z * Y).sum(axis=-1)).sum(axis=1))
    return np.asarray((np.logaddexp(0.0, Z) - Y * Z).sum(axis=(1, 2)))
