"""Rows of data from beyond the second cache are asked for before their turn: no processor foresees a random order."""

from numba.core import types
from numba.extending import intrinsic

from kernels.variants._numba.compiled import inlined
from kernels.variants._tiled.emitter import LINE_BYTES, emitted

FAR_DATA_BYTES = 1 << 20
"""Size of the data from which that pays: a second cache holds less."""
TURNS_AHEAD = 2
"""Turns between asking for a row and using it."""


@inlined
def ask_for_row(X, order, turn):
    """Ask for the row whose turn it is so many rows after this one."""
    later = turn + TURNS_AHEAD
    if X.size * X.itemsize >= FAR_DATA_BYTES and later < len(order):
        d = X.shape[1]
        for j in range(0, d, LINE_BYTES // X.itemsize):
            _ask_for_line(X, order[later] * d + j)


@intrinsic
def _ask_for_line(typing, X, index):
    """Ask for the line of the cache that an element lies in, to be read."""

    def write(emit, X, index):
        emit.prefetch(X, index, 1)

    return emitted((X, index), write, types.void)
