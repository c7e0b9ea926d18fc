"""What is being done, trial by trial, while a pick goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

from gdbench.pick.runners.journal import Journal, Journaled
from gdbench.pick.steps.problem import DescentProblem
from gdbench.pick.steps.trials import Curves, OnDone, Runner, Trial

EXTENSION = 0.5
"""Share of the budget that a search without any answer may go on beyond it."""


@dataclass(frozen=True)
class Doing:
    """The stage in words, how far it is, the share of the budget that is spent, and seconds left at most."""

    words: str
    detail: str
    share: float
    seconds_left: float


@dataclass
class Clock:
    """Tells whoever listens what is done, with the time that is left of the budget."""

    most_seconds: float
    listen: Callable[[Doing], None]
    remark: Callable[[str], None] = lambda sentence: None
    """Hears what is worth a line of its own."""
    words: str = ""
    begun: float = field(default_factory=monotonic)
    extra: float = 0.0
    """Seconds beyond the budget that were granted."""

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return monotonic() - self.begun

    @property
    def left(self) -> float:
        """Seconds of the budget that are left, and of those beyond it."""
        return max(0.0, self.most_seconds + self.extra - self.spent)

    def extend(self) -> float:
        """Grant seconds beyond the budget, once, and return them; prints nothing, so that signal handlers may call it.

        An answer that comes a little late is worth more than none in time: preparing takes longer on a busy machine.
        """
        if self.extra:
            return 0.0
        seconds = EXTENSION * self.most_seconds
        self.extra = max(self.spent - self.most_seconds, 0.0) + seconds
        return seconds

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let what passes in the block neither be spent of the budget nor count as time of the search."""
        since = monotonic()
        try:
            yield
        finally:
            self.begun += monotonic() - since

    def tell(self, words: str, detail: str = "") -> None:
        """Say what is being done."""
        self.words = words
        self.listen(Doing(words, detail, min(1.0, self.spent / self.most_seconds), self.left))


@dataclass
class Watched:
    """A runner that tells how far each round is, and counts the trials that a journal knew already."""

    runner: Runner
    clock: Clock
    journal: Journal | None
    rounds: int = 0
    trials: int = 0
    """Finished so far."""
    known: int = 0
    """Those of them that the journal had."""
    _said: bool = False

    @property
    def workers(self) -> int:
        """Trials that run at the same time."""
        return self.runner.workers

    def run(self, problem: DescentProblem, trials: Sequence[Trial], *, on_done: OnDone | None = None) -> list[Curves]:
        """Run a round; see ``gdbench.pick.steps.trials.Runner``."""
        self.rounds += 1
        done = 0

        def count(place: int, curves: Curves) -> None:
            nonlocal done
            done += 1
            self.trials += 1
            self.clock.tell(self.clock.words, f"round {self.rounds}, {done} of {len(trials)} trials")
            if on_done is not None:
                on_done(place, curves)

        if self.journal is None:
            return self.runner.run(problem, trials, on_done=count)
        asked = _Asked(self, len(trials))
        return Journaled(asked, self.journal).run(problem, trials, on_done=count)

    def note_known(self, known: int, *, missing: int) -> None:
        """Add to what was known; say it once, before the first trial that has to be run."""
        self.known += known
        if missing and self.known and not self._said:
            self.clock.remark(f"going on where an earlier search ended: {self.known} trials are known already")
        self._said = self._said or missing > 0


@dataclass(frozen=True)
class _Asked:
    """A runner that is asked for what a journal has not, of so many trials."""

    watched: Watched
    count: int

    @property
    def workers(self) -> int:
        return self.watched.workers

    def run(self, problem: DescentProblem, trials: Sequence[Trial], *, on_done: OnDone | None = None) -> list[Curves]:
        self.watched.note_known(self.count - len(trials), missing=len(trials))
        return self.watched.runner.run(problem, trials, on_done=on_done) if trials else []
