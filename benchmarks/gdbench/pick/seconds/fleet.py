"""The live processes that time steps: alike, each pinned to cores of its own turn, all ended together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from gdbench.processes.launch import cores_for
from gdbench.processes.live import AnswerError, LiveProcess, ProcessLost
from kernels import Network


class NotTimed(Exception):
    """No step could be timed: the variant is wrong, or its processes died; the message is a sentence that says which.

    For a command this is exit code 4.
    """


class Fleet:
    """Processes of ``process`` that hold one problem; a context manager that ends them all.

    Parameters
    ----------
    network : Network
        What is computed.
    folder : Path
        Holds X (n, d) and Y (n, k) in X.npy and Y.npy.
    threads : int
        Threads of BLAS and Numba in each.
    size : int
        Number of processes.
    seed : int
        Process i takes the parameters and the order of rows that seed + i fixes.
    """

    def __init__(self, network: Network, folder: Path, *, threads: int, size: int, seed: int) -> None:
        self.network, self.folder, self.threads, self.size, self.seed = network, folder, threads, size, seed
        self.alive: dict[int, LiveProcess] = {}
        self.losses: list[str] = []
        """How each process died or hung that was lost since all were there, in a clause."""

    def fill(self) -> None:
        """Start what is missing, at once, and let all take the problem.

        Raises
        ------
        NotTimed
            If none came up.
        """
        missing = [number for number in range(self.size) if number not in self.alive]
        self.losses.clear()
        for number in missing:
            self.alive[number] = LiveProcess(
                "gdbench.pick.seconds.process",
                name=f"worker {number + 1} of {self.size}",
                threads=self.threads,
                cores=cores_for(self.threads, number),
            )
        loading = [(str(self.folder), self.network, self.seed + number, self.threads) for number in missing]
        self.ask_each(missing, "load", loading)
        self.check()

    def ask(self, number: int, name: str, *arguments: Any) -> Any:
        """Ask one process; the answer is an AnswerError or a ProcessLost if it raised or was lost."""
        return self.ask_each([number], name, [arguments])[number]

    def ask_each(self, numbers: Sequence[int], name: str, arguments: Sequence[tuple[Any, ...]]) -> dict[int, Any]:
        """Ask several processes at once, each with its own arguments; answers by number, as ``ask`` gives them."""
        for number, own in zip(numbers, arguments, strict=True):
            self.alive[number].put(name, *own)
        return {number: self._take(number) for number in numbers}

    def check(self) -> None:
        """Raise NotTimed if no process is left."""
        if not self.alive:
            raise NotTimed(f"no process that timed steps is left: {self.losses[-1]}; see gdbench check")

    def _take(self, number: int) -> Any:
        process = self.alive[number]
        try:
            return process.take()
        except AnswerError as error:
            return error
        except ProcessLost as error:
            self.losses.append(f"{error}{f' at {process.at}' if process.at else ''}")
            self.alive.pop(number).close()
            return error

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.alive.values():
            process.close()
