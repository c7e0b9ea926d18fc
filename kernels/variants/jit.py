"""Numba: the whole epoch, gather included, as one compiled function that never returns to Python.

Differs from ``buffered`` in who runs the loop: at small batches most of the time of NumPy variants is
the interpreter, which is left out here. Matrix products are still those of BLAS; the rest are plain loops.
Numbers travel as arguments (layer sizes, codes of activations), so each dtype compiles once for all networks.
"""

from typing import Any

import numpy as np

from kernels.contract import Array, Order
from kernels.network import Network
from kernels.validation import check_batch_size
from kernels.variants._numba import njit
from kernels.variants._numba.arguments import RELU, SIGMOID, SOFTMAX, TANH, arrays, check_order, codes


def forward(network: Network, theta: Array, X: Array) -> Array:
    """Outputs of the network, (n, k), for inputs X (n, d)."""
    return _run_forward(*_prepared(network, theta, X))


def loss(network: Network, theta: Array, X: Array, Y: Array) -> float:
    """Mean loss over the rows of X (n, d) and Y (n, k), computed from the last layer's pre-activations."""
    return float(_run_loss(*_prepared(network, theta, X, Y)))


def gradient(network: Network, theta: Array, X: Array, Y: Array) -> Array:
    """Gradient of ``loss`` by theta, (p,)."""
    return _run_gradient(*_prepared(network, theta, X, Y))


def epoch(
    network: Network, theta: Array, X: Array, Y: Array, order: Order, batch_size: int, learning_rate: float
) -> Array:
    """Parameters (p,) after one pass over the rows in the given order."""
    check_batch_size(batch_size, len(order))
    rate = theta.dtype.type(learning_rate)
    arguments = (*_prepared(network, theta, X, Y), np.ascontiguousarray(order), int(batch_size), rate)
    return _run_epoch(*arguments)


def _prepared(network: Network, theta: Array, X: Array, *Y: Array) -> tuple[Any, ...]:
    """Arguments of the compiled functions: the network in numbers, arrays that surely fit it and each other."""
    return np.array(network.sizes), *codes(network), *arrays(network, theta, X, *Y)


@njit(cache=True)
def _run_forward(sizes, hidden, output, squared, theta, X):
    work = np.empty(len(X) * sizes[1:].sum(), X.dtype)
    _forward(sizes, hidden, theta, X, work)
    A = _layer_of(work, sizes, len(sizes) - 1, len(X))
    _activate(output, A)
    return A.copy()


@njit(cache=True)
def _run_loss(sizes, hidden, output, squared, theta, X, Y):
    work = np.empty(len(X) * sizes[1:].sum(), X.dtype)
    _forward(sizes, hidden, theta, X, work)
    Z = _layer_of(work, sizes, len(sizes) - 1, len(X))
    if squared:
        _activate(output, Z)
    total = X.dtype.type(0)
    for i in range(len(Z)):
        total += _row_loss(output, squared, Z[i], Y[i])
    return total / X.dtype.type(len(X))


@njit(cache=True)
def _row_loss(output, squared, z, y):
    """Loss of one row, from its pre-activations, or from its activations for squared error."""
    zero, total, half = z.dtype.type(0), z.dtype.type(0), z.dtype.type(0.5)
    if output == SOFTMAX:
        top, normaliser = z[_argmax(z)], zero
        for j in range(len(z)):
            normaliser += np.exp(z[j] - top)
        for j in range(len(z)):
            total += y[j] * (np.log(normaliser) - (z[j] - top))
        return total
    for j in range(len(z)):
        if squared:
            total += half * (z[j] - y[j]) * (z[j] - y[j])
        else:
            total += max(z[j], zero) - y[j] * z[j] + np.log1p(np.exp(-abs(z[j])))
    return total


@njit(cache=True)
def _softmax(z):
    """Replace the pre-activations of one row by their softmax."""
    top, total = z[_argmax(z)], z.dtype.type(0)
    for j in range(len(z)):
        z[j] = np.exp(z[j] - top)
        total += z[j]
    for j in range(len(z)):
        z[j] /= total


@njit(cache=True)
def _argmax(z):
    best = 0
    for j in range(1, len(z)):
        if z[j] > z[best]:
            best = j
    return best


@njit(cache=True)
def _run_gradient(sizes, hidden, output, squared, theta, X, Y):
    work = np.empty(len(X) * sizes[1:].sum(), X.dtype)
    back = np.empty_like(work)
    gradient = np.empty_like(theta)
    _gradient(sizes, hidden, output, squared, theta, X, Y, work, back, gradient)
    return gradient


