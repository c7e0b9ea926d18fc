"""Joins both halves of the answer: pure, the same numbers give the same choice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from gdbench.pick.choose.binding import binding, shares
from gdbench.pick.choose.choice import BatchSizeChoice, NoChoice, Row, Shares, Tie, Tied
from gdbench.pick.choose.comparisons import against, payback
from gdbench.pick.choose.estimates import Estimates, join, regrets, relative_half_width
from gdbench.pick.choose.objectives import NEEDS_NO_STEPS, Objective, objective_of
from gdbench.pick.choose.table import rows_of
from gdbench.pick.seconds.times import Times
from gdbench.pick.steps.answer import BUDGET, REACHED, Steps
from kernels import InputError

Values = npt.NDArray[np.float64]

TIE = Tie()


@dataclass(frozen=True, eq=False)
class _Picked:
    """Positions among the batch sizes with both halves: of the best that can be chosen, and of what is chosen."""

    estimates: Estimates
    values: Values
    drawn: Values
    open: tuple[int, ...]
    """Positions of those that can be chosen."""
    tolerance: float
    best: int
    index: int

    @property
    def within(self) -> list[int]:
        """Positions of all that tie with the best, itself among them."""
        return [place for place in self.open if self.values[place] <= (1 + self.tolerance) * self.values[self.best]]


def choose(
    steps: Steps | None,
    times: Times,
    objective: str = "time",
    *,
    n_rows: int | None = None,
    current: int | None = None,
    tie: Tie = TIE,
    memory_bytes: float | None = None,
    bytes_needed: Mapping[int, int] | None = None,
    weight: float = 0.5,
    search_seconds: float | None = None,
    draws: int = 2000,
) -> BatchSizeChoice | NoChoice:
    """Return the batch size to use: the smallest that is as good as the best, of those measured in both halves.

    Parameters
    ----------
    steps, times
        The two halves; the objective ``throughput`` makes no use of ``steps``, which may then be None.
    n_rows
        Rows of the data: the size of the full batch; None if they are endless.
    current
        The user's batch size, to compare with.
    memory_bytes, bytes_needed
        For the objective ``memory``: the most that a step may need, and what it needs by batch size.
    weight
        Weight of time in the objective ``blend``, 0 to 1.
    search_seconds
        What the search has cost, for the number of trainings after which it has paid for itself.
    draws
        Samples of both halves' noise, of which the regret is the mean and the 90th percentile.

    Raises
    ------
    InputError
        If there is no such objective, or it needs what was not given.
    """
    goal = objective_of(objective, weight)
    _check(steps, objective, memory_bytes, bytes_needed)
    over = {size for size, need in (bytes_needed or {}).items() if objective == "memory" and need > (memory_bytes or 0)}
    steps = None if objective == NEEDS_NO_STEPS else steps
    table = rows_of(steps, times, n_rows=n_rows, over=over)
    if all(row.reason for row in table):
        return NoChoice(objective, *_why_none(steps, table), table)
    both = [row for row in table if row.seconds_per_step is not None and (row.steps is not None or steps is None)]
    places = tuple(place for place, row in enumerate(both) if not row.reason)
    picked = _pick(join(steps, times, tuple(row.batch_size for row in both)), places, goal, tie, draws)
    choice = _describe(objective, goal, steps, times, _filled(table, picked), picked)
    compared = against(choice.table, picked.estimates, picked.drawn, n_rows=n_rows, current=current)
    chosen = next(row for row in choice.table if row.chosen)
    return replace(choice, against=compared, payback=payback(chosen, compared, search_seconds))


def _check(
    steps: Steps | None, objective: str, memory_bytes: float | None, bytes_needed: Mapping[int, int] | None
) -> None:
    if steps is None and objective != NEEDS_NO_STEPS:
        raise InputError(f"the objective {objective} needs steps to the target: measure them, or ask for throughput")
    if objective == "memory" and (memory_bytes is None or bytes_needed is None):
        raise InputError("the objective memory needs a limit: say how many bytes a step may take")


def _why_none(steps: Steps | None, table: tuple[Row, ...]) -> tuple[str, str]:
    """Return status and reason: those of the search, or else of the batch sizes, which all have one."""
    if steps is not None and steps.status != REACHED:
        return steps.status, steps.reason
    reached = [row for row in table if row.steps is not None] or list(table)
    if not reached:
        return BUDGET, "nothing was measured"
    return reached[0].status, "; ".join(dict.fromkeys(row.reason for row in reached))


def _pick(estimates: Estimates, places: tuple[int, ...], goal: Objective, tie: Tie, draws: int) -> _Picked:
    values, drawn = estimates.values(goal), estimates.draw_values(goal, draws)
    best = min(places, key=lambda place: float(values[place]))
    tolerance = max(tie.least, min(tie.most, relative_half_width(drawn, best)))
    first = _Picked(estimates, values, drawn, places, tolerance, best, best)
    return replace(first, index=first.within[0])


def _filled(table: tuple[Row, ...], picked: _Picked) -> tuple[Row, ...]:
    """Add to every row with both halves what the objective makes of it."""
    places = {size: index for index, size in enumerate(picked.estimates.batch_sizes)}
    return tuple(_row(row, places[row.batch_size], picked) if row.batch_size in places else row for row in table)


def _row(row: Row, place: int, picked: _Picked) -> Row:
    within = picked.within
    low, high = (None, None) if row.seconds is None else picked.estimates.interval_of_time(place)
    return replace(
        row,
        low=low,
        high=high,
        value=float(picked.values[place]),
        ratio=float(picked.values[place] / picked.values[picked.best]),
        tied=len(within) > 1 and place in within,
        fastest=place == picked.best,
        chosen=place == picked.index,
    )


def _describe(
    objective: str,
    goal: Objective,
    steps: Steps | None,
    times: Times,
    table: tuple[Row, ...],
    picked: _Picked,
) -> BatchSizeChoice:
    """Say all of the choice but how it compares."""
    chosen = next(row for row in table if row.chosen)
    others = tuple(Tied(row.batch_size, row.ratio or 1.0) for row in table if row.tied and not row.chosen)
    curve = steps.curve if steps is not None else None
    critical = curve.critical if curve is not None and curve.identified else None
    half = times.model.half_throughput
    found = _shares(chosen, times, critical)
    regret = regrets(picked.drawn, picked.index, picked.open)
    return BatchSizeChoice(
        objective=objective,
        batch_size=chosen.batch_size,
        variant=chosen.variant or times.variant,
        rate=chosen.rate,
        value=float(picked.values[picked.index]),
        unit=goal.unit,
        seconds=chosen.seconds,
        seconds_low=chosen.low,
        seconds_high=chosen.high,
        fastest=picked.estimates.batch_sizes[picked.best],
        tolerance=picked.tolerance,
        ties=others,
        tie_reason=_tie_reason(table, picked),
        table=table,
        against=(),
        shares=found,
        binding=binding(found) if found is not None else None,
        half_throughput=half,
        critical_batch=critical,
        balance=_balance(half, critical),
        regret_expected=float(regret.mean()),
        regret_p90=float(np.quantile(regret, 0.9)),
        payback=None,
    )


def _balance(half: float, critical: float | None) -> float | None:
    product = math.nan if critical is None else half * critical
    return math.sqrt(product) if 0 <= product < math.inf else None


def _shares(chosen: Row, times: Times, critical: float | None) -> Shares | None:
    """Shares at the choice; None if no line was found through the times."""
    seconds, fixed = chosen.seconds_per_step, times.model.fixed
    return shares(chosen.batch_size, seconds, fixed, critical) if seconds and math.isfinite(fixed) else None


def _tie_reason(table: tuple[Row, ...], picked: _Picked) -> str:
    if picked.index == picked.best:
        return ""
    chosen = next(row for row in table if row.chosen)
    best = next(row for row in table if row.fastest)
    worse = math.ceil(100 * ((chosen.ratio or 1.0) - 1) - 1e-9)
    near = f"it is within {worse} % of {best.batch_size}" if worse else f"it equals {best.batch_size}"
    saved = 1 - chosen.examples / best.examples if chosen.examples and best.examples else 0.0
    if saved < 0.005:
        return f"{near} and needs less memory"
    return f"{near}, needs less memory and reads {100 * saved:.0f} % fewer rows until the target"
