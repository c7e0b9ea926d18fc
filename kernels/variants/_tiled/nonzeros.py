"""Lists of nonzeros: how they are made, a vector at a time where the processor can, and products over them alone."""

from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kernels.contract import Array
from kernels.variants._numba.compiled import inlined
from kernels.variants._tiled.emitter import AVX2, VECTOR_BYTES, WIDE, WORD, Emitter, emitted
from kernels.variants._tiled.tiles import MAX_VECTORS, WIDTHS

MOVES = WIDE or AVX2
"""Whether the processor can: AVX-512 compresses a vector, AVX2 permutes one by a table."""
NARROW = ir.IntType(32)
TOGETHER = 1 if WIDE else 4
"""Panels whose products are made at once, rows of 256 bytes in all: they share the loads of a value and of its number.
With AVX-512, where one panel has so many, two were no faster."""
GATHERED = (*WIDTHS, *(MAX_VECTORS * panels for panels in (2, 4) if panels <= TOGETHER))
"""Vectors of a product with numbered rows: of one panel, or of two or four of the widest."""


class Nonzeros(NamedTuple):
    """Values that lie side by side in memory, and the number of the panel's row that each belongs to."""

    values: int
    """Index of the first in memory."""
    numbers: Array
    """Row numbers (int32) of several such lists."""
    first: int
    """Index of the first in ``numbers``."""
    n: int


class Gathering(NamedTuple):
    """The panels of a product with numbered rows of B, and of its result, one row in each."""

    vectors: int
    n: int
    """Panels side by side: 1, or 2 or 4 of the widest."""
    right: int
    """Index of the first B in memory."""
    right_step: int
    """Elements from one B to the next."""
    result: int
    """Index of the first row of the result in memory."""
    result_step: int


@inlined
def list_part(memory, X, row, later, part, nonzeros):
    """List the nonzeros of a data row in a part (first, stop) of its columns; return how many there are.

    Their values and columns are written where ``nonzeros`` says, and what is behind them is spoilt: a vector at most.
    The part is asked for of the row whose turn is later, vector by vector: a whole row at once gained less.
    """
    (j, stop), d = part, X.shape[1]
    to, numbers, first, found = nonzeros.values, nonzeros.numbers, nonzeros.first, 0
    if MOVES:
        lanes = VECTOR_BYTES // memory.itemsize
        while stop - j >= lanes:
            there = Nonzeros(to + found, numbers, first + found, 0)
            found += _list_vector(memory, X, row * d + j, later * d + j, j, there)
            j += lanes
    while j < stop:
        x = X[row, j]
        memory[to + found] = x
        numbers[first + found] = j
        found += x != 0
        j += 1
    return found


