"""Processes that several threads start and wait for, and that one of them can end all at once."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from gdbench.processes.live import LiveProcess


class Ended(Exception):
    """A process was asked for after all had been ended."""


class Children:
    """The processes that threads have started; once ended, no new one is started."""

    def __init__(self) -> None:
        self._started: list[LiveProcess] = []
        self._ended = False
        self._lock = Lock()

    def start(self, make: Callable[[], LiveProcess]) -> LiveProcess:
        """Start a process, which the caller closes.

        Raises
        ------
        Ended
            If the others have been ended.
        """
        with self._lock:
            if self._ended:
                raise Ended
            self._started = [each for each in self._started if each.process.poll() is None]
            process = make()
            self._started.append(process)
        return process

    def end(self) -> None:
        """Kill those that still run; whoever waits for one sees it lost."""
        self._ended = True  # before a thread that holds the lock lets go of it
        with self._lock:
            for process in self._started:
                process.kill()
