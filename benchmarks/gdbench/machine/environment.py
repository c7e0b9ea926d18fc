"""Describes the machine as a worker finds it: effective threads, not those that were asked for."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil
import threadpoolctl

from gdbench.basics.git import ask_git
from gdbench.basics.records import plain
from gdbench.experiments.variants import PEER_PACKAGES, unavailable
from gdbench.machine.fingerprint import version_of
from gdbench.machine.settings import in_words, settings
from gdbench.processes.launch import allowed_cores
from gdbench.processes.live import AnswerError, LiveProcess, ProcessLost
from kernels import InputError
from kernels.costs import vector_bytes

PACKAGES = ("gdbench", "numpy", "numba", "llvmlite", "scipy", "pandas", "pytest", "pytest-benchmark", *PEER_PACKAGES)


UNKNOWN = "not recorded"
FIXED = ("cpu", "logical_cores", "python", "blas", "blas_threads", "numba_threads", "versions")
"""Fields in which one run must not differ from block to block, beside the settings."""


@dataclass(frozen=True)
class Pool:
    """A library's pool of threads, as threadpoolctl describes it; ``version`` is None for those of OpenMP."""

    internal_api: str | None = None
    version: str | None = None
    architecture: str | None = None
    num_threads: int | None = None
    threading_layer: str | None = None


@dataclass(frozen=True)
class Environment:
    """Where something was measured; a field that a file does not have was not recorded.

    Attributes
    ----------
    pinned : bool
        Whether the system can pin processes to cores.
    caches : dict
        Sizes of one core's caches, such as ``{"L1 Data": "48K"}``.
    blas_threads, numba_threads : int
        Threads in effect, not those that were asked for.
    settings : dict
        Variables that change what libraries compute with, or what is compiled (``machine.settings``).
    vector_bytes : int
        Width of the vectors by which ``sparse`` skips zeros, which tells ``auto`` what that costs; None without it.
    versions : dict
        Version of each package; None for one that is not installed.
    unavailable : dict
        Variants and peers that could not be used, with the reason.
    commit : str
        Commit of the checkout; None for an installed wheel.
    dirty : bool
        Whether the measured or measuring code of the checkout had changes.
    """

    date: str = ""
    cpu: str = ""
    cores: int | None = None
    logical_cores: int | None = None
    pinned: bool | None = None
    caches: dict[str, str] = field(default_factory=dict)
    memory_bytes: int | None = None
    transparent_huge_pages: str | None = None
    governor: str | None = None
    load_1_minute: float | None = None
    system: str = ""
    python: str = ""
    blas: tuple[Pool, ...] = ()
    blas_threads: int | None = None
    numba_threads: int | None = None
    numba_threading_layer: str | None = None
    settings: dict[str, str] | None = None
    vector_bytes: int | None = None
    versions: dict[str, str | None] = field(default_factory=dict)
    unavailable: dict[str, str] | None = None
    commit: str | None = None
    dirty: bool = False


def observe(
    threads: int = 1, *, executable: str = sys.executable, variables: dict[str, str] | None = None
) -> Environment:
    """Return the description that a fresh worker with so many threads gives.

    Parameters
    ----------
    threads : int
        Number of threads.
    executable : str
        Interpreter of the worker; ours if not given.
    variables : dict of str, optional
        Environment variables of the worker, which take precedence over ours.

    Raises
    ------
    InputError
        If the worker cannot give one, such as where a library cannot be loaded; the sentence has its last words.
    """
    with LiveProcess(
        "gdbench.machine.environment_process",
        name="the description of the machine",
        threads=threads,
        cores=allowed_cores()[:threads],
        executable=executable,
        variables=variables,
    ) as process:
        try:
            described: Environment = process.ask("describe")
        except (AnswerError, ProcessLost) as error:
            how = error.how if isinstance(error, ProcessLost) else f"raised {error}"
            raise InputError(
                f"nothing can be measured, since the process that describes the machine {how}: see that NumPy, "
                "SciPy and Numba can be imported, and try again"
            ) from error
    return described


