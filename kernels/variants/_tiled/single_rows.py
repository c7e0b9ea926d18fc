"""Stochastic descent: one row at a time, each update put off to the next row, to go over the weights once for both.

A row needs the weights for its pre-activations, and again to update them; with many weights their way from the cache is
what takes the time. Here row t + 1 goes through the weights that the update by row t is just writing. Weights above the
first layer are kept twice, as they are and transposed, so that both directions read them in order.

``now`` is the plan for a row and ``before`` that for the row before it: their data, activations and deltas lie side by
side, their weights are the same.
"""

from kernels.variants._numba.compiled import inlined, part
from kernels.variants._tiled.layout import Plan
from kernels.variants._tiled.passes import (
    activate_layer,
    derive_layer,
    output_delta,
    start_from_bias,
    transpose,
)
from kernels.variants._tiled.tiles import Sweep, sweep


@inlined
def two_plans(plan):
    """Plans for a row and for the one after it, which has the other half of the room."""
    layers = plan.layers.copy()
    others = layers.copy()
    data = plan.data + layers[0].fan_in
    for number in range(len(others)):
        size = layers[number].panels * layers[number].width
        others[number].activations += size
        others[number].deltas += size
        others[number].input = others[number - 1].activations if number > 0 else data
    before = Plan(layers, 1, plan.parameters, plan.size, plan.data, plan.elements)
    return before, Plan(others, 1, plan.parameters, plan.size, data, plan.elements)


@part
def start_rows(before, now, memory):
    """Let the row before the first be one that updates nothing; transpose the weights."""
    last = now.layers[-1]
    memory[before.data : last.deltas + last.panels * last.width] = 0
    for number in range(1, len(now.layers)):
        transpose(now.layers[number], now.layers[number - 1], memory)


@part
def forward_row(before, now, codes, memory, first):
    """Forward pass of the row now through the layers from ``first`` on, and their update by the row before."""
    layers, others = now.layers, before.layers  # once: each look at a tuple's array counts its references
    for number in range(first, len(layers)):
        layer, other = layers[number], others[number]
        if number > 0:
            activate_layer(now, layers[number - 1], codes.hidden, memory, 1)
        start_from_bias(now, layer, memory, 1)
        for panel in range(layer.panels):
            result, deltas = layer.activations + panel * layer.width, other.deltas + panel * layer.width
            weights = layer.weights + panel * layer.fan_in * layer.width
            sweep(memory, Sweep(layer.vectors, weights, layer.fan_in, other.input, deltas, layer.input, result))


@part
def backward_row(before, now, codes, memory, chunk):
    """Deltas of the row now, the updates of the transposed weights by the row before, and of the biases by both."""
    output_delta(now, codes, memory, chunk)
    layers, others = now.layers, before.layers
    for number in range(len(layers) - 1, -1, -1):
        _update_bias(layers[number], memory)
        if number > 0:
            _lower_delta(layers[number], others[number], layers[number - 1], memory)
            derive_layer(now, layers[number - 1], codes.hidden, memory, 1)


@inlined
def _update_bias(layer, memory):
    """Add the deltas of the row to a layer's bias: a product, as for a chunk, would cost 0.1 us more."""
    for j in range(layer.panels * layer.width):
        memory[layer.bias + j] += memory[layer.deltas + j]


@inlined
def _lower_delta(layer, other, below, memory):
    """Deltas of the layer below, and the update of the transposed weights; ``other`` is the layer of the row before."""
    lower, height = below.width, layer.panels * layer.width
    memory[below.deltas : below.deltas + below.panels * lower] = 0
    for panel in range(below.panels):
        transposed = layer.transposed + panel * height * lower
        result, activations = below.deltas + panel * lower, other.input + panel * lower
        sweep(memory, Sweep(below.vectors, transposed, layer.fan_out, other.deltas, activations, layer.deltas, result))
