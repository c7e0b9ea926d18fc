"""The statistical half from beginning to end: ``measure_steps``."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import TypeVar

from gdbench.pick.steps.answer import Steps, Target
from gdbench.pick.steps.blocks import Block, Curves
from gdbench.pick.steps.problem import DescentProblem
from gdbench.pick.steps.runner import Runner
from gdbench.pick.steps.search import Search
from gdbench.pick.steps.table import describe
from gdbench.pick.steps.tiers import Tier

Answer = TypeVar("Answer")


class OutOfTime(BaseException):
    """A plan was ended early; the message says by what. Like Ctrl-C it may come anywhere."""


ENDED, INTERRUPTED = "the budget ended the search", "the search was stopped"


@dataclass(frozen=True)
class Progress:
    """Where a search is: words for its stage, and runs and rows processed so far."""

    words: str
    rounds: int
    rows: float


def measure_steps(
    problem: DescentProblem,
    candidates: Sequence[int],
    *,
    target: Target,
    tier: Tier,
    seed: int,
    runner: Runner,
    most_rows: float = math.inf,
    most_seconds: float = math.inf,
    report: Callable[[Progress], None] | None = None,
) -> Steps:
    """Find the steps to a target by batch size, each at the learning rate that is best for it.

    The same problem, candidates, target, tier and seed give the same answer, whatever runs the blocks, unless
    ``most_seconds`` or Ctrl-C ends the search early; then the answer is what is known so far, and says so.

    Parameters
    ----------
    problem : DescentProblem
        What descent is run on; its randomness is fixed by ``seed``.
    candidates : sequence of int
        Batch sizes, ascending.
    target : Target
        Loss to reach by the mean over runs.
    tier : Tier
        How much the search may cost.
    seed : int
        For the record.
    runner : Runner
        Where blocks run.
    most_rows : float
        Rows after which nothing is begun that can be left out; what an answer needs may exceed them.
    most_seconds : float
        No round is begun that would probably end later.
    report : callable, optional
        Called before every round.
    """
    search = Search(problem, tuple(candidates), target.value, tier, most_rows)
    stopped, interrupted = "", False
    if target.start > target.value and (target.optimum is None or target.optimum < target.value):
        try:
            carry(search.run(), problem, runner, most_seconds=most_seconds, search=search, report=report)
        except OutOfTime as end:
            stopped = str(end)
        except KeyboardInterrupt:
            stopped, interrupted = INTERRUPTED, True
    return replace(describe(search, target, seed=seed, stopped=stopped), interrupted=interrupted)


def carry(
    plan: Generator[list[Block], list[Curves], Answer],
    problem: DescentProblem,
    runner: Runner,
    *,
    most_seconds: float = math.inf,
    search: Search | None = None,
    report: Callable[[Progress], None] | None = None,
) -> Answer:
    """Run the blocks of a plan round by round and return its answer.

    Raises
    ------
    OutOfTime
        If the next round would probably end after ``most_seconds``.
    """
    begun, rounds, rows, longest = monotonic(), 0, 0.0, 0.0
    found: list[Curves] | None = None
    while True:
        try:
            blocks = next(plan) if found is None else plan.send(found)
        except StopIteration as end:
            answer: Answer = end.value
            return answer
        if monotonic() - begun + longest > most_seconds:
            raise OutOfTime(ENDED)
        if report is not None:
            report(Progress(search.stage if search is not None else "finding a target", rounds, rows))
        at = monotonic()
        with _deadline(most_seconds - (at - begun)):
            found = runner.run(problem, blocks)
        longest, rounds = 0.5 * (monotonic() - at), rounds + 1
        rows += sum(curves.rows for curves in found)


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Raise OutOfTime within if it takes longer; only the main thread of a Unix process can be interrupted so."""
    if not math.isfinite(seconds) or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_number: int, _frame: object) -> None:
        raise OutOfTime(ENDED)

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
