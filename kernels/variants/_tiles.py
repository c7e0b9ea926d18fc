"""Register tiles: the innermost loops of matrix products, as Numba intrinsics that keep their sums in registers.

LLVM's vectorizer keeps one row of sums in memory and reloads it for every product; a tile of rows x vectors
holds all its sums in registers and reads each operand once (Goto and van de Geijn 2008, Anatomy of
High-Performance Matrix Multiplication). A vector is as wide as the processor's registers.
"""

from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kernels.variants._compiled import compiled, inlined

WIDE = bool(llvmlite.binding.get_host_cpu_features().get("avx512f", False))
VECTOR_BYTES = 64 if WIDE else 32
"""Width of a vector; narrower registers (SSE, NEON) hold it as a pair."""
MOST_VECTORS = 4 if WIDE else 2
"""Of a tile's rows; with ``ROWS`` sums and the operands they fill the 32 registers of AVX-512, or the 16 of AVX2."""
ROWS_1, ROWS_2, ROWS_4 = (12, 12, 6) if WIDE else (12, 6, 3)
"""Rows of the largest tile of 1, 2 and 4 vectors."""
BLOCK_BYTES = 24 * 1024
"""Of the right operand: half a first cache of 32 or 48 KiB, so that the left one has room."""
LATENCY_SUMS = 8
"""Independent sums that keep two units busy whose multiply-add takes four cycles."""
WORD = ir.IntType(64)


