"""Where blocks run: in this process, in processes of this machine, or on a Dask cluster, with the same results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from gdbench.pick.blocks import Block, Curves
from gdbench.pick.cluster import cluster
from gdbench.pick.pool import processes
from gdbench.pick.problem import DescentProblem
from gdbench.pick.rounds import OnDone, run_limited

__all__ = ["OnDone", "Runner", "cluster", "processes", "serial"]


class Runner(Protocol):
    """Runs rounds of blocks."""

    def run(self, problem: DescentProblem, blocks: Sequence[Block], *, on_done: OnDone | None = None) -> list[Curves]:
        """Run blocks and return what came of them in their order, in whatever order they finished.

        ``on_done`` hears of each block when it has finished, in this process; also of those that had finished when
        Ctrl-C or an error ended the round.
        """


class _Serial:
    def run(self, problem: DescentProblem, blocks: Sequence[Block], *, on_done: OnDone | None = None) -> list[Curves]:
        results = []
        for place, block in enumerate(blocks):
            results.append(run_limited(problem, block))
            if on_done is not None:
                on_done(place, results[-1])
        return results


@contextmanager
def serial() -> Iterator[Runner]:
    """Give a runner whose blocks run in this process, one after another."""
    yield _Serial()
