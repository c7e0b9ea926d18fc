"""Networks of one weight for each input: a row's pre-activation and its update are vectors as long as the row.

With one output the panels of ``_layout`` would be nearly all padding. Here LLVM's vectors run along the inputs, and a
row of a batch is used for its pre-activation and for the step while it is in the first cache.
"""

import numpy as np

from kernels.variants._arguments import SIGMOID, check_order
from kernels.variants._compiled import inlined, reordered
from kernels.variants._elementary import flush_subnormals, restore
from kernels.variants._elementwise import sigmoid


@reordered
def epoch_of_single(output, squared, theta, X, Y, order, batch_size, rate):
    """Parameters (d + 1,) after one pass over the rows in the given order."""
    check_order(order, X)
    before = flush_subnormals()
    theta = theta.copy()
    step = np.zeros_like(theta)
    for first in range(0, len(order), batch_size):
        rows = min(batch_size, len(order) - first)
        scale = -rate / theta.dtype.type(rows)
        if batch_size == 1:
            _add_row(output, squared, theta, X[order[first]], Y[order[first], 0], scale, theta)
            continue
        for i in range(first, first + rows):
            _add_row(output, squared, theta, X[order[i]], Y[order[i], 0], scale, step)
        for j in range(len(theta)):
            theta[j] += step[j]
            step[j] = 0
    restore(before)
    return theta


@inlined
def _add_row(output, squared, theta, x, y, scale, target):
    """Add the gradient of one row, times scale, to the target."""
    d = len(x)
    z, one = theta[d], theta.dtype.type(1)
    for j in range(d):
        z += x[j] * theta[j]
    a = sigmoid(z) if output == SIGMOID else z
    slope = a * (one - a) if squared and output == SIGMOID else one
    delta = (a - y) * slope * scale
    for j in range(d):
        target[j] += delta * x[j]
    target[d] += delta
