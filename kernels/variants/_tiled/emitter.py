"""Writes LLVM code for operations on whole vectors: what the intrinsics beside this file are made of.

Numba has no vectors of its own, and leaves it to LLVM to find them in loops; here they are written down, with the loops
that hold sums in registers. A vector is as wide as the processor's registers.
"""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, config, types
from numba.core.codegen import get_host_cpu_features

from kernels.errors import SettingError

SETTINGS = vars(config)
"""Numba's, which it reads from the environment."""
if SETTINGS["DISABLE_JIT"]:
    raise SettingError(
        "tiled and sparse exist in compiled code alone, which NUMBA_DISABLE_JIT, or disable_jit in .numba_config.yaml, "
        "switches off: unset it"
    )

FEATURES = get_host_cpu_features() if SETTINGS["CPU_FEATURES"] is None else SETTINGS["CPU_FEATURES"]
"""Features of the processor that Numba compiles for."""
WIDE = {"+avx512f", "+avx512vl"} <= set(FEATURES.split(","))
AVX2 = "+avx2" in FEATURES.split(",")
VECTOR_BYTES = 64 if WIDE else 32
"""Width of a vector; narrower registers (SSE, NEON) hold it as a pair."""
LATENCY_SUMS = 8
"""Independent sums that keep two units busy whose multiply-add takes four cycles."""
LINE_BYTES = 64
WORD = ir.IntType(64)
NAMED: Any = types.BaseNamedTuple
KEPT = (types.Array, NAMED)
"""Types that arguments of intrinsics keep; all others are made words."""
Body = Callable[[Any, list[Any]], list[Any]]


def emitted(kinds: Sequence[Any], write: Callable[..., Any], returns: Any = types.void) -> tuple[Any, Any]:
    """Return what an intrinsic returns: the signature, and the code that ``write(emitter, *values)`` writes.

    Values are data pointers for arrays, words for integers, and NamedTuples of these; the vectors have the type of the
    first argument, an array.
    """
    signature = returns(*(kind if isinstance(kind, KEPT) else types.int64 for kind in kinds))

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = Emitter(context, builder, signature.args[0].dtype)
        values = (emit.value(kind, value) for kind, value in zip(signature.args, arguments, strict=True))
        found = write(emit, *values)
        return context.get_dummy_value() if found is None else found

    return signature, code


