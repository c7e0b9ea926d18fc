"""A live process: asked in turns over a connection, pinned to cores, ended by whoever started it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import suppress
from multiprocessing import Pipe
from typing import Any

import psutil

from gdbench.processes.launch import allowed_cores, patience, start

ANSWER_SECONDS = 180
"""A process that takes longer over one answer has hung, unless GDBENCH_PATIENCE_SECONDS says otherwise."""


class AnswerError(Exception):
    """Answering raised: the message is the exception and its first line; the process lives on."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(": ".join([kind, *text.splitlines()[:1]]))
        self.kind, self.text = kind, text


class ProcessLost(Exception):
    """A process died or hung; it is of no more use."""


class LiveProcess:
    """A process of a module that ends in ``gdbench.processes.answers.serve``; what it serves can be asked by name.

    Parameters
    ----------
    module : run as ``__main__``, with the descriptor of the connection as its argument
    name : of the process, for messages
    threads : of BLAS and Numba, fixed before NumPy is imported
    cores : to pin it to
    variables : of its environment, before ours
    """

    def __init__(
        self, module: str, *, name: str, threads: int, cores: list[int], variables: dict[str, str] | None = None
    ) -> None:
        self.name = name
        self.at: str | None = None
        """The case that it works on, so that one that dies in it can be named."""
        self.lost: str | None = None
        """How it died or hung, once it has."""
        self.limit = patience(ANSWER_SECONDS)
        self.errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed by close
        ours, theirs = Pipe()
        with theirs:
            self.process = start(
                module,
                str(theirs.fileno()),
                threads=threads,
                cores=cores,
                variables=variables,
                stdin=subprocess.DEVNULL,
                stdout=self.errors,
                stderr=self.errors,
                pass_fds=[theirs.fileno()],
            )
        self.connection = ours

    def ask(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Ask and wait for the answer.

        Raises
        ------
        AnswerError
            If answering raised there.
        ProcessLost
            If the process ended, or said nothing for too long; it is ended then.
        """
        self.put(name, *arguments, **options)
        return self.take()

    def put(self, name: str, *arguments: Any, **options: Any) -> None:
        """Ask without waiting."""
        with suppress(BrokenPipeError, ConnectionResetError):  # told better by take
            self.connection.send((name, arguments, options))

    def take(self) -> Any:
        """Wait for the answer to what was put."""
        try:
            if not self.connection.poll(self.limit):
                self.process.kill()
                raise self._loss(f"said nothing for {self.limit:g} s and was stopped")
            kind, value = self.connection.recv()
        except (EOFError, ConnectionResetError) as error:
            raise self._loss(f"ended with code {self.process.wait()}{self._last_words()}") from error
        if kind == "error":
            raise AnswerError(*value)
        return value

    def pin(self, cores: list[int]) -> None:
        """Move the process, with all its threads, to cores; where the system cannot pin, it stays."""
        if allowed_cores() and cores:
            for thread in psutil.Process(self.process.pid).threads():
                with suppress(ProcessLookupError):
                    os.sched_setaffinity(thread.id, cores)

    def _loss(self, how: str) -> ProcessLost:
        self.process.wait()
        self.lost = f"the process of {self.name} {how}"
        return ProcessLost(self.lost)

    def _last_words(self) -> str:
        self.errors.seek(0)
        lines = self.errors.read().strip().splitlines()
        return f" ({lines[-1]})" if lines else ""

    def close(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.wait()
        self.connection.close()
        self.errors.close()
