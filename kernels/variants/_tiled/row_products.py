"""Products of rows of the data with one weight for each input: several rows at once, and back to the weights.

The vectors lie along the inputs; of the last, what is beyond the inputs is masked. Rows are named by their turn in the
order of the data, so that none is copied.
"""

from typing import Any, NamedTuple

from llvmlite import ir
from numba.extending import intrinsic

from kernels.variants._tiled.emitter import WORD, Emitter, emitted

COLUMNS_AT_ONCE = (8, 4, 2, 1)
"""Vectors of a step whose sums over rows are made at once."""


class Turns(NamedTuple):
    """Rows of the data: ``m`` of them, from the turn ``first`` on."""

    first: int
    m: int
    last: int
    """The last turn of all; no later one is asked for."""


def _dots(*, asks: bool) -> Any:
    @intrinsic
    def dots(typing, theta, X, order, d, turns, z):
        """Pre-activations of rows: ``z[i] = theta[d] + sum over j of X[order[first + i], j] theta[j]``."""

        def write(emit, theta, X, order, d, turns, z):
            builder, lanes = emit.builder, ir.Constant(WORD, emit.lanes)
            whole, tail = builder.sdiv(d, lanes), emit.first_lanes(builder.srem(d, lanes))
            end = builder.mul(whole, lanes)
            bias, weights = emit.splat(theta, d), emit.load_masked(theta, end, tail)

            def strip(position: Any, R: int) -> None:
                first = builder.add(turns.first, position)
                numbers = [builder.add(first, ir.Constant(WORD, r)) for r in range(R)]
                rows = [builder.mul(emit.element_at(order, number), d) for number in numbers]
                asked = [
                    builder.mul(emit.element_at(order, _later(builder, number, R, turns.last)), d) for number in numbers
                ]

                def body(k: Any, sums: list[Any]) -> list[Any]:
                    at = builder.mul(k, lanes)
                    operand = emit.load(theta, at)
                    for row in asked if asks else ():
                        emit.prefetch(X, builder.add(row, at), 1)
                    return [
                        emit.multiply_add(emit.load(X, builder.add(row, at)), operand, total)
                        for row, total in zip(rows, sums, strict=True)
                    ]

                sums = emit.chained_loop(whole, [emit.zero()] * R, body)
                for r, row in enumerate(rows):
                    sums[r] = emit.multiply_add(emit.load_masked(X, builder.add(row, end), tail), weights, sums[r])
                _store_totals(emit, sums, bias, z, position)

            sizes = sorted({emit.lanes, 4, 2, 1}, reverse=True)
            emit.strips(turns.m, sizes, strip)

        return emitted((theta, X, order, d, turns, z), write)

    return dots


dots, dots_of_far_rows = _dots(asks=False), _dots(asks=True)
"""The second asks for the rows of the next turns meanwhile: no processor foresees a random order."""


def _later(builder: Any, number: Any, turns: int, last: Any) -> Any:
    """Turn so many later, at most the last."""
    later = builder.add(number, ir.Constant(WORD, turns))
    return builder.select(builder.icmp_signed("<", later, last), later, last)


def _store_totals(emit: Emitter, sums: list[Any], start: Any, data: Any, index: Any) -> None:
    """Store the start and the total of each vector, as many as a power of two, side by side from an index on."""
    builder, count, width = emit.builder, len(sums), emit.lanes
    while len(sums) > 1:  # two vectors of totals of parts become one of parts half as wide
        halves = [[first + i for first in range(0, emit.lanes, width) for i in range(width // 2)]]
        halves.append([i + width // 2 for i in halves[0]])
        chosen = [half + [i + emit.lanes for i in half] for half in halves]
        pairs = zip(sums[::2], sums[1::2], strict=True)
        sums = [emit.add(*(emit.shuffle(a, b, half) for half in chosen)) for a, b in pairs]
        width //= 2
    total, step = emit.add(emit.across(sums[0], emit.add, width), start), emit.lanes // count
    for r in range(count):
        element = builder.extract_element(total, ir.Constant(ir.IntType(32), r * step))
        builder.store(element, emit.at(data, builder.add(index, ir.Constant(WORD, r))))


@intrinsic
def add_rows(typing, step, X, order, d, turns, deltas):
    """Add rows to a step: ``step[j] += sum over i of deltas[i] X[order[first + i], j]``.

    The step has room for a whole number of vectors; what is beyond d is left as it was, or made NaN where a delta is.
    """

    def write(emit, step, X, order, d, turns, deltas):
        builder, lanes = emit.builder, ir.Constant(WORD, emit.lanes)
        whole, tail = builder.sdiv(d, lanes), emit.first_lanes(builder.srem(d, lanes))

        def add(column: Any, V: int, load: Any) -> None:
            def body(i: Any, sums: list[Any]) -> list[Any]:
                row = builder.mul(emit.element_at(order, builder.add(turns.first, i)), d)
                scalar, start = emit.splat(deltas, i), builder.add(row, column)
                return [emit.multiply_add(scalar, load(start, v), sums[v]) for v in range(V)]

            emit.add_to(emit.chained_loop(turns.m, [emit.zero()] * V, body), step, column)

        def block(vector: Any, V: int) -> None:
            add(builder.mul(vector, lanes), V, lambda start, v: emit.load(X, start, v))

        emit.strips(whole, COLUMNS_AT_ONCE, block)
        with builder.if_then(builder.icmp_signed("<", builder.mul(whole, lanes), d)):
            add(builder.mul(whole, lanes), 1, lambda start, _: emit.load_masked(X, start, tail))

    return emitted((step, X, order, d, turns, deltas), write)
