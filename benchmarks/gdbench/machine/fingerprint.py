"""What code measures and is measured: results of unlike code are never mixed."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import gdbench
import kernels
from gdbench.experiments.variants import PEER_PACKAGES


def fingerprint() -> str:
    """SHA-256 over the sources of the kernels and of this package, and the versions of what they compute with."""
    digest = hashlib.sha256()
    for name in ("numpy", "numba", "scipy", *PEER_PACKAGES):
        digest.update(f"{name} {version_of(name)}".encode())
    for package in (kernels, gdbench):
        root = Path(package.__path__[0])
        for path in sorted(root.rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def version_of(name: str) -> str | None:
    """Return the version of a package, None if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:  # a peer's library
        return None
