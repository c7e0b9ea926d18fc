"""Joins both halves of the answer: pure, the same numbers give the same choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from gdbench.pick.choose.binding import binding, shares
from gdbench.pick.choose.choice import BatchSizeChoice, NoChoice, Row
from gdbench.pick.choose.comparisons import against, payback
from gdbench.pick.choose.estimates import Estimates, join, regrets
from gdbench.pick.choose.objectives import NEEDS_NO_STEPS, Objective, objective_of
from gdbench.pick.choose.table import rows_of
from gdbench.pick.seconds.times import Times
from gdbench.pick.steps.answer import BUDGET, REACHED, Steps
from kernels import InputError

Values = npt.NDArray[np.float64]

TOLERANCE = 0.02
"""Within which batch sizes are equally good. Twice as large a batch as the best costs 12.5 % at most, and sqrt(2) as
large 3 %, if steps and seconds per step follow their curves: this is less than what rounding to powers of two costs."""


@dataclass(frozen=True, eq=False)
class _Picked:
    """Positions among the batch sizes with both halves: of those that can be chosen, the best, and what is chosen."""

    estimates: Estimates
    values: Values
    drawn: Values
    open: tuple[int, ...]
    """Positions of those that can be chosen."""
    best: int
    within: tuple[int, ...]
    """Positions of all that tie with the best, itself among them."""

    @property
    def index(self) -> int:
        """Position of the choice: the smallest that ties with the best."""
        return self.within[0]


def choose(
    steps: Steps | None,
    times: Times,
    objective: str = "time",
    *,
    n_rows: int | None = None,
    current: int | None = None,
    tolerance: float = TOLERANCE,
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
    tolerance
        Within which batch sizes tie, relative to the best.
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
    both = [row for row in table if row.measured and row.seconds_per_step is not None]
    places = tuple(place for place, row in enumerate(both) if not row.reason)
    picked = _pick(join(steps, times, tuple(row.batch_size for row in both)), places, goal, tolerance, draws)
    filled = _filled(table, picked)
    compared = against(filled, picked.estimates, picked.drawn, n_rows=n_rows, current=current)
    choice = _describe(objective, goal, steps, times, filled, picked, tolerance)
    return replace(choice, against=compared, payback=payback(choice.row, compared, search_seconds))


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


def _pick(estimates: Estimates, places: tuple[int, ...], goal: Objective, tolerance: float, draws: int) -> _Picked:
    values = estimates.values(goal)
    best = min(places, key=lambda place: float(values[place]))
    within = tuple(place for place in places if values[place] <= (1 + tolerance) * values[best])
    return _Picked(estimates, values, estimates.draw_values(goal, draws), places, best, within)


def _filled(table: tuple[Row, ...], picked: _Picked) -> tuple[Row, ...]:
    """Add to every row with both halves what the objective makes of it."""
    places = {size: index for index, size in enumerate(picked.estimates.batch_sizes)}
    return tuple(_row(row, places[row.batch_size], picked) if row.batch_size in places else row for row in table)


def _row(row: Row, place: int, picked: _Picked) -> Row:
    low, high = (None, None) if row.seconds is None else picked.estimates.interval_of_time(place)
    return replace(
        row,
        seconds_low=low,
        seconds_high=high,
        value=float(picked.values[place]),
        ratio=float(picked.values[place] / picked.values[picked.best]),
        tied=len(picked.within) > 1 and place in picked.within,
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
    tolerance: float,
) -> BatchSizeChoice:
    """Say all of the choice but how it compares."""
    chosen = next(row for row in table if row.chosen)
    curve = steps.curve if steps is not None else None
    critical = curve.critical if curve is not None and curve.identified else None
    found = shares(chosen.batch_size, chosen.seconds_per_step or 0.0, times.model.fixed, critical)
    regret = regrets(picked.drawn, picked.index, picked.open)
    return BatchSizeChoice(
        objective=objective,
        batch_size=chosen.batch_size,
        variant=chosen.variant or times.variant,
        learning_rate=chosen.learning_rate,
        value=float(picked.values[picked.index]),
        unit=goal.unit,
        seconds=chosen.seconds,
        seconds_low=chosen.seconds_low,
        seconds_high=chosen.seconds_high,
        fastest=picked.estimates.batch_sizes[picked.best],
        tolerance=tolerance,
        table=table,
        against=(),
        shares=found,
        binding=binding(found),
        half_throughput=times.model.half_throughput,
        critical_batch=critical,
        regret_expected=float(regret.mean()),
        regret_p90=float(np.quantile(regret, 0.9)),
        payback=None,
    )