@njit(cache=True)
def _run_epoch(sizes, hidden, output, squared, theta, X, Y, order, batch_size, rate):
    check_order(order, X)
    theta, gradient = theta.copy(), np.empty_like(theta)
    work = np.empty(batch_size * sizes[1:].sum(), X.dtype)
    back = np.empty_like(work)
    X_batch = np.empty((batch_size, X.shape[1]), X.dtype)
    Y_batch = np.empty((batch_size, Y.shape[1]), X.dtype)
    for start in range(0, len(order), batch_size):
        rows = min(batch_size, len(order) - start)
        for i in range(rows):
            row = order[start + i]
            X_batch[i] = X[row]
            Y_batch[i] = Y[row]
        _gradient(sizes, hidden, output, squared, theta, X_batch[:rows], Y_batch[:rows], work, back, gradient)
        for i in range(len(theta)):
            theta[i] -= rate * gradient[i]
    return theta


@njit(cache=True)
def _layer_of(work, sizes, layer, rows):
    """View of the activations (rows, width) of a layer, 1 for the first, in the flat work space."""
    start = rows * sizes[1:layer].sum()
    return work[start : start + rows * sizes[layer]].reshape(rows, sizes[layer])


@njit(cache=True)
def _weights_of(theta, sizes, layer):
    """Views W (fan_in, fan_out) and b (fan_out,) of a layer, 1 for the first."""
    start = 0
    for i in range(1, layer):
        start += (sizes[i - 1] + 1) * sizes[i]
    middle = start + sizes[layer - 1] * sizes[layer]
    return theta[start:middle].reshape(sizes[layer - 1], sizes[layer]), theta[middle : middle + sizes[layer]]


@njit(cache=True)
def _forward(sizes, hidden, theta, X, work):
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
            _activate(hidden, A)
        previous = A


@njit(cache=True)
def _activate(code, A):
    """Replace pre-activations by their activations."""
    one, zero = A.dtype.type(1), A.dtype.type(0)
    if code == SOFTMAX:
        for i in range(len(A)):
            _softmax(A[i])
    flat = A.reshape(A.size)
    for i in range(len(flat)):
        z = flat[i]
        if code == SIGMOID:
            e = np.exp(-abs(z))
            flat[i] = (one if z >= zero else e) / (one + e)
        elif code == TANH:
            flat[i] = np.tanh(z)
        elif code == RELU:
            flat[i] = max(z, zero)


@njit(cache=True)
def _gradient(sizes, hidden, output, squared, theta, X, Y, work, back, gradient):
    """Write the gradient by theta; work takes the activations, back the deltas of each layer."""
    one, zero, last = X.dtype.type(1), X.dtype.type(0), len(sizes) - 1
    _forward(sizes, hidden, theta, X, work)
    A, delta = _layer_of(work, sizes, last, len(X)), _layer_of(back, sizes, last, len(X))
    _activate(output, A)
    scale = one / X.dtype.type(len(X))
    for i in range(len(A)):
        for j in range(A.shape[1]):
            slope = A[i, j] * (one - A[i, j]) if squared and output == SIGMOID else one
            delta[i, j] = (A[i, j] - Y[i, j]) * slope * scale
    for layer in range(last, 0, -1):
        previous = X if layer == 1 else _layer_of(work, sizes, layer - 1, len(X))
        dW, db = _weights_of(gradient, sizes, layer)
        np.dot(previous.T, delta, dW)
        db[:] = zero
        for i in range(len(delta)):
            for j in range(len(db)):
                db[j] += delta[i, j]
        if layer > 1:
            lower = _layer_of(back, sizes, layer - 1, len(X))
            np.dot(delta, _weights_of(theta, sizes, layer)[0].T, lower)
            _multiply_derivative(hidden, previous, lower)
            delta = lower


@njit(cache=True)
def _multiply_derivative(hidden, A, delta):
    """Multiply delta by the derivative of a hidden activation, from its value A."""
    one, zero = A.dtype.type(1), A.dtype.type(0)
    for i in range(len(A)):
        for j in range(A.shape[1]):
            a = A[i, j]
            if hidden == SIGMOID:
                delta[i, j] *= a * (one - a)
            elif hidden == TANH:
                delta[i, j] *= one - a * a
            elif a <= zero:
                delta[i, j] = zero
