"""Parameters on their way from one flat vector into the panels of memory and back, and the steps that change them."""

from kernels.variants._compiled import inlined, part
from kernels.variants._layout import BIAS, FAN_IN, FAN_OUT, PANELS, THETA, WEIGHTS, WIDTH


@part
def load_parameters(places, theta, memory):
    """Lay the parameters theta out in memory, with zeros in the padding and in the steps; put the 1 in its place."""
    start, size = places[0, WEIGHTS], places[0, BIAS]
    memory[start : start + 2 * size] = 0
    memory[0] = 1
    for layer in range(1, len(places)):
        _, fan_in, fan_out, width, source = _shape(places, layer)
        for i in range(fan_in + 1):
            for panel in range(places[layer, PANELS]):
                to = _row(places, layer, panel, i)
                columns = min(width, fan_out - panel * width)
                first = source + i * fan_out + panel * width
                for j in range(columns):
                    memory[to + j] = theta[first + j]


@part
def store_parameters(places, memory, shift, theta):
    """Copy parameters, or with the shift of the steps those, from memory into theta."""
    for layer in range(1, len(places)):
        _, fan_in, fan_out, width, target = _shape(places, layer)
        for i in range(fan_in + 1):
            for panel in range(places[layer, PANELS]):
                source = _row(places, layer, panel, i) + shift
                columns = min(width, fan_out - panel * width)
                first = target + i * fan_out + panel * width
                for j in range(columns):
                    theta[first + j] = memory[source + j]


@inlined
def _shape(places, layer):
    row = places[layer]
    return row[PANELS], row[FAN_IN], row[FAN_OUT], row[WIDTH], row[THETA]


@inlined
def _row(places, layer, panel, i):
    """Place of a row of a panel of weights; row ``fan_in`` is the bias."""
    row = places[layer]
    if i == row[FAN_IN]:
        return row[BIAS] + panel * row[WIDTH]
    return row[WEIGHTS] + (panel * row[FAN_IN] + i) * row[WIDTH]


@inlined
def take_steps(places, memory):
    """Add the steps to the parameters, and clear them."""
    start, size = places[0, WEIGHTS], places[0, BIAS]
    parameters, steps = memory[start : start + size], memory[start + size : start + 2 * size]
    for i in range(size):
        parameters[i] += steps[i]
        steps[i] = 0
