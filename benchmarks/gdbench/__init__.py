"""The instrument: measures the kernels, proves them right first, and says how sure it is."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

CALLED = ("run", "compare", "pick")
"""Packages that are called, as ``gdbench.pick(...)``, once gdbench is imported."""

try:
    __version__ = version("gdbench")
except PackageNotFoundError:  # run from a checkout by asv, which puts benchmarks/ on the path
    __version__ = "0+checkout"


def check_kernels() -> None:
    """Raise ImportError if Python would import another package called kernels; an unrelated one is on PyPI.

    Nothing is imported: another package may fail in any way, and a worker pins itself before NumPy is loaded.
    """
    found = find_spec("kernels")
    places = [*(found.submodule_search_locations or [str(found.origin)])] if found else []
    if not any(Path(place, "contract.py").exists() for place in places):
        raise ImportError(
            f"Python finds another package called kernels, {', '.join(places) or 'or none'}, instead of gdbench's "
            "own: uninstall it, or install gdbench in an environment of its own"
        )


def entry(name: str) -> ModuleType:
    """Return a module of ``gdbench.api``, by name: it lies above the packages that ask for it when they are called."""
    return import_module(f"{__name__}.api.{name}")


def read(path: str | Path) -> Any:
    """Read what a command has left: a run, a comparison or a pick.

    Parameters
    ----------
    path : str or Path
        Its folder, or the JSON file of its record in it.

    Returns
    -------
    RunResult, ComparisonResult or Pick
        What ``gdbench.run``, ``gdbench.compare`` and ``gdbench.pick`` return.

    Raises
    ------
    InputError
        If there is none of them, or it cannot be read.
    """
    check_kernels()
    return entry("reading").read(Path(path))


def __getattr__(name: str) -> Any:
    """Import what is called when it is asked for: workers import gdbench before they may import NumPy."""
    if name in CALLED:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Names in this module, with those that are imported when they are asked for."""
    return sorted({*globals(), *CALLED})
