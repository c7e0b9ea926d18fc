"""Elementary functions that LLVM can vectorize: Numba's own ``exp`` is a call for each element.

``exp(x) = 2^n (1 + p(r))`` with ``n`` the integer nearest to ``x / ln 2``, ``r = x - n ln 2`` in two steps (Cody and
Waite 1980, Software Manual for the Elementary Functions), and ``p`` the Taylor polynomial of ``exp(r) - 1``, whose
remainder for ``|r| <= ln(2) / 2`` lies below the rounding of the result.
"""

import math
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

DEGREES = {32: 7, 64: 13}
"""Degree of the polynomial, by the bits of the type: 0.347^8 / 8! is 5e-9, 0.347^14 / 14! is 4e-18."""
MANTISSA_BITS = {32: 23, 64: 52}
LN2_HIGH = {32: 355 / 512, 64: 2977044471 / 2**32}
"""ln 2 cut short enough that its product with n is exact."""
LN2_LOW = {32: -0.00021219444005469057, 64: 1.9082149292705877e-10}
LOWEST = {32: -87.3, 64: -708.3}
"""Below this the exponential would be subnormal; it is 0 then."""
X86 = llvmlite.binding.get_process_triple().startswith(("x86_64", "i686"))
FLUSH_BITS = 0x8040
"""Bits of the control register MXCSR: flush results to zero, take operands as zero, where they are subnormal."""


def _parts(builder: Any, kind: Any, x: Any) -> tuple[Any, Any, Any]:
    """Emit ``2^n`` and ``p(r)``, and the fused multiply-add that the caller combines them with."""
    bits, element = kind.bitwidth, x.type
    mantissa, word = MANTISSA_BITS[bits], ir.IntType(bits)

    def number(value: float) -> Any:
        return ir.Constant(element, value)

    operation = ir.FunctionType(element, [element] * 3)
    fma = cgutils.get_or_insert_function(builder.module, operation, f"llvm.fma.f{bits}")
    # adding 1.5 2^mantissa rounds to an integer and leaves it in the low bits of the sum
    shifter = number(1.5 * 2.0**mantissa)
    shifted = builder.call(fma, [x, number(1 / math.log(2)), shifter])
    n = builder.fsub(shifted, shifter)
    r = builder.call(fma, [n, number(-LN2_HIGH[bits]), x])
    r = builder.call(fma, [n, number(-LN2_LOW[bits]), r])
    p = number(1 / math.factorial(DEGREES[bits]))
    for k in range(DEGREES[bits] - 1, 0, -1):
        p = builder.call(fma, [p, r, number(1 / math.factorial(k))])
    p = builder.fmul(p, r)
    exponent = builder.shl(builder.bitcast(shifted, word), ir.Constant(word, mantissa))
    one = builder.bitcast(number(1.0), word)
    return builder.bitcast(builder.add(exponent, one), element), p, fma


@intrinsic
def exp(typing, x):
    """Exponential of x <= 0, within 2 units in the last place; 0 where it would be subnormal."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (x_,) = arguments
        lowest = ir.Constant(x_.type, LOWEST[x.bitwidth])
        beyond = builder.fcmp_ordered("<", x_, lowest)
        scale, p, fma = _parts(builder, x, builder.select(beyond, lowest, x_))
        return builder.select(beyond, ir.Constant(x_.type, 0.0), builder.call(fma, [scale, p, scale]))

    return x(x), code


@intrinsic
def expm1(typing, x):
    """``exp(x) - 1`` for 0 <= x <= 60, without cancellation near 0."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        scale, p, fma = _parts(builder, x, arguments[0])
        return builder.call(fma, [scale, p, builder.fsub(scale, ir.Constant(scale.type, 1.0))])

    return x(x), code


@intrinsic
def flush_subnormals(typing):
    """Let this thread take subnormal numbers, a hundred cycles each, as zero; return what ``restore`` needs."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        before = _control(builder)
        _set_control(builder, builder.or_(before, ir.Constant(before.type, FLUSH_BITS)))
        return before

    return types.uint32(), code


@intrinsic
def restore(typing, before):
    """Undo ``flush_subnormals``."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _set_control(builder, arguments[0])
        return context.get_dummy_value()

    return types.void(types.uint32), code


def _control(builder: Any) -> Any:
    word = ir.IntType(32)
    if not X86:
        return ir.Constant(word, 0)
    pointer = cgutils.alloca_once(builder, word)
    _call_control(builder, "stmxcsr", pointer)
    return builder.load(pointer)


def _set_control(builder: Any, value: Any) -> None:
    if X86:
        pointer = cgutils.alloca_once(builder, value.type)
        builder.store(value, pointer)
        _call_control(builder, "ldmxcsr", pointer)


def _call_control(builder: Any, name: str, target: Any) -> None:
    pointer = ir.IntType(8).as_pointer()
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(ir.VoidType(), [pointer]), f"llvm.x86.sse.{name}"
    )
    builder.call(function, [builder.bitcast(target, pointer)])
