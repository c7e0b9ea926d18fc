"""Entry point of a worker process: pins itself to cores, then runs a module of gdbench.

Pinning comes before the imports, since BLAS and Numba count the cores that they may use when they load.
"""

import runpy
import sys


def pin(cores: str) -> None:
    """Pin this process to cores such as ``0,1``; a dash leaves it where it is."""
    if cores != "-":
        import psutil  # noqa: PLC0415

        psutil.Process().cpu_affinity([int(number) for number in cores.split(",")])


if __name__ == "__main__":
    _, cores, module, *arguments = sys.argv
    pin(cores)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__")
