"""Tells apart versions of the code that computes trials, so that results of two are never mixed."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

import numpy as np
from llvmlite import binding

import kernels

COMPUTING = ("orders", "parts", "problem", "trials")
"""Modules of ``steps`` that decide what comes of a trial, beside all of ``kernels``."""
STEPS = Path(__file__).parents[1] / "steps"


@cache
def fingerprint() -> str:
    """SHA-256 of NumPy's version and of the sources that compute trials, wherever they are installed."""
    digest = hashlib.sha256(np.__version__.encode())
    root = Path(kernels.__path__[0])
    for path in [*sorted(root.rglob("*.py")), *(STEPS / f"{name}.py" for name in COMPUTING)]:
        digest.update(f"\n{path.name} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def processor() -> str:
    """Name and features of the processor that code is compiled for: another one rounds sums in another order."""
    variables = sorted(name for name in os.environ if name.startswith("NUMBA_"))
    chosen = " ".join(f"{name}={os.environ[name]}" for name in variables)
    return f"{binding.get_host_cpu_name()} {binding.get_host_cpu_features().flatten()} {chosen}"
