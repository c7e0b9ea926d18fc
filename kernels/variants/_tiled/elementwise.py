"""What happens between the products, element by element: activations, their derivatives, losses."""

import numpy as np

from kernels.variants._numba.arguments import (
    BINARY_CROSS_ENTROPY,
    CROSS_ENTROPY,
    IDENTITY,
    RELU,
    SIGMOID,
    SOFTMAX,
    SQUARED_ERROR,
    TANH,
)
from kernels.variants._numba.compiled import compiled
from kernels.variants._tiled.elementary import exp, expm1

TANH_LIMIT = 20.0
"""From here on tanh is 1 in float64, and in float32."""


@compiled
def activate(code, A):
    """Replace the pre-activations A, flat, by their activations; softmax and identity are left as they are."""
    if code == SIGMOID:
        for i in range(len(A)):
            A[i] = sigmoid(A[i])
    elif code == TANH:
        for i in range(len(A)):
            A[i] = _tanh(A[i])
    elif code == RELU:
        zero = A.dtype.type(0)
        for i in range(len(A)):
            A[i] = zero if A[i] <= zero else A[i]  # so that what is no number stays none
    elif code != IDENTITY and code != SOFTMAX:
        raise ValueError("activate has no loop for this activation: add it")


@compiled
def sigmoid(z):
    """``1 / (1 + exp(-z))``, from an exponential that cannot overflow."""
    one, zero = type(z)(1), type(z)(0)
    e = exp(-abs(z))
    return (one if z >= zero else e) / (one + e)


@compiled
def _tanh(z):
    """``tanh |z| = m / (m + 2)`` with ``m = exp(2 |z|) - 1``: no cancellation near 0."""
    two, zero = type(z)(2), type(z)(0)
    m = expm1(two * min(abs(z), type(z)(TANH_LIMIT)))
    a = m / (m + two)
    return a if z >= zero else -a


@compiled
def multiply_derivative(code, A, delta):
    """Multiply delta, flat, by the derivative of a hidden activation, from its value A."""
    one, zero = A.dtype.type(1), A.dtype.type(0)
    if code == SIGMOID:
        for i in range(len(A)):
            delta[i] *= A[i] * (one - A[i])
    elif code == TANH:
        for i in range(len(A)):
            delta[i] *= one - A[i] * A[i]
    elif code == RELU:
        for i in range(len(A)):
            delta[i] = zero if A[i] <= zero else delta[i]
    else:
        raise ValueError("multiply_derivative has no loop for this activation: add it")


@compiled
def exponentials(z):
    """Replace pre-activations, which are not above 0, by their exponentials; others give numbers that mean nothing."""
    for i in range(len(z)):
        z[i] = exp(z[i])


@compiled
def mean_loss(loss, Z, Y):
    """Mean loss of the rows of Z (n, k), pre-activations, or activations for squared error, against Y (n, k)."""
    total = Z.dtype.type(0)
    for i in range(len(Z)):
        total += row_loss(loss, Z[i], Y[i])
    return total / Z.dtype.type(len(Z))


@compiled
def row_loss(loss, z, y):
    """Loss of one row, from its pre-activations, or from its activations for squared error."""
    zero, total, half = z.dtype.type(0), z.dtype.type(0), z.dtype.type(0.5)
    if loss == CROSS_ENTROPY:
        total = _cross_entropy(z, y)
    elif loss == SQUARED_ERROR:
        for j in range(len(z)):
            total += half * (z[j] - y[j]) * (z[j] - y[j])
    elif loss == BINARY_CROSS_ENTROPY:
        for j in range(len(z)):
            total += max(z[j], zero) - y[j] * z[j] + np.log1p(exp(-abs(z[j])))
    else:
        raise ValueError("row_loss has no loop for this loss: add it")
    return total


@compiled
def _cross_entropy(z, y):
    """Loss of one row whose outputs are a softmax."""
    top, normaliser, total = z[0], z.dtype.type(0), z.dtype.type(0)
    for j in range(1, len(z)):
        top = max(top, z[j])
    for j in range(len(z)):
        normaliser += exp(z[j] - top)
    log_normaliser = np.log(normaliser)
    for j in range(len(z)):
        total += y[j] * (log_normaliser - (z[j] - top))
    return total
