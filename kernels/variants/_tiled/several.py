"""Losses of several parameters in one call, each of its own rows: on small problems a call costs more than its work."""

import numpy as np

from kernels.variants._numba.arguments import CROSS_ENTROPY, IDENTITY, SIGMOID, Codes, check_order
from kernels.variants._numba.compiled import compiled, part, reordered
from kernels.variants._tiled.elementwise import exponentials, row_loss, sigmoid
from kernels.variants._tiled.layout import Plan
from kernels.variants._tiled.parameters import load_parameters
from kernels.variants._tiled.passes import activate_output, first_forward, forward_pass, output_row, subtract_max


@compiled
def losses_of_several(plan, codes, memory, activates, thetas, data, rows, found):
    """Find the mean losses (S,) at thetas (S, p) over data (X, Y) in rows (S, m), or all in the same rows (1, m).

    ``activates`` says whether the loss takes the last layer's activations, or its pre-activations.
    """
    plan, codes, (X, Y) = Plan(*plan), Codes(*codes), data
    layer, (n_rows, m) = plan.layers[-1], rows.shape
    z, row_starts = np.empty(layer.fan_out, X.dtype), np.empty(plan.capacity, np.int64)
    for i in range(n_rows):
        check_order(rows[i], X)
    for s in range(len(thetas)):
        own = rows[min(s, n_rows - 1)]
        load_parameters(plan, thetas[s], memory)
        total = X.dtype.type(0)
        for start in range(0, m, plan.capacity):
            count = min(plan.capacity, m - start)
            for i in range(count):
                row_starts[i] = own[start + i] * X.shape[1]
            first_forward(plan, memory, X, row_starts[:count])
            forward_pass(plan, codes, memory, count)
            if codes.loss == CROSS_ENTROPY:
                total += _cross_entropies(layer, plan.capacity, memory, Y, own[start : start + count])
                continue
            if activates:
                activate_output(layer, plan.capacity, codes, memory, count)
            for i in range(count):
                output_row(layer, plan.capacity, memory, i, z)
                total += row_loss(codes.loss, z, Y[own[start + i]])
        found[s] = total / X.dtype.type(m)


@part
def _cross_entropies(layer, capacity, memory, Y, rows):
    """Sum of the losses of these rows, whose outputs are a softmax; their pre-activations are overwritten.

    As ``row_loss`` has it, but with the exponentials of all rows in one loop, which LLVM puts into vectors.
    """
    width, total = layer.width, memory.dtype.type(0)
    subtract_max(layer, capacity, memory, len(rows))
    for i in range(len(rows)):
        for panel in range(layer.panels):
            at = layer.activations + (panel * capacity + i) * width
            for j in range(min(width, layer.fan_out - panel * width)):
                total -= Y[rows[i], panel * width + j] * memory[at + j]
    for panel in range(layer.panels):
        at = layer.activations + panel * capacity * width
        exponentials(memory[at : at + len(rows) * width])
    for i in range(len(rows)):
        normaliser, weight = memory.dtype.type(0), memory.dtype.type(0)
        for panel in range(layer.panels):
            at = layer.activations + (panel * capacity + i) * width
            for j in range(min(width, layer.fan_out - panel * width)):
                normaliser += memory[at + j]
                weight += Y[rows[i], panel * width + j]
        total += weight * np.log(normaliser)
    return total


@reordered
def losses_of_single(codes, activates, thetas, data, rows, found):
    """The same for networks of one weight for each input."""
    codes, (X, Y), (n_rows, m) = Codes(*codes), data, rows.shape
    if codes.output != SIGMOID and codes.output != IDENTITY:
        raise ValueError("losses_of_single has no line for this activation: add it")
    d, output = X.shape[1], np.empty(1, X.dtype)
    for i in range(n_rows):
        check_order(rows[i], X)
    for s in range(len(thetas)):
        theta, own, total = thetas[s], rows[min(s, n_rows - 1)], X.dtype.type(0)
        for row in own:
            x, z = X[row], theta[d]
            for j in range(d):
                z += x[j] * theta[j]
            output[0] = sigmoid(z) if activates and codes.output == SIGMOID else z
            total += row_loss(codes.loss, output, Y[row])
        found[s] = total / X.dtype.type(m)
