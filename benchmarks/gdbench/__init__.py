"""The instrument: measures the kernels, proves them right first, and says how sure it is."""

from importlib.metadata import PackageNotFoundError, version

import kernels

if not hasattr(kernels, "Network"):  # an unrelated package of the same name is on PyPI
    raise ImportError(
        f"gdbench found another package called kernels in {list(kernels.__path__)}: "
        "uninstall it, or install gdbench in an environment of its own"
    )

try:
    __version__ = version("gdbench")
except PackageNotFoundError:  # run from a checkout by asv, which puts benchmarks/ on the path
    __version__ = "0+checkout"
