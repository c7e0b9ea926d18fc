"""Runs trials in this process, one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gdbench.pick.runners.rounds import run_limited
from gdbench.pick.steps.problem import DescentProblem
from gdbench.pick.steps.trials import Curves, OnDone, Runner, Trial


class _Serial:
    workers = 1

    def run(self, problem: DescentProblem, trials: Sequence[Trial], *, on_done: OnDone | None = None) -> list[Curves]:
        results = []
        for place, trial in enumerate(trials):
            results.append(run_limited(problem, trial))
            if on_done is not None:
                on_done(place, results[-1])
        return results


@contextmanager
def serial() -> Iterator[Runner]:
    """Give a runner whose trials run in this process, one after another."""
    yield _Serial()
