"""The one block of memory that a pass over the data works in.

It is aligned to huge pages, so that two processes place it alike in the cache, and is kept between calls.
"""

import mmap
import threading
from contextlib import suppress

import numpy as np
import numpy.typing as npt

from kernels.contract import Array

HUGE_PAGE_BYTES = 2 * 1024 * 1024
PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
"""Memory shared with other processes, the default of ``mmap``, gets no huge pages on most systems."""
_kept = threading.local()


def memory(elements: int, dtype: npt.DTypeLike) -> Array:
    """Return at least so many elements of this thread's memory: aligned, in huge pages where the system has them.

    Its content is that of the last call; nobody else uses it until the next.
    """
    wanted = elements * np.dtype(dtype).itemsize
    if getattr(_kept, "bytes", None) is None or len(_kept.bytes) < wanted:
        _kept.bytes = huge_pages(wanted)
    found: Array = _kept.bytes[:wanted].view(dtype)
    return found


def huge_pages(wanted: int) -> npt.NDArray[np.uint8]:
    """Return at least so many bytes of new memory that begin at a huge page, and are in huge pages where there are any.

    It is given back when no array refers to it any more.

    Raises
    ------
    MemoryError
        If the system has no more.
    """
    size = -(-wanted // HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES
    try:
        block = mmap.mmap(-1, size + HUGE_PAGE_BYTES, **PRIVATE)
    except OSError as error:
        raise MemoryError(f"the system gives no {size:,} bytes more") from error
    with suppress(AttributeError, OSError):  # huge pages are Linux's, and may be left out of it
        block.madvise(mmap.MADV_HUGEPAGE)
    everything = np.frombuffer(block, np.uint8)
    start = -everything.ctypes.data % HUGE_PAGE_BYTES
    return everything[start : start + size]
