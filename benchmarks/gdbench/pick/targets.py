"""The loss to reach: given by the user, near the least there is, or what a reference descent reaches."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence

import numpy as np

from gdbench.pick.blocks import Block, Curves
from gdbench.pick.hitting import mean_losses
from gdbench.pick.optimum import Optimum
from gdbench.pick.problem import Problem
from gdbench.pick.steps import Target
from gdbench.units import digits

SHARE = 0.01
"""Of the loss to gain, what may be left at the target of a convex problem."""
PASSES, LEAST_STEPS = 10, 300
"""Of the reference descent over the rows, or that many steps, if they are more."""
LADDER = tuple(2.0**power for power in (1, 0, -1, -2, -3, -4))
"""Rates of the reference descent, in units of the problem's own scale."""
SCOUTS, JUDGES = (9000, 9001), tuple(range(9100, 9110))
"""Numbers of the runs that choose the reference rate, and of the fresh ones that set the target."""
REACHING = 0.85
"""Share of the fresh runs that reach the target."""
NEVER = -math.inf
"""A goal that no run reaches: it goes on to the end."""


def given_target(problem: Problem, value: float, *, metric: str, optimum: Optimum | None = None) -> Target:
    """Return the target that the user named."""
    return Target(value, start_loss(problem), _least(optimum), metric, f"{metric} of {digits(value)}, as asked for")


def near_optimum(problem: Problem, optimum: Optimum, *, metric: str) -> Target:
    """Return the loss at which all but ``SHARE`` of what descent can gain is gained: f* + 0.01 (f(start) - f*)."""
    start = start_loss(problem)
    value = optimum.value + SHARE * (start - optimum.value)
    words = f"{metric} of {digits(value)}, which leaves {SHARE:.0%} of what can be gained"
    return Target(value, start, optimum.value, metric, words)


def reference_target(
    problem: Problem, batch_size: int, *, metric: str, optimum: Optimum | None = None
) -> Generator[list[Block], list[Curves], Target]:
    """Find the loss that most runs of a reference descent reach: a plan, see ``race``."""
    rows = problem.n_rows or 1
    steps = max(math.ceil(PASSES * rows / batch_size), LEAST_STEPS)
    rate = yield from _best_rate(problem, batch_size, steps)
    (curves,) = yield [Block(batch_size, (rate,), JUDGES, NEVER, steps)]
    lowest = curves.losses[:, 0].min(axis=0)
    value = float(np.quantile(lowest, REACHING))
    words = (
        f"{metric} of {digits(value)}, which {REACHING:.0%} of runs with batches of {batch_size} "
        f"reach within {digits(steps * batch_size / rows)} passes over the rows"
    )
    return Target(value, start_loss(problem), _least(optimum), metric, words)


def _best_rate(problem: Problem, batch_size: int, steps: int) -> Generator[list[Block], list[Curves], float]:
    """Rate with the lowest mean loss on the way: by factors of 2, then by the square root of 2."""
    scale = problem.rate_scale(batch_size)
    found: dict[float, float] = {}
    wanted: Sequence[float] = [scale * part for part in LADDER]
    for _ in range(4):
        (curves,) = yield [Block(batch_size, tuple(sorted(wanted)), SCOUTS, NEVER, steps)]
        lowest = mean_losses(curves.losses).min(axis=0)
        found |= dict(zip(sorted(wanted), lowest.tolist(), strict=True))
        best = min(found, key=found.__getitem__)
        if best not in (min(found), max(found)):
            break
        wanted = [best / 2, best / 4, best / 8] if best == min(found) else [best * 2, best * 4]
    sides = (best / math.sqrt(2), best * math.sqrt(2))
    (curves,) = yield [Block(batch_size, sides, SCOUTS, NEVER, steps)]
    found |= dict(zip(sides, mean_losses(curves.losses).min(axis=0).tolist(), strict=True))
    return min(found, key=found.__getitem__)


def start_loss(problem: Problem) -> float:
    """Loss before the first step, mean over ten starts."""
    return float(np.mean(problem.losses(np.stack([problem.start(seed) for seed in range(10)]))))


def _least(optimum: Optimum | None) -> float | None:
    return optimum.value if optimum is not None and optimum.attained else None
