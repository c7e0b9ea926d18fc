"""The instrument: measures the kernels, proves them right first, and says how sure it is."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("gdbench")
except PackageNotFoundError:  # run from a checkout by asv, which puts benchmarks/ on the path
    __version__ = "0+checkout"


def check_kernels() -> None:
    """Raise ImportError if Python found another package called kernels; an unrelated one is on PyPI."""
    import kernels  # noqa: PLC0415 - not with this package, since a worker pins itself before NumPy is loaded

    if not hasattr(kernels, "Network"):
        where = getattr(kernels, "__file__", None) or ", ".join(kernels.__path__)
        raise ImportError(
            f"another package called kernels, {where}, stands in the place of gdbench's own: "
            "uninstall it, or install gdbench in an environment of its own"
        )
