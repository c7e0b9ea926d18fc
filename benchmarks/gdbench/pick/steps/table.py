"""What a search found, as the record ``Steps``: a row per batch size, the curve, the law of rates, and warnings."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from gdbench.basics.units import digits
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
from gdbench.pick.steps.rate_law import fit_rate_law
from gdbench.pick.steps.search import Search

NORMAL_90 = 1.645
"""Standard deviations to either side that hold 90 % of a normal distribution."""
FEW_STEPS = 10
"""A target that is reached in fewer steps is too easy: batch sizes hardly differ in them."""


def describe(search: Search, target: Target, *, seed: int, stopped: str = "") -> Steps:
    """Return what a search found; ``stopped`` says why it ended early, if it did."""
    fit = search.fresh.pooled(search.candidates) if search.races.held else None
    rows = tuple(_row(search, size, fit, place) for place, size in enumerate(search.candidates))
    idle = _idle(target)
    if idle is not None:
        rows = tuple(replace(row, status=idle[0], reason=idle[1]) for row in rows)
    known = [place for place, row in enumerate(rows) if row.steps is not None]
    status, reason = _status(search, target, rows, stopped)
    covariance = () if fit is None else tuple(tuple(map(float, line)) for line in fit.covariance[np.ix_(known, known)])
    curve = None if fit is None else _curve(search, fit)
    noise = _noise(search, curve)
    return Steps(
        status,
        reason,
        target,
        rows,
        covariance,
        curve,
        fit_rate_law(search.fresh.rates),
        noise,
        search.runs,
        search.rows,
        seed,
        _warnings(search, rows, curve, stopped),
    )


def _row(search: Search, size: int, fit: Pooled | None, place: int) -> StepsRow:
    own = search.fresh.own(size) or search.fresh.lucky(size)
    rate = search.fresh.rates.get(size)
    hits = [found for found, _ in search.fresh.told.get(size, [])]
    seeds = sum(count for _, count in search.fresh.told.get(size, []))
    failed = sum(found.failed for found in hits)
    others = len(search.fresh.told) + len(search.races.bests()) > 1  # from which there is a curve
    if fit is not None and (own is not None or (size not in search.fresh.told and others)):
        low, middle, high = (
            math.exp(fit.mean[place] + z * math.sqrt(fit.covariance[place, place]))
            for z in (-NORMAL_90, 0.0, NORMAL_90)
        )
        status = REACHED if own is not None else EXTRAPOLATED
        rate = rate if rate is not None else search.races.guess(size)
        raw = math.exp(own[0]) if own is not None else None
        first = [found.first for found in hits if math.isfinite(found.first)]
        median = float(np.median(first)) if first else None
        return StepsRow(size, status, rate, middle, low, high, raw, median, seeds, failed)
    status, reason = _why(search, size, seeds, failed)
    return StepsRow(size, status, rate, None, None, None, None, None, seeds, failed, reason)


def _why(search: Search, size: int, seeds: int, failed: int) -> tuple[str, str]:
    """Status and reason of a batch size without a number."""
    if seeds == 0:
        return BUDGET, "the search ended before this batch size was tried"
    if failed == seeds:
        return DIVERGED, f"all {seeds} runs diverged"
    if failed:
        return UNRELIABLE, f"{failed} of {seeds} runs diverged, more than one in ten"
    return CAPPED, f"the mean of {seeds} runs did not reach the target within the steps that were allowed"


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


def _noise(search: Search, curve: Curve | None) -> dict[str, float] | None:
    noise = search.races.noise
    if noise is None or curve is None or not (noise[:, 1] > 0).all():
        return None
    start, target = (float(total / squared) for total, squared in noise)
    return {"start": start, "target": target, "ratio": curve.critical / target} if target > 0 else None


def _warnings(search: Search, rows: tuple[StepsRow, ...], curve: Curve | None, stopped: str) -> tuple[str, ...]:
    found = []
    fewest = min((row.steps for row in rows if row.steps is not None), default=math.inf)
    if stopped and any(search.fresh.lucky(row.batch_size) for row in rows):
        found.append(
            "The search was stopped early: steps are those of the runs that chose the rates, which were lucky."
        )
    if fewest < FEW_STEPS:
        found.append(
            f"The target is easy: the largest batches need only {digits(fewest)} steps, too few for a comparison; "
            "ask for a lower loss with --loss-target."
        )
    if curve is not None and not curve.identified:
        found.append("The critical batch size lies outside the batch sizes tried, so it is known only roughly.")
    return tuple(found)
