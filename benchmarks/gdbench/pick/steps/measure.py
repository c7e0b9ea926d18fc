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
from gdbench.pick.steps.costs import SearchClock
from gdbench.pick.steps.problem import DescentProblem
from gdbench.pick.steps.search import Search
from gdbench.pick.steps.summary import describe
from gdbench.pick.steps.targets import Beginning
from gdbench.pick.steps.tiers import Tier
from gdbench.pick.steps.trials import Curves, Runner, Trial

Answer = TypeVar("Answer")
Report = Callable[[str, float], None]
"""Hears the stage in words, and the rows processed so far."""


class OutOfTime(BaseException):
    """A plan was ended early; the message says by what. Like Ctrl-C it may come anywhere."""


ENDED, INTERRUPTED = "the budget ended the search", "the search was stopped"
LATE = ", beyond the budget since no batch size had an answer by then"
MIN_TIMER = 0.001
"""Seconds; a timer of 0 is none."""


class Countdown:
    """Seconds that are left of so many.

    Parameters
    ----------
    most_seconds : float
        Seconds from now on; infinite for no end.
    more : callable, optional
        Asked at the end for further seconds; 0 for no more. A signal handler calls it.
    """

    def __init__(self, most_seconds: float, more: Callable[[], float] | None = None) -> None:
        self.most_seconds, self._end, self._more = most_seconds, monotonic() + most_seconds, more
        self.extended = False

    @property
    def left(self) -> float:
        """Seconds."""
        return max(0.0, self._end - monotonic())

    def extend(self) -> bool:
        """Ask for more seconds, and tell whether there are any left now."""
        seconds = self._more() if self._more is not None else 0.0
        if seconds > 0:
            self._end, self.extended = monotonic() + seconds, True
        return self.left > 0


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
    begin: Beginning | None = None,
    most_seconds: float = math.inf,
    more: Callable[[], float] | None = None,
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
    begin : Beginning, optional
        What is known of the batch size where the search begins, such as by the runs that set the target.
    most_seconds : float
        After which the answer is what is known so far, and says so.
    more : callable, optional
        Asked for further seconds where no batch size has an answer by then.
    clock : SearchClock, optional
        Tells the time in place of the wall's, and of ``most_seconds``; the runner then raises OutOfTime at its end.
    report : callable, optional
        Called before every round.
    """
    most_seconds = tier.budget_seconds if math.isinf(most_seconds) else most_seconds
    countdown = Countdown(most_seconds, lambda: 0.0 if more is None or search.standing.answered else more())
    search = Search(
        problem,
        target.value,
        step_seconds,
        step_errors or {},
        clock or countdown,
        tier,
        workers,
        frozenset(asked),
        begin,
    )
    stopped, interrupted = "", False

    def tell() -> None:
        if report is not None:
            report(f"{search.stage}{LATE if countdown.extended else ''}", search.costs.rows)

    try:
        carry(search.run(), problem, runner, countdown=countdown if clock is None else None, tell=tell)
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
    countdown: Countdown | None = None,
    tell: Callable[[], None] | None = None,
) -> Answer:
    """Run the trials of a plan round by round and return its answer.

    Raises
    ------
    OutOfTime
        When the countdown has ended.
    """
    found: list[Curves] | None = None
    while True:
        try:
            trials = next(plan) if found is None else plan.send(found)
        except StopIteration as end:
            answer: Answer = end.value
            return answer
        if tell is not None:
            tell()
        with _deadline(countdown):
            found = runner.run(problem, trials)


@contextmanager
def _deadline(countdown: Countdown | None) -> Iterator[None]:
    """Raise OutOfTime within if it takes longer; only the main thread of a Unix process can be interrupted so."""
    if countdown is None:
        yield
        return
    if countdown.left <= 0 and not countdown.extend():
        raise OutOfTime(ENDED)
    if not math.isfinite(countdown.left) or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_number: int, _frame: object) -> None:
        if not countdown.extend():
            raise OutOfTime(ENDED)
        signal.setitimer(signal.ITIMER_REAL, max(countdown.left, MIN_TIMER))

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, max(countdown.left, MIN_TIMER))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
