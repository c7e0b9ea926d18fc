"""Passes over one chunk of rows, dense: pre-activations and activations forward, deltas and updates backward.

In all of them ``plan`` says where the arrays lie in ``memory``, and m is the number of rows of the chunk. The gradient
is added to the parameters themselves, or to what lies ``shift`` elements behind them.
"""

from typing import NamedTuple

from kernels.network import Array, Order
from kernels.variants._numba.arguments import SOFTMAX, multiplies_derivative
from kernels.variants._numba.compiled import inlined, part
from kernels.variants._tiled.elementwise import activate, exponentials, multiply_derivative
from kernels.variants._tiled.layout import ONE, SCALE
from kernels.variants._tiled.outputs import OutputRows, Targets, normalise, subtract_largest, write_deltas
from kernels.variants._tiled.single_above_hidden import single_delta, single_forward, single_update
from kernels.variants._tiled.tiles import Left, Panels, product, transpose_block


class Rows(NamedTuple):
    """Data, and the order in which their rows are gone through.

    It is made once in a call: each time that arrays are put into a tuple, their references are counted.
    """

    X: Array
    """(n, d)"""
    Y: Array
    """(n, k)"""
    order: Order
    """(n,) indices of rows."""


class Chunk(NamedTuple):
    """Rows that are worked through at once: ``order[start : start + m]``."""

    start: int
    m: int
    scale: float
    """Factor of the gradient: minus the learning rate over the rows of the batch."""


@inlined
def add_steps(plan, codes, memory, rows, chunk, work):
    """Add the gradient of a chunk of rows, times its scale; ``work`` is (row starts (capacity,), shift)."""
    row_starts, shift = work
    starts = row_starts[: chunk.m]
    find_rows(rows, chunk, starts)
    first_forward(plan, memory, rows.X, starts)
    forward_pass(plan, codes, memory, chunk.m)
    output_delta(plan.layers[-1], plan.capacity, codes, memory, rows.Y, rows.order, chunk)
    backward(plan, codes, memory, chunk.m, shift)
    first_update(plan, memory, rows.X, starts, shift)


@inlined
def find_rows(rows, chunk, starts):
    """Write where the rows of a chunk begin in X."""
    order, d = rows.order, rows.X.shape[1]
    for i in range(len(starts)):
        starts[i] = order[chunk.start + i] * d


@part
def first_forward(plan, memory, X, starts):
    """Pre-activations of the first layer for the data rows that begin at those indices of X."""
    layer, m = plan.layers[0], len(starts)
    if layer.input_width > layer.fan_in:
        values = X.ravel()
        for i in range(m):
            to = layer.input + i * layer.input_width
            copied, row = memory[to : to + layer.fan_in], values[starts[i] : starts[i] + layer.fan_in]
            for j in range(len(copied)):
                copied[j] = row[j]
        forward_layer(layer, plan, memory, m)
        return
    start_from_bias(layer, plan.capacity, memory, m)
    product(memory, Left(X, 0, starts, None), _forward_panels(layer, plan.capacity, m))


@inlined
def _forward_panels(layer, capacity, m):
    """Weights and pre-activations of a layer."""
    weights, step = layer.weights, layer.fan_in * layer.width
    result, rows = layer.activations, capacity * layer.width
    return Panels(layer.vectors, layer.panels, weights, step, layer.fan_in, result, rows, m)


@inlined
def _update_panels(layer, capacity, m, first, count):
    """Deltas of a layer, and so many rows of its weights, or of what lies behind them, that begin at ``first``."""
    deltas, step, rows = layer.deltas, capacity * layer.width, layer.fan_in * layer.width
    return Panels(layer.vectors, layer.panels, deltas, step, m, first, rows, count)


@part
def first_update(plan, memory, X, starts, shift):
    """Update the first layer by the data rows that begin at those indices of X."""
    layer, m = plan.layers[0], len(starts)
    if layer.input_width > layer.fan_in:
        update(layer, plan, memory, m, shift)
    else:
        panels = _update_panels(layer, plan.capacity, m, layer.weights + shift, layer.fan_in)
        product(memory, Left(X, 0, None, starts), panels)
    update_bias(layer, plan.capacity, memory, m, shift)


@inlined
def gather_row(X, row, memory, to):
    """Copy one data row into memory; element by element, which LLVM makes twice as fast as a slice."""
    for j in range(X.shape[1]):
        memory[to + j] = X[row, j]


@inlined
def forward_layer(layer, plan, memory, m):
    """Pre-activations of a layer whose input lies in panels."""
    start_from_bias(layer, plan.capacity, memory, m)
    ways = plan.ways[layer.input_ways : layer.input_ways + layer.fan_in]
    product(memory, Left(memory, layer.input, layer.input_width, ways), _forward_panels(layer, plan.capacity, m))


@inlined
def start_from_bias(layer, capacity, memory, m):
    """Start the pre-activations of a layer from its bias."""
    width = layer.width
    for panel in range(layer.panels):
        to, bias = layer.activations + panel * capacity * width, layer.bias + panel * width
        for i in range(m):
            for j in range(width):
                memory[to + i * width + j] = memory[bias + j]


@inlined
def activate_layer(layer, capacity, code, memory, m):
    """Replace the pre-activations of a layer by its activations, except for softmax."""
    for panel in range(layer.panels):
        start = layer.activations + panel * capacity * layer.width
        activate(code, memory[start : start + m * layer.width])


@part
def forward_pass(plan, codes, memory, m):
    """Activations of the hidden layers and pre-activations of the last one, from the second layer's input on."""
    layers, capacity = plan.layers, plan.capacity
    for number in range(1, len(layers)):
        activate_layer(layers[number - 1], capacity, codes.hidden, memory, m)
        if layers[number].weights_step == 1:
            single_forward(layers[number], layers[number - 1], capacity, memory, m)
        else:
            forward_layer(layers[number], plan, memory, m)


