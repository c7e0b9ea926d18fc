"""The loss to reach: given by the user, near the least there is, or what a reference descent reaches."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gdbench.basics.units import digits
from gdbench.pick.steps.answer import Target
from gdbench.pick.steps.crossing import Hit, hit
from gdbench.pick.steps.optimum import Optimum
from gdbench.pick.steps.problem import DescentProblem
from gdbench.pick.steps.trials import CHECKED, Curves, Trial, look_grid, mean_losses

Values = npt.NDArray[np.float64]
SHARE = 0.01
"""Share of the loss to gain that may be left at the target of a convex problem."""
MAX_PASSES, MIN_PASSES, MIN_STEPS = 10, 3, 300
"""Passes of the reference descent over the rows; or that many steps, if they are more."""
RUN_OPERATIONS, MAX_RUN_OPERATIONS = 4e9, 4e10
"""Cost of one reference descent, beyond which it makes fewer passes, and less than a pass."""
OPERATIONS_PER_ROW = 6.0
"""And parameter: forward pass, backpropagation and weight gradient, two each."""
RATES = tuple(2.0**power for power in (1, 0, -1, -2, -3, -4))
"""Learning rates of the reference descent, in units of the problem's own scale."""
MAX_ROUNDS = 4
"""Times that further rates are tried where the best one is at an end."""
SCOUTS, JUDGES = (9000, 9001), tuple(range(9100, 9110))
"""Numbers of the runs that choose the reference rate, and of the fresh ones whose mean sets the target."""
REFERENCE_SHARE, DOUBT, MAX_DOUBT = 0.02, 2.0, 0.5
"""Share of the loss that these gain, or so many standard errors of their mean if that is more (up to another share of
what they gain), which is left at the target: near the end of a descent at one rate its loss falls so slowly that
neither steps nor rates can be told."""
NEVER = -math.inf
"""A goal that no run reaches: it goes on to the end."""
FIRST_LOOK, LOOK_RATIO = 0.02, 1.2
"""Share of the steps after which a reference descent is looked at first, and the ratio of neighbouring looks."""


@dataclass(frozen=True)
class Beginning:
    """What is known of one batch size before the search, by a few runs at several rates."""

    batch_size: int
    hits: Mapping[float, Hit]
    """Where the mean over the runs is at the target, by rate."""
    shift: float
    """Loss of all rows less that of those that are monitored."""
    runs: int
    """How many runs of each rate tell that, at least."""
    seconds: float = 0.0
    """CPU seconds of a step of a run, looks included; 0 if they are not known."""

    @property
    def reached(self) -> bool:
        """Whether it is at any rate."""
        return any(found.reached for found in self.hits.values())

    @property
    def diverged(self) -> bool:
        """Whether the runs of all rates diverged."""
        return all(math.isinf(found.final) for found in self.hits.values())


def given_target(value: float, start: float, *, metric: str, optimum: Optimum | None = None) -> Target:
    """Return the target that the user named."""
    least = optimum.value if optimum is not None and optimum.attained else None
    return Target(value, start, least, metric, f"{metric} of {value:.3g}, as asked for")


def near_optimum(optimum: Optimum, start: float, *, metric: str) -> Target:
    """Return the loss at which all but ``SHARE`` of what descent can gain is gained: f* + 0.01 (f(start) - f*)."""
    value = optimum.value + SHARE * (start - optimum.value)
    words = f"{metric} of {value:.3g}, which leaves {100 * SHARE:.0f} % of what can be gained"
    return Target(value, start, optimum.value, metric, words)


def reference_steps(n_rows: int, n_parameters: int, batch_size: int) -> int:
    """Steps of the reference descent: fewer where a pass takes long, since every run of a search takes about as many.

    Examples
    --------
    >>> reference_steps(1797, 650, 32), reference_steps(5000, 101_770, 32)
    (562, 469)
    """
    row = OPERATIONS_PER_ROW * n_parameters
    passes = round(min(max(RUN_OPERATIONS / (row * n_rows), MIN_PASSES), MAX_PASSES))
    rows = min(passes * n_rows, MAX_RUN_OPERATIONS / row)
    return max(math.ceil(rows / batch_size), MIN_STEPS)


