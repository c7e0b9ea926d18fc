"""Register tiles: the innermost loops of matrix products, as Numba intrinsics that keep their sums in registers.

LLVM's vectorizer keeps one row of sums in memory and reloads it for every product; a tile of rows x vectors
holds all its sums in registers and reads each operand once (Goto and van de Geijn 2008, Anatomy of
High-Performance Matrix Multiplication). ``memory`` is the block that ``layout`` plans; a panel in it is ``vectors``
wide, 1, 2 or 4; arrays are flat, indices and steps are counted in elements.
"""

from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from kernels.contract import Array
from kernels.variants._numba.compiled import compiled, part
from kernels.variants._tiled.emitter import VECTOR_BYTES, WIDE, WORD, Emitter, emitted

TILE_ROWS = {1: (12, 4, 1), 2: (8, 4, 1), 4: (6, 2, 1)} if WIDE else {1: (12, 4, 1), 2: (6, 2, 1)}
"""Rows of the tiles of so many vectors: with the operands the largest fill 32 registers (AVX-512) or 16 (AVX2).
With two vectors of AVX-512, 8 rows are up to 1.2 times as fast as 12 on a Zen 4."""
WIDTHS = tuple(TILE_ROWS)
MAX_VECTORS = max(WIDTHS)
FAR_BYTES = 2 << 20
"""Size of a result from which its rows are asked for while their sums are made: they come from beyond the second cache,
where a product of 126 rows and 2048 x 2048 weights took 1.6 times as long without."""
RIGHT_VECTORS = 24 * 1024 // VECTOR_BYTES
"""Vectors of the right operand that are used at once, which stay in half a first cache of 32 or 48 KiB."""
LARGE_LEFT, LEFT_ROWS = 1 << 16, 126
"""Elements of a left operand that outgrows the second cache with all else: so many of its rows are used at once."""


class Left(NamedTuple):
    """Left operand A of a product: ``A[r, k]`` is ``values[start + way of r + way of k]``.

    A way is an integer, the step from one to the next; None, a step of 1; or an array of int64, the way to each: so
    data rows are used where they lie.
    """

    values: Array
    start: int
    rows: Any
    columns: Any


class Panels(NamedTuple):
    """The two other matrices of a product: right operand B (inner, width) and result C (rows, width) of each panel."""

    vectors: int
    n: int
    """Panels side by side."""
    right: int
    """Index of the first B in memory."""
    right_step: int
    """Elements from one B to the next."""
    inner: int
    result: int
    """Index of the first C in memory."""
    result_step: int
    rows: int


class Piece(NamedTuple):
    """The piece of a product that is added at once, in one panel."""

    panel: int
    first: int
    rows: int
    """So many rows of the result, from that one on."""
    start: int
    inner: int
    """So many k, from that one on."""


class Sweep(NamedTuple):
    """A panel W (rows, width) of weights, and the rows of the data that pass over it: indices in memory."""

    vectors: int
    weights: int
    rows: int
    input_before: int
    """(rows,) a."""
    deltas_before: int
    """(width,) d."""
    input: int
    """(rows,) x."""
    result: int
    """(width,) c."""


@compiled
def plain_product(memory, rows, inner, right, result):
    """Add the product of A (rows, inner), row by row from the front of memory, and one of the widest panels."""
    product(memory, Left(memory, 0, inner, None), Panels(MAX_VECTORS, 1, right, 0, inner, result, 0, rows))


@part
def product(memory, left, panels):
    """Add the product of A and B to C, for each panel: ``C[r, v] += sum over k of A[r, k] B[k, v]``.

    All panels pass by a part of A that stays in the second cache (Goto and van de Geijn 2008): large weights are read
    from beyond it once for a chunk of rows, and large inputs as well.
    """
    depth = RIGHT_VECTORS >> (panels.vectors >> 1)  # of 1, 2 or 4
    large = panels.rows * panels.inner >= LARGE_LEFT
    height = LEFT_ROWS if large else panels.rows
    panel = first = k = 0
    while panel < panels.n:  # one loop: four of them would take as long as a small product
        rows, inner = min(height, panels.rows - first), min(depth, panels.inner - k)
        multiply(memory, left, panels, Piece(panel, first, rows, k, inner))
        if not large:
            k += depth
            if k >= panels.inner:
                panel, k = panel + 1, 0
            continue
        panel += 1
        if panel == panels.n:
            first += height
            if first >= panels.rows:
                first, k = 0, k + depth
            if k < panels.inner:
                panel = 0


