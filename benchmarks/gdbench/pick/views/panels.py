"""The charts of an answer, as data that the picture and the page both draw: steps times seconds makes the total."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from gdbench.pick.choose.objectives import NEEDS_NO_STEPS
from gdbench.pick.views.amounts import number, rate_text, seconds, seconds_interval
from gdbench.pick.views.points import (
    Estimate,
    Line,
    Point,
    Record,
    critical_batch,
    points,
    row_line,
    steps_line,
    times_line,
    total_line,
)

Estimates = tuple[tuple[int, Estimate], ...]
"""By batch size, ascending."""
LONGEST_BAR = 5.0
"""Bars that go further than this factor from their estimate reach out of the picture, or they would flatten it."""
MARGIN, MIN_REACH = 1.15, 5.0
"""Factors: room beyond the points, and the least ratio of an axis's ends."""
ROOM_FOR_LOST = 0.3
"""Part of the axis's length that is added below the points for the names of what gave no number."""


@dataclass(frozen=True)
class Panel:
    """One chart over batch sizes, both axes logarithmic."""

    key: Literal["steps", "times", "total"]
    title: str
    note: str
    """What its dotted line is."""
    label: str
    """Title of the vertical axis, with the unit."""
    unit: Literal["steps", "s"]
    estimates: Estimates
    """Dots with bars."""
    own: tuple[tuple[int, float], ...]
    """What the runs of a batch size alone gave, where the estimate is pooled over all."""
    guessed: tuple[int, ...]
    """Batch sizes whose estimate comes from a fit alone."""
    line: Line
    mark: float | None
    """Batch size at the dotted line; None for no line."""
    lost: tuple[tuple[int, str], ...]
    """Batch sizes that gave no number, with the status that stands for it."""
    empty: str
    """What is written where there is nothing to draw."""

    @property
    def reach(self) -> tuple[float, float] | None:
        """Ends of the vertical axis: every estimate, its bar if that is in proportion, and room for what is lost."""
        values = [*(found.value for _, found in self.estimates), *(value for _, value in self.own)]
        if not values:
            return None
        low = min(values + [max(found.low, found.value / LONGEST_BAR) for _, found in self.estimates]) / MARGIN
        high = max(values + [min(found.high, found.value * LONGEST_BAR) for _, found in self.estimates]) * MARGIN
        wider = max(1.0, math.sqrt(MIN_REACH * low / high))
        low, high = low / wider, high * wider
        return low / (high / low) ** (ROOM_FOR_LOST if self.lost else 0), high


def panels(record: Record) -> list[Panel]:
    """Return the charts; throughput is rows over time, in which no target has a part."""
    found = points(record)
    if record["settings"]["objective"] == NEEDS_NO_STEPS:
        return [replace(_times(record, found), title="Time per step"), _per_row(record, found)]
    return [_steps(record, found), _times(record, found), _total(record, found)]


def answer(record: Record) -> str:
    """Return the answer in one line: what was chosen and what it takes, or the status that stands for it."""
    choice = record["choice"]
    if not choice:
        return f"No batch size: {record['status']}"
    rate = "" if choice["rate"] is None else f", learning rate {rate_text(choice['rate'])}"
    return f"Batch size {choice['batch_size']:,}{rate}: {cost(choice)}"


def cost(choice: Record) -> str:
    """Return the expected time to the target and its interval, or the time per row where no target has a part."""
    if choice["objective"] == NEEDS_NO_STEPS or choice["seconds"] is None:
        return f"{seconds(choice['value'])} per row"
    found = choice["seconds"], choice["seconds_low"], choice["seconds_high"]
    return f"{seconds(*found)} to the target (90 % interval {seconds_interval(*found)})"


def target_of(record: Record) -> str:
    """Describe the loss to reach; empty where there is none, or the objective has no part in it."""
    if record["settings"]["objective"] == NEEDS_NO_STEPS or not record["steps"]:
        return ""
    return str(record["steps"]["target"]["words"])


def mark_names(record: Record) -> dict[str, str]:
    """Return what the marks are called, by the field of a point that they stand for."""
    by_time = record["settings"]["objective"] in ("time", "memory")
    best = "fastest" if by_time else "best"
    return {"chosen": "chosen", "fastest": best, "current": "your batch size", "full": "all rows"}


def _steps(record: Record, found: list[Point]) -> Panel:
    critical = critical_batch(record)
    return Panel(
        key="steps",
        title="Steps to the target",
        note=_note("critical batch", critical, found),
        label="steps (updates)",
        unit="steps",
        estimates=_estimates(found, lambda point: point.steps),
        own=tuple((point.batch_size, point.raw_steps) for point in found if point.raw_steps is not None),
        guessed=_guessed(found),
        line=steps_line(record),
        mark=_within(critical, found),
        lost=_lost(found),
        empty=_reason(record) if record["steps"] else "no runs were made",
    )


def _times(record: Record, found: list[Point]) -> Panel:
    half = record["times"]["model"]["half_throughput"] if record["times"] else None
    return Panel(
        key="times",
        title="× time per step",  # noqa: RUF001 - it is the sign of multiplication
        note=_note("half-throughput batch", half, found),
        label="time per step",
        unit="s",
        estimates=_estimates(found, lambda point: point.step_seconds),
        own=(),
        guessed=(),
        line=times_line(record),
        mark=_within(half, found),
        lost=(),
        empty="no step was timed",
    )


def _total(record: Record, found: list[Point]) -> Panel:
    return Panel(
        key="total",
        title="= time to the target",
        note=_ties(found),
        label="time to the target",
        unit="s",
        estimates=_estimates(found, lambda point: point.seconds),
        own=(),
        guessed=_guessed(found),
        line=total_line(record),
        mark=None,
        lost=_lost(found),
        empty=_reason(record),
    )


def _per_row(record: Record, found: list[Point]) -> Panel:
    return Panel(
        key="total",
        title="÷ batch size = time per row",
        note=_ties(found),
        label="time per row",
        unit="s",
        estimates=_estimates(found, lambda point: point.row_seconds),
        own=(),
        guessed=(),
        line=row_line(record),
        mark=None,
        lost=(),
        empty="no step was timed",
    )


def _estimates(found: Iterable[Point], of: Callable[[Point], Estimate | None]) -> Estimates:
    return tuple((point.batch_size, estimate) for point in found if (estimate := of(point)) is not None)


def _guessed(found: Iterable[Point]) -> tuple[int, ...]:
    return tuple(point.batch_size for point in found if point.extrapolated)


def _lost(found: Iterable[Point]) -> tuple[tuple[int, str], ...]:
    return tuple((point.batch_size, point.status) for point in found if point.lost)


def _within(rows: float | None, found: list[Point]) -> float | None:
    """Return a number of rows if it lies between the first and the last batch size."""
    return rows if rows is not None and found and found[0].batch_size <= rows <= found[-1].batch_size else None


def _note(name: str, rows: float | None, found: list[Point]) -> str:
    if rows is None:
        return f"{name} not known"
    there = _within(rows, found) is not None
    return f"{'dotted: ' if there else ''}{name}, {number(rows)} rows{'' if there else ', beyond these'}"


def _ties(found: Iterable[Point]) -> str:
    """Say which batch sizes are as good as the best, as the shading does."""
    tied = [f"{point.batch_size:,}" for point in found if point.tied]
    return f"shaded, as good as the best: {', '.join(tied)}" if len(tied) > 1 else ""


def _reason(record: Record) -> str:
    return f"no number: {record['status']}"
