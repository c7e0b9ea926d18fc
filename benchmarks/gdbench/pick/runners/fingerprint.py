"""Tells apart versions of the code that computes blocks, so that results of two are never mixed."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np

import kernels

COMPUTING = ("blocks", "hitting", "lockstep", "noise_scale", "problem", "smoothness")
"""Modules of ``steps`` that decide what comes of a block, beside all of ``kernels``."""
STEPS = Path(__file__).parents[1] / "steps"


@cache
def fingerprint() -> str:
    """SHA-256 of NumPy's version and of the sources that compute blocks, wherever they are installed."""
    digest = hashlib.sha256(np.__version__.encode())
    root = Path(kernels.__path__[0])
    for path in [*sorted(root.rglob("*.py")), *(STEPS / f"{name}.py" for name in COMPUTING)]:
        digest.update(f"\n{path.name} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
