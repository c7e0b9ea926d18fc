"""The pilot of a search: where learning rates work at all, at the batch size where the search begins."""

from __future__ import annotations

import math

from gdbench.pick.steps.problem import DescentProblem
from gdbench.pick.steps.rates import CAP, RateSearch
from gdbench.pick.steps.trials import Plan

PILOT_RATES = tuple(2.0**power for power in (1, 0, -1, -2, -3, -4, -5))
"""Learning rates of the pilot in units of the problem's own scale; it goes on below them if all diverge."""
PILOT_RUNS = 2
"""Runs of each of them."""
PILOT_CAPS = (30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)
"""Steps after which the pilot's runs end, one after the other until a rate reaches the goal."""
MIN_CAP_STEPS, CAP_EPOCHS = 20_000, 1000
"""The last of them: so many steps or passes over the rows, whichever is more."""
ENDLESS_ROWS = 10_000
"""Taken for the rows of a problem that has no end of them."""


def run_pilot(found: RateSearch, problem: DescentProblem, goal: float) -> Plan:
    """Find where rates work at all; those that never get there are not run for long before one does.

    Parameters
    ----------
    found : RateSearch
        Of the batch size where the search begins; filled here.
    goal : float
        Loss of all rows to reach; that of the rows that are monitored is moved as runs tell by how much they differ.
    """
    scale, rows = problem.stable_rate(found.batch_size), problem.n_rows or ENDLESS_ROWS
    rates = [scale * part for part in PILOT_RATES]
    last = math.ceil(max(MIN_CAP_STEPS, CAP_EPOCHS * rows / found.batch_size))
    for cap in [*(cap for cap in PILOT_CAPS if cap < last), last]:
        found.hits.clear()
        found.checked = cap > PILOT_CAPS[0]
        yield from found.explore(rates, lambda steps: PILOT_RUNS, cap / CAP)
        if found.best is not None or found.diverged:
            return
        alive = sorted(found.hits, key=lambda rate: found.hits[rate].final)
        rates = sorted(alive[: max(3, len(alive) // 2 + 1)])
        if alive[0] == rates[0]:  # a lower rate may end lower still: gradient noise keeps this one up
            rates = [rates[0] / 4, rates[0] / 2, *rates[:-1]]
        elif alive[0] == rates[-1]:
            rates = [*rates[1:], rates[-1] * 2]
        found.goal = goal - found.shifts.get(alive[0], 0.0)
