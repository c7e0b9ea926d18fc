"""What a search found, as the record ``Steps``: a row per batch size, the curve, the law of rates, and warnings."""

from __future__ import annotations

import math

import numpy as np

from gdbench.pick.curve import Pooled, log_form, scarcity
from gdbench.pick.rate_law import fit_rate_law
from gdbench.pick.search import Search
from gdbench.pick.steps import (
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
from gdbench.units import digits

NORMAL_90 = 1.645
"""Standard deviations to either side that hold 90 % of a normal distribution."""
FEW_STEPS = 10
"""A target that is reached in fewer is too easy for its steps to be told apart."""
NOISE_RATIO = (0.5, 5.0)
"""Of the critical batch over the noise scale at the target, within which both agree."""


def describe(search: Search, target: Target, *, seed: int, stopped: str = "") -> Steps:
    """Return what a search found; ``stopped`` says why it ended early, if it did."""
    fit = search.fresh.pooled(search.candidates)
    rows = tuple(_row(search, size, fit, place) for place, size in enumerate(search.candidates))
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
        _warnings(search, rows, curve, noise, stopped),
    )


def _row(search: Search, size: int, fit: Pooled | None, place: int) -> StepsRow:
    own = search.fresh.own(size)
    rate = search.fresh.rates.get(size)
    hits = [found for found, _ in search.fresh.told.get(size, [])]
    seeds = sum(count for _, count in search.fresh.told.get(size, []))
    failed = sum(found.failed for found in hits)
    if fit is not None and (own is not None or size not in search.fresh.told):
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


def _status(search: Search, target: Target, rows: tuple[StepsRow, ...], stopped: str) -> tuple[str, str]:
    if target.start <= target.value:
        return MET, f"the loss before the first step is {digits(target.start)} already"
    if target.optimum is not None and target.optimum >= target.value:
        return CAPPED, f"the least {target.metric} there is is {digits(target.optimum)}, above the target"
    if any(row.status == REACHED for row in rows):
        return (BUDGET if stopped else REACHED), stopped
    if stopped:
        return BUDGET, stopped
    pilot = search.races.pilots[-1]
    if pilot.diverged:
        rates = sorted(pilot.hits)
        return DIVERGED, f"every learning rate from {digits(rates[0])} to {digits(rates[-1])} diverged"
    least = min(found.final for found in pilot.hits.values())
    steps = max(found.last for found in pilot.hits.values())
    return CAPPED, f"no learning rate got below a {target.metric} of {digits(least)} in {steps:,} steps"


def _curve(search: Search, fit: Pooled) -> Curve:
    owns = {size: found[0] for size in search.fresh.told if (found := search.fresh.own(size)) is not None}
    x = scarcity(np.array(list(owns), float), search.problem.n_rows)
    residuals = np.array(list(owns.values())) - log_form(x, fit.floor, fit.critical)
    return Curve(fit.floor, fit.critical, float(np.expm1(np.abs(residuals)).max()), fit.identified)


def _noise(search: Search, curve: Curve | None) -> dict[str, float] | None:
    noise = search.races.noise
    if noise is None or curve is None or not (noise[:, 1] > 0).all():
        return None
    start, target = (float(total / squared) for total, squared in noise)
    return {"start": start, "target": target, "ratio": curve.critical / target} if target > 0 else None


def _warnings(
    search: Search, rows: tuple[StepsRow, ...], curve: Curve | None, noise: dict[str, float] | None, stopped: str
) -> tuple[str, ...]:
    found = []
    fewest = min((row.steps for row in rows if row.steps is not None), default=math.inf)
    if fewest < FEW_STEPS:
        found.append(
            f"The target is easy: the largest batches need only {digits(fewest)} steps, too few to be told apart well; "
            "ask for a lower loss with --loss-target."
        )
    if curve is not None and not curve.identified:
        found.append("The critical batch size lies outside the batch sizes tried, so it is known only roughly.")
    if curve is not None and noise is not None and not NOISE_RATIO[0] <= noise["ratio"] <= NOISE_RATIO[1]:
        found.append(
            f"The gradient's noise at the target suggests a critical batch of about {digits(noise['target'])} rows, "
            f"the runs one of {digits(curve.critical)}: the runs decide."
        )
    return tuple(found)
