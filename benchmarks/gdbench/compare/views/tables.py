"""The cases of a comparison as rows of text, sorted by what matters: broken, slower, faster, missing, unresolved."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from gdbench.basics.units import counted, digits, seconds, times
from gdbench.compare.judge.terms import BROKEN, IMPROVED, INSUFFICIENT, MISSING, REGRESSED, UNCHANGED
from gdbench.compare.record.record import CaseResult, Comparison

NOT_CLAIMABLE = "NOT CLAIMABLE"
"""In place of a verdict that the run's controls do not support."""
ORDER = (BROKEN, REGRESSED, IMPROVED, MISSING, INSUFFICIENT, NOT_CLAIMABLE, UNCHANGED)
METRICS = {
    "time": "Time per call",
    "compile": "Compile time",
    "memory": "Allocated bytes per call",
    "instructions": "Instructions per call",
}
"""Metrics in the order in which they are shown, and their titles."""
TIMED, COUNTED = "s", "instructions"
"""Units of the metrics that a clock measures, and of those that valgrind counts; memory is in bytes."""
MANY = 1e6
MAX_PLACED = 10
"""Ratios from here on have three digits, whatever their interval."""
BYTE_STEPS = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


class HasRatio(Protocol):
    """Anything with a ratio head / base and its interval: a row, or one task of it."""

    @property
    def ratio(self) -> float | None:
        """Head relative to base."""

    @property
    def low(self) -> float | None:
        """Lower end of the interval."""

    @property
    def high(self) -> float | None:
        """Upper end of the interval."""


@dataclass(frozen=True)
class Line:
    """One case and metric as text, with what ``--explain`` found of it; ``row`` is what it was made from."""

    verdict: str
    case: str
    base: str
    head: str
    ratio: str
    visible: str
    p: str
    reason: str
    explained: tuple[str, ...]
    row: CaseResult


@dataclass(frozen=True)
class Section:
    """All lines of one metric in order, and a sentence per network on its unchanged cases."""

    metric: str
    title: str
    lines: tuple[Line, ...]
    unchanged: tuple[str, ...]


def sections(record: Comparison) -> list[Section]:
    """Return a section per metric that was compared: time, compile time, allocated bytes."""
    return [_section(record, metric) for metric in METRICS if record.of_metric(metric)]


def claim(row: CaseResult) -> str:
    """Return the verdict of a row, or that its controls do not support the one that its blocks would have."""
    return row.verdict if row.claimable else NOT_CLAIMABLE


def sort(rows: Sequence[CaseResult]) -> list[CaseResult]:
    """Order rows by verdict, and within it by how far the ratio is from 1."""
    return sorted(rows, key=lambda row: (ORDER.index(claim(row)), -_distance(row)))


def _distance(row: CaseResult) -> float:
    """How far head is from base: the absolute logarithm of the ratio, infinite from nothing to something."""
    if row.ratio:
        return abs(math.log(row.ratio))
    return math.inf if row.base == 0 or row.ratio == 0 else 0.0


def case_name(row: CaseResult) -> str:
    """Name a case in words, as far as it has them: ``mlp on mnist5k, gradient, jit, B=32, float32``."""
    if row.network is None:
        return row.case
    data = f" on {row.dataset}" if row.dataset else ""
    size = f"B={row.batch_size}" if row.batch_size else None
    threads = f"{row.threads} threads" if (row.threads or 1) > 1 else None
    return ", ".join(filter(None, (f"{row.network}{data}", row.task, row.variant, size, row.dtype, threads)))


