"""What a search found, as the record ``Steps``: a row per batch size, the curve, and warnings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from gdbench.pick.steps.answer import (
    BUDGET,
    CAPPED,
    DIVERGED,
    EXTRAPOLATED,
    MET,
    REACHED,
    Curve,
    Sample,
    Steps,
    StepsRow,
    Target,
)
from gdbench.pick.steps.cell import SizeCell
from gdbench.pick.steps.crossing import Hit, whole
from gdbench.pick.steps.curve import fit_curve, steps_by
from gdbench.pick.steps.search import Search
from gdbench.pick.steps.targets import Beginning

NORMAL_90 = 1.645
"""Standard deviations to either side that hold 90 % of a normal distribution."""
FEW_STEPS = 10
"""A target that is reached in fewer steps is too easy: batch sizes hardly differ in them."""


def describe(search: Search, target: Target, *, seed: int, stopped: str = "") -> Steps:
    """Return what a search found; ``stopped`` says why it ended early, if it did."""
    measured = search.standing.told
    curve = _curve(search, measured)
    rows = tuple(_row(search, size, measured, curve) for size in search.sizes)
    status, reason = _status(search, bool(measured), target, stopped)
    return Steps(
        status,
        reason,
        target,
        rows,
        curve,
        search.costs.runs,
        search.costs.rows,
        seed,
        sample=_sample(search, measured, target),
        look_share=search.costs.look_share,
        warnings=_warnings(rows, curve),
    )


def _row(search: Search, size: int, measured: Mapping[int, SizeCell], curve: Curve | None) -> StepsRow:
    cell = search.cells.get(size)
    if cell is not None and size in measured:
        error = search.standing.log_error(size)
        steps, reach = whole(cell.expected), math.exp(NORMAL_90 * error)
        low, high = max(cell.expected / reach, 1.0), cell.expected * reach
        failed = cell.hit.failed if cell.hit is not None else 0
        return StepsRow(
            size,
            REACHED,
            "",
            cell.learning_rate,
            steps,
            min(low, steps),
            max(high, steps),
            error,
            measured=True,
            runs=cell.runs,
            failed=failed,
        )
    status, reason = _why(cell)
    if cell is None and curve is not None:
        steps = whole(steps_by(curve, size, search.problem.n_rows))
        return StepsRow(size, EXTRAPOLATED, reason, None, steps, None, None, None, measured=False, runs=0, failed=0)
    runs = cell.runs if cell is not None and cell.measured else 0
    return StepsRow(size, status, reason, None, None, None, None, None, measured=False, runs=runs, failed=0)


def _why(cell: SizeCell | None) -> tuple[str, str]:
    """Status and reason of a batch size without a measurement."""
    if cell is None:
        return BUDGET, "no run was made at this batch size"
    if cell.rates.hits and cell.rates.diverged:
        return DIVERGED, "all runs diverged"
    if cell.measured:
        return BUDGET, f"only {cell.runs} runs got there on average, too few or too different to tell the steps"
    if not cell.rates.hits:
        return BUDGET, "the search ended before runs at this batch size"
    return CAPPED, "the mean of the runs did not reach the target within the steps that were allowed"


def idle(target: Target, sizes: Sequence[int], begin: Beginning | None = None, *, seed: int) -> Steps:
    """Return the steps where there is nothing to train for.

    The target is met at the start, or below the least loss; or all runs that were to set it diverged.
    """
    status, reason = MET, f"the loss before the first step is {target.start:.3g} already"
    if begin is not None and begin.diverged:
        status, reason = DIVERGED, _all_diverged(begin.hits)
    elif target.start > target.value:
        status, reason = CAPPED, f"the least {target.metric} there is is {target.optimum:.3g}, above the target"
    rows = [
        StepsRow(size, status, reason, None, None, None, None, None, measured=False, runs=0, failed=0) for size in sizes
    ]
    return Steps(status, reason, target, tuple(rows), None, 0, 0.0, seed)


def _status(search: Search, measured: bool, target: Target, stopped: str) -> tuple[str, str]:
    if measured:
        return (BUDGET if stopped else REACHED), stopped
    if stopped:
        return BUDGET, stopped
    if search.cells:
        return CAPPED, "the target was reached only by the runs that chose the learning rates, not by fresh ones"
    hits = search.pilot.hits
    if search.pilot.diverged:
        return DIVERGED, _all_diverged(hits)
    least = min(found.final for found in hits.values())
    steps = max(found.last for found in hits.values())
    return CAPPED, f"no learning rate ended below a {target.metric} of {least:.3g} in {steps:,} steps"


def _all_diverged(hits: Mapping[float, Hit]) -> str:
    return f"every learning rate from {min(hits):.3g} to {max(hits):.3g} diverged"


def _curve(search: Search, measured: dict[int, SizeCell]) -> Curve | None:
    if len(measured) < 2:
        return None
    sizes = sorted(measured)
    steps, errors = [measured[size].expected for size in sizes], [search.standing.log_error(size) for size in sizes]
    return fit_curve(sizes, steps, errors, n_rows=search.problem.n_rows)


def _sample(search: Search, measured: dict[int, SizeCell], target: Target) -> Sample | None:
    """How far the sample's loss may be from that of all rows, of the distance from the start to the target."""
    n = search.problem.sampled_rows
    errors = [cell.shift_error for cell in measured.values() if len(cell.shifts) > 1]
    if n is None or not errors:
        return None
    return Sample(n, NORMAL_90 * max(errors) / abs(target.start - target.value))


def _warnings(rows: tuple[StepsRow, ...], curve: Curve | None) -> tuple[str, ...]:
    found = []
    fewest = min((row.steps for row in rows if row.measured and row.steps), default=FEW_STEPS)
    if fewest < FEW_STEPS:
        steps = f"{fewest} steps" if fewest > 1 else "one step"
        found.append(
            f"The target is easy: the largest batches need only {steps}, too few for a comparison; "
            "ask for a lower loss with --loss-target."
        )
    if curve is not None and not curve.identified:
        found.append("The critical batch size lies outside the batch sizes tried, so it is known only roughly.")
    return tuple(found)
