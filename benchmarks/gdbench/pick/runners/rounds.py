"""Carries rounds of trials through any executor: results in the trials' order, lost workers made good."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from threadpoolctl import ThreadpoolController

from gdbench.pick.steps.problem import DescentProblem
from gdbench.pick.steps.trials import Curves, OnDone, Trial, run_trial
from kernels import InputError

MAX_RERUNS = 3
"""Times that the trials in flight are run again in one round after workers were lost."""


class Engine(Protocol):
    """Workers somewhere, behind futures of ``concurrent.futures``."""

    @property
    def lost(self) -> tuple[type[BaseException], ...]:
        """What a future or ``submit`` raises when workers were lost and the trial may run again."""

    @property
    def workers(self) -> int:
        """Trials that run at the same time."""

    @property
    def remedy(self) -> str:
        """One sentence for when they are lost again and again."""

    def prepare(self, problem: DescentProblem) -> None:
        """Let the workers have a problem now, if that takes long."""

    def submit(self, problem: DescentProblem, trial: Trial) -> Future[Curves]:
        """Have a trial run."""

    def abandon(self) -> None:
        """Stop whatever is unfinished; the next ``submit`` finds the engine ready again."""


@dataclass(frozen=True)
class EngineRunner:
    """A runner whose trials run in an engine."""

    engine: Engine

    @property
    def workers(self) -> int:
        """Trials that run at the same time."""
        return self.engine.workers

    def run(self, problem: DescentProblem, trials: Sequence[Trial], *, on_done: OnDone | None = None) -> list[Curves]:
        """Run a round; see ``gdbench.pick.steps.trials.Runner``. One without trials prepares the workers.

        Raises
        ------
        InputError
            If workers are lost more often than ``MAX_RERUNS`` times.
        """
        done: dict[int, Curves] = {}

        def keep(place: int, curves: Curves) -> None:
            if on_done is not None:
                on_done(place, curves)
            done[place] = curves

        for _ in range(1 + MAX_RERUNS):
            try:
                self.engine.prepare(problem)
                _collect(self.engine, problem, {i: b for i, b in enumerate(trials) if i not in done}, keep)
            except self.engine.lost:
                continue
            return [done[place] for place in range(len(trials))]
        raise InputError(self.engine.remedy)


def _collect(engine: Engine, problem: DescentProblem, trials: Mapping[int, Trial], keep: OnDone) -> None:
    """Run trials and keep each that finishes, also of those that had finished when something failed."""
    waiting: dict[Future[Curves], int] = {}
    try:
        for place, trial in trials.items():
            waiting[engine.submit(problem, trial)] = place
        for future in as_completed(list(waiting)):
            keep(waiting[future], future.result())
            del waiting[future]
    except BaseException:
        engine.abandon()
        for future, place in waiting.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                keep(place, future.result())
        raise


@cache
def _libraries() -> ThreadpoolController:
    """Return what limits threads of the libraries of this process: looking for them takes longer than short trials."""
    return ThreadpoolController()


class _OneThread:
    """Limits BLAS to one thread while trials run; where threads run several at once, the last one lifts the limit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limits: list[Any] = []
        self._running = 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            self._limits.append(_libraries().limit(limits=1))
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                if not self._running:
                    self._limits[0].restore_original_limits()  # the first one saw what was there before
                    self._limits.clear()


one_thread = _OneThread()


def run_limited(problem: DescentProblem, trial: Trial) -> Curves:
    """Run a trial with one BLAS thread: sums over more threads would be rounded differently."""
    with one_thread():
        return run_trial(problem, trial)