def line(row: CaseResult) -> Line:
    """Write one row as text; ``-`` stands for what was not measured."""
    verdict = claim(row)
    sampled = row.ratio is not None and row.unit == TIMED
    return Line(
        verdict=verdict,
        case=case_name(row),
        base=amount(row.base, row.unit),
        head=amount(row.head, row.unit),
        ratio=ratio_text(row),
        visible=percent(row.smallest_effect) if sampled else "-",
        p="-" if row.p_adjusted is None else f"{row.p_adjusted:.1g}",
        reason="" if verdict == NOT_CLAIMABLE else " ".join(row.reason.split()),
        explained=() if verdict == NOT_CLAIMABLE else tuple(_explained(row)),
        row=row,
    )


def amount(value: float | None, unit: str) -> str:
    """Write a time, a number of bytes or a count with its unit."""
    if value is None:
        return "-"
    if unit == COUNTED:
        return f"{value:,.0f}" if value < MANY else f"{value / MANY:,.4g} million"
    return seconds(value) if unit == TIMED else _bytes(value)


def ratio_text(row: HasRatio) -> str:
    """Write head relative to base with its interval, to digits at which its ends differ: ``1.24x (1.21 to 1.27)``.

    What was counted, and came out alike in every block, has no interval.
    """
    ratio, low, high = row.ratio, row.low, row.high
    if ratio is None:
        return "-"
    if low is None or high is None or low == high:
        return times(ratio)
    if high >= MAX_PLACED:
        return f"{times(ratio)} ({digits(low)} to {digits(high)})"
    places = min(max(-math.floor(math.log10((high - low) / 2)), 2), 4)
    return f"{ratio:.{places}f}x ({low:.{places}f} to {high:.{places}f})"


def percent(fraction: float | None) -> str:
    """Write a measured relative size with two digits, such as ``1.4 %``; ``none`` where none would have been found."""
    if fraction is None:
        return "none"
    rounded = float(f"{100 * fraction:.2g}")
    return f"{rounded:.0f} %" if abs(rounded) >= 10 else f"{rounded:#.2g} %"


def share(fraction: float) -> str:
    """Write a relative size that was chosen, such as ``2 %``."""
    return f"{100 * fraction:.6g} %"


def median(values: Sequence[float]) -> float:
    """Middle value, the lower of two: a value that one of the cases has."""
    return sorted(values)[(len(values) - 1) // 2]


def _explained(row: CaseResult) -> Iterator[str]:
    """Yield why a case is slower, where that was asked for, and how far each of its tasks moved."""
    found = row.explanation
    if found is not None:
        yield found.reading
        if found.tasks:
            ratios = (f"{entry.task} {times(entry.ratio)}" for entry in found.tasks)
            yield f"by task: {', '.join(ratios)}"


def _section(record: Comparison, metric: str) -> Section:
    lines = tuple(line(row) for row in sort(record.of_metric(metric)))
    return Section(metric, METRICS[metric], lines, tuple(_unchanged(lines)))


def _unchanged(lines: Sequence[Line]) -> Iterator[str]:
    """Yield a sentence per network, in the order of names: how many cases, their ratios, what would have been seen."""
    found = [entry for entry in lines if entry.verdict == UNCHANGED]
    for network in sorted({_subject(entry.row) for entry in found}):
        rows = [entry.row for entry in found if _subject(entry.row) == network]
        ratios = [row.ratio for row in rows if row.ratio is not None]
        seen = [row.smallest_effect for row in rows if row.smallest_effect and row.unit == TIMED]
        parts = [f"{network}: {counted(len(rows), 'case')}"]
        parts += [f"{min(ratios):.3f}x to {max(ratios):.3f}x"] if ratios else []
        parts += [f"smallest visible effect {percent(median(seen))} in the median case"] if seen else []
        yield ", ".join(parts)


def _subject(row: CaseResult) -> str:
    """What unchanged cases are grouped by: the network, or the variant of what was compiled for all of them."""
    return row.network or row.variant or row.case


def _bytes(value: float) -> str:
    scale, unit = next((step for step in BYTE_STEPS if abs(value) >= step[0]), (1, "B"))
    return f"{value:.0f} B" if scale == 1 else f"{digits(value / scale)} {unit}"
