"""A child process that is asked over a connection, pinned to cores, and ended by whoever started it.

Every child that runs code of the instrument is one of these, with two exceptions: the process that counts
instructions replaces itself by valgrind, which writes its counts into files, a file for each of its forks; and the
workers of a search on a cluster belong to Dask, which speaks to them in its own way. Short commands of others, such as
git, are run by ``subprocess.run``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Pipe
from types import TracebackType
from typing import Any

import psutil

from gdbench.processes.answers import ERROR, EVENT
from gdbench.processes.launch import allowed_cores, patience, start

ANSWER_SECONDS = 180
"""A process that says nothing for longer has hung, unless GDBENCH_PATIENCE_SECONDS says otherwise."""


class AnswerError(Exception):
    """Answering raised: the message is the exception and its first line; the process lives on."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(": ".join([kind, *text.splitlines()[:1]]))
        self.kind, self.text = kind, text


def with_last_words(ending: str, printed: str) -> str:
    """Say how a process ended, and the last line that it printed, if any."""
    lines = printed.strip().splitlines()
    return f"{ending} ({lines[-1]})" if lines else ending


class ProcessLost(Exception):
    """A process died or hung, and is of no more use.

    Parameters
    ----------
    name : str
        What messages call the process.
    ending : str
        How it ended, such as ``ended with code 3``.
    printed : str
        What it wrote to standard output and standard error.
    """

    def __init__(self, name: str, ending: str, printed: str = "") -> None:
        self.ending, self.printed = ending, printed
        self.how = with_last_words(ending, printed)
        """How it ended, with its last words."""
        super().__init__(f"the process of {name} {self.how}")


class LiveProcess:
    """A process of a module that ends in ``gdbench.processes.answers.serve``; what it serves is asked by name.

    What it prints never reaches the connection: it is kept for messages. A context manager that ends the process.

    Parameters
    ----------
    module : str
        Run as ``__main__``, with the descriptor of the connection as its first argument.
    *arguments : str
        Further arguments on its command line.
    name : str
        What messages call the process.
    threads : int
        Number of threads of BLAS and Numba, fixed before NumPy is imported.
    cores : list of int
        Cores that the process is pinned to.
    variables : dict of str, optional
        Environment variables of the process, which take precedence over ours.
    executable : str
        The interpreter that runs it; ours if not given.
    usual_seconds : float
        Silence after which it has hung, unless GDBENCH_PATIENCE_SECONDS says otherwise.
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        name: str,
        threads: int,
        cores: list[int],
        variables: dict[str, str] | None = None,
        executable: str = sys.executable,
        usual_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self.name = name
        self.at: str | None = None
        """The case that it works on, so that one that dies in it can be named."""
        self.lost: ProcessLost | None = None
        """How it died or hung, once it has: for whoever asked, and was told of something else in between."""
        self.limit = patience(usual_seconds)
        self._hear: Callable[[Any], None] | None = None
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close
        ours, theirs = Pipe()
        with theirs:
            self.process = start(
                module,
                str(theirs.fileno()),
                *arguments,
                threads=threads,
                cores=cores,
                variables=variables,
                executable=executable,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                pass_fds=[theirs.fileno()],
            )
        self.connection = ours

    def ask(self, question: str, *arguments: Any, hear: Callable[[Any], None] | None = None) -> Any:
        """Ask and wait for the answer.

        Parameters
        ----------
        question : str
            Name of a method of what the process serves.
        *arguments : Any
            Arguments of the method.
        hear : callable, optional
            Is called with each event that the method tells before it answers.

        Raises
        ------
        AnswerError
            If answering raised there.
        ProcessLost
            If the process ended, or said nothing for too long; it is ended then.
        """
        self.put(question, *arguments, hear=hear)
        return self.take()

    def put(self, question: str, *arguments: Any, hear: Callable[[Any], None] | None = None) -> None:
        """Ask without waiting."""
        self._hear = hear
        with suppress(BrokenPipeError, ConnectionResetError):  # told better by take
            self.connection.send((question, arguments, hear is not None))

    def take(self) -> Any:
        """Wait for the answer to what was put, and hear the events before it."""
        while True:
            kind, value = self._receive()
            if kind == ERROR:
                raise AnswerError(*value)
            if kind != EVENT:
                return value
            if self._hear is not None:
                self._hear(value)

    def _receive(self) -> tuple[str, Any]:
        try:
            if not self.connection.poll(self.limit):
                raise self._loss(f"said nothing for {self.limit:g} s and was stopped")
            kind, value = self.connection.recv()
        except (EOFError, ConnectionResetError) as error:
            try:
                ending = f"ended with code {self.process.wait(self.limit)}"
            except subprocess.TimeoutExpired:  # it goes on
                ending = "closed its connection and was stopped"
            raise self._loss(ending, self.printed()) from error
        return kind, value

    def pin(self, cores: list[int]) -> None:
        """Move the process, with all its threads, to cores; where the system cannot pin, it stays."""
        if allowed_cores() and cores:
            for thread in psutil.Process(self.process.pid).threads():
                with suppress(ProcessLookupError):
                    os.sched_setaffinity(thread.id, cores)

    def printed(self) -> str:
        """Return what the process has written to standard output and standard error."""
        output = self._output.fileno()  # where it stands in the file is the process's own
        return os.pread(output, os.fstat(output).st_size, 0).decode("utf-8", errors="replace")

    def _loss(self, ending: str, printed: str = "") -> ProcessLost:
        self.kill()
        self.process.wait()
        self.lost = ProcessLost(self.name, ending, printed)
        return self.lost

    def kill(self) -> None:
        """End the process, whatever it does; who waits for its answer sees it lost."""
        self.process.kill()

    def close(self) -> None:
        """End the process and let go of what belongs to it."""
        self.kill()
        self.process.wait()
        self.connection.close()
        self._output.close()

    def __enter__(self) -> LiveProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
