"""What the last layer does to whole rows of outputs, in their panels: softmax, and the difference from the targets.

A row is a few vectors, masked where they are padding. For so few columns LLVM's own loops take long to begin and end:
softmax regression of 64 inputs and 10 classes took 1.5 times as long with them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba.extending import intrinsic

from kernels.variants._tiled.emitter import WORD, Emitter, emitted
from kernels.variants._tiled.tiles import WIDTHS


class OutputRows(NamedTuple):
    """Rows of the last layer in panels: indices in memory."""

    vectors: int
    panels: int
    columns: int
    """Without the padding."""
    start: int
    step: int
    """Elements from one panel to the next."""
    m: int
    """Rows."""


class Targets(NamedTuple):
    """What the deltas of outputs are made from, beside the outputs."""

    deltas: int
    """Index in memory; panels as those of the outputs."""
    first: int
    """Turn of the first row in the order."""
    multiplies: int
    """Whether by the derivative of the sigmoid, from its value."""


@intrinsic
def subtract_largest(typing, memory, outputs):
    """Subtract the largest output of a row from all of them; a NaN stays one, and is not the largest."""

    def write(emit, memory, outputs):
        def subtract(largest: Any) -> Callable[[Any], Any]:
            return lambda output: emit.builder.fsub(output, largest)

        _replace(emit, memory, outputs, emit.constant(float("-inf")), emit.larger, subtract)

    return emitted((memory, outputs), write)


@intrinsic
def normalise(typing, memory, outputs):
    """Divide the outputs of a row by their sum."""

    def write(emit, memory, outputs):
        def divide(total: Any) -> Callable[[Any], Any]:
            share = emit.builder.fdiv(emit.constant(1.0), total)
            return lambda output: emit.builder.fmul(output, share)

        _replace(emit, memory, outputs, emit.zero(), emit.add, divide)

    return emitted((memory, outputs), write)


@intrinsic
def write_deltas(typing, memory, Y, order, outputs, targets, scale):
    """Write the deltas of outputs, times a scale at an index of memory; those of the padding are 0."""

    def write(emit, memory, Y, order, outputs, targets, scale):
        builder = emit.builder
        ones, factor = emit.constant(1.0), emit.splat(memory, scale)
        multiplies = builder.trunc(targets.multiplies, ir.IntType(1))

        def row(i: Any, walk: Walk) -> None:
            target = emit.element_at(order, builder.add(targets.first, i))
            first = builder.mul(target, outputs.columns)

            def delta(at: Any, v: int, mask: Any, column: Any) -> Any:
                a = emit.load(memory, at, v)
                y = emit.load_masked(Y, builder.add(first, column), mask)
                slope = builder.select(multiplies, builder.fmul(a, builder.fsub(ones, a)), ones)
                found = builder.fmul(builder.fmul(builder.fsub(a, y), slope), factor)
                to = builder.add(builder.sub(at, outputs.start), targets.deltas)
                emit.store(builder.select(mask, found, emit.zero()), memory, to, v)
                return builder.add(column, ir.Constant(WORD, emit.lanes))

            walk(delta, ir.Constant(WORD, 0))

        _for_rows(emit, outputs, row)

    return emitted((memory, Y, order, outputs, targets, scale), write)


Visit = Callable[[Any, int, Any, Any], Any]
"""Visits a vector of a row: index, number behind it, mask of what is not padding, what the one before returned."""
Walk = Callable[[Visit, Any], Any]
"""Visits all vectors of a row, the first with a start; returns what the last returned."""


def _replace(
    emit: Emitter,
    memory: Any,
    outputs: OutputRows,
    start: Any,
    combine: Callable[[Any, Any], Any],
    replacing: Callable[[Any], Callable[[Any], Any]],
) -> None:
    """Replace the outputs of each row by what is made of them and of all of them, combined from a start on."""

    def row(_: Any, walk: Walk) -> None:
        def gather(at: Any, v: int, mask: Any, found: Any) -> Any:
            return combine(emit.builder.select(mask, emit.load(memory, at, v), start), found)

        replaced = replacing(emit.across(walk(gather, start), combine, emit.lanes))

        def write(at: Any, v: int, mask: Any, carried: Any) -> Any:
            emit.store(replaced(emit.load(memory, at, v)), memory, at, v)
            return carried

        walk(write, start)

    _for_rows(emit, outputs, row)


def _for_rows(emit: Emitter, outputs: OutputRows, row: Callable[[Any, Walk], None]) -> None:
    """Write a loop over rows, for each number of vectors side by side in a panel."""
    builder = emit.builder

    def one(V: int) -> None:
        width = ir.Constant(WORD, V * emit.lanes)

        def body(i: Any, _: list[Any]) -> list[Any]:
            first = builder.add(outputs.start, builder.mul(i, width))

            def walk(visit: Visit, start: Any) -> Any:
                def panel(number: Any, carried: list[Any]) -> list[Any]:
                    at, (found,) = builder.add(first, builder.mul(number, outputs.step)), carried
                    left = builder.sub(outputs.columns, builder.mul(number, width))
                    for v in range(V):
                        mask = emit.first_lanes(builder.sub(left, ir.Constant(WORD, v * emit.lanes)))
                        found = visit(at, v, mask, found)
                    return [found]

                return emit.loop(outputs.panels, [start], panel)[0]

            row(i, walk)
            return []

        emit.loop(outputs.m, [], body)

    emit.for_vectors(outputs.vectors, WIDTHS, one)
