"""Where arrays lie in memory. Nothing of ``kernels`` is imported here: the process may run those of any commit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

ALIGNMENT_BYTES = 64
"""A cache line, and what JAX asks of an array that it is to use without a copy."""


def aligned(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a C-contiguous copy that begins at a multiple of 64 bytes.

    NumPy aligns to 16 bytes only, by chance to more. A variant would then read rows that straddle cache lines in some
    processes and not in others, and JAX, which takes over an array of 64 bytes' alignment as it is, would copy it.
    """
    memory = np.empty(values.nbytes + ALIGNMENT_BYTES, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT_BYTES
    copy: npt.NDArray[Any] = memory[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
    copy[...] = values
    return copy
