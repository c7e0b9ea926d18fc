"""Measures the limits of the machine in a block's own process: matrix-product peak and bandwidths.

Every number is the best of a few short repeats, since a limit is a best. All arrays lie in one anonymous mapping, in
huge pages where the system gives them, and are written before the clock starts. So the heap that the cases allocate
from is left as it was: freeing large arrays would change from where it serves them later on.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from scipy.linalg import blas

from gdbench.machine.environment import caches
from gdbench.machine.settings import NUMBA, settings
from gdbench.machine.work import BEYOND, Limits
from kernels.contract import Array
from kernels.variants._tiled.emitter import VECTOR_BYTES
from kernels.variants._tiled.memory import huge_pages
from kernels.variants._tiled.peak import SUMS, elements_of, multiply_add
from kernels.variants._tiled.tiles import MAX_VECTORS, plain_product

PRODUCTS = ((640, 640, 640), (256, 784, 128), (784, 256, 128))
"""(m, k, n): a square large enough for the peak, and the products of a 784-128-10 network at 256 rows."""
ROUNDS = 2
"""Everything is measured so many times over, so that no short disturbance meets all repeats of one limit."""
REPEATS = 2
BANDWIDTH_REPEATS = 3
PEAK_STEPS = 1 << 16
"""Steps of one repeat of the core's own peak: about 0.1 ms, like a pass below."""
CALLS = 1000
PASS_BYTES = 1 << 24
"""Bytes that one repeat of a bandwidth goes over at least: about 0.1 ms, far above the cost of a call."""
BEYOND_BYTES = 1 << 25
"""Working set beyond L2, at least: like the largest data sets of the grid, which a large shared cache may hold."""
BEYOND_FACTOR = 16
"""The same in sizes of L2."""
USUAL_CACHES = {"L1": 32 << 10, "L2": 1 << 20}
"""Where the system does not tell."""
STREAMS = 8
"""Places of the array that are summed at the same time: one sum waits for the latency of its additions."""
Memory = npt.NDArray[np.uint8]