class Emitter:
    """Writes operations on vectors; all arrays are flat, all indices are counted in elements."""

    def __init__(self, context: Any, builder: Any, kind: Any) -> None:
        self.context, self.builder, self.kind = context, builder, kind
        self.element = context.get_value_type(kind)
        self.lanes = VECTOR_BYTES * 8 // kind.bitwidth
        self.vector = ir.VectorType(self.element, self.lanes)
        self.fma = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(self.vector, [self.vector] * 3),
            f"llvm.fma.v{self.lanes}f{self.element.intrinsic_name[1:]}",
        )

    def value(self, kind: Any, value: Any) -> Any:
        """Pointer to the data of an array, the same for each field of a NamedTuple; other values as they are."""
        if isinstance(kind, types.Array):
            return self.context.make_array(kind)(self.context, self.builder, value).data
        if isinstance(kind, NAMED):
            fields = cgutils.unpack_tuple(self.builder, value, len(kind))
            return kind.instance_class(*map(self.value, kind, fields))
        return value

    def at(self, data: Any, index: Any) -> Any:
        """Pointer to an element."""
        return self.builder.gep(data, [index])

    def load(self, data: Any, index: Any, vector: int = 0) -> Any:
        """Vector that begins so many vectors behind an index."""
        pointer = self._vector_pointer(data, index, vector)
        return self.builder.load(pointer, align=self.kind.bitwidth // 8)

    def store(self, value: Any, data: Any, index: Any, vector: int = 0) -> None:
        """Store a vector so many vectors behind an index."""
        self.builder.store(value, self._vector_pointer(data, index, vector), align=self.kind.bitwidth // 8)

    def first_lanes(self, count: Any) -> Any:
        """Mask of so many lanes from the first on."""
        numbers = ir.Constant(ir.VectorType(WORD, self.lanes), list(range(self.lanes)))
        return self.builder.icmp_signed("<", numbers, self.broadcast(count))

    def load_masked(self, data: Any, index: Any, mask: Any) -> Any:
        """Load a vector where a mask is set, and nothing but 0 elsewhere, whatever lies there."""
        pointer, narrow = self._vector_pointer(data, index, 0), ir.IntType(32)
        function = cgutils.get_or_insert_function(
            self.builder.module,
            ir.FunctionType(self.vector, [pointer.type, narrow, mask.type, self.vector]),
            f"llvm.masked.load.v{self.lanes}f{self.element.intrinsic_name[1:]}.p0",
        )
        return self.builder.call(function, [pointer, narrow(self.kind.bitwidth // 8), mask, self.zero()])

    def prefetch(self, data: Any, index: Any, vectors: int) -> None:
        """Ask for the cache lines of vectors that begin at an index, to be read and written soon."""
        narrow, kind = ir.IntType(32), ir.IntType(8).as_pointer()
        function = cgutils.get_or_insert_function(
            self.builder.module, ir.FunctionType(ir.VoidType(), [kind, narrow, narrow, narrow]), "llvm.prefetch.p0"
        )
        for byte in range(0, vectors * VECTOR_BYTES, LINE_BYTES):
            element = self.builder.add(index, ir.Constant(WORD, byte * 8 // self.kind.bitwidth))
            pointer = self.builder.bitcast(self.at(data, element), kind)
            self.builder.call(function, [pointer, narrow(0), narrow(3), narrow(1)])

    def splat(self, data: Any, index: Any) -> Any:
        """Vector whose lanes are all the element at an index."""
        return self.broadcast(self.builder.load(self.at(data, index)))

    def broadcast(self, value: Any) -> Any:
        """Vector whose lanes are all a value, of any type."""
        undefined, narrow = ir.Constant(ir.VectorType(value.type, self.lanes), ir.Undefined), ir.IntType(32)
        single = self.builder.insert_element(undefined, value, narrow(0))
        return self.builder.shuffle_vector(
            single, undefined, ir.Constant(ir.VectorType(narrow, self.lanes), [0] * self.lanes)
        )

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        """``a b + c``, rounded once."""
        return self.builder.call(self.fma, [a, b, c])

    def shuffle(self, a: Any, b: Any, elements: list[int]) -> Any:
        """Vector of those elements of two, which are numbered one behind the other."""
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), elements))

    def add(self, a: Any, b: Any) -> Any:
        """``a + b``."""
        return self.builder.fadd(a, b)

    def larger(self, a: Any, b: Any) -> Any:
        """``a`` where it is larger than ``b``, else ``b``: also where ``a`` is NaN."""
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)

    def across(self, vector: Any, operation: Callable[[Any, Any], Any], width: int) -> Any:
        """Vector each of whose lanes is what an operation makes of so many lanes side by side, its own among them."""
        while width > 1:
            width //= 2
            vector = operation(vector, self.shuffle(vector, vector, [i ^ width for i in range(self.lanes)]))
        return vector

    def zero(self) -> Any:
        """Vector of zeros."""
        return self.constant(0.0)

    def constant(self, value: float) -> Any:
        """Vector whose lanes are all a number that is known when the code is written."""
        return ir.Constant(self.vector, [ir.Constant(self.element, value)] * self.lanes)

    def element_at(self, data: Any, index: Any) -> Any:
        """Load one element."""
        return self.builder.load(self.at(data, index))

    def numbered_row(self, numbers: Any, index: Any, panel: Any, vectors: int) -> Any:
        """Index of the row of a panel whose number, of 32 bits, stands at an index of an array of numbers."""
        number = self.builder.sext(self.element_at(numbers, index), WORD)
        return self.builder.add(panel, self.builder.mul(number, ir.Constant(WORD, vectors * self.lanes)))

    def add_to(self, sums: list[Any], data: Any, index: Any) -> None:
        """Add vectors to those that lie side by side from an index on."""
        for v, total in enumerate(sums):
            self.store(self.add(self.load(data, index, v), total), data, index, v)

    def _vector_pointer(self, data: Any, index: Any, vector: int) -> Any:
        index = self.builder.add(index, ir.Constant(WORD, vector * self.lanes))
        return self.builder.bitcast(self.at(data, index), self.vector.as_pointer())

    def for_vectors(self, vectors: Any, numbers: Sequence[int], write: Callable[[int], None]) -> None:
        """Write the code for each number of vectors, of which the value at run time chooses one."""
        for number in numbers:
            with self.builder.if_then(self.builder.icmp_signed("==", vectors, ir.Constant(WORD, number))):
                write(number)

    def strips(self, rows: Any, sizes: Sequence[int], write: Callable[[Any, int], None]) -> None:
        """Divide rows into strips of the first size, what is left into strips of the next, and so on."""
        builder, position = self.builder, cgutils.alloca_once_value(self.builder, ir.Constant(WORD, 0))
        for size in sizes:
            head, inside, after = (
                builder.append_basic_block(name) for name in ("strip.head", "strip.body", "strip.end")
            )
            builder.branch(head)
            builder.position_at_end(head)
            done = builder.load(position)
            fits = builder.icmp_signed(">=", builder.sub(rows, done), ir.Constant(WORD, size))
            builder.cbranch(fits, inside, after)
            builder.position_at_end(inside)
            write(done, size)
            builder.store(builder.add(done, ir.Constant(WORD, size)), position)
            builder.branch(head)
            builder.position_at_end(after)

    def loop(self, count: Any, sums: list[Any], body: Body) -> list[Any]:
        """Run the body for 0 .. count - 1 with sums that stay in registers; return them after the last round."""
        builder, before = self.builder, self.builder.block
        head, inside, after = (builder.append_basic_block(name) for name in ("tile.head", "tile.body", "tile.end"))
        builder.branch(head)
        builder.position_at_end(head)
        position = builder.phi(WORD)
        position.add_incoming(ir.Constant(WORD, 0), before)
        kept = [builder.phi(start.type) for start in sums]
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

    def chained_loop(self, count: Any, sums: list[Any], body: Body) -> list[Any]:
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
                number = builder.add(first, ir.Constant(WORD, chain))
                found += body(number, sums[chain * size : (chain + 1) * size])
            return found

        parts = self.loop(full, sums + [self.zero()] * (size * (chains - 1)), several)
        sums = parts[:size]
        for chain in range(1, chains):
            sums = [self.add(a, b) for a, b in zip(sums, parts[chain * size : (chain + 1) * size], strict=True)]
        return self.loop(builder.sub(count, done), sums, lambda k, sums: body(builder.add(done, k), sums))
