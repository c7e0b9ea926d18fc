"""The passes over one chunk of rows, dense: pre-activations and activations forward, deltas and updates backward.

``places`` is the plan of ``_layout``; ``capacity`` the rows that its panels have room for; ``m`` those in use.
"""

from kernels.variants._arguments import SIGMOID, SOFTMAX
from kernels.variants._compiled import inlined, part
from kernels.variants._elementwise import activate, exponentials, multiply_derivative
from kernels.variants._layout import (
    BIAS,
    DELTAS,
    FAN_IN,
    FAN_OUT,
    INPUT,
    INPUT_WIDTH,
    PANELS,
    SUMS,
    TURNED,
    VECTORS,
    WEIGHTS,
    WIDTH,
)
from kernels.variants._tiles import product, turn_block


@inlined
def add_steps(places, capacity, hidden, output, squared, memory, X, Y, order, start, m, scale, shift, data_rows):
    """Add the gradient of a chunk of rows, times scale, to the parameters at a shift."""
    find_rows(X, order, start, m, data_rows)
    weigh_data(places, capacity, m, memory, X, data_rows)
    forward_pass(places, hidden, capacity, m, memory)
    output_delta(places, output, squared, capacity, m, memory, Y, order, start, scale)
    backward(places, hidden, capacity, m, memory, shift)
    update_by_data(places, capacity, m, memory, shift, X, data_rows)


@inlined
def find_rows(X, order, start, m, rows):
    """Write where the data rows order[start : start + m] begin in X."""
    for i in range(m):
        rows[i] = order[start + i] * X.shape[1]


@part
def weigh_data(places, capacity, m, memory, X, rows):
    """Pre-activations of the first layer for the data rows that begin at those places of X."""
    row = places[1]
    bias_to_sums(places, 1, capacity, m, memory)
    for panel in range(row[PANELS]):
        sums = row[SUMS] + panel * capacity * row[WIDTH]
        weights = row[WEIGHTS] + panel * row[FAN_IN] * row[WIDTH]
        product(row[VECTORS], m, memory, sums, X, 0, 0, 1, weights, row[FAN_IN], rows, None)


@part
def update_by_data(places, capacity, m, memory, shift, X, rows):
    """Update the first layer by the data rows that begin at those places of X."""
    row = places[1]
    for panel in range(row[PANELS]):
        deltas = row[DELTAS] + panel * capacity * row[WIDTH]
        weights = row[WEIGHTS] + panel * row[FAN_IN] * row[WIDTH] + shift
        product(row[VECTORS], row[FAN_IN], memory, weights, X, 0, 1, 0, deltas, m, None, rows)
    update_bias(places, 1, capacity, m, memory, shift)


@inlined
def gather_row(X, row, memory, to):
    """Copy one data row to a place in memory; element by element, which LLVM makes twice as fast as a slice."""
    for j in range(X.shape[1]):
        memory[to + j] = X[row, j]


@inlined
def weighted_sums(places, layer, capacity, m, memory):
    """Pre-activations of a layer for m rows of its input."""
    row = places[layer]
    width = row[WIDTH]
    bias_to_sums(places, layer, capacity, m, memory)
    for panel in range(row[PANELS]):
        sums = row[SUMS] + panel * capacity * width
        weights = row[WEIGHTS] + panel * row[FAN_IN] * width
        for first in range(0, row[FAN_IN], row[INPUT_WIDTH]):
            count = min(row[INPUT_WIDTH], row[FAN_IN] - first)
            source = row[INPUT] + capacity * first
            product(row[VECTORS], m, memory, sums, memory, source, row[INPUT_WIDTH], 1, weights + first * width, count)


@inlined
def bias_to_sums(places, layer, capacity, m, memory):
    """Start the pre-activations of m rows from the bias."""
    row = places[layer]
    width = row[WIDTH]
    for panel in range(row[PANELS]):
        sums, bias = row[SUMS] + panel * capacity * width, row[BIAS] + panel * width
        for i in range(m):
            for j in range(width):
                memory[sums + i * width + j] = memory[bias + j]


@inlined
def activate_layer(places, layer, code, capacity, m, memory):
    """Replace the pre-activations of m rows by their activations, except for softmax."""
    row = places[layer]
    for panel in range(row[PANELS]):
        sums = row[SUMS] + panel * capacity * row[WIDTH]
        activate(code, memory[sums : sums + m * row[WIDTH]])


@part
def forward_pass(places, hidden, capacity, m, memory):
    """Activations of the hidden layers and pre-activations of the last one, from the second layer's input on."""
    for layer in range(2, len(places)):
        activate_layer(places, layer - 1, hidden, capacity, m, memory)
        weighted_sums(places, layer, capacity, m, memory)


@part
def output_delta(places, output, squared, capacity, m, memory, Y, order, start, scale):
    """Write the deltas of the last layer, times scale, from its pre-activations and the targets."""
    row = places[-1]
    width = row[WIDTH]
    activate_output(places, output, capacity, m, memory)
    one, sloped = memory.dtype.type(1), squared and output == SIGMOID
    for panel in range(row[PANELS]):
        sums, deltas = row[SUMS] + panel * capacity * width, row[DELTAS] + panel * capacity * width
        columns = min(width, row[FAN_OUT] - panel * width)
        memory[deltas : deltas + m * width] = 0  # the padding too
        for i in range(m):
            target = order[start + i]
            for j in range(columns):
                a = memory[sums + i * width + j]
                slope = a * (one - a) if sloped else one
                memory[deltas + i * width + j] = (a - Y[target, panel * width + j]) * slope * scale


