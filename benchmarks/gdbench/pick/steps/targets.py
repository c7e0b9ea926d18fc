"""The loss to reach: given by the user, near the least there is, or what a reference descent reaches."""

from __future__ import annotations

import math
from collections.abc import Generator

import numpy as np

from gdbench.basics.units import digits
from gdbench.pick.steps.answer import Target
from gdbench.pick.steps.optimum import Optimum
from gdbench.pick.steps.problem import DescentProblem
from gdbench.pick.steps.trials import Curves, Trial, look_grid, mean_losses

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
SCOUTS, JUDGES = (9000, 9001), tuple(range(9100, 9110))
"""Numbers of the runs that choose the reference rate, and of the fresh ones that set the target."""
REACHING = 0.85
"""Share of the fresh runs that reach the target."""
NEVER = -math.inf
"""A goal that no run reaches: it goes on to the end."""
LOOK_RATIO = 1.1


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
) -> Generator[list[Trial], list[Curves], Target]:
    """Find the loss that most runs of a reference descent reach: a plan, see ``rates``."""
    looks = look_grid(1, steps, LOOK_RATIO)
    rate = yield from _best_rate(problem, batch_size, looks)
    trials = [Trial(batch_size, rate, (judge,), looks, NEVER, check=looks[-1]) for judge in JUDGES]
    curves = yield trials
    lowest = [float(each.losses.min()) for each in curves]
    shifts = np.concatenate([each.shifts for each in curves])
    reached = float(np.quantile(lowest, REACHING)) + (float(shifts.mean()) if len(shifts) else 0.0)
    least = SHARE * start
    passes = digits(steps * batch_size / (problem.n_rows or 1))
    within = f"{passes} passes over the rows" if float(passes) != 1 else "a pass over the rows"
    reason = f"which {100 * REACHING:.0f} % of runs with batches of {batch_size} reach within {within}"
    if reached < least:  # separable classes: the loss falls for as long as one likes
        reason = f"which is {100 * SHARE:.0f} % of that before the first step"
    value = max(reached, least)
    return Target(value, start, None, metric, f"{metric} of {value:.3g}, {reason}")


def _best_rate(
    problem: DescentProblem, batch_size: int, looks: tuple[int, ...]
) -> Generator[list[Trial], list[Curves], float]:
    """Rate with the lowest mean loss on the way: by factors of 2, then by the square root of 2."""
    found: dict[float, float] = {}
    scale = problem.stable_rate(batch_size)
    wanted = [scale * part for part in RATES]
    for _ in range(4):
        yield from _try(found, wanted, batch_size, looks)
        best = min(found, key=found.__getitem__)
        if best not in (min(found), max(found)):
            break
        wanted = [best / 2, best / 4, best / 8] if best == min(found) else [best * 2, best * 4]
    yield from _try(found, [best / math.sqrt(2), best * math.sqrt(2)], batch_size, looks)
    return min(found, key=found.__getitem__)


def _try(
    found: dict[float, float], rates: list[float], batch_size: int, looks: tuple[int, ...]
) -> Generator[list[Trial], list[Curves], None]:
    """Add the lowest mean loss on the way at each rate."""
    curves = yield [Trial(batch_size, rate, SCOUTS, looks, NEVER) for rate in rates]
    for rate, each in zip(rates, curves, strict=True):
        found[rate] = float(mean_losses(each.losses).min())
