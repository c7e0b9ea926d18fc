"""Injected load: a process on one core that burns cycles or streams memory, on and off at random times.

Started by ``injected_load`` and ended with it; should its parent die first, it ends by itself within a second.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

SPELL_SECONDS = (1.0, 30.0)
"""Shortest and longest spell of work or of rest."""
STREAM_BYTES = 1 << 26
"""Far more than any cache of a core holds."""
LOOK_SECONDS = 0.2
"""How often it looks whether its parent lives."""


@contextmanager
def injected_load(seed: int, core: int | None = None) -> Iterator[int]:
    """Load one core, the last of those allowed unless named, while the block runs; gives the process's id."""
    allowed = psutil.Process().cpu_affinity()
    chosen = allowed[-1] if core is None else core
    command = [sys.executable, "-P", str(Path(__file__)), str(seed), str(chosen), str(os.getpid())]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def work_and_rest(seed: int, parent: int, spell_seconds: tuple[float, float] = SPELL_SECONDS) -> None:
    """Burn, rest, stream, rest, and again, until the parent is gone; the seed decides how long each spell is."""
    rng = np.random.default_rng(seed)
    while os.getppid() == parent:
        for piece in (_burn, _rest, _streamer(), _rest):
            end = time.monotonic() + rng.uniform(*spell_seconds)
            while time.monotonic() < end and os.getppid() == parent:
                piece()


def _burn() -> None:
    end = time.monotonic() + LOOK_SECONDS
    number = 1
    while time.monotonic() < end:
        number = number * 6364136223846793005 % (1 << 64) + 1


def _rest() -> None:
    time.sleep(LOOK_SECONDS)


def _streamer() -> Callable[[], None]:
    source = np.ones(STREAM_BYTES // 8)
    target = np.empty_like(source)
    return lambda: np.copyto(target, source)


if __name__ == "__main__":
    psutil.Process().cpu_affinity([int(sys.argv[2])])
    work_and_rest(int(sys.argv[1]), parent=int(sys.argv[3]))
