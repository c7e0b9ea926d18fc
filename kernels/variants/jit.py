"""Numba: the whole epoch, gather included, as one compiled function that never returns to Python.

Differs from ``buffered`` in who runs the loop: at small batches most of the time of NumPy variants is
the interpreter, which is left out here. Matrix products are still those of BLAS; the rest are plain loops.
Numbers travel as arguments (layer sizes, codes of activations), so each dtype compiles once for all networks.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kernels.contract import Array, Order
from kernels.network import Network
from kernels.validation import check_batch_size
from kernels.variants._numba import njit
from kernels.variants._numba.arguments import (
    BINARY_CROSS_ENTROPY,
    CROSS_ENTROPY,
    IDENTITY,
    RELU,
    SIGMOID,
    SOFTMAX,
    SQUARED_ERROR,
    TAKES_ACTIVATIONS,
    TANH,
    Codes,
    arrays,
    check_order,
    codes,
    multiplies_derivative,
)

_inlined = njit(inline="always")
"""For what a batch passes through: Numba counts references to arrays at each call that takes them in a tuple."""


NO_ORDER = np.empty(0, np.int64)
"""In place of an order where rows are taken as they lie."""


class Buffers(NamedTuple):
    """Work space of a gradient: what its passes write."""

    work: Array
    """Activations of all layers for all rows of a batch, flat, one layer behind the other."""
    back: Array
    """Deltas of all layers, likewise."""
    gradient: Array
    """(p,)."""


def forward(network: Network, theta: Array, X: Array) -> Array:
    """Outputs of the network, (n, k), for inputs X (n, d)."""
    return _forward_outputs(network, *arrays(network, theta, X), True)


def loss(network: Network, theta: Array, X: Array, Y: Array) -> float:
    """Mean loss over the rows of X (n, d) and Y (n, k), computed from the last layer's pre-activations."""
    theta, X, Y = arrays(network, theta, X, Y)
    code = Codes(*codes(network)).loss
    Z = _forward_outputs(network, theta, X, TAKES_ACTIVATIONS[code])
    return float(_mean_loss(code, Z, Y))


def gradient(network: Network, theta: Array, X: Array, Y: Array) -> Array:
    """Gradient of ``loss`` by theta, (p,)."""
    theta, X, Y = arrays(network, theta, X, Y)
    if not theta.flags.writeable:  # nothing is written to it here, but the same function writes to that of an epoch
        theta = theta.copy()
    rows, one, found = (X, Y, NO_ORDER), theta.dtype.type(1), np.empty_like(theta)
    _run_epoch(_sizes(network), codes(network), theta, rows, (len(X), one, True), found)
    return found


def epoch(
    network: Network, theta: Array, X: Array, Y: Array, order: Order, batch_size: int, learning_rate: float
) -> Array:
    """Parameters (p,) after one pass over the rows in the given order."""
    check_batch_size(batch_size, len(order))
    theta, X, Y = arrays(network, theta, X, Y)
    rows, step = (X, Y, np.ascontiguousarray(order, np.int64)), theta.dtype.type(learning_rate)
    found = theta.copy()
    _run_epoch(_sizes(network), codes(network), found, rows, (int(batch_size), step, False), np.empty_like(theta))
    return found


def _forward_outputs(network: Network, theta: Array, X: Array, activates: bool) -> Array:
    """Activations (n, k) of the last layer, or its pre-activations."""
    found = np.empty((len(X), network.n_outputs), X.dtype)
    _run_forward(_sizes(network), codes(network), theta, X, activates, found)
    return found


def _sizes(network: Network) -> npt.NDArray[np.int64]:
    return np.array(network.sizes)


@njit(cache=True)
def _run_forward(sizes, codes, theta, X, activates, found):
    codes = Codes(*codes)
    work = np.empty(len(X) * sizes[1:].sum(), X.dtype)
    _forward(sizes, codes, theta, X, work)
    A = _layer_of(work, sizes, len(sizes) - 1, len(X))
    if activates:
        _activate(codes.output, A)
    found[:] = A