def measure_limits(dtypes: Iterable[str], threads: int = 1) -> Limits:
    """Return the limits of this process with so many threads; takes about a third of a second.

    A matrix product is the best of three: the two BLAS in use, NumPy's and SciPy's, which compiled kernels call, and
    the register tiles of the variant ``tiled``, since a limit that a variant goes beyond would be none. Beside it
    stands the core's own peak, multiply-adds of registers alone.
    Bandwidths are those of Numba's loops, which go over a small working set many times in one call; NumPy's own
    cost per call would be most of what is seen in L1. With several threads each has a working set of its own in L1 and
    L2, and a share of the one beyond.
    """
    caches = cache_bytes()
    sizes = {**{level: threads * (size // 2) for level, size in caches.items()}, BEYOND: _beyond(caches)}
    by_blas: defaultdict[str, float] = defaultdict(float)  # the best so far, as below
    by_tiles, read, update, peaks = (by_blas.copy() for _ in range(4))
    with _mapping(max(*sizes.values(), _product_bytes())) as memory:
        for _ in range(ROUNDS):
            for dtype in dtypes:
                blas_speed, tiles_speed = _products(memory, dtype, threads)
                by_blas[dtype], by_tiles[dtype] = max(by_blas[dtype], blas_speed), max(by_tiles[dtype], tiles_speed)
                peaks[dtype] = max(peaks[dtype], _peak(memory, dtype, threads))
            for level, size in sizes.items():
                read[level] = max(read[level], _bandwidth(memory[:size], _read, threads))
                update[level] = max(update[level], 2 * _bandwidth(memory[:size], _update, threads))
    return Limits(
        cache_bytes=caches,
        flops_per_second={dtype: max(by_blas[dtype], by_tiles[dtype]) for dtype in by_blas},
        read_bytes_per_second=dict(read),
        update_bytes_per_second=dict(update),
        multiply_adds_per_second=dict(peaks),
        blas_flops_per_second=dict(by_blas),
        tiles_flops_per_second=dict(by_tiles),
        call_seconds=_call_seconds(),
    )


def _call_seconds() -> float:
    """Seconds of a call of NumPy that has next to nothing to do."""
    values = np.zeros(8)
    return _best(lambda: [np.add(values, values, out=values) for _ in range(CALLS)], ROUNDS * REPEATS) / CALLS


def cache_bytes() -> dict[str, int]:
    """Sizes of one core's L1 data cache and of its L2; usual ones where the system does not tell."""
    told = caches()
    names = {"L1": ("L1 Data", "L1 Unified"), "L2": ("L2 Unified", "L2 Data")}
    texts = {level: next((told[name] for name in of if name in told), "") for level, of in names.items()}
    return {level: _bytes(text) or USUAL_CACHES[level] for level, text in texts.items()}


def _bytes(text: str) -> int:
    """Read a size such as ``48K``; 0 for what is none."""
    units = {"K": 1 << 10, "M": 1 << 20}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    return int(number) * unit if number.isdigit() else 0


def _beyond(caches: dict[str, int]) -> int:
    return max(BEYOND_BYTES, BEYOND_FACTOR * caches["L2"])


def _product_bytes() -> int:
    return max(8 * (m * k + (k + m) * (n + VECTOR_BYTES)) for m, k, n in PRODUCTS)


@contextmanager
def _mapping(size: int) -> Iterator[Memory]:
    """Give memory that begins on a huge page and holds ones of float64; it is unmapped when nothing refers to it."""
    memory = huge_pages(size)[: size - size % 8]
    memory.view(np.float64)[:] = 1.0
    yield memory


def _best(call: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest of some calls, after one that is not timed."""
    call()
    least = math.inf
    for _ in range(repeats):
        begin = perf_counter()
        call()
        least = min(least, perf_counter() - begin)
    return least


def _peak(memory: Memory, dtype: str, threads: int) -> float:
    """FLOP/s of multiply-adds in registers, on as many cores as there are threads."""
    values = memory.view(dtype)[: elements_of(np.dtype(dtype).itemsize)]
    values[:] = 1.0
    lanes = VECTOR_BYTES // values.itemsize
    return threads * 2 * SUMS * lanes * PEAK_STEPS / _best(partial(multiply_add, values, PEAK_STEPS), REPEATS)


def _products(memory: Memory, dtype: str, threads: int) -> tuple[float, float]:
    """FLOP/s of the fastest product of any shape, by either BLAS, and by the tiles of our own."""
    gemm = {"float32": blas.sgemm, "float64": blas.dgemm}[dtype]
    by_blas, by_tiles = [], []
    for m, k, n in PRODUCTS:
        A, B, C = _matrices(memory.view(dtype), ((m, k), (k, n), (m, n)))
        numpy_product = partial(np.matmul, A, B, out=C)
        # the same memory as columns: SciPy's interface copies anything else
        scipy_product = partial(gemm, 1.0, B.T, A.T, beta=0.0, c=C.T, overwrite_c=True)
        tiled_product = partial(_tiled, memory.view(dtype), m, k, n)
        by_blas += [2 * m * k * n / _best(product, REPEATS) for product in (numpy_product, scipy_product)]
        by_tiles += [threads * 2 * m * k * n / _best(tiled_product, REPEATS)]  # each core has registers of its own
    return max(by_blas), max(by_tiles)


def _tiled(values: Array, m: int, k: int, n: int) -> None:
    """Multiply like the variant ``tiled``, on one thread: A (m, k) row by row, B (k, n) and C (m, n) in panels."""
    width = MAX_VECTORS * VECTOR_BYTES // values.itemsize
    panels = -(-n // width)
    for panel in range(panels):
        right = m * k + panel * k * width
        result = m * k + (panels * k + panel * m) * width
        plain_product(values, m, k, right, result)


def _matrices(values: Array, shapes: tuple[tuple[int, int], ...]) -> list[Array]:
    """Cut matrices out of the memory, one after the other."""
    ends = np.cumsum([rows * columns for rows, columns in shapes])
    values[: ends[-1]] = 1.0
    parts = np.split(values[: ends[-1]], ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def _bandwidth(memory: Memory, loop: Any, threads: int) -> float:
    """Bytes of the working set that a loop goes over in a second, all threads together."""
    share = len(memory) // threads // (8 * STREAMS) * STREAMS
    values = memory.view(np.float64)
    values[:] = 1.0
    parts = [values[i * share : (i + 1) * share].reshape(STREAMS, -1) for i in range(threads)]
    passes = max(1, PASS_BYTES // (8 * share))
    with ThreadPoolExecutor(threads) as pool:
        run = map if threads == 1 else pool.map  # a pool's own cost would be seen in L1
        seconds = _best(lambda: list(run(loop, parts, [passes] * threads, [1.0] * threads)), BANDWIDTH_REPEATS)
    return threads * 8 * share * passes / seconds


def _update_passes(values: Array, passes: int, factor: float) -> float:
    """Scale an array in place, again and again; the factor is not known to the compiler."""
    flat = values.reshape(-1)
    for _ in range(passes):
        for i in range(flat.size):
            flat[i] *= factor
    return float(flat[0])


def _read_passes(values: Array, passes: int, factor: float) -> float:
    """Sum an array (STREAMS, m) again and again, along its rows at the same time."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    for _ in range(passes):
        for i in range(values.shape[1]):
            s0 += values[0, i]
            s1 += values[1, i]
            s2 += values[2, i]
            s3 += values[3, i]
            s4 += values[4, i]
            s5 += values[5, i]
            s6 += values[6, i]
            s7 += values[7, i]
    return factor * (s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7)


# Numba would load, under others, what was compiled under its settings of now
_CACHED = not any(name.startswith(NUMBA) for name in settings())
_update = numba.njit(nogil=True, cache=_CACHED)(_update_passes)
_read = numba.njit(nogil=True, cache=_CACHED, fastmath=True)(_read_passes)
