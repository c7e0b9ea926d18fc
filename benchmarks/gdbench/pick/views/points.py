"""What the picture and the page of an answer draw: a point per batch size, and the two fitted lines."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from gdbench.pick.steps.answer import EXTRAPOLATED, REACHED

Record: TypeAlias = dict[str, Any]
"""An answer as its JSON file holds it."""
Line: TypeAlias = list[tuple[float, float]]
NUMBERED = (REACHED, EXTRAPOLATED)
"""Statuses of batch sizes that have steps to the target."""
LINE_POINTS = 65
"""Points of a fitted line: enough for it to look smooth between its knees."""


@dataclass(frozen=True)
class Estimate:
    """A number with its 90 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Point:
    """One batch size: what each half found for it, and what the answer makes of it."""

    batch_size: int
    status: str
    """Status in the statistical half; empty where that did not look."""
    reason: str
    """Why it could not be chosen; empty if it could."""
    rate: float | None
    steps: Estimate | None
    raw_steps: float | None
    """Steps by the runs of this batch size alone."""
    passes: float | None
    """Over the data until the target."""
    step_seconds: Estimate | None
    seconds: Estimate | None
    """Time to the target."""
    ratio: float | None
    """Ratio of the objective to the best."""
    tied: bool
    chosen: bool
    fastest: bool
    """Best before ties."""
    current: bool
    """The user's own."""
    full: bool
    """All rows."""
    stretch: tuple[float, float] = (1.0, 1.0)
    """Its part of a logarithmic axis: halfway to its neighbours."""

    @property
    def row_seconds(self) -> Estimate | None:
        """Seconds per step, shared out to the rows of the step."""
        step = self.step_seconds
        return step and Estimate(*(seconds / self.batch_size for seconds in (step.value, step.low, step.high)))

    @property
    def lost(self) -> bool:
        """Whether runs were made at this batch size and gave no number."""
        return self.status not in ("", *NUMBERED)

    @property
    def extrapolated(self) -> bool:
        """Whether its steps come from the fit alone."""
        return self.status == EXTRAPOLATED


def points(record: Record) -> list[Point]:
    """Return a point for every batch size that either half has looked at, ascending."""
    steps, times, choice = (record[half] or {} for half in ("steps", "times", "choice"))
    parts = (steps.get("rows", ()), times.get("rows", ()), choice.get("table", ()))
    tables = [{row["batch_size"]: row for row in rows} for rows in parts]
    sizes = sorted(set().union(*tables))
    found = [_point(record, size, *(table.get(size, {}) for table in tables)) for size in sizes]
    return [replace(point, stretch=ends) for point, ends in zip(found, _stretches(sizes), strict=True)]


def _stretches(sizes: list[int]) -> list[tuple[float, float]]:
    """Halve the distances between neighbours; both ends reach as far to the outside, or a factor of 2 at most."""
    if not sizes:
        return []
    between = [math.sqrt(low * high) for low, high in pairwise(sizes)]
    first, last = (math.sqrt(2), math.sqrt(2)) if not between else (between[0] / sizes[0], sizes[-1] / between[-1])
    edges = [sizes[0] / min(first, 2), *between, sizes[-1] * min(last, 2)]
    return list(pairwise(edges))


def _point(record: Record, size: int, steps: Record, times: Record, row: Record) -> Point:
    numbered = steps.get("status") in NUMBERED
    return Point(
        batch_size=size,
        status=steps.get("status", ""),
        reason=steps.get("reason") or row.get("reason", ""),
        rate=steps.get("rate"),
        # A number that a half may have kept for a batch size without an answer is not one.
        steps=_estimate(steps, "steps", "low", "high") if numbered else None,
        raw_steps=steps.get("raw_steps") if numbered else None,
        passes=row.get("epochs"),
        step_seconds=_estimate(times, "seconds", "low", "high"),
        seconds=_estimate(row, "seconds", "low", "high"),
        ratio=row.get("ratio"),
        tied=bool(row.get("tied")),
        chosen=bool(row.get("chosen")),
        fastest=bool(row.get("fastest")),
        current=size == record["settings"]["current"],
        full=size == record["data"]["n_rows"],
    )


def _estimate(row: Record, value: str, low: str, high: str) -> Estimate | None:
    found = row.get(value)
    if found is None:
        return None
    ends = (row[low], row[high])
    return Estimate(found, *(found if end is None else end for end in ends))


def critical_batch(record: Record) -> float | None:
    """Critical batch size in rows, if the data fix it."""
    curve = curve_of(record)
    return curve["critical"] if curve and curve["identified"] else None


def steps_line(record: Record) -> Line:
    """Return steps by the fitted curve, ``S (1 + Bn / B)``, within the batch sizes that have steps."""
    curve = curve_of(record)
    if not curve:
        return []
    sizes = _between([row["batch_size"] for row in record["steps"]["rows"] if row["status"] in NUMBERED])
    return [(size, curve["floor"] * (1 + curve["critical"] / size)) for size in sizes]


def curve_of(record: Record) -> Record | None:
    """Return the curve, if there is one of finite numbers: JSON has no others."""
    curve: Record | None = record["steps"]["curve"] if record["steps"] else None
    return curve if curve and None not in (curve["floor"], curve["critical"]) else None


def times_line(record: Record) -> Line:
    """Return seconds per step by the model, a line with knees, within the batch sizes that were timed."""
    times = record["times"]
    sizes = _between([row["batch_size"] for row in times["rows"]]) if times else []
    return [(size, _model_seconds(times["model"], size)) for size in sizes]


def row_line(record: Record) -> Line:
    """Return seconds per row by the model of a step."""
    return [(size, seconds / size) for size, seconds in times_line(record)]


def total_line(record: Record) -> Line:
    """Return the product of both fits; nothing without a choice, since then no time to the target may be told."""
    if not (record["choice"] and record["times"]):
        return []
    return [(size, steps * _model_seconds(record["times"]["model"], size)) for size, steps in steps_line(record)]


def _model_seconds(model: Record, size: float) -> float:
    bends = [knee["seconds_per_row"] * max(0.0, size - knee["batch_size"]) for knee in model["knees"]]
    return float(model["fixed"] + model["per_row"] * size + sum(bends))


def _between(sizes: list[int]) -> list[float]:
    if len(sizes) < 2:
        return []
    return [float(size) for size in np.geomspace(min(sizes), max(sizes), LINE_POINTS)]
