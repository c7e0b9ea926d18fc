"""Networks of one weight for each input: a row's pre-activation and its update are vectors as long as the row.

With one output the panels of ``layout`` would be nearly all padding. Here LLVM's vectors run along the inputs, and a
row of a batch is used for its pre-activation and for the step while it is in the first cache.
"""

import numpy as np

from kernels.variants._numba.arguments import IDENTITY, SIGMOID, Codes, check_order, multiplies_derivative
from kernels.variants._numba.compiled import inlined, reordered
from kernels.variants._tiled.elementary import flush_subnormals, restore
from kernels.variants._tiled.elementwise import sigmoid

OUTPUTS = ("identity", "sigmoid")
"""Output activations that this is written for."""


@reordered
def epoch_of_single(codes, theta, rows, descent, found):
    """Find the parameters (d + 1,) after one pass over rows (X, Y, order); descent (B, learning rate)."""
    codes, (X, Y, order), (batch_size, learning_rate) = Codes(*codes), rows, descent
    check_order(order, X)
    if codes.output != SIGMOID and codes.output != IDENTITY:
        raise ValueError("epoch_of_single has no line for this activation: add it")
    multiplies = multiplies_derivative(codes.delta)
    before = flush_subnormals()
    found[:] = theta
    step = np.zeros_like(found)
    for first in range(0, len(order), batch_size):
        m = min(batch_size, len(order) - first)
        scale = -learning_rate / theta.dtype.type(m)
        if batch_size == 1:
            row = order[first]
            _add_row((codes.output == SIGMOID, multiplies), found, X[row], Y[row, 0], scale, found)
            continue
        for i in range(first, first + m):
            _add_row((codes.output == SIGMOID, multiplies), found, X[order[i]], Y[order[i], 0], scale, step)
        for j in range(len(found)):
            found[j] += step[j]
            step[j] = 0
    restore(before)


@reordered
def epochs_of_single(codes, thetas, data, orders, descent, found):
    """Find the parameters (S, d + 1), each after its own rows: orders (S, m) of data (X, Y); descent as above."""
    X, Y = data
    for s in range(len(thetas)):
        epoch_of_single(codes, thetas[s], (X, Y, orders[s]), descent, found[s])


@inlined
def _add_row(is_sigmoid, theta, x, y, scale, target):
    """Add the gradient of one row, times scale, to the target; whether output and derivative are the sigmoid's."""
    d, (output_is, derivative_is) = len(x), is_sigmoid
    z, one = theta[d], theta.dtype.type(1)
    for j in range(d):
        z += x[j] * theta[j]
    a = sigmoid(z) if output_is else z
    derivative = a * (one - a) if derivative_is else one
    delta = (a - y) * derivative * scale
    for j in range(d):
        target[j] += delta * x[j]
    target[d] += delta
