"""The statistical half from beginning to end: ``measure_steps``."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic
from typing import TypeVar

from gdbench.pick.steps.answer import Steps, Target
from gdbench.pick.steps.problem import DescentProblem
from gdbench.pick.steps.search import Search, SearchClock
from gdbench.pick.steps.summary import describe
from gdbench.pick.steps.tiers import Tier
from gdbench.pick.steps.trials import Curves, Runner, Trial

Answer = TypeVar("Answer")
Report = Callable[[str, float], None]
"""Hears the stage in words, and the rows processed so far."""


class OutOfTime(BaseException):
    """A plan was ended early; the message says by what. Like Ctrl-C it may come anywhere."""


ENDED, INTERRUPTED = "the budget ended the search", "the search was stopped"


class Countdown:
    """Seconds that are left of so many."""

    def __init__(self, most_seconds: float) -> None:
        self.most_seconds, self._begun = most_seconds, monotonic()

    @property
    def left(self) -> float:
        """Seconds."""
        return max(0.0, self.most_seconds - (monotonic() - self._begun))


def measure_steps(
    problem: DescentProblem,
    step_seconds: Mapping[int, float],
    *,
    target: Target,
    tier: Tier,
    seed: int,
    runner: Runner,
    step_errors: Mapping[int, float] | None = None,
    workers: int = 1,
    asked: Collection[int] = (),
    most_seconds: float = math.inf,
    clock: SearchClock | None = None,
    report: Report | None = None,
) -> Steps:
    """Find the steps to a target by batch size, each at the learning rate that is best for it.

    Parameters
    ----------
    problem : DescentProblem
        What descent is run on; its randomness is fixed by ``seed``.
    step_seconds, step_errors : dict
        Seconds of a step by candidate, and the standard errors of their logarithms: they decide where it pays to look.
    target : Target
        Loss to reach by the mean over runs.
    tier : Tier
        How sure the answer shall be.
    seed : int
        For the record.
    runner : Runner
        Where trials run.
    workers : int
        How many of them at once.
    asked : collection of int
        Candidates that users compare with: looked at even if they cannot win, where that costs little.
    most_seconds : float
        After which the answer is what is known so far, and says so.
    clock : SearchClock, optional
        Tells the time in place of the wall's, and of ``most_seconds``; the runner then raises OutOfTime at its end.
    report : callable, optional
        Called before every round.
    """
    most_seconds = tier.budget_seconds if math.isinf(most_seconds) else most_seconds
    search = Search(
        problem,
        target.value,
        step_seconds,
        step_errors or {},
        clock or Countdown(most_seconds),
        tier,
        workers,
        frozenset(asked),
    )
    stopped, interrupted = "", False
    tell = (lambda: report(search.stage, search.costs.rows)) if report is not None else None
    try:
        carry(search.run(), problem, runner, most_seconds=most_seconds if clock is None else math.inf, tell=tell)
    except OutOfTime as end:
        stopped = str(end)
    except KeyboardInterrupt:
        stopped, interrupted = INTERRUPTED, True
    return replace(describe(search, target, seed=seed, stopped=stopped), interrupted=interrupted)


def carry(
    plan: Generator[list[Trial], list[Curves], Answer],
    problem: DescentProblem,
    runner: Runner,
    *,
    most_seconds: float = math.inf,
    tell: Callable[[], None] | None = None,
) -> Answer:
    """Run the trials of a plan round by round and return its answer.

    Raises
    ------
    OutOfTime
        After ``most_seconds``.
    """
    begun = monotonic()
    found: list[Curves] | None = None
    while True:
        try:
            trials = next(plan) if found is None else plan.send(found)
        except StopIteration as end:
            answer: Answer = end.value
            return answer
        if tell is not None:
            tell()
        with _deadline(most_seconds - (monotonic() - begun)):
            found = runner.run(problem, trials)


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Raise OutOfTime within if it takes longer; only the main thread of a Unix process can be interrupted so."""
    if seconds <= 0:
        raise OutOfTime(ENDED)
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
