"""Runs blocks in this process, one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gdbench.pick.runners.rounds import run_limited
from gdbench.pick.steps.blocks import Block, Curves
from gdbench.pick.steps.problem import DescentProblem
from gdbench.pick.steps.runner import OnDone, Runner


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
