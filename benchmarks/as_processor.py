"""Runs a command as on an older processor: every library that is measured, ours and peers' alike, is held to one level.

``python benchmarks/as_processor.py avx2 gdbench run --profile shapes``. The variables are among those that are recorded
in ``environment.json`` and make part of the key by which results are comparable (``gdbench.machine.settings``). What a
processor lacks cannot be given to it: a level above its own changes nothing but the record.
"""

from __future__ import annotations

import os
import re
import sys
from importlib.metadata import PackageNotFoundError, version

import numpy as np

OWN_PRODUCTS, SINCE = "--xla_cpu_experimental_ynn_fusion_type=", (0, 8, 2)
"""Has XLA compute matrix products by Eigen and not by YNNPACK, which takes all that the processor has: held to AVX2 it
reached 251 GFLOP/s in float32 on a core that makes 128 with AVX2, Eigen 113. And the jaxlib from which on
XLA knows it; by what it does not know it is ended."""
LEVELS = {
    "avx2": {
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "+avx2,+fma",
        "OPENBLAS_CORETYPE": "Haswell",
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "MKL_CBWR": "AVX2",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    },
    "sse4": {
        "NUMBA_CPU_NAME": "nehalem",
        "NUMBA_CPU_FEATURES": "+sse4.2",
        "OPENBLAS_CORETYPE": "Nehalem",
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "MKL_CBWR": "SSE4_2",
        "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2",
    },
}
"""Variables of Numba (whose features are otherwise those of this processor, whatever the name), OpenBLAS, PyTorch (its
own code, oneDNN, MKL) and XLA, by level."""
BEYOND = {"avx2": ("AVX512", "X86_V4"), "sse4": ("AVX", "FMA", "F16C", "X86_V3", "X86_V4")}
"""Beginnings of NumPy's names of what a level lacks."""


def variables(level: str) -> dict[str, str]:
    """Return the environment that holds every library to a level, with what is set already kept in XLA_FLAGS."""
    found = dict(LEVELS[level])
    dispatched = np._core._multiarray_umath.__cpu_dispatch__  # type: ignore[attr-defined]
    found["NPY_DISABLE_CPU_FEATURES"] = " ".join(name for name in dispatched if name.startswith(BEYOND[level]))
    own = OWN_PRODUCTS if _jaxlib() >= SINCE else ""
    found["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {found['XLA_FLAGS']} {own}".strip()
    return found


def _jaxlib() -> tuple[int, ...]:
    """Version of jaxlib beside this Python, which is taken to be that of the command; nothing where there is none."""
    try:
        return tuple(int(part) for part in re.findall(r"\d+", version("jaxlib"))[:3])
    except PackageNotFoundError:
        return ()


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in LEVELS:
        sys.exit(f"usage: python benchmarks/as_processor.py {'|'.join(LEVELS)} COMMAND ...")
    os.execvpe(sys.argv[2], sys.argv[2:], os.environ | variables(sys.argv[1]))
