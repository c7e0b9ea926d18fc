"""In which order processes and batch sizes take turns, and when there are samples enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

import numpy as np

from gdbench.pick.seconds.fleet import Fleet
from gdbench.pick.seconds.statistics import Values
from gdbench.processes.live import AnswerError, ProcessLost

MAX_DRIFT = 0.03
"""Change of the first batch size's time between start and end beyond which it is timed once more."""
CLOSING_SECONDS = 1.0
"""By which the last visits may go over the seconds that were given."""


class VisitSchedule:
    """Visits of processes to batch sizes, and what they brought.

    Parameters
    ----------
    fleet : Fleet
        Processes that hold the problem.
    variants, rates : dict
        By batch size.
    rng : Generator
        Shuffles processes and batch sizes.
    deadline : float
        Reading of ``time.monotonic`` after which no visit begins but the first to a batch size.
    """

    def __init__(
        self,
        fleet: Fleet,
        variants: Mapping[int, str],
        rates: Mapping[int, float],
        *,
        rng: np.random.Generator,
        deadline: float,
    ) -> None:
        self.fleet, self.variants, self.rates, self.rng, self.deadline = fleet, variants, rates, rng, deadline
        self.values: dict[int, dict[int, list[float]]] = {size: {} for size in sorted(variants)}
        self.failed: dict[int, str] = {}
        """Batch sizes at which the variant raised, with the exception."""
        self.shares: list[float] = []
        """Share of its time for which the process had its cores, by visit."""
        self._opening: dict[int, float] = {}
        self._seconds: dict[int, float] = {}
        self._first = min(variants)

    def run(self, enough: Callable[[Values], bool], progress: Callable[[], None]) -> None:
        """Go round until every batch size has enough, or the deadline; the smallest size comes first, for ``drift``."""
        self._turns([self._first])
        while pending := [size for size in self.values if size not in self.failed and not enough(self.values[size])]:
            if not self._turns(pending, progress):
                return

    def drift(self) -> float:
        """Time the first batch size again; return its relative change, after a second look if that is large."""
        found = self._change()
        return found if abs(found) <= MAX_DRIFT else self._change()

    def _turns(self, sizes: list[int], progress: Callable[[], None] = lambda: None) -> bool:
        """Let each process visit the sizes in an order of its own; return whether there was any time for it."""
        visited = False
        for number in self.rng.permutation(sorted(self.fleet.alive)):
            self._ask(int(number), None, "begin")
            for size in self.rng.permutation(sizes):
                if int(number) in self.fleet.alive and self._has_time(int(size)):
                    self._visit(int(number), int(size))
                    visited = True
            progress()
        self.fleet.check()
        return visited

    def _has_time(self, size: int) -> bool:
        if size in self.failed:
            return False
        return not self.values[size] or monotonic() + self._seconds.get(size, 0.0) <= self.deadline

    def _visit(self, number: int, size: int) -> list[float]:
        """Add the samples of a visit and return them; none if the process is lost, or the variant raised."""
        begun, known = monotonic(), self.values[size]
        if number not in known:
            self._ask(number, size, "prepare", size, self.variants[size], self.rates[size])
        answer = self._ask(number, size, "sample", size)
        if answer is None:
            return []
        found, share = answer
        known.setdefault(number, []).extend(found)
        self.shares.append(share)
        self._seconds[size] = monotonic() - begun
        if size == self._first:
            self._opening.setdefault(number, float(np.median(found)))
        return list(found)

    def _ask(self, number: int, size: int | None, name: str, *arguments: object) -> Any:
        """Ask a process; None if it has nothing to tell, is lost, or the variant raised, which is noted."""
        if number not in self.fleet.alive:
            return None
        self.fleet.alive[number].at = None if size is None else f"B = {size:,}"
        answer = self.fleet.ask(number, name, *arguments)
        if isinstance(answer, AnswerError) and size is not None:
            self.failed.setdefault(size, str(answer))
        return None if isinstance(answer, AnswerError | ProcessLost) else answer

    def _change(self) -> float:
        """Median over processes of the first batch size's time now, relative to that at the start."""
        changes = list[float]()
        for number in sorted(self._opening.keys() & self.fleet.alive.keys()):
            if not changes or monotonic() + self._seconds[self._first] <= self.deadline + CLOSING_SECONDS:
                self._ask(number, None, "begin")
                found = self._visit(number, self._first)
                changes += [float(np.median(found)) / self._opening[number] - 1] if found else []
        self.fleet.check()
        return float(np.median(changes)) if changes else 0.0
