"""Processes that several threads start and wait for, and that one of them can end all at once."""

from __future__ import annotations

import subprocess
from threading import Lock
from typing import Any

from gdbench.processes.launch import start


class Ended(Exception):
    """A process was asked for after all had been ended."""


class Children:
    """The processes that threads have started; once ended, no new one is started."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[str]] = []
        self._ended = False
        self._lock = Lock()

    def start(self, module: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start a process as ``launch.start`` does.

        Raises
        ------
        Ended
            If the others have been ended.
        """
        with self._lock:
            if self._ended:
                raise Ended
            self._started = [process for process in self._started if process.poll() is None]
            process = start(module, *arguments, **options)
            self._started.append(process)
        return process

    def end(self) -> None:
        """Kill those that still run; whoever waits for one sees it end."""
        self._ended = True  # before a thread that holds the lock lets go of it
        with self._lock:
            for process in self._started:
                process.kill()
