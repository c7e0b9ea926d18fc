"""What the peers on SciPy share: epochs whose first layer multiplies rows in CSR, and NumPy above it.

The loops behind SciPy's products are called directly, on slices of one gathered matrix: its interface
would copy every batch, and takes three times as long for one of 8 rows (784 columns, a fifth of them filled, 128
units). They add onto their result, so that bias and update need no pass of their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import _sparsetools

from kernels import Network
from kernels.contract import Array, Order
from kernels.validation import check_batch_size
from kernels.variants.buffered import ACTIVATIONS, DERIVATIVES, OUTPUT_DELTAS


def sparse_epoch(
    network: Network, theta: Array, X: Any, Y: Array, order: Order, batch_size: int, learning_rate: float
) -> Array:
    """Parameters (p,) after one pass over the rows of X, a ``csr_array`` (n, d), in the given order."""
    check_batch_size(batch_size, len(order))
    theta, rows, targets, learning_rate = theta.copy(), X[order], Y[order], float(learning_rate)
    layers = network.unpack(theta)
    for start in range(0, len(order), batch_size):
        ends = rows.indptr[start : start + batch_size + 1]
        _update(network, layers, (ends, rows.indices, rows.data), targets[start : start + batch_size], learning_rate)
    return theta


def _update(network: Network, layers: Any, rows: tuple[Array, ...], Y: Array, learning_rate: float) -> None:
    m, (d, width) = len(Y), network.shapes[0]
    A = np.empty((m, width), Y.dtype)
    A[:] = layers[0][1]
    _sparsetools.csr_matvecs(m, d, width, *rows, layers[0][0].ravel(), A.ravel())
    ACTIVATIONS[network.activations[0]](A)
    activations = [A]
    for (W, b), name in zip(layers[1:], network.activations[1:], strict=True):
        A = np.dot(activations[-1], W)
        A += b
        ACTIVATIONS[name](A)
        activations.append(A)
    OUTPUT_DELTAS[network.output, network.loss](A, Y)
    delta, scale = A, -learning_rate / m
    for layer in range(network.n_layers - 1, 0, -1):
        (W, b), below = layers[layer], activations[layer - 1]
        back = np.dot(delta, W.T)  # before W changes
        delta *= scale
        W += np.dot(below.T, delta)
        b += delta.sum(axis=0)
        DERIVATIVES[network.hidden](back, below)
        delta = back
    delta *= scale
    W, b = layers[0]
    _sparsetools.csc_matvecs(d, m, width, *rows, delta.ravel(), W.ravel())  # rows in CSR are their transpose in CSC
    b += delta.sum(axis=0)