@njit(cache=True)
def _mean_loss(loss, Z, Y):
    total = Z.dtype.type(0)
    for i in range(len(Z)):
        total += _row_loss(loss, Z[i], Y[i])
    return total / Z.dtype.type(len(Z))


@njit(cache=True)
def _row_loss(loss, z, y):
    """Loss of one row, from its pre-activations, or from its activations for squared error."""
    zero, total, half = z.dtype.type(0), z.dtype.type(0), z.dtype.type(0.5)
    if loss == CROSS_ENTROPY:
        total = _cross_entropy(z, y)
    elif loss == SQUARED_ERROR:
        for j in range(len(z)):
            total += half * (z[j] - y[j]) * (z[j] - y[j])
    elif loss == BINARY_CROSS_ENTROPY:
        for j in range(len(z)):
            total += max(z[j], zero) - y[j] * z[j] + np.log1p(np.exp(-abs(z[j])))
    else:
        raise ValueError("_row_loss has no loop for this loss: add it")
    return total


@njit(cache=True)
def _cross_entropy(z, y):
    """Loss of one row whose outputs are a softmax, from its pre-activations."""
    top, normaliser, total = z[_argmax(z)], z.dtype.type(0), z.dtype.type(0)
    for j in range(len(z)):
        normaliser += np.exp(z[j] - top)
    for j in range(len(z)):
        total += y[j] * (np.log(normaliser) - (z[j] - top))
    return total


@njit(cache=True)
def _softmax(Z):
    """Replace the pre-activations of each row by their softmax."""
    for i in range(len(Z)):
        z = Z[i]
        top, total = z[_argmax(z)], z.dtype.type(0)
        for j in range(len(z)):
            z[j] = np.exp(z[j] - top)
            total += z[j]
        for j in range(len(z)):
            z[j] /= total


@njit(cache=True)
def _sigmoid(z):
    one, zero = type(z)(1), type(z)(0)
    e = np.exp(-abs(z))
    return (one if z >= zero else e) / (one + e)


@njit(cache=True)
def _argmax(z):
    best = 0
    for j in range(1, len(z)):
        if z[j] > z[best]:
            best = j
    return best


@njit(cache=True)
def _run_epoch(sizes, codes, theta, rows, descent, gradient):
    """Move theta by one pass over rows (X, Y, order), or leave it, with the gradient of all rows as they lie.

    descent is (B, learning rate, whether the gradient alone is asked for).

    One function for both: each would be compiled with all that a batch passes through.
    """
    codes, (X, Y, order), (batch_size, learning_rate, only_gradient) = Codes(*codes), rows, descent
    work = np.empty(batch_size * sizes[1:].sum(), X.dtype)
    buffers = Buffers(work, np.empty_like(work), gradient)
    gathered = 0 if only_gradient else batch_size
    X_batch = np.empty((gathered, X.shape[1]), X.dtype)
    Y_batch = np.empty((gathered, Y.shape[1]), X.dtype)
    if not only_gradient:
        check_order(order, X)
    for start in range(0, len(X) if only_gradient else len(order), batch_size):
        if only_gradient:
            X_rows, Y_rows = X, Y
        else:
            m = min(batch_size, len(order) - start)
            for i in range(m):
                row = order[start + i]
                X_batch[i] = X[row]
                Y_batch[i] = Y[row]
            X_rows, Y_rows = X_batch[:m], Y_batch[:m]
        _gradient(sizes, codes, theta, (X_rows, Y_rows), buffers)
        if only_gradient:
            return
        for i in range(len(theta)):
            theta[i] -= learning_rate * buffers.gradient[i]


@_inlined
def _layer_of(work, sizes, layer, rows):
    """View of the activations (rows, width) of a layer, 1 for the first, in the flat work space."""
    start = rows * sizes[1:layer].sum()
    return work[start : start + rows * sizes[layer]].reshape(rows, sizes[layer])


