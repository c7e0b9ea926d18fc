"""Register tiles: the innermost loops of matrix products, as Numba intrinsics that keep their sums in registers.

LLVM's vectorizer keeps one row of sums in memory and reloads it for every product; a tile of rows x vectors
holds all its sums in registers and reads each operand once (Goto and van de Geijn 2008, Anatomy of
High-Performance Matrix Multiplication). ``memory`` is the block of ``_layout``; a panel in it is ``vectors`` wide, 1, 2
or 4; arrays are flat, places and steps are counted in elements.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kernels.variants._compiled import compiled
from kernels.variants._emitter import VECTOR_BYTES, WIDE, WORD, emitted

TILE_ROWS = {1: (12, 4, 1), 2: (12, 4, 1), 4: (6, 2, 1)} if WIDE else {1: (12, 4, 1), 2: (6, 2, 1)}
"""Rows of the tiles of so many vectors: with the operands the largest fill 32 registers (AVX-512) or 16 (AVX2)."""
WIDTHS = tuple(TILE_ROWS)
MAX_VECTORS = max(WIDTHS)
BLOCK_BYTES = 24 * 1024
"""Of the right operand: half a first cache of 32 or 48 KiB, so that the left one has room."""


@compiled
def product(vectors, rows, memory, c, A, a, row_step, step, b, count, row_places=None, places=None):
    """Add the product of A and the panel at b to so many rows of the panel at c.

    ``C[r, v] += sum over k of A[a + r row_step + k step] B[k, v]``, k below ``count``. Where ``row_places`` is an
    array, ``row_places[r]`` stands for ``r row_step``, where ``places`` is one, ``places[k]`` for ``k step``: so rows
    are used where they lie. The rows of B that are used at once stay in the first cache.
    """
    width = vectors * (VECTOR_BYTES // memory.itemsize)
    block = max(1, BLOCK_BYTES // (width * memory.itemsize))
    for k in range(0, count, block):
        more = min(block, count - k)
        multiply(vectors, rows, memory, c, A, a + k * step, row_step, step, b + k * width, more, row_places, places, k)


@intrinsic
def multiply(typing, vectors, rows, memory, c, A, a, row_step, step, b, count, row_places, places, start):
    """Add a product as ``product`` does, for k from ``start`` on.

    The sum over k is added to C as a whole: added one by one, small products would be rounded to the size of C each.
    """
    by_row, by_number = isinstance(row_places, types.Array), isinstance(places, types.Array)

    def write(emit, vectors, rows, memory, c, A, a, row_step, step, b, count, row_places, places, start):
        builder = emit.builder

        def tile(first: Any, R: int, V: int) -> None:
            width = ir.Constant(WORD, V * emit.lanes)
            numbers = [builder.add(first, ir.Constant(WORD, r)) for r in range(R)]
            rows_of_c = [builder.add(c, builder.mul(number, width)) for number in numbers]
            steps = [emit.element_at(row_places, r) if by_row else builder.mul(r, row_step) for r in numbers]
            rows_of_a = [builder.add(a, way) for way in steps]

            def body(k: Any, sums: list[Any]) -> list[Any]:
                row = builder.add(b, builder.mul(k, width))
                operands = [emit.load(memory, row, v) for v in range(V)]
                way = emit.element_at(places, builder.add(start, k)) if by_number else builder.mul(k, step)
                found = []
                for r in range(R):
                    scalar = emit.splat(A, builder.add(rows_of_a[r], way))
                    found += [emit.multiply_add(scalar, operands[v], sums[r * V + v]) for v in range(V)]
                return found

            sums = emit.chained_loop(count, [emit.zero()] * (R * V), body)
            for r in range(R):
                emit.add_to(sums[r * V : (r + 1) * V], memory, rows_of_c[r])

        emit.for_vectors(vectors, WIDTHS, lambda V: emit.strips(rows, TILE_ROWS[V], lambda r, R: tile(r, R, V)))

    kinds = (vectors, rows, memory, c, A, a, row_step, step, b, count, row_places, places, start)
    return emitted(kinds, write)


@intrinsic
def multiply_chosen(typing, vectors, memory, c, a, index, first, b, count):
    """Add a product with chosen rows to a row of a panel: ``C[v] += sum over k of A[a + k] B[index[first + k], v]``."""

    def write(emit, vectors, memory, c, a, index, first, b, count):
        builder = emit.builder

        def one(V: int) -> None:
            def body(k: Any, sums: list[Any]) -> list[Any]:
                row = emit.chosen_row(index, builder.add(first, k), b, V)
                scalar = emit.splat(memory, builder.add(a, k))
                return [emit.multiply_add(scalar, emit.load(memory, row, v), sums[v]) for v in range(V)]

            emit.add_to(emit.chained_loop(count, [emit.zero()] * V, body), memory, c)

        emit.for_vectors(vectors, WIDTHS, one)

    return emitted((vectors, memory, c, a, index, first, b, count), write)


@intrinsic
def update_chosen(typing, vectors, memory, c, index, first, a, b, count):
    """Add a row to chosen rows of a panel, none twice: ``C[index[first + k], v] += A[a + k] B[v]``."""

    def write(emit, vectors, memory, c, index, first, a, b, count):
        builder = emit.builder

        def one(V: int) -> None:
            operands = [emit.load(memory, b, v) for v in range(V)]

            def body(k: Any, _: list[Any]) -> list[Any]:
                row = emit.chosen_row(index, builder.add(first, k), c, V)
                scalar = emit.splat(memory, builder.add(a, k))
                for v in range(V):
                    emit.store(emit.multiply_add(scalar, operands[v], emit.load(memory, row, v)), memory, row, v)
                return []

            emit.loop(count, [], body)

        emit.for_vectors(vectors, WIDTHS, one)

    return emitted((vectors, memory, c, index, first, a, b, count), write)


@intrinsic
def sweep(typing, vectors, memory, c, w, a, d, x, count):
    """Update a panel and multiply by it in one pass over memory, row by row.

    ``W[k, v] += A[a + k] D[d + v]``, then ``C[v] += X[x + k] W[k, v]``, for k below ``count``.
    """

    def write(emit, vectors, memory, c, w, a, d, x, count):
        builder = emit.builder

        def one(V: int) -> None:
            width, operands = ir.Constant(WORD, V * emit.lanes), [emit.load(memory, d, v) for v in range(V)]

            def body(k: Any, sums: list[Any]) -> list[Any]:
                row = builder.add(w, builder.mul(k, width))
                step, scalar = emit.splat(memory, builder.add(a, k)), emit.splat(memory, builder.add(x, k))
                found = []
                for v in range(V):
                    weights = emit.multiply_add(step, operands[v], emit.load(memory, row, v))
                    emit.store(weights, memory, row, v)
                    found.append(emit.multiply_add(scalar, weights, sums[v]))
                return found

            emit.add_to(emit.chained_loop(count, [emit.zero()] * V, body), memory, c)

        emit.for_vectors(vectors, WIDTHS, one)

    return emitted((vectors, memory, c, w, a, d, x, count), write)


@intrinsic
def turn_block(typing, memory, to, to_step, source, source_step):
    """Transpose a square of as many rows as a vector has elements; the steps lead from row to row."""

    def write(emit, memory, to, to_step, source, source_step):
        builder, size, distance = emit.builder, emit.lanes, 1
        numbers = [ir.Constant(WORD, r) for r in range(size)]
        rows = [emit.load(memory, builder.add(source, builder.mul(r, source_step))) for r in numbers]
        while distance < size:  # swap the off-diagonal quarters of all squares of twice the distance
            for r in (r for r in range(size) if not r & distance):
                upper, lower = rows[r], rows[r + distance]
                left = [j if not j & distance else size + j - distance for j in range(size)]
                right = [j + distance if not j & distance else size + j for j in range(size)]
                rows[r], rows[r + distance] = emit.shuffle(upper, lower, left), emit.shuffle(upper, lower, right)
            distance *= 2
        for r, row in zip(numbers, rows, strict=True):
            emit.store(row, memory, builder.add(to, builder.mul(r, to_step)))

    return emitted((memory, to, to_step, source, source_step), write)


@intrinsic
def list_block(typing, X, x, memory, to, index, first, column):
    """List the nonzeros among as many elements of X as a vector has; return how many there are.

    Their values go to ``memory[to]``, their columns, the first of which is ``column``, to ``index[first]``; a whole
    vector is written to both. For processors with AVX-512, which can close up a vector.
    """

    def write(emit, X, x, memory, to, index, first, column):
        builder, lanes, narrow = emit.builder, emit.lanes, ir.IntType(32)
        values = emit.load(X, x)
        mask = builder.fcmp_unordered("!=", values, emit.zero())
        emit.store(_close_up(builder, values, mask, emit.element.intrinsic_name), memory, to)
        kind = ir.VectorType(narrow, lanes)
        start = builder.insert_element(ir.Constant(kind, ir.Undefined), builder.trunc(column, narrow), narrow(0))
        zeros = ir.Constant(kind, [0] * lanes)
        columns = builder.add(builder.shuffle_vector(start, start, zeros), ir.Constant(kind, list(range(lanes))))
        pointer = builder.bitcast(emit.at(index, first), kind.as_pointer())
        builder.store(_close_up(builder, columns, mask, "i32"), pointer, align=4)
        return builder.zext(builder.ctpop(builder.bitcast(mask, ir.IntType(lanes))), WORD)

    return emitted((X, x, memory, to, index, first, column), write, types.int64)


def _close_up(builder: Any, values: Any, mask: Any, element: str) -> Any:
    """Elements of a vector for which the mask is set, moved to its front."""
    kind = values.type
    name = f"llvm.x86.avx512.mask.compress.v{kind.count}{element}"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind, kind, mask.type]), name)
    return builder.call(function, [values, values, mask])