@intrinsic
def multiply(typing, memory, left, panels, piece):
    """Add a piece of a product as ``product`` does.

    The sum over k is added to C as a whole: added one by one, small products would be rounded to the size of C each.
    """
    kinds = dict(zip(Left._fields, left, strict=True))

    def write(emit, memory, left, panels, piece):
        builder = emit.builder
        start, count = piece.start, piece.inner
        first_right = builder.add(panels.right, builder.mul(piece.panel, panels.right_step))
        first_result = builder.add(panels.result, builder.mul(piece.panel, panels.result_step))
        results = builder.mul(panels.n, panels.result_step)
        far = builder.icmp_signed(">=", results, ir.Constant(WORD, FAR_BYTES * 8 // emit.kind.bitwidth))

        def tile(strip: Any, R: int, V: int) -> None:
            width, first = ir.Constant(WORD, V * emit.lanes), builder.add(piece.first, strip)
            numbers = [builder.add(first, ir.Constant(WORD, r)) for r in range(R)]
            rows_of_c = [builder.add(first_result, builder.mul(number, width)) for number in numbers]
            rows_of_a = [builder.add(left.start, _way(emit, kinds["rows"], left.rows, r)) for r in numbers]
            right = builder.add(first_right, builder.mul(start, width))
            with builder.if_then(far):
                for row in rows_of_c:
                    emit.prefetch(memory, row, V)

            def body(k: Any, sums: list[Any]) -> list[Any]:
                row = builder.add(right, builder.mul(k, width))
                operands = [emit.load(memory, row, v) for v in range(V)]
                way = _way(emit, kinds["columns"], left.columns, builder.add(start, k))
                found = []
                for r in range(R):
                    scalar = emit.splat(left.values, builder.add(rows_of_a[r], way))
                    found += [emit.multiply_add(scalar, operands[v], sums[r * V + v]) for v in range(V)]
                return found

            sums = emit.chained_loop(count, [emit.zero()] * (R * V), body)
            for r in range(R):
                emit.add_to(sums[r * V : (r + 1) * V], memory, rows_of_c[r])

        def strips(V: int) -> None:
            emit.strips(piece.rows, TILE_ROWS[V], lambda r, R: tile(r, R, V))

        emit.for_vectors(panels.vectors, WIDTHS, strips)

    return emitted((memory, left, panels, piece), write)


def _way(emit: Emitter, kind: Any, way: Any, number: Any) -> Any:
    """Distance of the row or column of that number from the first, as ``Left`` says."""
    if isinstance(kind, types.Array):
        return emit.element_at(way, number)
    return number if isinstance(kind, types.NoneType) else emit.builder.mul(number, way)


@intrinsic
def sweep(typing, memory, panel):
    """Update a panel of weights and multiply by it in one pass over memory, row by row.

    ``W[k, v] += a[k] d[v]``, then ``c[v] += x[k] W[k, v]``, for k below ``rows``.
    """

    def write(emit, memory, panel):
        builder = emit.builder

        def one(V: int) -> None:
            width = ir.Constant(WORD, V * emit.lanes)
            operands = [emit.load(memory, panel.deltas_before, v) for v in range(V)]

            def body(k: Any, sums: list[Any]) -> list[Any]:
                row = builder.add(panel.weights, builder.mul(k, width))
                step = emit.splat(memory, builder.add(panel.input_before, k))
                scalar = emit.splat(memory, builder.add(panel.input, k))
                found = []
                for v in range(V):
                    weights = emit.multiply_add(step, operands[v], emit.load(memory, row, v))
                    emit.store(weights, memory, row, v)
                    found.append(emit.multiply_add(scalar, weights, sums[v]))
                return found

            emit.add_to(emit.chained_loop(panel.rows, [emit.zero()] * V, body), memory, panel.result)

        emit.for_vectors(panel.vectors, WIDTHS, one)

    return emitted((memory, panel), write)


@intrinsic
def transpose_block(typing, memory, to, to_step, source, source_step):
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
