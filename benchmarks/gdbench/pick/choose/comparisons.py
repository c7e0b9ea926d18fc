"""How the choice compares with what people use without asking, and when the search has paid for itself."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from gdbench.pick.choose.choice import NOT_TRIED, Against, Payback, Row
from gdbench.pick.choose.estimates import Estimates
from gdbench.pick.steps.answer import EXTRAPOLATED

Values = npt.NDArray[np.float64]

UNMEASURED = "it was not measured"
FULL, ONE, CURRENT = "full batch", "one row at a time", "current"


def against(
    table: tuple[Row, ...],
    estimates: Estimates,
    drawn: Values,
    *,
    n_rows: int | None,
    current: int | None,
) -> tuple[Against, ...]:
    """Compare the full batch, one row at a time and the user's batch size with the choice.

    Parameters
    ----------
    drawn
        (draws, R) of the objective, for batch sizes without a time to the target.
    """
    asked = {FULL: n_rows, ONE: 1, CURRENT: current}
    rows = {row.batch_size: row for row in table}
    chosen = next(row for row in table if row.chosen)
    return tuple(
        _compared(name, size, rows.get(size), chosen, estimates, drawn)
        for name, size in asked.items()
        if size is not None
    )


def payback(chosen: Row, found: tuple[Against, ...], search_seconds: float | None) -> Payback | None:
    """Compare with the current batch size, or else with the full batch; None if its time is not known."""
    others = {entry.name: entry for entry in found}
    other = others.get(CURRENT) or others.get(FULL)
    if search_seconds is None or other is None or other.seconds is None or chosen.seconds is None:
        return None
    saved = other.seconds - chosen.seconds
    trainings = max(1, math.ceil(search_seconds / saved)) if saved > 0 else None
    return Payback(other.name, other.batch_size, saved, trainings)


def _compared(name: str, size: int, row: Row | None, chosen: Row, estimates: Estimates, drawn: Values) -> Against:
    if row is None or row.value is None:
        lost = row is not None and row.status not in (EXTRAPOLATED, NOT_TRIED)
        return Against(name, size, None, None, None, None, row.reason if row is not None and lost else UNMEASURED)
    if row.chosen:
        return Against(name, size, 1.0, 1.0, 1.0, row.seconds, "it is the choice")
    place, to = (estimates.batch_sizes.index(each.batch_size) for each in (row, chosen))
    if row.seconds is None:  # throughput: a pass over the rows
        low, middle, high = np.quantile(drawn[:, place] / drawn[:, to], (0.05, 0.5, 0.95))
        ratio = row.value / chosen.value if chosen.value else float(middle)
        return Against(name, size, ratio, float(low), float(high), None, "")
    ratio = math.exp(estimates.log_time[place] - estimates.log_time[to])
    return Against(name, size, ratio, *estimates.ratio_interval(place, to), row.seconds, "")
