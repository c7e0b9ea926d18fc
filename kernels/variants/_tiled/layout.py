"""Plan of the block of memory that a pass over the data works in: which array begins at which element.

A matrix of m columns lies in panels of ``width`` columns, a whole number of vectors, each panel row by row: a tile
reads it as one stream. The last panel is padded; what is in the padding never reaches what is not.

Compiled functions get a ``Plan`` as a plain tuple, and the layers as an array of records, whose fields are those of
``Layer``: so one compiled function serves any number of layers.
"""

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kernels.network import Network
from kernels.variants._tiled.emitter import VECTOR_BYTES, WIDE
from kernels.variants._tiled.tiles import MAX_VECTORS

CHUNK_BYTES = 208 * 1024
"""Size of the data rows that are worked through at once: what a tenth of a second cache holds is still there for the
update."""
MAX_ROWS, MIN_ROWS = 126, 24
LARGE_BYTES, MAX_ROWS_OF_LARGE = 6 << 20, 504
"""With larger parameters a chunk has up to so many rows, however long they are: each chunk goes over all parameters,
and transposes those above the first layer, beyond the second cache."""
WAY_BYTES = 4096
"""Rows a multiple of this apart lie in one set of the first cache, which holds 8 or 12 of them: a product that goes
down their columns took 1.5 times as long with AVX2. They are copied to another distance, but for AVX-512, whose tiles
use each element twice as often: there copying took longer than it saved."""
ONE, SCALE = 0, 1
"""Indices in memory of a 1, the left operand of the sums over rows, and of the factor of the gradient."""


class Layer(NamedTuple):
    """Sizes of a layer, and the indices of the elements at which its arrays begin."""

    fan_in: int
    fan_out: int
    vectors: int
    """Vectors side by side in a panel: 1, 2 or 4."""
    panels: int
    width: int
    """Columns of a panel."""
    theta: int
    """W (fan_in, fan_out), row by row, and b (fan_out,) behind it: index in the parameters, all others in memory."""
    weights: int
    """Panels (fan_in, width); of a single output above hidden units one row, as their activations lie: (columns,)."""
    weights_step: int
    """Elements from one row of a panel of weights to the next: width, or 1 of a single output."""
    bias: int
    """Panels (1, width)."""
    activations: int
    """Panels (capacity, width): pre-activations, which the activations replace."""
    deltas: int
    """Panels (capacity, width)."""
    transposed: int
    """Transposed weights, in panels as wide as those of the layer below: (panels * width, width of the layer below)."""
    input: int
    """Activations of the layer below, or room for the data rows (capacity, input_width)."""
    input_width: int
    """Columns of a panel of the input; more than fan_in where data rows are copied to be farther apart."""
    input_ways: int
    """Index in the plan's ways at which those to the columns of the input begin."""
    ways: int
    """Index in the plan's ways at which those to the columns of its activations and deltas begin."""


RECORD = np.dtype([(field, np.int64) for field in Layer._fields], align=True)


class Plan(NamedTuple):
    """Where everything lies in memory."""

    layers: npt.NDArray[np.void]
    """(n_layers,) records with the fields of ``Layer``."""
    capacity: int
    """Rows that the panels of activations and deltas have room for."""
    parameters: int
    """Index of the parameters of all layers, (size,) with their padding; right behind them lie their steps, as many."""
    size: int
    data: int
    """Index of the data rows that are copied into memory, (capacity, input width of the first layer)."""
    ways: npt.NDArray[np.int64]
    """Distance of each column of data rows, activations or deltas from the first in the same row."""
    elements: int
    """Elements of memory in all."""


def chunk_rows(network: Network, itemsize: int, rows: int) -> int:
    """Rows that are worked through at once: all, or equal parts of them, which stay in the cache where that pays."""
    if network.n_layers > 1 and network.n_parameters * itemsize >= LARGE_BYTES:
        return equal_parts(max(rows, 1), MAX_ROWS_OF_LARGE)
    return equal_parts(max(rows, 1), min(max(CHUNK_BYTES // (network.n_inputs * itemsize), MIN_ROWS), MAX_ROWS))


def equal_parts(rows: int, most: int) -> int:
    """Size of the fewest equal parts of so many rows that have at most so many each."""
    return -(-rows // -(-rows // most))


@lru_cache(maxsize=256)
def plan(network: Network, itemsize: int, capacity: int) -> Plan:
    """Plan the memory for chunks of so many rows.

    There is room for one row more, which ``single_rows`` uses.
    """
    layers, lanes, rows = np.zeros(network.n_layers, RECORD), VECTOR_BYTES // itemsize, capacity + 1
    used = lanes  # behind these two
    columns = 0
    for record, shape in zip(layers, network.shapes, strict=True):
        used = _place_parameters(record, shape, lanes, used, columns if capacity > 1 else 0)
        columns = _columns(record)
    layers["theta"][1:] = np.cumsum((layers["fan_in"] + 1) * layers["fan_out"])[:-1]
    size = used - lanes
    data = used = used + size
    source, source_width = data, network.n_inputs
    if not WIDE and capacity > 1 and network.n_inputs * itemsize % WAY_BYTES == 0:
        source_width += lanes
    used += -(-rows * source_width // lanes) * lanes
    for layer in layers:
        layer["input"], layer["input_width"], layer["activations"] = source, source_width, used
        source, source_width = used, int(layer["width"])
        used += rows * _columns(layer)
        layer["deltas"] = used
        used += rows * _columns(layer)
    inputs = _ways(network.n_inputs, int(layers["input_width"][0]), capacity)
    ways = np.concatenate([inputs, *(_ways(layer["fan_out"], layer["width"], capacity) for layer in layers)])
    layers["ways"] = np.cumsum(layers["fan_in"])
    layers["input_ways"][1:] = layers["ways"][:-1]
    for below, layer in pairwise(layers):
        layer["transposed"] = used
        used += _columns(layer) * _columns(below)
    layers.setflags(write=False)
    return Plan(layers, capacity, lanes, size, data, ways, used)


def _place_parameters(layer: np.void, shape: tuple[int, int], lanes: int, index: int, below: int) -> int:
    """Write a layer's sizes, and where its weights and bias lie, from an index on; return the index behind them.

    ``below`` are the columns of the hidden layer below whose way a single output's weights may lie, 0 if they may not.
    """
    fan_in, fan_out = shape
    vectors = -(-fan_out // lanes)
    panels = -(-vectors // MAX_VECTORS)
    vectors = 1 << (-(-vectors // panels) - 1).bit_length()  # 1, 2 or 4
    layer["fan_in"], layer["fan_out"] = shape
    layer["vectors"], layer["panels"], layer["width"] = vectors, panels, vectors * lanes
    single = fan_out == 1 and below > 0
    layer["weights"], layer["weights_step"] = index, 1 if single else layer["width"]
    layer["bias"] = index + (below if single else fan_in * _columns(layer))
    return int(layer["bias"]) + _columns(layer)


def _ways(columns: int, width: int, capacity: int) -> npt.NDArray[np.int64]:
    """Ways to so many columns, in panels of a width that have room for so many rows."""
    panel, column = np.divmod(np.arange(columns), width)
    return panel * capacity * width + column


def _columns(layer: np.void) -> int:
    """Columns of all panels of a layer, those of the padding too."""
    return int(layer["panels"] * layer["width"])
