"""Processes of this machine that run trials."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import lru_cache
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from gdbench.basics.folders import scratch_folder
from gdbench.basics.storage import replacing
from gdbench.pick.runners.rounds import EngineRunner, run_limited
from gdbench.pick.steps.problem import Problem
from gdbench.pick.steps.trials import Curves, Trial
from gdbench.processes.launch import allowed_cores, thread_environment


@contextmanager
def processes(workers: int | None = None) -> Iterator[EngineRunner]:
    """Give a runner whose trials run in processes of this machine, by default one for each core that may be used.

    They start with the first round and live until the end: starting one costs about a second.
    """
    with scratch_folder("gdbench-pick-") as folder:
        engine = _Pool(workers or len(allowed_cores()) or os.cpu_count() or 1, folder)
        try:
            yield EngineRunner(engine)
        except BaseException:
            engine.abandon()
            raise
        engine.close()


class _Pool:
    """An engine that builds its pool of processes when it is needed, and anew after one was killed."""

    lost = (BrokenProcessPool,)
    remedy = (
        "a worker process was killed again and again, probably because memory ran short: "
        "use fewer workers, or stop other programs, and start again"
    )

    def __init__(self, workers: int, folder: Path) -> None:
        self.workers, self._folder = workers, folder
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, problem: Problem, trial: Trial) -> Future[Curves]:
        path = self._send(problem)
        pool = self._pool or self._start()
        with _births():  # the pool starts its processes one by one, while trials are submitted
            return pool.submit(_run_sent, str(path), trial)

    def abandon(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            self._lifeline.close()
            pool.shutdown(wait=True)  # without cancel_futures: Python 3.11 fails on a cancelled trial of a broken pool
            self._end.close()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True)
            self.abandon()

    def _start(self) -> ProcessPoolExecutor:
        # Processes hold one end, we the other: it closes with us, however we end, and so do they
        self._end, self._lifeline = get_context("spawn").Pipe(duplex=False)
        self._pool = ProcessPoolExecutor(
            self.workers, get_context("spawn"), initializer=_prepare, initargs=(self._end,)
        )
        return self._pool

    def _send(self, problem: Problem) -> Path:
        """Write the problem where each process reads it once, instead of sending it with every trial."""
        path = self._folder / f"{problem.key}.pickle"
        if not path.exists():
            with replacing(path) as temporary, temporary.open("wb") as file:
                pickle.dump(problem, file, protocol=pickle.HIGHEST_PROTOCOL)
        return path


@contextmanager
def _births() -> Iterator[None]:
    """Let processes that start meanwhile fix their threads before they import NumPy, and never hear Ctrl-C."""
    variables = thread_environment(1)
    before = {name: os.environ.get(name) for name in variables}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _prepare(end: Connection) -> None:
    """Begin a process: it leaves Ctrl-C to the parent and ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(end,), daemon=True).start()


def _end_with_parent(end: Connection) -> None:
    with suppress(EOFError, OSError):
        end.recv_bytes()  # nothing is ever sent: it returns when the other end is closed
    os._exit(1)


def _run_sent(path: str, trial: Trial) -> Curves:
    return run_limited(_read(path), trial)


@lru_cache(maxsize=1)
def _read(path: str) -> Problem:
    with open(path, "rb") as file:
        problem: Problem = pickle.load(file)
    return problem
