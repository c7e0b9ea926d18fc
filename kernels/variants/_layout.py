"""Where everything lies in the one block of memory that a pass over the data works in.

A matrix of m columns lies in panels of ``WIDTH`` columns, a whole number of vectors, each panel row by row: a tile
reads it as one stream. The last panel is padded; what is in the padding is finite, and never reaches what is not.
The block is aligned to huge pages, so that two processes place it alike in the cache, and is kept between calls.
"""

import mmap
import threading
from contextlib import suppress
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from kernels.contract import Array
from kernels.network import Network
from kernels.variants._emitter import VECTOR_BYTES
from kernels.variants._tiles import MAX_VECTORS

COLUMNS = 13
(
    FAN_IN,
    FAN_OUT,
    VECTORS,
    PANELS,
    WIDTH,
    THETA,
    WEIGHTS,
    BIAS,
    SUMS,
    DELTAS,
    TURNED,
    INPUT,
    INPUT_WIDTH,
) = range(COLUMNS)
"""Of a layer's row in the plan. Places are counted in elements: THETA in the parameters, the others in memory."""
CHUNK_BYTES = 208 * 1024
"""Of data rows that are worked through at once: what a tenth of a second cache holds is still there for the update."""
MAX_ROWS, MIN_ROWS = 126, 24
HUGE_PAGE_BYTES = 2 * 1024 * 1024
PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
"""Memory shared with other processes, the default of ``mmap``, gets no huge pages on most systems."""


def chunk_rows(network: Network, itemsize: int, rows: int) -> int:
    """Rows that are worked through at once: all, or equal parts of them that stay in the cache."""
    return equal_parts(max(rows, 1), min(max(CHUNK_BYTES // (network.n_inputs * itemsize), MIN_ROWS), MAX_ROWS))


def equal_parts(rows: int, most: int) -> int:
    """Size of the fewest equal parts of so many rows that have at most so many each."""
    return -(-rows // -(-rows // most))


@lru_cache(maxsize=256)
def plan(network: Network, itemsize: int, rows: int) -> tuple[npt.NDArray[np.int64], int]:
    """Return the places of all layers for chunks of so many rows, and the elements of memory that they take.

    The first row is not a layer: its WEIGHTS and BIAS say where the parameters begin and how many elements they take
    with their padding; their steps lie right behind them. Its SUMS is the place of a 1, its DELTAS that of the data.
    """
    lanes = VECTOR_BYTES // itemsize
    places = np.zeros((network.n_layers + 1, COLUMNS), np.int64)
    used, theta = lanes, 0
    shapes = list(zip(network.sizes[:-1], network.sizes[1:], strict=True))
    places[0, WEIGHTS] = used
    for layer, (fan_in, fan_out) in zip(places[1:], shapes, strict=True):
        vectors = -(-fan_out // lanes)
        panels = -(-vectors // MAX_VECTORS)
        vectors = 1 << (-(-vectors // panels) - 1).bit_length()  # 1, 2 or 4
        width = vectors * lanes
        layer[[FAN_IN, FAN_OUT, VECTORS, PANELS, WIDTH]] = fan_in, fan_out, vectors, panels, width
        layer[[THETA, WEIGHTS, BIAS]] = theta, used, used + fan_in * panels * width
        theta += (fan_in + 1) * fan_out
        used += (fan_in + 1) * panels * width
    places[0, BIAS] = used - places[0, WEIGHTS]
    used += places[0, BIAS]
    return _place_activations(places, network, rows, used)


def _place_activations(
    places: npt.NDArray[np.int64], network: Network, rows: int, used: int
) -> tuple[npt.NDArray[np.int64], int]:
    """Give the data, sums and deltas their places: room for one row more than asked, which ``_single_rows`` uses."""
    lanes = int(places[1, WIDTH] // places[1, VECTORS])
    places[0, DELTAS] = used
    source, source_width = used, network.n_inputs
    used += -(-(rows + 1) * network.n_inputs // lanes) * lanes
    for layer in places[1:]:
        size = (rows + 1) * layer[PANELS] * layer[WIDTH]
        layer[[INPUT, INPUT_WIDTH, SUMS, DELTAS, TURNED]] = source, source_width, used, used + size, used + 2 * size
        source, source_width = used, layer[WIDTH]
        used += 2 * size
    for below, layer in pairwise(places[1:]):
        layer[TURNED] = used
        used += layer[PANELS] * layer[WIDTH] * below[PANELS] * below[WIDTH]
    places.setflags(write=False)
    return places, int(used)


_kept = threading.local()


def memory(elements: int, dtype: npt.DTypeLike) -> Array:
    """Return at least so many elements of this thread's memory: aligned, in huge pages where the system has them.

    Its content is that of the last call; nobody else uses it until the next.
    """
    wanted = elements * np.dtype(dtype).itemsize
    if getattr(_kept, "bytes", None) is None or len(_kept.bytes) < wanted:
        _kept.bytes = huge_pages(wanted)
    found: Array = _kept.bytes[:wanted].view(dtype)
    return found


def huge_pages(wanted: int) -> npt.NDArray[np.uint8]:
    """Return at least so many bytes of new memory that begin at a huge page, and are in huge pages where there are any.

    It is given back when no array refers to it any more.

    Raises
    ------
    MemoryError
        If the system has no more.
    """
    size = -(-wanted // HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES
    try:
        block = mmap.mmap(-1, size + HUGE_PAGE_BYTES, **PRIVATE)
    except OSError as error:
        raise MemoryError(f"the system gives no {size:,} bytes more") from error
    with suppress(AttributeError, OSError):  # huge pages are Linux's, and may be left out of it
        block.madvise(mmap.MADV_HUGEPAGE)
    everything = np.frombuffer(block, np.uint8)
    start = -everything.ctypes.data % HUGE_PAGE_BYTES
    return everything[start : start + size]
