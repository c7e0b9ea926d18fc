"""The loss to reach: given by the user, near the least there is, or what a reference descent reaches."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import partial

from gdbench.basics.units import digits
from gdbench.pick.steps.answer import Target
from gdbench.pick.steps.crossing import Hit, hit
from gdbench.pick.steps.optimum import Optimum
from gdbench.pick.steps.problem import DescentProblem
from gdbench.pick.steps.trials import Curves, Trial, joined, look_grid, mean_losses

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
"""Numbers of the runs that choose the reference rate, and of the fresh ones whose mean sets the target."""
REFERENCE_SHARE = 0.02
"""Share of the loss that these gain which may be left at the target: near the end of a descent at one rate its loss
falls so slowly that neither steps nor rates can be told by it."""
NEVER = -math.inf
"""A goal that no run reaches: it goes on to the end."""
FIRST_LOOK, LOOK_RATIO = 0.02, 1.2
"""Share of the steps after which a reference descent is looked at first, and the ratio of neighbouring looks."""
CHECKED = 4
"""Runs of which the loss of all rows is told, where only a sample of them is monitored."""


@dataclass(frozen=True)
class Beginning:
    """What is known of one batch size before the search, by a few runs at several rates."""

    batch_size: int
    hits: Mapping[float, Hit]
    """Where they reach the target, by rate; at one of them they do."""
    shift: float
    """Loss of all rows less that of those that are monitored."""
    runs: int = 2
    """How many runs of each rate tell that."""


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
    """Find the loss by which nearly all is gained that a reference descent gains on average: a plan, see ``rates``."""
    looks = look_grid(FIRST_LOOK * steps, steps, LOOK_RATIO)
    scouts = yield from _scout(problem, batch_size, looks)
    best = _best(scouts)
    parts = JUDGES[:CHECKED], JUDGES[CHECKED:]
    checks = looks[-1], 0
    curves = yield [
        Trial(batch_size, best, seeds, looks, NEVER, check=check) for seeds, check in zip(parts, checks, strict=True)
    ]
    shift = float(curves[0].shifts.mean()) if len(curves[0].shifts) else 0.0
    common, losses = joined(curves)
    least = float(mean_losses(losses).min()) + shift
    value = least + REFERENCE_SHARE * max(start - least, 0.0)
    passes = digits(steps * batch_size / (problem.n_rows or 1))
    within = f"{passes} passes over the rows" if float(passes) != 1 else "a pass over the rows"
    reason = f"which leaves {100 * REFERENCE_SHARE:.0f} % of what runs with batches of {batch_size} gain in {within}"
    if value < SHARE * start:  # separable classes: the loss falls for as long as one likes
        value, reason = SHARE * start, f"which is {100 * SHARE:.0f} % of that before the first step"
    target = Target(value, start, None, metric, f"{metric} of {value:.3g}, {reason}")
    told = partial(hit, goal=value - shift, floor=problem.floor)
    hits = {rate: told(curves.looks, curves.losses) for rate, curves in scouts.items()} | {best: told(common, losses)}
    return target, Beginning(batch_size, hits, shift, len(SCOUTS))


def _scout(
    problem: DescentProblem, batch_size: int, looks: tuple[int, ...]
) -> Generator[list[Trial], list[Curves], dict[float, Curves]]:
    """Run a few rates, a factor of 2 apart, about the one with the lowest mean loss on the way."""
    found: dict[float, Curves] = {}
    scale = problem.stable_rate(batch_size)
    wanted = [scale * part for part in RATES]
    for _ in range(4):
        trials = [Trial(batch_size, rate, SCOUTS, looks, NEVER) for rate in wanted]
        found.update(zip(wanted, (yield trials), strict=True))
        best = _best(found)
        if best not in (min(found), max(found)):
            break
        wanted = [best / 2, best / 4] if best == min(found) else [best * 2, best * 4]
    return found


def _best(found: Mapping[float, Curves]) -> float:
    """Rate with the lowest mean loss on the way."""
    return min(found, key=lambda rate: mean_losses(found[rate].losses).min())
