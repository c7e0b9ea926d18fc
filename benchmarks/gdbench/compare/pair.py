"""A live pair: one process of each side, asked in turns over a connection, both pinned to the same core."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import Pipe
from types import TracebackType
from typing import Any

import psutil

from gdbench.compare.builds import Build
from gdbench.workers import allowed_cores, patience, start

ANSWER_SECONDS = 180
"""A side that takes longer over one answer has hung, unless GDBENCH_PATIENCE_SECONDS says otherwise."""
MOST_PADDING_BYTES = 4096


class SideError(Exception):
    """A side raised: the message is its exception and first line; the process lives on."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(": ".join([kind, *text.splitlines()[:1]]))
        self.kind, self.text = kind, text


class SideLost(Exception):
    """A side died or hung; its pair is of no more use."""


class SideProcess:
    """The process of one side. Every method of ``pair_process.Worker`` can be asked by name."""

    def __init__(self, build: Build, *, threads: int, cores: list[int], variables: dict[str, str]) -> None:
        self.name = build.side.text
        self.at: str | None = None
        """The case that it works on, so that one that dies in it can be named."""
        self.lost: str | None = None
        """How it died or hung, once it has."""
        self.limit = patience(ANSWER_SECONDS)
        self.errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed by close
        ours, theirs = Pipe()
        with theirs:
            self.process = start(
                "gdbench.compare.pair_process",
                str(theirs.fileno()),
                threads=threads,
                cores=cores,
                variables={"NUMBA_CACHE_DIR": str(build.numba_cache), **variables, "PYTHONPATH": build.search_path},
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
        SideError
            If answering raised there.
        SideLost
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
            raise SideError(*value)
        return value

    def pin(self, cores: list[int]) -> None:
        """Move the process, with all its threads, to cores; where the system cannot pin, it stays."""
        if allowed_cores() and cores:
            for thread in psutil.Process(self.process.pid).threads():
                with suppress(ProcessLookupError):
                    os.sched_setaffinity(thread.id, cores)

    def _loss(self, how: str) -> SideLost:
        self.process.wait()
        self.lost = f"the process of {self.name} {how}"
        return SideLost(self.lost)

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


class Pair:
    """The processes of base and head, alike in everything but their kernels; a context manager that ends both.

    They start on cores of their own, so that both prepare at once: ``turn`` says which core the base starts on, and
    ``first`` which side starts first (0: the base).
    """

    def __init__(
        self,
        builds: tuple[Build, Build],
        *,
        threads: int,
        variables: tuple[dict[str, str], ...],
        turn: int = 0,
        first: int = 0,
    ) -> None:
        cores = allowed_cores()
        started: dict[int, SideProcess] = {}
        try:
            for number in (first, 1 - first):
                start_at = (turn + number) % max(len(cores), 1)
                places = (cores[start_at:] + cores[:start_at])[:threads]
                started[number] = SideProcess(
                    builds[number], threads=threads, cores=places, variables=variables[number]
                )
        except BaseException:
            for side in started.values():
                side.close()
            raise
        self.sides = [started[0], started[1]]

    @property
    def base(self) -> SideProcess:
        """Process of the base."""
        return self.sides[0]

    @property
    def head(self) -> SideProcess:
        """Process of the head."""
        return self.sides[1]

    def ask_both(self, name: str, *arguments: Sequence[Any]) -> list[Any]:
        """Ask both sides at once, each with its own arguments; an answer may be a SideError.

        Raises
        ------
        SideLost
            If either died or hung.
        """
        for side, own in zip(self.sides, arguments, strict=True):
            side.put(name, *own)
        answers: list[Any] = []
        for side in self.sides:
            try:
                answers.append(side.take())
            except (SideError, SideLost) as error:
                answers.append(error)
        for answer in answers:
            if isinstance(answer, SideLost):
                raise answer
        return answers

    def pin(self, cores: list[int]) -> None:
        """Move both to the same cores."""
        for side in self.sides:
            side.pin(cores)

    def close(self) -> None:
        """End both processes."""
        for side in self.sides:
            side.close()

    def __enter__(self) -> Pair:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
