"""A live pair: one process of each side, asked in turns over a connection, both pinned to the same core."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

from gdbench.compare.sides.builds import Build
from gdbench.processes.launch import allowed_cores
from gdbench.processes.live import AnswerError, LiveProcess, ProcessLost

MAX_PADDING_BYTES = 4096


class SideProcess(LiveProcess):
    """The process of one side. Every method of ``pair_process.Worker`` can be asked by name."""

    def __init__(self, build: Build, *, threads: int, cores: list[int], variables: dict[str, str]) -> None:
        super().__init__(
            "gdbench.compare.measure.pair_process",
            name=build.side.text,
            threads=threads,
            cores=cores,
            variables={"NUMBA_CACHE_DIR": str(build.numba_cache), **variables, "PYTHONPATH": build.search_path},
            executable=build.executable,
        )


class Pair:
    """The processes of base and head, alike in all but their kernels or environments; a context manager that ends both.

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
                own = (cores[start_at:] + cores[:start_at])[:threads]
                started[number] = SideProcess(builds[number], threads=threads, cores=own, variables=variables[number])
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
        """Ask both sides at once, each with its own arguments; an answer may be an AnswerError.

        Raises
        ------
        ProcessLost
            If either died or hung.
        """
        for side, own in zip(self.sides, arguments, strict=True):
            side.put(name, *own)
        answers: list[Any] = []
        for side in self.sides:
            try:
                answers.append(side.take())
            except (AnswerError, ProcessLost) as error:
                answers.append(error)
        for answer in answers:
            if isinstance(answer, ProcessLost):
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
