"""Parameters on their way from one flat vector into the panels of memory and back, and the steps that change them."""

from kernels.variants._numba.compiled import inlined, part
from kernels.variants._tiled.layout import ONE


@part
def load_parameters(plan, theta, memory):
    """Lay the parameters theta out in memory, with zeros in the padding and in the steps; write the 1."""
    memory[plan.parameters : plan.parameters + 2 * plan.size] = 0
    memory[ONE] = 1
    for number in range(len(plan.layers)):
        layer = plan.layers[number]
        for i in range(layer.fan_in + 1):
            for panel in range(layer.panels):
                to = _row(layer, panel, i)
                columns = min(layer.width, layer.fan_out - panel * layer.width)
                first = layer.theta + i * layer.fan_out + panel * layer.width
                for j in range(columns):
                    memory[to + j] = theta[first + j]


@part
def store_parameters(plan, memory, shift, theta):
    """Copy parameters, or with the shift of the steps those, from memory into theta."""
    for number in range(len(plan.layers)):
        layer = plan.layers[number]
        for i in range(layer.fan_in + 1):
            for panel in range(layer.panels):
                source = _row(layer, panel, i) + shift
                columns = min(layer.width, layer.fan_out - panel * layer.width)
                first = layer.theta + i * layer.fan_out + panel * layer.width
                for j in range(columns):
                    theta[first + j] = memory[source + j]


@inlined
def _row(layer, panel, i):
    """Index of a row of a panel of weights; row ``fan_in`` is the bias."""
    if i == layer.fan_in:
        return layer.bias + panel * layer.width
    return layer.weights + (panel * layer.fan_in + i) * layer.weights_step


@inlined
def take_steps(plan, memory):
    """Add the steps to the parameters, and clear them."""
    start, size = plan.parameters, plan.size
    parameters, steps = memory[start : start + size], memory[start + size : start + 2 * size]
    for i in range(size):
        parameters[i] += steps[i]
        steps[i] = 0
