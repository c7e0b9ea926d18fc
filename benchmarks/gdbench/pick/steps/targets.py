"""The loss to reach: given by the user, near the least there is, or what a reference descent reaches."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence

import numpy as np

from gdbench.basics.units import digits
from gdbench.pick.steps.answer import Target
from gdbench.pick.steps.blocks import Block, Curves
from gdbench.pick.steps.hitting import mean_losses
from gdbench.pick.steps.optimum import Optimum
from gdbench.pick.steps.problem import DescentProblem

SHARE = 0.01
"""Share of the loss to gain that may be left at the target of a convex problem."""
MAX_PASSES, MIN_PASSES, MIN_STEPS = 10, 3, 300
"""Passes of the reference descent over the rows; or that many steps, if they are more."""
RUN_OPERATIONS = 4e9
"""Cost of one reference descent, beyond which it makes fewer passes."""
GRID = tuple(2.0**power for power in (1, 0, -1, -2, -3, -4))
"""Rates of the reference descent, in units of the problem's own scale."""
SCOUTS, JUDGES = (9000, 9001), tuple(range(9100, 9110))
"""Numbers of the runs that choose the reference rate, and of the fresh ones that set the target."""
REACHING = 0.85
"""Share of the fresh runs that reach the target."""
NEVER = -math.inf
"""A goal that no run reaches: it goes on to the end."""


def given_target(problem: DescentProblem, value: float, *, metric: str, optimum: Optimum | None = None) -> Target:
    """Return the target that the user named."""
    return Target(value, start_loss(problem), _least(optimum), metric, f"{metric} of {value:.3g}, as asked for")


def near_optimum(problem: DescentProblem, optimum: Optimum, *, metric: str) -> Target:
    """Return the loss at which all but ``SHARE`` of what descent can gain is gained: f* + 0.01 (f(start) - f*)."""
    start = start_loss(problem)
    value = optimum.value + SHARE * (start - optimum.value)
    words = f"{metric} of {value:.3g}, which leaves {100 * SHARE:.0f} % of what can be gained"
    return Target(value, start, optimum.value, metric, words)


def passes_for(n_rows: int, n_parameters: int) -> int:
    """Passes of the reference descent: fewer where a pass takes long, since every run of a search takes about as many.

    Examples
    --------
    >>> passes_for(1797, 650), passes_for(5000, 101_770)
    (10, 3)
    """
    wanted = RUN_OPERATIONS / (6 * n_rows * n_parameters)
    return round(min(max(wanted, MIN_PASSES), MAX_PASSES))


def reference_target(
    problem: DescentProblem, batch_size: int, *, metric: str, passes: int = MAX_PASSES, optimum: Optimum | None = None
) -> Generator[list[Block], list[Curves], Target]:
    """Find the loss that most runs of a reference descent reach: a plan, see ``race``."""
    rows = problem.n_rows or 1
    steps = max(math.ceil(passes * rows / batch_size), MIN_STEPS)
    rate = yield from _best_rate(problem, batch_size, steps)
    curves = yield [Block(batch_size, (rate,), (judge,), NEVER, steps) for judge in JUDGES]
    lowest = [each.losses[:, 0, 0].min() for each in curves]
    reached, start = float(np.quantile(lowest, REACHING)), start_loss(problem)
    least = SHARE * start
    within = f"within {digits(steps * batch_size / rows)} passes over the rows"
    reason = f"which {100 * REACHING:.0f} % of runs with batches of {batch_size} reach {within}"
    if reached < least:  # separable classes: the loss falls for as long as one likes
        reason = f"which is {100 * SHARE:.0f} % of that before the first step"
    value = max(reached, least)
    return Target(value, start, _least(optimum), metric, f"{metric} of {value:.3g}, {reason}")


def _best_rate(problem: DescentProblem, batch_size: int, steps: int) -> Generator[list[Block], list[Curves], float]:
    """Rate with the lowest mean loss on the way: by factors of 2, then by the square root of 2."""
    scale = problem.rate_scale(batch_size)
    found: dict[float, float] = {}
    wanted: Sequence[float] = [scale * part for part in GRID]
    for _ in range(4):
        curves = yield [Block(batch_size, (rate,), SCOUTS, NEVER, steps) for rate in wanted]  # at the same time
        found |= {rate: _lowest(each) for rate, each in zip(wanted, curves, strict=True)}
        best = min(found, key=found.__getitem__)
        if best not in (min(found), max(found)):
            break
        wanted = [best / 2, best / 4, best / 8] if best == min(found) else [best * 2, best * 4]
    sides = (best / math.sqrt(2), best * math.sqrt(2))
    curves = yield [Block(batch_size, (rate,), SCOUTS, NEVER, steps) for rate in sides]
    found |= {rate: _lowest(each) for rate, each in zip(sides, curves, strict=True)}
    return min(found, key=found.__getitem__)


def _lowest(curves: Curves) -> float:
    """Lowest mean loss on the way of a block's only rate."""
    return float(mean_losses(curves.losses[:, 0]).min())


def start_loss(problem: DescentProblem) -> float:
    """Loss before the first step, mean over ten starts."""
    return float(np.mean(problem.losses(np.stack([problem.start(seed) for seed in range(10)]))))


def _least(optimum: Optimum | None) -> float | None:
    return optimum.value if optimum is not None and optimum.attained else None
