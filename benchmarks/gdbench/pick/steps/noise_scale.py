"""How noisy gradients are: trace of the covariance of the gradients of single rows, and square of their mean's norm.

Their ratio tr(Σ) / |G|² is the simple noise scale of McCandlish et al. 2018 (arXiv 1812.06162), in rows: the batch
size at which noise and signal of a gradient are equal.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gdbench.pick.steps import lockstep
from kernels import InputError, Network

Values = npt.NDArray[np.float64]
CHUNK_VALUES = 1 << 20
"""Inputs and activations of the rows that are worked on at once, all layers together: 8 MiB an array at most."""


def noise_scale(network: Network, theta: Values, X: Values, Y: Values) -> tuple[float, float]:
    """Return tr(Σ) and |G|², exactly, over the rows of X.

    ``Σ = 1/n Σᵢ (gᵢ - G)(gᵢ - G)ᵀ`` with the gradient gᵢ of row i and their mean G, so that a batch of B rows drawn
    with replacement has ``E|g_B|² = |G|² + tr(Σ) / B``.

    Parameters
    ----------
    network : Network
        What is computed.
    theta : array, (p,)
        Parameters at which it is taken.
    X : array, (n, d)
        Inputs.
    Y : array, (n, k)
        Targets.
    """
    squares, mean = row_gradients(network, theta, X, Y)
    signal = float(mean @ mean)
    return max(float(squares.mean()) - signal, 0.0), signal  # rounding may leave less than nothing of equal rows


def row_gradients(network: Network, theta: Values, X: Values, Y: Values) -> tuple[Values, Values]:
    """Return the squared norms (n,) of the gradients of single rows, and their mean (p,), without the gradients.

    The gradient of one row by a layer's weights is the outer product of the layer's inputs a and of the derivatives
    δ by its pre-activations, and δ by its bias, so its squared norm is the sum over layers of ``|δ|² (|a|² + 1)``.
    """
    chunk = max(CHUNK_VALUES // sum(network.sizes), 1)
    squares, total = np.zeros(len(X)), np.zeros(network.n_parameters)
    for begin in range(0, len(X), chunk):
        rows = slice(begin, begin + chunk)
        _add_rows(network, theta, X[rows], Y[rows], squares[rows], total)
    return squares, total / len(X)


def two_batch_estimate(gradient_small: Values, gradient_big: Values, b: int, B: int) -> tuple[float, float]:
    """Estimate tr(Σ) and |G|² from the mean gradients (p,) of two batches of b and of B independent rows, b < B.

    Both are unbiased (McCandlish et al. 2018, appendix A.1) and may be negative; their ratio is biased, so average
    many of each before dividing.

    Raises
    ------
    InputError
        Unless 1 <= b < B.
    """
    if not 1 <= b < B:
        raise InputError(
            f"the noise scale needs a small and a larger batch, got {b} and {B} rows: take 1 and 2 or more"
        )
    small, big = float(gradient_small @ gradient_small), float(gradient_big @ gradient_big)
    return (small - big) / (1 / b - 1 / B), (B * big - b * small) / (B - b)


def _add_rows(network: Network, theta: Values, X: Values, Y: Values, squares: Values, total: Values) -> None:
    """Add the squared norms (rows,) of the gradients of these rows, and the sum (p,) of the gradients."""
    layers, sums = network.unpack(theta), network.unpack(total)
    activations = forward(network, theta, X)
    delta = lockstep.output_delta(network, activations[-1], Y)
    for layer in reversed(range(network.n_layers)):
        A, (dW, db) = activations[layer], sums[layer]
        squares += np.square(delta).sum(axis=1) * (np.square(A).sum(axis=1) + 1)
        dW += A.T @ delta
        db += delta.sum(axis=0)
        if layer > 0:
            delta = delta @ layers[layer][0].T * lockstep.DERIVATIVES[network.hidden](A)


def forward(network: Network, theta: Values, X: Values) -> list[Values]:
    """Inputs X (n, d) and the activations of each layer."""
    activations = [X]
    for (W, b), name in zip(network.unpack(theta), network.activations, strict=True):
        activations.append(lockstep.ACTIVATIONS[name](activations[-1] @ W + b))
    return activations
