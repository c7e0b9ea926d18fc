"""How the fast variants are compiled, in one place."""

from kernels.variants._numba import njit

compiled = njit(cache=True, error_model="numpy", fastmath={"contract"})
"""Division by zero gives infinity, as in NumPy: the test for it would keep LLVM from using vectors. Products and sums
may be fused, which rounds once instead of twice; nothing else of the order of operations is changed."""

inlined = njit(inline="always", error_model="numpy", fastmath={"contract"})
"""For the parts of a compiled function: a compiled part is optimised again in each function that calls it, so that
parts of parts take minutes; these become lines of the function that is compiled."""
reordered = njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc"})
"""As ``compiled``, and sums may be taken in any order: without that a dot product is one addition after another."""