def reference_target(
    problem: DescentProblem, batch_size: int, steps: int, start: float, *, metric: str
) -> Generator[list[Trial], list[Curves], tuple[Target, Beginning]]:
    """Find the loss by which nearly all is gained that a reference descent gains on average: a plan, see ``rates``.

    Where no rate gains anything, the target is the loss at the start.
    """
    looks = look_grid(FIRST_LOOK * steps, steps, LOOK_RATIO)
    scouts = yield from _scout(problem, batch_size, looks)
    losses = {rate: curves.losses for rate, curves in scouts.items()}
    level, shift, seconds = Level(start, "that before the first step, which no learning rate lowers"), 0.0, 0.0
    rate = min(losses, key=lambda rate: _lowest(losses[rate]))
    for lower in sorted((each for each in losses if each <= rate and not _diverges(losses[each])), reverse=True):
        judges = yield from _judge(problem, batch_size, lower, looks)
        losses[lower] = _joined(judges, looks)
        if not _diverges(losses[lower]):
            shifts = np.concatenate([each.shifts for each in judges])
            shift = float(shifts.mean()) if len(shifts) else 0.0
            seconds = sum(each.seconds for each in judges) / sum(each.rows / batch_size for each in judges)
            level = _level(losses[lower], shift, start) or level
            break
    passes = digits(steps * batch_size / (problem.n_rows or 1))
    within = f"{passes} passes over the rows" if float(passes) != 1 else "a pass over the rows"
    words = level.words.format(runs=f"runs with batches of {batch_size} gain in {within}")
    target = Target(level.value, start, None, metric, f"{metric} of {level.value:.3g}, {words}")
    told = partial(hit, goal=level.value - shift, floor=problem.floor)
    hits = {rate: told(looks[: len(found)], found) for rate, found in losses.items()}
    return target, Beginning(batch_size, hits, shift, len(SCOUTS), seconds)


class Level(NamedTuple):
    """Where a target lies, and why, in words with a place for the ``runs``."""

    value: float
    words: str


def _level(losses: Values, shift: float, start: float) -> Level | None:
    """Target by the losses (T, S) of the runs that set it; None where they gain nothing."""
    means = mean_losses(losses)
    least = float(means.min()) + shift
    gain = start - least
    if gain <= 0:
        return None
    ends = losses[means.argmin()]
    ends = ends[np.isfinite(ends)]
    doubt = min(DOUBT * float(ends.std(ddof=1)) / math.sqrt(len(ends)), MAX_DOUBT * gain)
    value = least + max(REFERENCE_SHARE * gain, doubt)
    if value < SHARE * start:  # separable classes: the loss falls for as long as one likes
        return Level(SHARE * start, f"which is {100 * SHARE:.0f} % of that before the first step")
    return Level(value, f"which leaves {100 * (value - least) / gain:.2g} % of what {{runs}}")


def _scout(
    problem: DescentProblem, batch_size: int, looks: tuple[int, ...]
) -> Generator[list[Trial], list[Curves], dict[float, Curves]]:
    """Run a few rates, a factor of 2 apart, about the one with the lowest mean loss on the way."""
    found: dict[float, Curves] = {}
    scale = problem.stable_rate(batch_size)
    wanted = [scale * part for part in RATES]
    for _ in range(MAX_ROUNDS):
        trials = [Trial(batch_size, rate, SCOUTS, looks, NEVER) for rate in wanted]
        found.update(zip(wanted, (yield trials), strict=True))
        low, high = min(found), max(found)
        best = min(sorted(found), key=lambda rate: _lowest(found[rate].losses))  # the lowest, if all diverge
        if best not in (low, high):
            break
        wanted = [low / 2, low / 4, low / 8] if best == low else [high * 2, high * 4]
    return found


def _judge(
    problem: DescentProblem, batch_size: int, rate: float, looks: tuple[int, ...]
) -> Generator[list[Trial], list[Curves], list[Curves]]:
    """Make the fresh runs, each a trial: they share processes, and one that diverges does not end the others."""
    checks = [looks[-1] if place < CHECKED else 0 for place in range(len(JUDGES))]
    return (
        yield [
            Trial(batch_size, rate, (judge,), looks, NEVER, check=check)
            for judge, check in zip(JUDGES, checks, strict=True)
        ]
    )


def _joined(judges: Sequence[Curves], looks: Sequence[int]) -> Values:
    """Losses (T, S) at all looks, infinite once a run has diverged."""
    losses = np.full((len(looks), len(judges)), np.inf)
    for place, each in enumerate(judges):
        losses[: len(each.looks), place] = each.losses[:, 0]
    return losses


def _diverges(losses: Values) -> bool:
    """Whether more of the runs (T, S) diverge than may."""
    return not math.isfinite(mean_losses(losses[-1]))


def _lowest(losses: Values) -> float:
    """Lowest mean on the way; infinite where more runs diverge than may."""
    return math.inf if _diverges(losses) else float(mean_losses(losses).min())
