"""The unit of work of the search: some runs of one batch size and one learning rate, looked at now and then."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gdbench.pick.steps.problem import DescentProblem

Values = npt.NDArray[np.float64]
BLOW_UP = 100.0
"""A run whose loss exceeds this multiple of that at its start has diverged."""
LAST = -1
PART = 16
"""Runs of one trial, at most, where there are many: trials are what processes share."""
CHECKED = 4
"""So many of the runs that are made at one time tell the loss of all rows too, where only a sample is monitored."""
MAX_ENDS = 24
"""Ends of passes, up to which each is looked at."""
ROUNDING = 1e-9
"""Steps by which the end of a pass, a product of floats, may be below a whole number that it is."""
MAX_FAILURES = 0.1
"""Share of the runs of a learning rate that may diverge before the rate counts as diverged."""


@dataclass(frozen=True)
class Trial:
    """What to run. Plain values, so that it can be sent and hashed."""

    batch_size: int
    learning_rate: float
    seeds: tuple[int, ...]
    """Numbers of runs; a run's start and rows come from the problem's entropy and this number."""
    looks: tuple[int, ...]
    """Steps after which the loss is looked at, ascending; the last one ends the runs."""
    goal: float
    """Loss to reach by the mean over the runs."""
    slack: float = math.inf
    """The runs also end at the first look beyond this multiple of that at which their mean reached the goal."""
    check: int = 0
    """The look after which the loss of all rows is told too, where only a sample of them is monitored; 0: none; the
    last one made if it is ``LAST``."""
    look_rows: int = 0
    """Rows that the loss of a run is looked at on, see ``parts``; 0: all that are monitored."""


@dataclass(frozen=True)
class Curves:
    """What came of a trial."""

    looks: npt.NDArray[np.int64]
    """(T,) those of the trial up to where it ended."""
    losses: Values
    """(T, S) loss by look and run; infinite from where a run has diverged."""
    rows: float
    """Rows processed by all runs."""
    seconds: float
    """CPU seconds of all runs."""
    look_seconds: float
    """Those of them that looking took."""
    shifts: Values
    """Loss of all rows less that of those that are monitored, at the look that was to be checked, of the runs that
    had not diverged by then; empty where there was none."""


Plan = Generator[list[Trial], list[Curves], None]
"""Yields the trials of a round, is sent what came of them."""
OnDone = Callable[[int, Curves], None]
"""Hears the index of a trial in its round and what came of it, as soon as it is finished."""


class Runner(Protocol):
    """Runs rounds of trials."""

    @property
    def workers(self) -> int:
        """Trials that run at the same time."""

    def run(self, problem: DescentProblem, trials: Sequence[Trial], *, on_done: OnDone | None = None) -> list[Curves]:
        """Run trials and return what came of them in their order, in whatever order they finished.

        ``on_done`` hears of each trial when it has finished, in this process; also of those that had finished when
        Ctrl-C or an error ended the round.
        """


def run_trial(problem: DescentProblem, trial: Trial) -> Curves:
    """Run descent; on one machine the same arguments give the same losses, bit for bit."""
    begun, looked, losses, made = time.process_time(), 0.0, list[Values](), 0
    shifts = np.empty(0)
    with np.errstate(all="ignore"):  # a rate that is too high overflows: that is what is to be found out
        runs = problem.begin(trial.batch_size, trial.learning_rate, trial.seeds, look_rows=trial.look_rows)
        limit, ceiling = math.inf, BLOW_UP * problem.start_loss()
        for look in trial.looks:
            runs.advance(look - made)
            made = look
            at = time.process_time()
            losses.append(runs.losses())
            whole = runs.all_losses() if look == trial.check and problem.sampled_rows is not None else None
            looked += time.process_time() - at
            losses[-1][~(losses[-1] <= ceiling)] = np.inf
            if whole is not None:
                shifts = (whole - losses[-1])[np.isfinite([*losses, whole]).all(axis=0)]
            mean = float(mean_losses(losses[-1]))
            if mean <= trial.goal:
                limit = min(limit, trial.slack * look)
            elif mean == math.inf:
                break
            if look >= limit:
                break
        if trial.check == LAST and problem.sampled_rows is not None and np.isfinite(losses[-1]).all():
            shifts = runs.all_losses() - losses[-1]
    rows = float(made * trial.batch_size * len(trial.seeds))
    looks = np.array(trial.looks[: len(losses)], np.int64)
    return Curves(looks, _once_diverged(np.stack(losses)), rows, time.process_time() - begun, looked, shifts)


def mean_losses(losses: Values) -> Values:
    """Mean (...) over the runs (..., S) that have not diverged; infinite if more than one in ten have."""
    finite = np.isfinite(losses)
    count = finite.sum(axis=-1)
    sums = np.where(finite, losses, 0.0).sum(axis=-1)
    enough = losses.shape[-1] - count <= MAX_FAILURES * losses.shape[-1]
    return np.where(enough, sums / np.maximum(count, 1), np.inf)


def _once_diverged(losses: Values) -> Values:
    """A run that has diverged stays so, whatever its loss is later."""
    return np.where(np.logical_or.accumulate(np.isinf(losses), axis=0), np.inf, losses)


def look_grid(first: float, last: float, ratio: float, *, pass_steps: float = math.inf) -> tuple[int, ...]:
    """Whole numbers in a geometric progression from about ``first`` to ``last``, both included.

    The last steps of passes of so many steps are among them, where they are few: there the expected loss is lowest.
    """
    found = [max(int(first), 1)]
    while found[-1] < last:
        found.append(min(max(found[-1] + 1, int(found[-1] * ratio)), math.ceil(last)))
    passes = range(max(math.ceil(found[0] / pass_steps), 1), math.floor(found[-1] / pass_steps) + 1)
    ends = [int(number * pass_steps + ROUNDING) for number in passes] if len(passes) <= MAX_ENDS else []
    return tuple(sorted({*found, *ends}))


def joined(parts: Sequence[Curves]) -> tuple[npt.NDArray[np.int64], Values]:
    """Looks (T,) that several trials have in common, and the losses (T, S) of all their runs at these."""
    looks = reduce(np.intersect1d, [part.looks for part in parts])
    return looks, np.concatenate([part.losses[np.isin(part.looks, looks)] for part in parts], axis=1)


def together(plans: Iterable[Plan]) -> Plan:
    """Carry several plans at once: a round holds the next trials of each."""
    waiting: list[tuple[Plan, list[Trial]]] = []
    for plan in plans:
        trials = next(plan, None)
        if trials is not None:
            waiting.append((plan, trials))
    while waiting:
        found = yield [trial for _, trials in waiting for trial in trials]
        following, at = [], 0
        for plan, trials in waiting:
            own = found[at : at + len(trials)]
            at += len(trials)
            try:
                following.append((plan, plan.send(own)))
            except StopIteration:
                continue
        waiting = following