def describe() -> Environment:
    """Describe this process: machine, threads in effect, BLAS, versions, commit, load."""
    import numba  # noqa: PLC0415 - after the process is pinned, since it counts cores
    import scipy.linalg  # noqa: F401, PLC0415 - Numba's matrix products go through SciPy's BLAS

    pools = threadpoolctl.threadpool_info()
    np.dot(np.ones((2, 2)), np.ones((2, 2)))
    return Environment(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        cpu=cpu_model(),
        cores=psutil.cpu_count(logical=False) or os.cpu_count(),
        logical_cores=os.cpu_count(),
        pinned=bool(allowed_cores()),
        caches=caches(),
        memory_bytes=psutil.virtual_memory().total,
        transparent_huge_pages=_read("/sys/kernel/mm/transparent_hugepage/enabled"),
        governor=_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        load_1_minute=round(psutil.getloadavg()[0], 2),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        blas=tuple(
            Pool(**{each.name: pool.get(each.name) for each in fields(Pool)})
            for pool in sorted(pools, key=str)  # they come in any order
        ),
        blas_threads=max((pool["num_threads"] for pool in pools), default=1),
        numba_threads=numba.get_num_threads(),
        numba_threading_layer=f"none in use (setting: {vars(numba.config)['THREADING_LAYER']})",
        settings=settings(),
        vector_bytes=vector_bytes(),
        versions={name: version_of(name) for name in PACKAGES},
        unavailable=unavailable(),
        commit=_git("rev-parse", "HEAD"),
        dirty=bool(_git("status", "--porcelain", "--", "kernels", "benchmarks")),
    )


def check_same_machine(stored: Environment, found: Environment) -> None:
    """Raise InputError when a run would go on elsewhere than where it began: no table mixes machines or versions."""
    known, seen = plain(stored), plain(found)
    for name in FIXED:
        if known[name] != seen[name]:
            raise InputError(f"{name} was {known[name]} when this run began and is {seen[name]} now: start a new run")
    before, now = stored.settings or {}, found.settings or {}
    for variable in sorted({*before, *now}):
        if before.get(variable) != now.get(variable):
            raise InputError(
                f"{variable} was {before.get(variable, 'not set')} when this run began and is "
                f"{now.get(variable, 'not set')} now: set it as it was, or start a new run"
            )


def one_line(environment: Environment) -> str:
    """Describe the machine in a line for the heads of reports."""
    if not environment.cpu:
        return UNKNOWN
    found = {f"{pool.internal_api} {pool.version}" for pool in environment.blas if pool.version}
    blas = ", ".join(sorted(found)) or "BLAS unknown"  # pools of OpenMP have no version
    versions, threads = environment.versions, environment.blas_threads
    return (
        f"{environment.cpu}, {environment.logical_cores} logical cores, {environment.system}, {environment.python}, "
        f"NumPy {versions.get('numpy', UNKNOWN)}, Numba {versions.get('numba', UNKNOWN)}, {blas} "
        f"on {threads} thread{'' if threads == 1 else 's'}{', ' if environment.settings else ''}"
        f"{in_words(environment.settings or {})}"
    )


def commit(environment: Environment) -> str:
    """Name the commit that was measured, and whether the checkout had changes."""
    if not environment.commit:
        return f"gdbench {environment.versions.get('gdbench', UNKNOWN)}"
    return f"commit {environment.commit[:12]}{' with changes' if environment.dirty else ''}"


def cpu_model() -> str:
    """Return the processor's name."""
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    from asv.util import get_cpu_info  # noqa: PLC0415 - says the same of Linux, but takes half a second to import

    return get_cpu_info() or platform.processor() or platform.machine()


def caches() -> dict[str, str]:
    """Return the sizes of one core's caches as Linux tells them, such as ``{"L1 Data": "48K"}``; empty elsewhere."""
    found = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = (_read(index / name) for name in ("level", "type", "size"))
        found[f"L{level} {kind}"] = size or "unknown"
    return found


def _read(path: str | Path) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _checkout() -> Path | None:
    """Root of the checkout that this package lies in; None for an installed wheel, whatever repository it is in."""
    root = Path(__file__).resolve().parents[3]  # another interpreter finds this package by a link
    return root if (root / "benchmarks" / "grid.toml").exists() else None


def _git(*arguments: str) -> str | None:
    """Answer of git about our checkout, None outside one."""
    root = _checkout()
    return ask_git(root, *arguments) if root else None