@intrinsic
def gather_dot(typing, memory, nonzeros, panels):
    """Add a product with the panels' rows of those numbers: ``C[v] += sum over k of values[k] B[numbers[k], v]``.

    Panels that lie side by side share the loads of a value and of its number; of their rows, C is one of each.
    """

    def write(emit, memory, nonzeros, panels):
        builder = emit.builder

        def one(total: int) -> None:
            V = min(total, MAX_VECTORS)

            def body(k: Any, sums: list[Any]) -> list[Any]:
                row = emit.numbered_row(nonzeros.numbers, builder.add(nonzeros.first, k), panels.right, V)
                scalar = emit.splat(memory, builder.add(nonzeros.values, k))
                found = []
                for n in range(total // V):
                    found += [emit.multiply_add(scalar, emit.load(memory, row, v), sums[n * V + v]) for v in range(V)]
                    row = builder.add(row, panels.right_step)
                return found

            sums, result = emit.chained_loop(nonzeros.n, [emit.zero()] * total, body), panels.result
            for n in range(total // V):
                emit.add_to(sums[n * V : (n + 1) * V], memory, result)
                result = builder.add(result, panels.result_step)

        emit.for_vectors(builder.mul(panels.vectors, panels.n), GATHERED, one)

    return emitted((memory, nonzeros, panels), write)


@intrinsic
def scatter_axpy(typing, memory, vectors, nonzeros, row, panel):
    """Add a row to the panel's rows of those numbers, none twice: ``C[numbers[k], v] += values[k] B[v]``."""

    def write(emit, memory, vectors, nonzeros, row, panel):
        builder = emit.builder

        def one(V: int) -> None:
            operands = [emit.load(memory, row, v) for v in range(V)]

            def body(k: Any, _: list[Any]) -> list[Any]:
                to = emit.numbered_row(nonzeros.numbers, builder.add(nonzeros.first, k), panel, V)
                scalar = emit.splat(memory, builder.add(nonzeros.values, k))
                for v in range(V):
                    emit.store(emit.multiply_add(scalar, operands[v], emit.load(memory, to, v)), memory, to, v)
                return []

            emit.loop(nonzeros.n, [], body)

        emit.for_vectors(vectors, WIDTHS, one)

    return emitted((memory, vectors, nonzeros, row, panel), write)


@intrinsic
def _list_vector(typing, memory, X, start, later, column, nonzeros):
    """List the nonzeros among as many elements of X as a vector has; return how many there are.

    They begin at ``start`` of X, in the column ``column``. A whole vector is written of values and of columns. Those at
    ``later`` are asked for.
    """

    def write(emit, memory, X, start, later, column, nonzeros):
        builder, lanes = emit.builder, emit.lanes
        emit.prefetch(X, later, 1)
        values = emit.load(X, start)
        mask = builder.fcmp_unordered("!=", values, emit.zero())
        bits = builder.bitcast(mask, ir.IntType(lanes))
        values, numbers = (_compressed if WIDE else _permuted)(emit, values, mask, bits)
        emit.store(values, memory, nonzeros.values)
        columns = builder.add(numbers, emit.broadcast(builder.trunc(column, NARROW)))
        pointer = builder.bitcast(emit.at(nonzeros.numbers, nonzeros.first), columns.type.as_pointer())
        builder.store(columns, pointer, align=4)
        return builder.zext(builder.ctpop(bits), WORD)

    return emitted((memory, X, start, later, column, nonzeros), write, types.int64)


def _compressed(emit: Emitter, values: Any, mask: Any, bits: Any) -> tuple[Any, Any]:
    """Values for which the mask is set, and their numbers in the vector, moved to its front (AVX-512)."""

    def moved(vector: Any, element: str) -> Any:
        kind = vector.type
        name = f"llvm.x86.avx512.mask.compress.v{kind.count}{element}"
        kinds = ir.FunctionType(kind, [kind, kind, mask.type])
        function = cgutils.get_or_insert_function(emit.builder.module, kinds, name)
        return emit.builder.call(function, [vector, vector, mask])

    numbers = ir.Constant(ir.VectorType(NARROW, emit.lanes), list(range(emit.lanes)))
    return moved(values, emit.element.intrinsic_name), moved(numbers, "i32")


def _permuted(emit: Emitter, values: Any, mask: Any, bits: Any) -> tuple[Any, Any]:
    """The same by a permutation of 32-bit halves or wholes of the values, looked up by the mask (AVX2)."""
    builder, lanes = emit.builder, emit.lanes
    halves = 8 // lanes
    orders = [[i for i in range(lanes) if number >> i & 1] for number in range(1 << lanes)]
    filled = [order + [0] * (lanes - len(order)) for order in orders]
    words = _looked_up(
        emit, "words", [[i * halves + h for i in order for h in range(halves)] for order in filled], bits
    )
    numbers = words if halves == 1 else _looked_up(emit, "numbers", filled, bits)
    floats = ir.VectorType(ir.FloatType(), 8)
    kinds = ir.FunctionType(floats, [floats, words.type])
    permute = cgutils.get_or_insert_function(builder.module, kinds, "llvm.x86.avx2.permps")
    return builder.bitcast(builder.call(permute, [builder.bitcast(values, floats), words]), emit.vector), numbers


def _looked_up(emit: Emitter, name: str, table: list[list[int]], number: Any) -> Any:
    """Row of a table of small numbers, as a vector of 32 bits each; the table takes a byte for each."""
    builder, size = emit.builder, len(table[0])
    content = bytearray(value for row in table for value in row)
    stored = cgutils.global_constant(
        builder, f"nonzeros.{name}.{size}.{len(table)}", ir.Constant(ir.ArrayType(ir.IntType(8), len(content)), content)
    )
    row = builder.mul(builder.zext(number, WORD), WORD(size))
    narrow = ir.VectorType(ir.IntType(8), size)
    pointer = builder.bitcast(builder.gep(stored, [WORD(0), row]), narrow.as_pointer())
    return builder.zext(builder.load(pointer, align=1), ir.VectorType(NARROW, size))
