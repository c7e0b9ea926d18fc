"""How the fast variants are compiled, in one place."""

from kernels.variants._numba import njit

compiled = njit(cache=True, error_model="numpy", fastmath={"contract"})
"""Division by zero gives infinity, as in NumPy: the test for it would keep LLVM from using vectors. Products and sums
may be fused, which rounds once instead of twice; nothing else of the order of operations is changed."""

part = njit(error_model="numpy", fastmath={"contract"})
"""For the passes that compiled functions share: each is typed once, and optimised again where it is used. It is not
cached, since the functions that use it hold its code."""
reordered_part = njit(error_model="numpy", fastmath={"contract", "reassoc"})
"""As ``part``, and sums may be taken in any order."""
inlined = njit(inline="always", error_model="numpy", fastmath={"contract"})
"""For the pieces of a part: they become lines of it, which takes less time to compile than parts of parts."""
reordered = njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc"})
"""As ``compiled``, and sums may be taken in any order: without that a dot product is one addition after another."""
parallel = njit(cache=True, error_model="numpy", fastmath={"contract"}, parallel=True)
"""As ``compiled``, with ``prange`` on as many threads as Numba has."""
