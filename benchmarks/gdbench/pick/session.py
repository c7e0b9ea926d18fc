"""A pick from question to record: seconds per step first, then steps to the target, then the choice."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import monotonic

from threadpoolctl import threadpool_limits

from gdbench.basics.units import counted
from gdbench.machine.environment import Environment, observe
from gdbench.pick.build import build_record
from gdbench.pick.choose.choice import NOT_MEASURED, BatchSizeChoice, NoChoice
from gdbench.pick.choose.choose import choose
from gdbench.pick.data.source import describe
from gdbench.pick.finding import (
    as_trainings,
    find_steps,
    idle_steps,
    is_idle,
    known_target,
    least_loss,
    make_problem,
    start_loss,
)
from gdbench.pick.progress import Clock, Watched
from gdbench.pick.question import Question
from gdbench.pick.record.record import PickRecord, SearchSeconds
from gdbench.pick.runners.journal import Journal
from gdbench.pick.runners.opening import OpenRunner
from gdbench.pick.seconds.fleet import NotTimed
from gdbench.pick.seconds.measure import measure_step_time
from gdbench.pick.seconds.times import Times
from gdbench.pick.steps.answer import BUDGET, Steps, Target
from gdbench.pick.steps.optimum import Optimum
from gdbench.pick.steps.tiers import get_tier
from gdbench.pick.steps.trials import Runner

OpenJournal = Callable[[str], Journal | None]
"""Opens the journal of the problem with a key."""
TIMES_SHARE = 0.25
"""Share of the budget that the seconds per step may take at most."""
VIEWS_SECONDS = 1.0
"""Left of the budget for joining the halves and drawing them."""


@dataclass
class Session:
    """What is known of a pick while it goes on."""

    question: Question
    clock: Clock
    environment: Environment = field(default_factory=Environment)
    steps: Steps | None = None
    times: Times | None = None
    unfinished: str = ""
    """Why there are no steps, where there should be."""
    fault: str = ""
    """Why nothing could be timed."""
    interrupted: bool = False
    """Whether Ctrl-C, or a signal that does the same, ended it."""
    earlier: PickRecord | None = None
    """Record whose steps were taken over."""
    seconds: SearchSeconds = field(default_factory=SearchSeconds)
    watched: Watched | None = None
    warnings: list[str] = field(default_factory=list)
    _start: float = math.nan
    _optimum: Optimum | None = None
    _target: Target | None = None

    def search(self, open_runner: OpenRunner, open_journal: OpenJournal) -> None:
        """Measure both halves, the seconds first: what cannot be timed is known at once, and only one works at a time.

        Ctrl-C ends it early; what is known until then is kept.
        """
        try:
            with open_runner(self.question.file_rows, tell=self.clock.tell, warn=self.warnings.append) as runner:
                self._observe()
                self._prepare()
                if self._target is not None and is_idle(self._target):
                    self.steps = idle_steps(self.question, self._target)
                    return
                usual = get_tier(self.question.settings.tier).times_seconds
                self.measure_times(min(usual, TIMES_SHARE * self.clock.most_seconds))
                if self.question.settings.needs_steps and self.times is not None:
                    self._find_steps(runner, open_journal)
        except KeyboardInterrupt:
            self.interrupted = True
        finally:
            self.interrupted |= self.steps is not None and self.steps.interrupted
            self.seconds = replace(self.seconds, total=self.clock.spent)

    def plan_again(self, earlier: PickRecord, *, most_seconds: float) -> None:
        """Measure the seconds only; the steps are those of an earlier pick."""
        self.steps, self.earlier = earlier.steps, earlier
        try:
            self._observe()
            self.measure_times(most_seconds)
        except KeyboardInterrupt:
            self.interrupted = True
        self.seconds = replace(self.seconds, total=self.clock.spent)

    def measure_times(self, most_seconds: float) -> None:
        """Measure seconds per step; ``fault`` says why that was impossible."""
        question, settings = self.question, self.question.settings
        with self._timed("times"):
            try:
                self.times = measure_step_time(
                    question.network,
                    *question.timed_rows,
                    question.batch_sizes,
                    variant=settings.variant,
                    threads=settings.threads,
                    most_seconds=most_seconds,
                    seed=settings.seed,
                    report=lambda words, share: self.clock.tell(words),
                )
            except NotTimed as error:
                self.fault = str(error)

    def _observe(self) -> None:
        self.clock.tell("looking at the machine")
        self.environment = observe(self.question.settings.threads)

    def _prepare(self) -> None:
        """Find the loss at the start, and the target if that needs no training."""
        if self.question.settings.needs_steps:
            self.clock.tell("looking for the least loss")
            with threadpool_limits(limits=1):  # sums over more threads would be rounded differently
                self._start, self._optimum = start_loss(self.question), least_loss(self.question)
            self._target = known_target(self.question, self._start, self._optimum)

    def _find_steps(self, runner: Runner, open_journal: OpenJournal) -> None:
        assert self.times is not None
        problem = make_problem(self.question, self.times, self._start, self._optimum)
        journal = open_journal(problem.key)
        watched = self.watched = Watched(runner, self.clock, journal)
        with self.clock.stopped():  # workers that read a large file take as long as this process did before the search
            runner.run(problem, [])
        with self._timed("steps"), threadpool_limits(limits=1):
            found = find_steps(
                self.question,
                problem,
                self._target,
                self._start,
                self.times,
                runner=watched,
                clock=self.clock,
                reserve=VIEWS_SECONDS,
            )
        if isinstance(found, str):
            self.unfinished = found
        else:
            self.steps = found
            self.clock.remark(as_trainings(found, self.question.settings.current))
        self.warnings += [journal.warning] if journal is not None and journal.warning else []

    def choose(self) -> BatchSizeChoice | NoChoice | None:
        """Join both halves; None where one is missing that cannot be done without."""
        question, settings = self.question, self.question.settings
        if self.fault:
            return NoChoice(settings.objective, NOT_MEASURED, self.fault, ())
        if self.unfinished:
            return NoChoice(settings.objective, BUDGET, self.unfinished, ())
        if self.times is None or (self.steps is None and settings.needs_steps):
            return None
        return choose(
            self.steps,
            self.times,
            settings.objective,
            n_rows=question.n_rows,
            current=settings.current,
            memory_bytes=settings.memory_bytes,
            bytes_needed=question.bytes_needed if settings.memory_bytes is not None else None,
            weight=settings.weight,
            search_seconds=None if self.earlier else self.seconds.total,  # the search was that of the earlier pick
        )

    def record(self, command: str, *, number: int = signal.SIGINT) -> PickRecord:
        """Return the record of what is known.

        Parameters
        ----------
        command : str
            The command line as typed.
        number : int
            Number of the signal that ended it, if it was interrupted.
        """
        question = self.question
        return build_record(
            command=command,
            data=describe(question.source, question.dataset, n_rows=question.n_rows),
            network=question.network,
            label=question.label,
            settings=question.settings,
            environment=self.environment,
            steps=self.steps,
            times=self.times,
            choice=self.choose(),
            seconds=self.seconds,
            progress=self._progress(),
            stopped_by=number if self.interrupted else None,
            fault=self.fault,
            warnings=self.warnings,
            earlier=self.earlier,
        )

    def _progress(self) -> str:
        watched = self.watched
        known = f", {watched.known:,} of them known before" if watched is not None and watched.known else ""
        done = f"{counted(watched.trials, 'trial')}{known}" if watched is not None and watched.trials else ""
        return f"last stage: {self.clock.words}{f', after {done}' if done else ''}" if self.interrupted else done

    @contextmanager
    def _timed(self, half: str) -> Iterator[None]:
        begun = monotonic()
        try:
            yield
        finally:
            self.seconds = replace(self.seconds, **{half: monotonic() - begun})
