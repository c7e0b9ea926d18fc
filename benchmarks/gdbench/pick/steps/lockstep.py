"""Gradients and losses of many parameter vectors of one network at once: the canonical float64 kernel of the picker.

The formulas are those of ``kernels/README.md``; the letters are theirs. Runs lie in the first two axes, L learning
rates and S seeds, and the rows of a seed are shared by all its learning rates. The fixed cost of a NumPy call is paid
once for all runs. Softmax and the logarithm of sums are not those of ``scipy.special``, which give the same numbers but
take 1.3 and 3 to 12 times as long at the sizes of a search.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from kernels import Network

Values = npt.NDArray[np.float64]
CHUNK_BYTES = 8 << 20
"""Size of one layer's activations when losses are computed: a few rows at a time stay in the cache."""


def gradients(network: Network, thetas: Values, X: Values, Y: Values) -> Values:
    """Mean gradients (L, S, p) at thetas (L, S, p) over rows X (S, B, d), Y (S, B, k) of each seed.

    Values that overflow become infinite or NaN without a warning: the run has diverged.
    """
    layers = _layers(network, thetas)
    activations = [X[None]]
    for (W, b), name in zip(layers, network.activations, strict=True):
        activations.append(ACTIVATIONS[name](np.matmul(activations[-1], W) + b[..., None, :]))
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
            delta = np.matmul(delta, np.swapaxes(layers[number][0], -1, -2)) * DERIVATIVES[network.hidden](below)
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
        A = ACTIVATIONS[name](np.matmul(A, W) + b[:, None, :])
    W, b = layers[-1]
    return LOSSES[network.output, network.loss](np.matmul(A, W) + b[:, None, :], Y)


def _layers(network: Network, thetas: Values) -> list[tuple[Values, Values]]:
    """Views ((..., fan_in, fan_out), (..., fan_out)) of thetas (..., p)."""
    layers, start = [], 0
    for fan_in, fan_out in network.shapes:
        middle, stop = start + fan_in * fan_out, start + (fan_in + 1) * fan_out
        W = thetas[..., start:middle].reshape(*thetas.shape[:-1], fan_in, fan_out)
        layers.append((W, thetas[..., middle:stop]))
        start = stop
    return layers


def output_delta(network: Network, A: Values, Y: Values) -> Values:
    """Derivative of a row's loss by the last pre-activations, from the outputs A (..., k) and targets Y (..., k)."""
    return OUTPUT_DELTAS[network.output, network.loss](A - Y, A)


def _softmax(Z: Values) -> Values:
    E = np.exp(Z - Z.max(axis=-1, keepdims=True))
    return np.asarray(E / E.sum(axis=-1, keepdims=True))


def _sigmoid(Z: Values) -> Values:
    return np.asarray(expit(Z))


def _squared_error(A: Values, Y: Values) -> Values:
    return np.asarray(0.5 * np.square(A - Y).sum(axis=(1, 2)))


def _binary_cross_entropy(Z: Values, Y: Values) -> Values:
    return np.asarray((np.logaddexp(0.0, Z) - Y * Z).sum(axis=(1, 2)))


def _cross_entropy(Z: Values, Y: Values) -> Values:
    top = Z.max(axis=-1, keepdims=True)
    spread = np.log(np.exp(Z - top).sum(axis=-1)) + top[..., 0]
    return np.asarray((spread - (Z * Y).sum(axis=-1)).sum(axis=1))


ACTIVATIONS: dict[str, Callable[[Values], Values]] = {
    "identity": lambda Z: Z,
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "relu": lambda Z: np.maximum(Z, 0.0),
    "softmax": _softmax,
}
"""Activation at pre-activations Z (..., k), of every row by itself."""
DERIVATIVES: dict[str, Callable[[Values], Values]] = {
    "sigmoid": lambda A: A * (1.0 - A),
    "tanh": lambda A: 1.0 - A * A,
    "relu": lambda A: np.asarray(A > 0, float),
}
"""Derivative of a hidden activation by its pre-activation, from its value A (any shape)."""
LOSSES: dict[tuple[str, str], Callable[[Values, Values], Values]] = {
    ("identity", "squared_error"): _squared_error,
    ("sigmoid", "cross_entropy"): _binary_cross_entropy,
    ("sigmoid", "squared_error"): lambda Z, Y: _squared_error(_sigmoid(Z), Y),
    ("softmax", "cross_entropy"): _cross_entropy,
}
"""Sum over rows and outputs, stably from the pre-activations Z (R, rows, k) and the targets Y."""
OUTPUT_DELTAS: dict[tuple[str, str], Callable[[Values, Values], Values]] = {
    ("identity", "squared_error"): lambda residual, A: residual,
    ("sigmoid", "cross_entropy"): lambda residual, A: residual,
    ("sigmoid", "squared_error"): lambda residual, A: residual * A * (1.0 - A),
    ("softmax", "cross_entropy"): lambda residual, A: residual,
}
"""Derivative of a row's loss by the last pre-activations, from the residual A - Y."""