@part
def activate_output(places, output, capacity, m, memory):
    """Replace the pre-activations of the last layer by the network's outputs."""
    if output == SOFTMAX:
        _softmax(places, capacity, m, memory)
    else:
        activate_layer(places, len(places) - 1, output, capacity, m, memory)


@inlined
def _softmax(places, capacity, m, memory):
    """Replace the pre-activations of the last layer by their softmax; what the padding holds then means nothing."""
    row = places[-1]
    width = row[WIDTH]
    for i in range(m):
        _lower_to_top(places, capacity, i, memory)
    for panel in range(row[PANELS]):
        sums = row[SUMS] + panel * capacity * width
        exponentials(memory[sums : sums + m * width])
    for i in range(m):
        _share(places, capacity, i, memory)


@inlined
def _lower_to_top(places, capacity, i, memory):
    """Take the largest pre-activation of a row from all of them."""
    row = places[-1]
    width = row[WIDTH]
    top = memory[row[SUMS] + i * width]
    for panel in range(row[PANELS]):
        sums = row[SUMS] + (panel * capacity + i) * width
        for j in range(min(width, row[FAN_OUT] - panel * width)):
            top = max(top, memory[sums + j])
    for panel in range(row[PANELS]):
        sums = row[SUMS] + (panel * capacity + i) * width
        for j in range(width):
            memory[sums + j] -= top


@inlined
def _share(places, capacity, i, memory):
    """Divide the exponentials of a row by their sum."""
    row = places[-1]
    width, total = row[WIDTH], memory.dtype.type(0)
    for panel in range(row[PANELS]):
        sums = row[SUMS] + (panel * capacity + i) * width
        for j in range(min(width, row[FAN_OUT] - panel * width)):
            total += memory[sums + j]
    share = memory.dtype.type(1) / total
    for panel in range(row[PANELS]):
        sums = row[SUMS] + (panel * capacity + i) * width
        for j in range(width):
            memory[sums + j] *= share


@part
def backward(places, hidden, capacity, m, memory, shift):
    """Deltas of the layers above the first, and their updates, added to the parameters at a shift."""
    for layer in range(len(places) - 1, 1, -1):
        turn(places, layer, memory)
        lower_delta(places, layer, hidden, capacity, m, memory)
        update(places, layer, capacity, m, memory, shift)


@inlined
def turn(places, layer, memory):
    """Write the transposed weights of a layer, in panels as wide as those of the layer below, its padding as zeros."""
    row, below = places[layer], places[layer - 1]
    width, lower, fan_in = row[WIDTH], below[WIDTH], row[FAN_IN]
    lanes, height = width // row[VECTORS], row[PANELS] * width
    for first in range(0, below[PANELS] * lower, lanes):
        target = row[TURNED] + (first // lower) * height * lower + first % lower
        for j in range(0, height, lanes):
            source = row[WEIGHTS] + ((j // width) * fan_in + first) * width + j % width
            if first + lanes <= fan_in:
                turn_block(memory, target + j * lower, lower, source, width)
                continue
            for i in range(lanes):
                for r in range(lanes):
                    known = first + i < fan_in
                    memory[target + (j + r) * lower + i] = memory[source + i * width + r] if known else 0


@inlined
def lower_delta(places, layer, hidden, capacity, m, memory):
    """Deltas of the layer below, from those of a layer and its transposed weights."""
    row, below = places[layer], places[layer - 1]
    width, lower = row[WIDTH], below[WIDTH]
    for panel in range(below[PANELS]):
        to, sums = below[DELTAS] + panel * capacity * lower, below[SUMS] + panel * capacity * lower
        memory[to : to + m * lower] = 0
        for first in range(0, row[FAN_OUT], width):
            turned = row[TURNED] + (panel * row[PANELS] * width + first) * lower
            count = min(width, row[FAN_OUT] - first)
            product(below[VECTORS], m, memory, to, memory, row[DELTAS] + capacity * first, width, 1, turned, count)
        multiply_derivative(hidden, memory[sums : sums + m * lower], memory[to : to + m * lower])


@inlined
def update(places, layer, capacity, m, memory, shift):
    """Add the products of inputs and deltas to a layer's weights, and the deltas to its bias."""
    row = places[layer]
    width, inputs = row[WIDTH], row[INPUT_WIDTH]
    for panel in range(row[PANELS]):
        deltas = row[DELTAS] + panel * capacity * width
        weights = row[WEIGHTS] + panel * row[FAN_IN] * width + shift
        for first in range(0, row[FAN_IN], inputs):
            rows = min(inputs, row[FAN_IN] - first)
            source = row[INPUT] + capacity * first
            product(row[VECTORS], rows, memory, weights + first * width, memory, source, 1, inputs, deltas, m)
    update_bias(places, layer, capacity, m, memory, shift)


@inlined
def update_bias(places, layer, capacity, m, memory, shift):
    """Add the deltas of m rows to a layer's bias."""
    row = places[layer]
    for panel in range(row[PANELS]):
        deltas = row[DELTAS] + panel * capacity * row[WIDTH]
        bias = row[BIAS] + panel * row[WIDTH] + shift
        product(row[VECTORS], 1, memory, bias, memory, 0, 0, 0, deltas, m)  # the left operand is the 1 at place 0


@inlined
def output_row(places, capacity, i, memory, found):
    """Copy one row of the last layer, pre-activations or activations, out of its panels."""
    row = places[-1]
    width = row[WIDTH]
    for j in range(row[FAN_OUT]):
        found[j] = memory[row[SUMS] + ((j // width) * capacity + i) * width + j % width]
