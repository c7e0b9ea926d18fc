"""Starts the processes that measure and certify: threads fixed before NumPy is imported, pinned to cores."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

import gdbench
import kernels
from kernels import InputError

PATIENCE_VARIABLE = "GDBENCH_PATIENCE_SECONDS"
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)


HELD_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


def allowed_cores() -> list[int]:
    """Cores that this process may use; empty where the system cannot pin (macOS)."""
    try:
        return list(psutil.Process().cpu_affinity())
    except AttributeError:
        return []


def cores_for(threads: int, turn: int) -> list[int]:
    """Cores for a process of so many threads: the turn decides where in the list of allowed cores it starts."""
    cores = allowed_cores()
    if len(cores) <= threads:
        return cores
    return [cores[(turn * threads + offset) % len(cores)] for offset in range(threads)]


def thread_environment(threads: int) -> dict[str, str]:
    """Environment of a worker: ours, with the number of threads fixed and no settings for pytest."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    fixed = dict.fromkeys(THREAD_VARIABLES, str(threads))
    return {
        **kept,
        **fixed,
        "PYTHONPATH": os.pathsep.join(filter(None, [*_roots(), os.environ.get("PYTHONPATH")])),
        "PYTHONWARNINGS": "ignore",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }


def check_threads(threads: int) -> None:
    """Raise InputError if more threads are asked for than there are cores to pin them to."""
    cores = len(allowed_cores()) or os.cpu_count() or 1
    if threads > cores:
        raise InputError(f"{threads} threads are asked for but {cores} cores may be used: add --threads {cores}")


def _roots() -> list[str]:
    """Where this process found the kernels and the instrument: a worker must find the same ones, wherever it starts."""
    return [str(Path(package.__path__[0]).parent) for package in (kernels, gdbench)]


def patience(usual_seconds: float) -> float:
    """Seconds without a sign of life after which a worker has hung; GDBENCH_PATIENCE_SECONDS replaces the usual."""
    text = os.environ.get(PATIENCE_VARIABLE, str(usual_seconds))
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise InputError(f"{PATIENCE_VARIABLE} must be a positive number of seconds, got {text!r}: correct or unset it")
    return seconds


def start(
    module: str,
    *arguments: str,
    threads: int,
    cores: list[int],
    variables: dict[str, str] | None = None,
    executable: str = sys.executable,
    **options: Any,
) -> subprocess.Popen[str]:
    """Start ``python -m gdbench.processes.entry CORES MODULE ARGUMENTS``.

    ``variables`` of its environment come before ours; ``options`` are those of ``subprocess.Popen``.
    """
    core_list = ",".join(map(str, cores)) or "-"
    command = [executable, "-P", "-m", "gdbench.processes.entry", core_list, module, *arguments]
    return start_command(command, env=thread_environment(threads) | (variables or {}), **options)


def start_command(command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
    """Start a command in a session of its own; ``options`` are those of ``subprocess.Popen``.

    That keeps Ctrl-C in the terminal from reaching it before its parent has decided.
    """
    with _interrupts_held() as interrupts:
        process = subprocess.Popen(command, text=True, start_new_session=True, **options)
    if interrupts:
        process.kill()
        process.wait()
        signal.raise_signal(interrupts[0])  # for whoever would have heard it
        raise KeyboardInterrupt
    return process


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Let what is inside come to its end before Ctrl-C, or a signal that ends as it does, is heard.

    Raises
    ------
    KeyboardInterrupt
        At the end, if one came.
    """
    with _interrupts_held() as interrupts:
        yield
    if interrupts:
        signal.raise_signal(interrupts[0])  # for whoever would have heard it
        raise KeyboardInterrupt


@contextmanager
def _interrupts_held() -> Iterator[list[int]]:
    """Collect Ctrl-C, and signals that end as it does: in the midst of a start, one would leave a process unknown."""
    found: list[int] = []
    main_thread = threading.current_thread() is threading.main_thread()  # others never see signals
    numbers = [getattr(signal, name) for name in HELD_SIGNALS if hasattr(signal, name)] if main_thread else []
    heard = [number for number in numbers if callable(signal.getsignal(number))]  # neither ignored nor the system's
    handlers = {number: signal.signal(number, lambda number, _frame: found.append(number)) for number in heard}
    try:
        yield found
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