@part
def output_delta(layer, capacity, codes, memory, Y, order, chunk):
    """Write the deltas of the last layer, times the chunk's scale, from its pre-activations and the targets."""
    activate_output(layer, capacity, codes, memory, chunk.m)
    residual(layer, capacity, codes, memory, Y, order, chunk)


@inlined
def residual(layer, capacity, codes, memory, Y, order, chunk):
    """Write the deltas of the last layer, times the chunk's scale, from its activations and the targets."""
    memory[SCALE] = chunk.scale
    targets = Targets(layer.deltas, chunk.start, 1 if multiplies_derivative(codes.delta) else 0)
    write_deltas(memory, Y, order, _outputs(layer, capacity, chunk.m), targets, SCALE)


@inlined
def _outputs(layer, capacity, m):
    step = capacity * layer.width
    return OutputRows(layer.vectors, layer.panels, layer.fan_out, layer.activations, step, m)


@part
def activate_output(layer, capacity, codes, memory, m):
    """Replace the pre-activations of the last layer by the network's outputs."""
    if codes.output == SOFTMAX:
        _softmax(layer, capacity, memory, m)
    else:
        activate_layer(layer, capacity, codes.output, memory, m)


@inlined
def _softmax(layer, capacity, memory, m):
    """Replace the pre-activations of the last layer by their softmax; what the padding holds then means nothing."""
    subtract_max(layer, capacity, memory, m)
    for panel in range(layer.panels):
        start = layer.activations + panel * capacity * layer.width
        exponentials(memory[start : start + m * layer.width])
    normalise(memory, _outputs(layer, capacity, m))


@inlined
def subtract_max(layer, capacity, memory, m):
    """Subtract the largest pre-activation of the last layer in each row from all of them."""
    subtract_largest(memory, _outputs(layer, capacity, m))


@part
def backward(plan, codes, memory, m, shift):
    """Deltas of the layers below the last, and the updates of those above the first."""
    layers, capacity = plan.layers, plan.capacity
    for number in range(len(layers) - 1, 0, -1):
        layer, below = layers[number], layers[number - 1]
        if layer.weights_step == 1:
            single_delta(layer, below, capacity, memory, m)
        else:
            transpose(layer, below, memory)
            lower_delta(layer, below, plan, memory, m)
        derive_layer(below, capacity, codes.hidden, memory, m)
        if layer.weights_step == 1:
            single_update(layer, below, capacity, memory, m, shift)
        else:
            update(layer, plan, memory, m, shift)
        update_bias(layer, capacity, memory, m, shift)


@inlined
def transpose(layer, below, memory):
    """Write the transposed weights of a layer, in panels as wide as those of the layer below, its padding as zeros."""
    width, lower, fan_in = layer.width, below.width, layer.fan_in
    lanes, height = width // layer.vectors, layer.panels * width
    for first in range(0, below.panels * lower, lanes):
        target = layer.transposed + (first // lower) * height * lower + first % lower
        for j in range(0, height, lanes):
            source = layer.weights + ((j // width) * fan_in + first) * width + j % width
            if first + lanes <= fan_in:
                transpose_block(memory, target + j * lower, lower, source, width)
                continue
            for i in range(lanes):
                for r in range(lanes):
                    known = first + i < fan_in
                    memory[target + (j + r) * lower + i] = memory[source + i * width + r] if known else 0


@inlined
def lower_delta(layer, below, plan, memory, m):
    """Products of a layer's deltas and its transposed weights, written as the deltas of the layer below."""
    lower, rows = below.width, plan.capacity * below.width
    for panel in range(below.panels):
        memory[below.deltas + panel * rows : below.deltas + panel * rows + m * lower] = 0
    ways, step = plan.ways[layer.ways : layer.ways + layer.fan_out], layer.panels * layer.width * lower
    left, transposed, result = Left(memory, layer.deltas, layer.width, ways), layer.transposed, below.deltas
    product(memory, left, Panels(below.vectors, below.panels, transposed, step, layer.fan_out, result, rows, m))


@inlined
def derive_layer(layer, capacity, code, memory, m):
    """Multiply the deltas of a hidden layer by the derivative of its activation."""
    for panel in range(layer.panels):
        first, size = panel * capacity * layer.width, m * layer.width
        activations, deltas = layer.activations + first, layer.deltas + first
        multiply_derivative(code, memory[activations : activations + size], memory[deltas : deltas + size])


@inlined
def update(layer, plan, memory, m, shift):
    """Add the products of inputs, in panels, and deltas to a layer's weights."""
    for first in range(0, layer.fan_in, layer.input_width):  # columns lie side by side in a panel of the input
        rows, weights = min(layer.input_width, layer.fan_in - first), layer.weights + first * layer.width + shift
        left = Left(memory, layer.input + plan.capacity * first, None, layer.input_width)
        product(memory, left, _update_panels(layer, plan.capacity, m, weights, rows))


@inlined
def update_bias(layer, capacity, memory, m, shift):
    """Add the deltas of m rows to a layer's bias: the product of a row of ones, all of them the same 1, and them."""
    deltas, rows, bias, width = layer.deltas, capacity * layer.width, layer.bias + shift, layer.width
    product(memory, Left(memory, ONE, None, 0), Panels(layer.vectors, layer.panels, deltas, rows, m, bias, width, 1))


@inlined
def output_row(layer, capacity, memory, i, found):
    """Copy one row of the last layer, pre-activations or activations, out of its panels."""
    width = layer.width
    for j in range(layer.fan_out):
        found[j] = memory[layer.activations + ((j // width) * capacity + i) * width + j % width]
