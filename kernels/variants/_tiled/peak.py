"""Multiply-adds of registers alone: what the core itself can do, and no product of matrices can exceed.

How near the best product comes to it says how much of the distance of a kernel is its own, and how much lies in what
all libraries share: loads, packing, caches. ``gdbench`` times it; no variant calls it.
"""

from typing import Any

from numba.extending import intrinsic

from kernels.variants._numba.compiled import compiled
from kernels.variants._tiled.emitter import VECTOR_BYTES, WORD, emitted

SUMS = 12
"""Independent sums: two units whose multiply-add takes four cycles, or five, need 8 to 10; with both factors, 12 fit
into 16 registers."""


@intrinsic
def _multiply_adds(typing, values, steps):
    """``s[v] += a b`` so many times; the sums lie in values, vector by vector, and the factors behind them."""

    def write(emit: Any, values: Any, steps: Any) -> None:
        front = WORD(0)
        a, b = (emit.load(values, front, SUMS + i) for i in range(2))
        sums = [emit.load(values, front, v) for v in range(SUMS)]
        for v, total in enumerate(emit.loop(steps, sums, lambda _, sums: [emit.multiply_add(a, b, s) for s in sums])):
            emit.store(total, values, front, v)

    return emitted((values, steps), write)


@compiled
def multiply_add(values, steps):
    """Do so many multiply-adds of each of the sums; values are ``elements_of`` a dtype."""
    _multiply_adds(values, steps)


def elements_of(itemsize: int) -> int:
    """Elements of the sums, all of which a step adds to, and of the two factors behind them."""
    return (SUMS + 2) * (VECTOR_BYTES // itemsize)