class _Emitter:
    """Writes the operations of one tile; all arrays are flat, all places are counted in elements."""

    def __init__(self, context: Any, builder: Any, kind: Any) -> None:
        self.builder, self.kind = builder, kind
        self.element = context.get_value_type(kind)
        self.lanes = lanes(kind)
        self.vector = ir.VectorType(self.element, self.lanes)
        self.fma = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(self.vector, [self.vector] * 3),
            f"llvm.fma.v{self.lanes}f{self.element.intrinsic_name[1:]}",
        )

    def step(self, kind: Any, places: Any, start: Any, number: Any, step: Any) -> Any:
        """Way to a row: from an array of places where there is one, else so many steps."""
        if isinstance(kind, types.Array):
            return self.builder.load(self.at(places, self.builder.add(start, number)))
        return self.builder.mul(number, step)

    def at(self, data: Any, place: Any) -> Any:
        return self.builder.gep(data, [place])

    def load(self, data: Any, place: Any, vector: int = 0) -> Any:
        pointer = self._vector_pointer(data, place, vector)
        return self.builder.load(pointer, align=self.kind.bitwidth // 8)

    def store(self, value: Any, data: Any, place: Any, vector: int = 0) -> None:
        self.builder.store(value, self._vector_pointer(data, place, vector), align=self.kind.bitwidth // 8)

    def splat(self, data: Any, place: Any) -> Any:
        """Vector whose lanes are all the element at a place."""
        scalar = self.builder.load(self.at(data, place))
        single = self.builder.insert_element(
            ir.Constant(self.vector, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0)
        )
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(single, ir.Constant(self.vector, ir.Undefined), zeros)

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        return self.builder.call(self.fma, [a, b, c])

    def shuffle(self, a: Any, b: Any, places: list[int]) -> Any:
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), places))

    def add(self, a: Any, b: Any) -> Any:
        return self.builder.fadd(a, b)

    def zero(self) -> Any:
        return ir.Constant(self.vector, [ir.Constant(self.element, 0.0)] * self.lanes)

    def _vector_pointer(self, data: Any, place: Any, vector: int) -> Any:
        place = self.builder.add(place, ir.Constant(WORD, vector * self.lanes))
        return self.builder.bitcast(self.at(data, place), self.vector.as_pointer())

    def loop(self, count: Any, sums: list[Any], body: Callable[[Any, list[Any]], list[Any]]) -> list[Any]:
        """Run the body for 0 .. count - 1 with sums that stay in registers; return them after the last round."""
        builder, before = self.builder, self.builder.block
        head, inside, after = (builder.append_basic_block(name) for name in ("tile.head", "tile.body", "tile.end"))
        builder.branch(head)
        builder.position_at_end(head)
        position = builder.phi(WORD)
        position.add_incoming(ir.Constant(WORD, 0), before)
        kept = [builder.phi(self.vector) for _ in sums]
        for phi, start in zip(kept, sums, strict=True):
            phi.add_incoming(start, before)
        builder.cbranch(builder.icmp_signed("<", position, count), inside, after)
        builder.position_at_end(inside)
        results = body(position, list(kept))
        last = builder.block
        position.add_incoming(builder.add(position, ir.Constant(WORD, 1)), last)
        for phi, result in zip(kept, results, strict=True):
            phi.add_incoming(result, last)
        builder.branch(head)
        builder.position_at_end(after)
        return list(kept)

    def chained_loop(self, count: Any, sums: list[Any], body: Callable[[Any, list[Any]], list[Any]]) -> list[Any]:
        """Run the body like ``loop``; few sums are split into more, so that no product waits for the one before."""
        builder, chains = self.builder, max(1, LATENCY_SUMS // len(sums))
        if chains == 1:
            return self.loop(count, sums, body)
        full = builder.sdiv(count, ir.Constant(WORD, chains))
        done = builder.mul(full, ir.Constant(WORD, chains))
        size = len(sums)

        def several(k: Any, sums: list[Any]) -> list[Any]:
            first = builder.mul(k, ir.Constant(WORD, chains))
            found = []
            for chain in range(chains):
                place = builder.add(first, ir.Constant(WORD, chain))
                found += body(place, sums[chain * size : (chain + 1) * size])
            return found

        parts = self.loop(full, sums + [self.zero()] * (size * (chains - 1)), several)
        sums = parts[:size]
        for chain in range(1, chains):
            sums = [self.add(a, b) for a, b in zip(sums, parts[chain * size : (chain + 1) * size], strict=True)]
        return self.loop(builder.sub(count, done), sums, lambda k, sums: body(builder.add(done, k), sums))


def lanes(kind: Any) -> int:
    """Elements of a Numba float type in one vector."""
    return VECTOR_BYTES * 8 // kind.bitwidth


def _arrays(context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> list[Any]:
    """Data pointers of array arguments; integers as they are."""
    values = []
    for kind, value in zip(signature.args, arguments, strict=True):
        if isinstance(kind, types.Array):
            values.append(context.make_array(kind)(context, builder, value).data)
        elif isinstance(kind, types.Integer | types.IntegerLiteral):
            values.append(context.cast(builder, value, kind, types.int64))
        else:
            values.append(value)
    return values


@intrinsic(prefer_literal=True)
def tile(typing, rows, vectors, C, c, A, a, row_step, step, B, b, width, count, row_places, first, places, start):
    """Add a product to a tile: ``C[c + r width + v] += sum over k of A[a + r row_step + k step] B[b + k width + v]``.

    r runs over ``rows`` and v over ``vectors`` vectors, both literals; k runs over ``count``. Where ``row_places`` is
    an array, ``r row_step`` is ``row_places[first + r]``; where ``places`` is one, ``k step`` is ``places[start + k]``:
    so rows are used where they lie. The sum is added to C as a whole: added one by one, small products would be
    rounded to the size of C each.
    """
    R, V = rows.literal_value, vectors.literal_value
    integer = types.int64
    signature = types.void(
        *(rows, vectors, C, integer, A, *[integer] * 3, B, *[integer] * 3, row_places, integer, places, integer)
    )

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = _Emitter(context, builder, C.dtype)
        values = _arrays(context, builder, signature, arguments)
        _, _, C_, c_, A_, a_, row_step_, step_, B_, b_, width_, count_, row_places_, first_, places_, start_ = values
        rows_of_c = [builder.add(c_, builder.mul(ir.Constant(WORD, r), width_)) for r in range(R)]
        numbers = [ir.Constant(WORD, r) for r in range(R)]
        steps = [emit.step(row_places, row_places_, first_, r, row_step_) for r in numbers]
        rows_of_a = [builder.add(a_, step) for step in steps]

        def body(k: Any, sums: list[Any]) -> list[Any]:
            row = builder.add(b_, builder.mul(k, width_))
            operands = [emit.load(B_, row, v) for v in range(V)]
            shift = emit.step(places, places_, start_, k, step_)
            found = []
            for r in range(R):
                scalar = emit.splat(A_, builder.add(rows_of_a[r], shift))
                found += [emit.multiply_add(scalar, operands[v], sums[r * V + v]) for v in range(V)]
            return found

        sums = emit.chained_loop(count_, [emit.zero()] * (R * V), body)
        for r in range(R):
            for v in range(V):
                emit.store(emit.add(emit.load(C_, rows_of_c[r], v), sums[r * V + v]), C_, rows_of_c[r], v)
        return context.get_dummy_value()

    return signature, code


@intrinsic(prefer_literal=True)
def tile_at(typing, vectors, C, c, A, a, index, first, B, b, width, count):
    """Add a product with chosen rows: ``C[c + v] += sum over k of A[a + k] B[b + index[first + k] width + v]``.

    v runs over ``vectors`` vectors, a literal; k runs over ``count``.
    """
    V = vectors.literal_value
    signature = types.void(*(vectors, C, types.int64, A, types.int64, index, types.int64, B, *[types.int64] * 3))

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = _Emitter(context, builder, C.dtype)
        _, C_, c_, A_, a_, index_, first_, B_, b_, width_, count_ = _arrays(context, builder, signature, arguments)

        def body(k: Any, sums: list[Any]) -> list[Any]:
            position = builder.load(emit.at(index_, builder.add(first_, k)))
            row = builder.add(b_, builder.mul(builder.sext(position, WORD), width_))
            scalar = emit.splat(A_, builder.add(a_, k))
            return [emit.multiply_add(scalar, emit.load(B_, row, v), sums[v]) for v in range(V)]

        for v, total in enumerate(emit.chained_loop(count_, [emit.zero()] * V, body)):
            emit.store(emit.add(emit.load(C_, c_, v), total), C_, c_, v)
        return context.get_dummy_value()

    return signature, code


@intrinsic(prefer_literal=True)
def update_at(typing, vectors, C, c, index, first, A, a, B, b, width, count):
    """Add a row to chosen rows: ``C[c + index[first + k] width + v] += A[a + k] B[b + v]``.

    v runs over ``vectors`` vectors, a literal; k runs over ``count``; no index occurs twice.
    """
    V = vectors.literal_value
    signature = types.void(*(vectors, C, types.int64, index, types.int64, A, types.int64, B, *[types.int64] * 3))

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = _Emitter(context, builder, C.dtype)
        _, C_, c_, index_, first_, A_, a_, B_, b_, width_, count_ = _arrays(context, builder, signature, arguments)
        operands = [emit.load(B_, b_, v) for v in range(V)]

        def body(k: Any, _: list[Any]) -> list[Any]:
            position = builder.load(emit.at(index_, builder.add(first_, k)))
            row = builder.add(c_, builder.mul(builder.sext(position, WORD), width_))
            scalar = emit.splat(A_, builder.add(a_, k))
            for v in range(V):
                emit.store(emit.multiply_add(scalar, operands[v], emit.load(C_, row, v)), C_, row, v)
            return []

        emit.loop(count_, [], body)
        return context.get_dummy_value()

    return signature, code


@intrinsic(prefer_literal=True)
def sweep(typing, vectors, C, c, W, w, A, a, D, d, X, x, width, count):
    """Update a panel and multiply by it in one pass over memory, row by row of W.

    ``W[w + k width + v] += A[a + k] D[d + v]``, then ``C[c + v] += X[x + k] W[w + k width + v]``, for k in ``count``.
    """
    V = vectors.literal_value
    pairs = [entry for array in (W, A, D, X) for entry in (array, types.int64)]
    signature = types.void(vectors, C, types.int64, *pairs, types.int64, types.int64)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = _Emitter(context, builder, C.dtype)
        _, C_, c_, W_, w_, A_, a_, D_, d_, X_, x_, width_, count_ = _arrays(context, builder, signature, arguments)
        operands = [emit.load(D_, d_, v) for v in range(V)]

        def body(k: Any, sums: list[Any]) -> list[Any]:
            row = builder.add(w_, builder.mul(k, width_))
            step, scalar = emit.splat(A_, builder.add(a_, k)), emit.splat(X_, builder.add(x_, k))
            found = []
            for v in range(V):
                weights = emit.multiply_add(step, operands[v], emit.load(W_, row, v))
                emit.store(weights, W_, row, v)
                found.append(emit.multiply_add(scalar, weights, sums[v]))
            return found

        for v, total in enumerate(emit.chained_loop(count_, [emit.zero()] * V, body)):
            emit.store(emit.add(emit.load(C_, c_, v), total), C_, c_, v)
        return context.get_dummy_value()

    return signature, code


@intrinsic
def turn_block(typing, memory, to, to_step, source, source_step):
    """Transpose a square of as many rows as a vector has elements; the steps lead from row to row."""
    signature = types.void(memory, *[types.int64] * 4)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = _Emitter(context, builder, memory.dtype)
        memory_, to_, to_step_, source_, source_step_ = _arrays(context, builder, signature, arguments)
        size = emit.lanes
        rows = [
            emit.load(memory_, builder.add(source_, builder.mul(ir.Constant(WORD, r), source_step_)))
            for r in range(size)
        ]
        distance = 1
        while distance < size:  # swap the off-diagonal halves of all squares of twice the distance
            for r in (r for r in range(size) if not r & distance):
                upper, lower = rows[r], rows[r + distance]
                rows[r] = emit.shuffle(
                    upper, lower, [j if not j & distance else size + j - distance for j in range(size)]
                )
                rows[r + distance] = emit.shuffle(
                    upper, lower, [j + distance if not j & distance else size + j for j in range(size)]
                )
            distance *= 2
        for r, row in enumerate(rows):
            emit.store(row, memory_, builder.add(to_, builder.mul(ir.Constant(WORD, r), to_step_)))
        return context.get_dummy_value()

    return signature, code


@intrinsic
def list_block(typing, X, x, memory, to, index, first, column):
    """List the nonzeros among as many elements of X as a vector has; return how many there are.

    Their values go to ``memory[to]``, their columns, the first of which is ``column``, to ``index[first]``; a whole
    vector is written to both. For processors with AVX-512, which can close up a vector.
    """
    signature = types.int64(X, types.int64, memory, types.int64, index, types.int64, types.int64)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = _Emitter(context, builder, memory.dtype)
        X_, x_, memory_, to_, index_, first_, column_ = _arrays(context, builder, signature, arguments)
        lanes, narrow = emit.lanes, ir.IntType(32)
        values = emit.load(X_, x_)
        mask = builder.fcmp_unordered("!=", values, emit.zero())
        emit.store(_close_up(builder, values, mask, emit.element.intrinsic_name), memory_, to_)
        start = builder.insert_element(
            ir.Constant(ir.VectorType(narrow, lanes), ir.Undefined),
            builder.trunc(column_, narrow),
            ir.Constant(narrow, 0),
        )
        zeros = ir.Constant(ir.VectorType(narrow, lanes), [0] * lanes)
        columns = builder.add(builder.shuffle_vector(start, start, zeros), ir.Constant(zeros.type, list(range(lanes))))
        pointer = builder.bitcast(emit.at(index_, first_), columns.type.as_pointer())
        builder.store(_close_up(builder, columns, mask, "i32"), pointer, align=4)
        return builder.zext(builder.ctpop(builder.bitcast(mask, ir.IntType(lanes))), WORD)

    return signature, code


def _close_up(builder: Any, values: Any, mask: Any, element: str) -> Any:
    """Elements of a vector for which the mask is set, moved to its front."""
    kind = values.type
    function = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(kind, [kind, kind, mask.type]),
        f"llvm.x86.avx512.mask.compress.v{kind.count}{element}",
    )
    return builder.call(function, [values, values, mask])


@compiled
def product(vectors, rows, memory, c, A, a, row_step, step, b, count, row_places=None, places=None):
    """Add the product of A and a panel in memory to a panel of so many rows; places and steps are those of ``tile``.

    The rows of the right operand that are used at once stay in the first cache.
    """
    width = vectors * (VECTOR_BYTES // memory.itemsize)
    block = max(1, BLOCK_BYTES // (width * memory.itemsize))
    for k in range(0, count, block):
        more = min(block, count - k)
        _block(
            vectors, rows, memory, c, A, a + k * step, row_step, step, b + k * width, more, width, row_places, places, k
        )


@inlined
def _block(  # noqa: C901 - a branch for each number of vectors
    vectors, rows, memory, c, A, a, row_step, step, b, count, width, row_places, places, start
):
    r = 0
    if vectors == 1:
        while rows - r >= ROWS_1:
            tile(
                ROWS_1,
                1,
                memory,
                c + r * width,
                A,
                a + r * row_step,
                row_step,
                step,
                memory,
                b,
                width,
                count,
                row_places,
                r,
                places,
                start,
            )
            r += ROWS_1
        while rows - r >= 4:
            tile(
                4,
                1,
                memory,
                c + r * width,
                A,
                a + r * row_step,
                row_step,
                step,
                memory,
                b,
                width,
                count,
                row_places,
                r,
                places,
                start,
            )
            r += 4
        while r < rows:
            tile(
                1,
                1,
                memory,
                c + r * width,
                A,
                a + r * row_step,
                row_step,
                step,
                memory,
                b,
                width,
                count,
                row_places,
                r,
                places,
                start,
            )
            r += 1
    elif vectors == 2:
        while rows - r >= ROWS_2:
            tile(
                ROWS_2,
                2,
                memory,
                c + r * width,
                A,
                a + r * row_step,
                row_step,
                step,
                memory,
                b,
                width,
                count,
                row_places,
                r,
                places,
                start,
            )
            r += ROWS_2
        while rows - r >= 4:
            tile(
                4,
                2,
                memory,
                c + r * width,
                A,
                a + r * row_step,
                row_step,
                step,
                memory,
                b,
                width,
                count,
                row_places,
                r,
                places,
                start,
            )
            r += 4
        while r < rows:
            tile(
                1,
                2,
                memory,
                c + r * width,
                A,
                a + r * row_step,
                row_step,
                step,
                memory,
                b,
                width,
                count,
                row_places,
                r,
                places,
                start,
            )
            r += 1
    else:
        while rows - r >= ROWS_4:
            tile(
                ROWS_4,
                4,
                memory,
                c + r * width,
                A,
                a + r * row_step,
                row_step,
                step,
                memory,
                b,
                width,
                count,
                row_places,
                r,
                places,
                start,
            )
            r += ROWS_4
        while rows - r >= 2:
            tile(
                2,
                4,
                memory,
                c + r * width,
                A,
                a + r * row_step,
                row_step,
                step,
                memory,
                b,
                width,
                count,
                row_places,
                r,
                places,
                start,
            )
            r += 2
        while r < rows:
            tile(
                1,
                4,
                memory,
                c + r * width,
                A,
                a + r * row_step,
                row_step,
                step,
                memory,
                b,
                width,
                count,
                row_places,
                r,
                places,
                start,
            )
            r += 1


@inlined
def sweep_panel(vectors, memory, c, w, a, d, x, count):
    """Update a panel of so many vectors and multiply by it, as ``sweep`` does."""
    width = vectors * (VECTOR_BYTES // memory.itemsize)
    if vectors == 1:
        sweep(1, memory, c, memory, w, memory, a, memory, d, memory, x, width, count)
    elif vectors == 2:
        sweep(2, memory, c, memory, w, memory, a, memory, d, memory, x, width, count)
    else:
        sweep(4, memory, c, memory, w, memory, a, memory, d, memory, x, width, count)


@inlined
def chosen_product(vectors, memory, c, a, index, first, b, count):
    """Add a product with chosen rows to one row of a panel of so many vectors, as ``tile_at`` does."""
    width = vectors * (VECTOR_BYTES // memory.itemsize)
    if vectors == 1:
        tile_at(1, memory, c, memory, a, index, first, memory, b, width, count)
    elif vectors == 2:
        tile_at(2, memory, c, memory, a, index, first, memory, b, width, count)
    else:
        tile_at(4, memory, c, memory, a, index, first, memory, b, width, count)


@inlined
def chosen_update(vectors, memory, c, index, first, a, b, count):
    """Add a row to chosen rows of a panel of so many vectors, as ``update_at`` does."""
    width = vectors * (VECTOR_BYTES // memory.itemsize)
    if vectors == 1:
        update_at(1, memory, c, index, first, memory, a, memory, b, width, count)
    elif vectors == 2:
        update_at(2, memory, c, index, first, memory, a, memory, b, width, count)
    else:
        update_at(4, memory, c, index, first, memory, a, memory, b, width, count)
