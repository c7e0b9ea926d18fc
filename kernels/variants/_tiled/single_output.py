"""Networks of one weight for each input: with one output the panels of ``layout`` would be nearly all padding.

Vectors run along the inputs. A few rows of a batch are used for their pre-activations and for the step while they are
in the first cache; between the two, their activations are vectors along the rows.
"""

import numpy as np

from kernels.variants._numba.arguments import IDENTITY, SIGMOID, Codes, check_order, multiplies_derivative
from kernels.variants._numba.compiled import inlined, reordered
from kernels.variants._tiled.elementary import flush_subnormals, restore
from kernels.variants._tiled.elementwise import activate, sigmoid
from kernels.variants._tiled.emitter import VECTOR_BYTES
from kernels.variants._tiled.far_rows import FAR_DATA_BYTES
from kernels.variants._tiled.row_products import Turns, add_rows, dots, dots_of_far_rows

LEAST_ROWS, MOST_ROWS, ROWS_BYTES = 16, 64, 16 * 1024
"""Rows that are worked through at once: a multiple of the first, which is a multiple of what a vector holds, and no
more than half a first cache holds unless rows are long."""
OUTPUTS = ("identity", "sigmoid")
"""Output activations that this is written for."""


@reordered
def epoch_of_single(codes, theta, rows, descent, found):
    """Find the parameters (d + 1,) after one pass over rows (X, Y, order); descent (B, learning rate)."""
    codes, (batch_size, learning_rate) = Codes(*codes), descent
    check_order(rows[2], rows[0])
    if codes.output != SIGMOID and codes.output != IDENTITY:
        raise ValueError("epoch_of_single has no line for this activation: add it")
    multiplies = multiplies_derivative(codes.delta)
    before = flush_subnormals()
    found[:] = theta
    if batch_size == 1:
        _row_by_row((codes.output, multiplies), found, rows, -learning_rate)
    else:
        _batch_by_batch((codes.output, multiplies), found, rows, descent)
    restore(before)


@inlined
def _row_by_row(output, theta, rows, scale):
    (X, Y, order), (code, multiplies) = rows, output
    d, z, one, far = X.shape[1], np.empty(1, X.dtype), theta.dtype.type(1), X.size * X.itemsize >= FAR_DATA_BYTES
    for turn in range(len(order)):
        turns, x = Turns(turn, 1, len(order) - 1), X[order[turn]]
        if far:
            dots_of_far_rows(theta, X, order, d, turns, z)
        else:
            dots(theta, X, order, d, turns, z)
        a = sigmoid(z[0]) if code == SIGMOID else z[0]
        derivative = a * (one - a) if multiplies else one
        delta = (a - Y[order[turn], 0]) * derivative * scale
        for j in range(d):
            theta[j] += delta * x[j]
        theta[d] += delta


@inlined
def _batch_by_batch(output, theta, rows, descent):
    (X, Y, order), (batch_size, learning_rate), (code, multiplies) = rows, descent, output
    n, d, one = len(order), X.shape[1], theta.dtype.type(1)
    most = max(LEAST_ROWS, min(MOST_ROWS, ROWS_BYTES // (d * X.itemsize)) // LEAST_ROWS * LEAST_ROWS)
    a, deltas = np.empty(most, X.dtype), np.empty(most, X.dtype)
    step = np.zeros(d + VECTOR_BYTES // X.itemsize, X.dtype)
    far = X.size * X.itemsize >= FAR_DATA_BYTES
    for first in range(0, n, batch_size):
        end = min(first + batch_size, n)
        scale, of_bias = -learning_rate / theta.dtype.type(end - first), theta.dtype.type(0)
        for start in range(first, end, most):
            m = min(most, end - start)
            turns = Turns(start, m, n - 1)
            if far:
                dots_of_far_rows(theta, X, order, d, turns, a)
            else:
                dots(theta, X, order, d, turns, a)
            activate(code, a[:m])
            for i in range(m):
                deltas[i] = Y[order[start + i], 0]
            for i in range(m):
                derivative = a[i] * (one - a[i]) if multiplies else one
                deltas[i] = (a[i] - deltas[i]) * derivative * scale
            for i in range(m):
                of_bias += deltas[i]
            add_rows(step, X, order, d, turns, deltas)
        for j in range(d):
            theta[j] += step[j]
            step[j] = 0
        theta[d] += of_bias


@reordered
def epochs_of_single(codes, thetas, data, orders, descent, found):
    """Find the parameters (S, d + 1), each after its own rows: orders (S, m) of data (X, Y); descent as above."""
    X, Y = data
    for s in range(len(thetas)):
        epoch_of_single(codes, thetas[s], (X, Y, orders[s]), descent, found[s])
