"""A single output above hidden units: its weights are one row, laid out as the activations of these units lie.

In panels of outputs all columns but one would be padding. Here vectors run along the hidden units, forward as dot
products, and backward as multiples of the one row.
"""

from kernels.variants._numba.compiled import part, reordered_part
from kernels.variants._tiled.tiles import Left, Panels, product


@reordered_part
def single_forward(layer, below, capacity, memory, m):
    """Pre-activations of the output."""
    width = below.width
    for i in range(m):
        total = memory[layer.bias]
        for panel in range(below.panels):
            first, weights = below.activations + (panel * capacity + i) * width, layer.weights + panel * width
            columns = min(width, layer.fan_in - panel * width)  # the padding may be infinite
            a, w = memory[first : first + columns], memory[weights : weights + columns]
            for j in range(columns):
                total += a[j] * w[j]
        memory[layer.activations + i * layer.width] = total


@part
def single_delta(layer, below, capacity, memory, m):
    """Products of the output's deltas and its weights, written as the deltas of the units below."""
    width = below.width
    for panel in range(below.panels):
        w = memory[layer.weights + panel * width : layer.weights + (panel + 1) * width]
        for i in range(m):
            first, delta = below.deltas + (panel * capacity + i) * width, memory[layer.deltas + i * layer.width]
            deltas = memory[first : first + width]
            for j in range(width):
                deltas[j] = delta * w[j]


@part
def single_update(layer, below, capacity, memory, m, shift):
    """Add the products of activations and deltas to the weights, or to what lies ``shift`` elements behind them."""
    step, weights, width = capacity * below.width, layer.weights + shift, below.width
    left = Left(memory, layer.deltas, None, layer.width)
    product(memory, left, Panels(below.vectors, below.panels, below.activations, step, m, weights, width, 1))
    for j in range(layer.fan_in, below.panels * width):
        memory[weights + j] = 0  # what is in the padding of activations need not be 0
