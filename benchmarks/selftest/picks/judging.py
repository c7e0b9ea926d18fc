"""How a pick is judged where the truth is known: against the best one, by its intervals, and beside fixed rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from gdbench.pick.choose.choice import BatchSizeChoice, NoChoice
from gdbench.pick.steps.answer import StepsRow, Target
from gdbench.pick.steps.crossing import whole
from gdbench.pick.steps.problem import DescentProblem
from selftest.picks.clocks import Clock
from selftest.picks.scores import NORMAL_90, finite

Seconds = Callable[[int], float]
Rule = Callable[[Sequence[int], Seconds], int]
THROUGHPUT_SHARE = 0.9
SAME = 1e-9
"""Relative difference up to which a time is the end of an interval."""


class Truth(Protocol):
    """A problem whose steps are known at any batch size and learning rate."""

    @property
    def name(self) -> str:
        """Name of the problem."""

    @property
    def family(self) -> str:
        """Kind of problem, over which findings are summed up."""

    @property
    def n_rows(self) -> int | None:
        """Rows; None where they have no end."""

    @property
    def candidates(self) -> tuple[int, ...]:
        """Batch sizes to choose from, ascending; the last is all rows, where they have an end."""

    @property
    def target(self) -> Target:
        """Loss to reach."""

    def problem(self, seed: int) -> DescentProblem:
        """What is searched, with the randomness of a seed."""

    def steps(self, batch_size: int, learning_rate: float) -> tuple[float, float]:
        """Steps to the goal, a real number, infinite if it is never reached; standard error of their logarithm."""

    def best(self, batch_size: int) -> tuple[float, float]:
        """Steps at the best learning rate, and the standard error of their logarithm."""


def thirty_two(candidates: Sequence[int], seconds: Seconds) -> int:
    """32, a common default (Keras), or all rows if they are fewer."""
    return min(32, max(candidates))


def throughput(candidates: Sequence[int], seconds: Seconds) -> int:
    """Smallest candidate with 90 % of the most rows per second."""
    speeds = {size: size / seconds(size) for size in candidates}
    return min(size for size in candidates if speeds[size] >= THROUGHPUT_SHARE * max(speeds.values()))


RULES: dict[str, Rule] = {
    "32": thirty_two,
    "all rows": lambda candidates, seconds: max(candidates),
    "90 % of the throughput": throughput,
}
"""Batch sizes that people take without asking: rules that look at neither noise nor target."""


def judge(truth: Truth, clock: Clock, choice: BatchSizeChoice | NoChoice) -> dict[str, Any]:
    """Return the regret of a pick, that of its batch size alone, whether its interval holds the time, and the rules'.

    Regrets are of expected steps, which are real numbers; times that are held against an interval are of whole steps.
    None stands for what is infinite.
    """
    times = {size: truth.best(size)[0] * clock.seconds(size) for size in truth.candidates}
    best = min(times, key=lambda size: times[size])
    rules = {name: rule(truth.candidates, clock.seconds) for name, rule in RULES.items()}
    found = {
        "clock": clock.name,
        "best": best,
        "rules": {name: times[size] / times[best] - 1 for name, size in rules.items()},
    }
    if isinstance(choice, NoChoice) or choice.learning_rate is None or choice.seconds is None:
        return {**found, "picked": None, "regret": None, "size_regret": None, "covered": False}
    size, seconds = choice.batch_size, clock.seconds(choice.batch_size)
    steps, error = truth.steps(size, choice.learning_rate)
    low, high = _widened(choice.seconds, choice.seconds_low, choice.seconds_high, error)
    return {
        **found,
        "picked": size,
        "rate": choice.learning_rate,
        "regret": finite(steps * seconds / times[best] - 1),
        "size_regret": times[size] / times[best] - 1,
        "covered": (1 - SAME) * low <= _whole(steps) * seconds <= (1 + SAME) * high,
    }


def against(truth: Truth, row: StepsRow) -> dict[str, Any]:
    """Steps told of a batch size beside the true ones at that learning rate, whole numbers, and the fewest."""
    found = {"batch_size": row.batch_size, "status": row.status, "rate": row.learning_rate, "runs": row.runs}
    if not row.measured or row.learning_rate is None or row.steps is None:
        return {**found, "steps": None, "exact": None, "fewest": None, "covered": None}
    steps, error = truth.steps(row.batch_size, row.learning_rate)
    low, high = _widened(row.steps, row.low, row.high, error)
    return {
        **found,
        "steps": row.steps,
        "exact": finite(_whole(steps)),
        "fewest": _whole(truth.best(row.batch_size)[0]),
        "covered": whole(low) <= _whole(steps) <= whole(high),
    }


def _widened(middle: float, low: float | None, high: float | None, error: float) -> tuple[float, float]:
    """Return the ends of a 90 % interval of a logarithm's middle, widened by a standard error of what it is held to."""
    if low is None or high is None:
        return 0.0, math.inf
    down, up = (math.hypot(math.log(end / middle), NORMAL_90 * error) for end in (low, high))
    return middle * math.exp(-down), middle * math.exp(up)


def _whole(steps: float) -> float:
    return whole(steps) if math.isfinite(steps) else math.inf