@_inlined
def _weights_of(theta, sizes, layer):
    """Views W (fan_in, fan_out) and b (fan_out,) of a layer, 1 for the first."""
    start = 0
    for i in range(1, layer):
        start += (sizes[i - 1] + 1) * sizes[i]
    middle = start + sizes[layer - 1] * sizes[layer]
    return theta[start:middle].reshape(sizes[layer - 1], sizes[layer]), theta[middle : middle + sizes[layer]]


@_inlined
def _forward(sizes, codes, theta, X, work):
    """Fill the activations of the hidden layers and the pre-activations of the last one."""
    previous = X
    for layer in range(1, len(sizes)):
        W, b = _weights_of(theta, sizes, layer)
        A = _layer_of(work, sizes, layer, len(X))
        np.dot(previous, W, A)
        for i in range(len(A)):
            for j in range(len(b)):
                A[i, j] += b[j]
        if layer < len(sizes) - 1:
            _activate(codes.hidden, A)
        previous = A


@njit(cache=True)
def _activate(code, A):
    """Replace pre-activations by their activations."""
    flat, zero = A.reshape(A.size), A.dtype.type(0)
    if code == SOFTMAX:
        _softmax(A)
    elif code == SIGMOID:
        for i in range(len(flat)):
            flat[i] = _sigmoid(flat[i])
    elif code == TANH:
        for i in range(len(flat)):
            flat[i] = np.tanh(flat[i])
    elif code == RELU:
        for i in range(len(flat)):
            flat[i] = max(flat[i], zero)
    elif code != IDENTITY:
        raise ValueError("_activate has no loop for this activation: add it")


@_inlined
def _gradient(sizes, codes, theta, rows, buffers):
    """Write the gradient of a batch of rows (X, Y) by theta."""
    (X, Y), last = rows, len(sizes) - 1
    _forward(sizes, codes, theta, X, buffers.work)
    _output_delta(codes, buffers, sizes, Y)
    delta = _layer_of(buffers.back, sizes, last, len(X))
    for layer in range(last, 0, -1):
        previous = X if layer == 1 else _layer_of(buffers.work, sizes, layer - 1, len(X))
        dW, db = _weights_of(buffers.gradient, sizes, layer)
        np.dot(previous.T, delta, dW)
        db[:] = 0
        for i in range(len(delta)):
            for j in range(len(db)):
                db[j] += delta[i, j]
        if layer > 1:
            lower = _layer_of(buffers.back, sizes, layer - 1, len(X))
            np.dot(delta, _weights_of(theta, sizes, layer)[0].T, lower)
            _multiply_derivative(codes.hidden, previous, lower)
            delta = lower


@_inlined
def _output_delta(codes, buffers, sizes, Y):
    """Activate the last layer, and write its deltas, divided by the number of rows."""
    A = _layer_of(buffers.work, sizes, len(sizes) - 1, len(Y))
    delta = _layer_of(buffers.back, sizes, len(sizes) - 1, len(Y))
    one, multiplies = A.dtype.type(1), multiplies_derivative(codes.delta)
    _activate(codes.output, A)
    scale = one / A.dtype.type(len(Y))
    for i in range(len(A)):
        for j in range(A.shape[1]):
            derivative = A[i, j] * (one - A[i, j]) if multiplies else one
            delta[i, j] = (A[i, j] - Y[i, j]) * derivative * scale


@njit(cache=True)
def _multiply_derivative(code, A, delta):
    """Multiply delta by the derivative of a hidden activation, from its value A."""
    one, zero = A.dtype.type(1), A.dtype.type(0)
    a, d = A.reshape(A.size), delta.reshape(delta.size)
    if code == SIGMOID:
        for i in range(len(a)):
            d[i] *= a[i] * (one - a[i])
    elif code == TANH:
        for i in range(len(a)):
            d[i] *= one - a[i] * a[i]
    elif code == RELU:
        for i in range(len(a)):
            if a[i] <= zero:
                d[i] = zero
    else:
        raise ValueError("_multiply_derivative has no loop for this activation: add it")
