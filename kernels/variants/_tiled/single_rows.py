"""Stochastic descent: one row at a time, each update put off to the next row, to go over the weights once for both.

A row needs the weights for its pre-activations, and again to update them; with many weights their way from the cache is
what takes the time. Here row t + 1 goes through the weights that the update by row t is just writing. Weights above the
first layer are kept twice, as they are and transposed, so that both directions read them in order.

``now`` are the layers of the plan for a row and ``before`` those for the row before it: their data, activations and
deltas lie side by side, their weights are the same. Plans of one row have a capacity of one.
"""

from kernels.variants._numba.compiled import inlined, part
from kernels.variants._tiled.elementwise import multiply_derivative
from kernels.variants._tiled.passes import (
    activate_layer,
    activate_output,
    residual,
    start_from_bias,
    transpose,
)
from kernels.variants._tiled.tiles import Sweep, sweep


@inlined
def two_rows(plan):
    """Layers of the plan for a row, and for the one after it, which has the other half of the room."""
    layers = plan.layers.copy()
    others = layers.copy()
    for number in range(len(others)):
        size = layers[number].panels * layers[number].width
        others[number].activations += size
        others[number].deltas += size
        others[number].input = others[number - 1].activations if number > 0 else plan.data + layers[0].fan_in
    return layers, others


@part
def start_rows(before, now, memory):
    """Let the row before the first be one that updates nothing; transpose the weights."""
    last = now[-1]
    memory[before[0].input : last.deltas + last.panels * last.width] = 0
    for number in range(1, len(now)):
        transpose(now[number], now[number - 1], memory)


@part
def forward_row(before, now, codes, memory, first):
    """Forward pass of the row now through the layers from ``first`` on, and their update by the row before."""
    for number in range(first, len(now)):
        layer, other = now[number], before[number]
        if number > 0:
            activate_layer(now[number - 1], 1, codes.hidden, memory, 1)
        start_from_bias(layer, 1, memory, 1)
        for panel in range(layer.panels):
            result, deltas = layer.activations + panel * layer.width, other.deltas + panel * layer.width
            weights = layer.weights + panel * layer.fan_in * layer.width
            sweep(memory, Sweep(layer.vectors, weights, layer.fan_in, other.input, deltas, layer.input, result))


@part
def backward_row(before, now, codes, memory, Y, order, chunk):
    """Deltas of the row now, the updates of the transposed weights by the row before, and of the biases by both."""
    activate_output(now[-1], 1, codes, memory, 1)
    residual(now[-1], 1, codes, memory, Y, order, chunk)
    for number in range(len(now) - 1, -1, -1):
        _update_bias(now[number], memory)
        if number > 0:
            _lower_delta(now[number], before[number], now[number - 1], codes.hidden, memory)


@inlined
def _update_bias(layer, memory):
    """Add the deltas of the row to a layer's bias: a product, as for a chunk, would cost 0.1 us more."""
    for j in range(layer.panels * layer.width):
        memory[layer.bias + j] += memory[layer.deltas + j]


@inlined
def _lower_delta(layer, other, below, code, memory):
    """Deltas of the layer below, and the update of the transposed weights; ``other`` is the layer of the row before."""
    lower, height, size = below.width, layer.panels * layer.width, below.panels * below.width
    deltas = memory[below.deltas : below.deltas + size]
    deltas[:] = 0
    for panel in range(below.panels):
        transposed = layer.transposed + panel * height * lower
        result, activations = below.deltas + panel * lower, other.input + panel * lower
        sweep(memory, Sweep(below.vectors, transposed, layer.fan_out, other.deltas, activations, layer.deltas, result))
    multiply_derivative(code, memory[below.activations : below.activations + size], deltas)
