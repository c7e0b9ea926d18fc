"""Certificates that are kept on disk: what passed full verification need not pass it again where nothing has changed.

Full verification takes seconds, which a quick pick does not have. A certificate holds for one variant, network, dtype,
number of threads and rows, and for the code, the libraries and the processor it was granted on: all of them name its
file. Whoever finds one still has every process show that it computes the same.
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

import gdbench.verify
import kernels
from gdbench.basics.storage import write_text
from gdbench.experiments.datasets import cache_folder
from gdbench.pick.runners.fingerprint import processor
from kernels import Network
from kernels.contract import Array

LIBRARIES = ("numpy", "scipy", "numba", "llvmlite")
VARIABLES = ("NUMBA_", "OPENBLAS_", "MKL_", "NPY_", "OMP_", "BLIS_")
"""Beginnings of environment variables that may change what is computed."""


class KeptProofs:
    """Certificates for a network and some rows.

    Parameters
    ----------
    folder : Path, optional
        Where they are kept; that of all caches if not given.
    """

    def __init__(self, network: Network, X: Array, Y: Array, *, threads: int, folder: Path | None = None) -> None:
        digest = hashlib.sha256(f"{_code()} {_settings(os.environ)} {network!r} {threads}".encode())
        for rows in (X, Y):
            digest.update(f"{rows.shape} {rows.dtype}".encode())
            digest.update(rows.tobytes())
        self._digest, self._folder = digest, folder or cache_folder() / "certificates"

    def has(self, variant: str) -> bool:
        """Whether a variant of ours has been certified; those of other libraries are verified each time."""
        return variant in kernels.variants() and self._path(variant).exists()

    def keep(self, variant: str) -> None:
        """Remember that a variant is certified, where that is possible: it costs seconds otherwise, and no more."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_text(self._path(variant), f"{variant}\n")
        except OSError:
            return

    def _path(self, variant: str) -> Path:
        digest = self._digest.copy()
        digest.update(variant.encode())
        return self._folder / digest.hexdigest()


def _settings(variables: Mapping[str, str]) -> str:
    chosen = sorted(f"{name}={value}" for name, value in variables.items() if name.startswith(VARIABLES))
    return f"{processor()} {chosen}"


@cache
def _code() -> str:
    """SHA-256 of the sources that compute and verify, and of the versions of what they call."""
    versions = [f"{name} {version(name)}" for name in LIBRARIES]
    digest = hashlib.sha256(f"{platform.python_version()} {versions}".encode())
    for root in (Path(kernels.__path__[0]), Path(gdbench.verify.__path__[0])):
        for path in sorted(root.rglob("*.py")):
            digest.update(f"\n{path.name} {path.stat().st_size}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
