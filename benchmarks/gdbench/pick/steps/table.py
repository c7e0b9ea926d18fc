"""What a search found, as the record ``Steps``: a row per batch size, the curve, and warnings."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from gdbench.pick.steps.answer import (
    BUDGET,
    CAPPED,
    DIVERGED,
    EXTRAPOLATED,
    MET,
    REACHED,
    UNRELIABLE,
    Curve,
    Steps,
    StepsRow,
    Target,
)
from gdbench.pick.steps.curve import Pooled, log_form, scarcity
from gdbench.pick.steps.search import Search

NORMAL_90 = 1.645
"""Standard deviations to either side that hold 90 % of a normal distribution."""
FEW_STEPS = 10
"""A target that is reached in fewer steps is too easy: batch sizes hardly differ in them."""
ROUNDING = 1e-9
"""Relative error of a computed number of steps that is not rounded up."""
UNCONFIRMED = "no run was made here"


def describe(search: Search, target: Target, *, seed: int, stopped: str = "") -> Steps:
    """Return what a search found; ``stopped`` says why it ended early, if it did."""
    fit = search.fresh.pooled(search.candidates) if search.races.held else None
    rows = tuple(_row(search, size, fit, place) for place, size in enumerate(search.candidates))
    idle = _idle(target)
    if idle is not None:
        rows = tuple(replace(row, status=idle[0], reason=idle[1]) for row in rows)
    status, reason = _status(search, target, rows, stopped)
    curve = None if fit is None else _curve(search, fit)
    return Steps(
        status,
        reason,
        target,
        rows,
        curve,
        search.runs,
        search.rows,
        seed,
        warnings=_warnings(search, rows, curve, stopped),
    )


def _row(search: Search, size: int, fit: Pooled | None, place: int) -> StepsRow:
    own = search.fresh.own(size) or search.fresh.lucky(size)
    hits = [found for found, _ in search.fresh.told.get(size, [])]
    runs = sum(count for _, count in search.fresh.told.get(size, []))
    failed = sum(found.failed for found in hits)
    others = len(search.fresh.told) + len(search.races.bests()) > 1  # from which there is a curve
    rate = search.fresh.rates.get(size)
    if fit is None or (own is None and (size in search.fresh.told or not others)):
        status, reason = _why(search, size, runs, failed)
        return StepsRow(size, status, reason, rate, None, None, None, None, False, runs, failed)
    error = math.sqrt(fit.covariance[place, place])
    low, middle, high = (math.exp(fit.mean[place] + z * error) for z in (-NORMAL_90, 0.0, NORMAL_90))
    steps, rate = whole_steps(middle), rate if rate is not None else search.races.guess(size)
    if own is None:
        return StepsRow(size, EXTRAPOLATED, UNCONFIRMED, rate, steps, low, high, error, False, runs, failed)
    runs = runs or search.races.held[size].runs  # where only those that chose the rate got there
    return StepsRow(size, REACHED, "", rate, steps, min(low, steps), max(high, steps), error, True, runs, failed)


def whole_steps(value: float) -> int:
    """Steps that training has to make to be expected at the target: a whole number, 1 at least."""
    return max(1, math.ceil(value * (1 - ROUNDING)))


def _why(search: Search, size: int, runs: int, failed: int) -> tuple[str, str]:
    """Status and reason of a batch size without a number."""
    if runs == 0:
        return BUDGET, "the search ended before this batch size was tried"
    if failed == runs:
        return DIVERGED, f"all {runs} runs diverged"
    if failed:
        return UNRELIABLE, f"{failed} of {runs} runs diverged, more than one in ten"
    return CAPPED, f"the mean of {runs} runs did not reach the target within the steps that were allowed"


def _idle(target: Target) -> tuple[str, str] | None:
    """Status and reason where there is nothing to train for."""
    if target.start <= target.value:
        return MET, f"the loss before the first step is {target.start:.3g} already"
    if target.optimum is not None and target.optimum >= target.value:
        return CAPPED, f"the least {target.metric} there is is {target.optimum:.3g}, above the target"
    return None


def _status(search: Search, target: Target, rows: tuple[StepsRow, ...], stopped: str) -> tuple[str, str]:
    idle = _idle(target)
    if idle is not None:
        return idle
    if any(row.status == REACHED for row in rows):
        return (BUDGET if stopped else REACHED), stopped
    if stopped:
        return BUDGET, stopped
    if search.fresh.told:
        return CAPPED, "the target was reached only by the runs that chose the learning rates, not by fresh ones"
    race = search.races.everything[-1]
    if race.diverged:
        rates = sorted(race.hits)
        return DIVERGED, f"every learning rate from {rates[0]:.3g} to {rates[-1]:.3g} diverged"
    least = min(found.final for found in race.hits.values())
    steps = max(found.last for found in race.hits.values())
    return CAPPED, f"no learning rate ended below a {target.metric} of {least:.3g} in {steps:,} steps"


def _curve(search: Search, fit: Pooled) -> Curve:
    found = {size: search.fresh.own(size) or search.fresh.lucky(size) for size in search.candidates}
    owns = {size: own[0] for size, own in found.items() if own is not None}
    x = scarcity(np.array(list(owns), float), search.problem.n_rows)
    residuals = np.array(list(owns.values())) - log_form(x, fit.floor, fit.critical)
    return Curve(fit.floor, fit.critical, float(np.expm1(np.abs(residuals)).max()), fit.identified)


def _warnings(search: Search, rows: tuple[StepsRow, ...], curve: Curve | None, stopped: str) -> tuple[str, ...]:
    found = []
    fewest = min((row.steps for row in rows if row.steps is not None), default=math.inf)
    if stopped and any(search.fresh.lucky(row.batch_size) for row in rows):
        found.append(
            "The search was stopped early: steps are those of the runs that chose the rates, which were lucky."
        )
    if fewest < FEW_STEPS:
        found.append(
            f"The target is easy: the largest batches need only {fewest:.0f} steps or fewer, too few for a comparison; "
            "ask for a lower loss with --loss-target."
        )
    if curve is not None and not curve.identified:
        found.append("The critical batch size lies outside the batch sizes tried, so it is known only roughly.")
    return tuple(found)
