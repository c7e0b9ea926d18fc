"""Stochastic descent: one row at a time, each update put off to the next row, to go over the weights once for both.

A row needs the weights to compute its sums, and again to update them; with many weights their way from the cache is
what takes the time. Here row t + 1 is weighed by the weights that the update by row t is just writing. Weights above
the first layer are kept twice, as they are and transposed, so that both directions read them in order.
"""

from kernels.variants._compiled import inlined, part
from kernels.variants._elementwise import multiply_derivative
from kernels.variants._layout import (
    DELTAS,
    FAN_IN,
    FAN_OUT,
    INPUT,
    PANELS,
    SUMS,
    TURNED,
    VECTORS,
    WEIGHTS,
    WIDTH,
)
from kernels.variants._passes import activate_layer, bias_to_sums, output_delta, turn, update_bias
from kernels.variants._tiles import sweep


@inlined
def alternate(places):
    """Places of the row after a row: the other half of the room for data, sums and deltas."""
    others = places.copy()
    others[0, DELTAS] += places[1, FAN_IN]
    for layer in range(1, len(places)):
        size = places[layer, PANELS] * places[layer, WIDTH]
        others[layer, SUMS] += size
        others[layer, DELTAS] += size
        others[layer, INPUT] = others[layer - 1, SUMS] if layer > 1 else others[0, DELTAS]
    return others


@part
def start_rows(places, others, memory):
    """Let the row before the first be one that updates nothing; transpose the weights."""
    last = len(places) - 1
    end = others[last, DELTAS] + places[last, PANELS] * places[last, WIDTH]
    memory[places[0, DELTAS] : end] = 0
    for layer in range(2, len(places)):
        turn(places, layer, memory)


@part
def weigh_row(before, now, first, hidden, memory):
    """Weigh the row now in the layers from ``first`` on, and update their weights by the row before."""
    for layer in range(first, len(now)):
        row = now[layer]
        width = row[WIDTH]
        if layer > 1:
            activate_layer(now, layer - 1, hidden, 1, 1, memory)
        bias_to_sums(now, layer, 1, 1, memory)
        for panel in range(row[PANELS]):
            sums, deltas = row[SUMS] + panel * width, before[layer, DELTAS] + panel * width
            weights = row[WEIGHTS] + panel * row[FAN_IN] * width
            sweep(row[VECTORS], memory, sums, weights, before[layer, INPUT], deltas, row[INPUT], row[FAN_IN])


@part
def deltas_of_row(before, now, hidden, output, squared, memory, Y, order, t, rate):
    """Deltas of the row now, the updates of the transposed weights by the row before, and of the biases by both."""
    output_delta(now, output, squared, 1, 1, memory, Y, order, t, -rate)
    for layer in range(len(now) - 1, 0, -1):
        update_bias(now, layer, 1, 1, memory, 0)
        if layer > 1:
            _lower_delta(before, now, layer, hidden, memory)


@inlined
def _lower_delta(before, now, layer, hidden, memory):
    row, below = now[layer], now[layer - 1]
    lower, height = below[WIDTH], row[PANELS] * row[WIDTH]
    size = below[PANELS] * lower
    memory[below[DELTAS] : below[DELTAS] + size] = 0
    for panel in range(below[PANELS]):
        turned = row[TURNED] + panel * height * lower
        to, activations = below[DELTAS] + panel * lower, before[layer - 1, SUMS] + panel * lower
        sweep(below[VECTORS], memory, to, turned, before[layer, DELTAS], activations, row[DELTAS], row[FAN_OUT])
    multiply_derivative(hidden, memory[below[SUMS] : below[SUMS] + size], memory[below[DELTAS] : below[DELTAS] + size])
