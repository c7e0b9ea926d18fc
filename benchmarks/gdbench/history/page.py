"""``regressions.html``: series over commits with their steps drawn, as one self-contained page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from markupsafe import Markup

import gdbench
from gdbench.basics.records import plain
from gdbench.history.detection.noise import Series
from gdbench.history.detection.scale import by_difference, middle
from gdbench.history.record import Record, StepRow
from gdbench.history.series import History
from gdbench.history.tables import HEAD, change, headline, remarks, rows, subjects, warnings
from gdbench.views.page import packed_plotly, templates

DIGITS = 4
"""Significant digits of the values in the page."""


@dataclass(frozen=True)
class DrawnStep:
    """A step of a series, ``at`` the index of its commit; ``change`` is its size in words."""

    label: str
    status: str
    change: str
    at: int


@dataclass(frozen=True)
class DrawnCase:
    """A series over all commits of the page, None where it has no value."""

    case: str
    axis: str
    """Scale on which it is judged: ``log``, or ``linear`` with values of zero or less."""
    values: tuple[float | None, ...]
    levels: tuple[tuple[int, int, float | None], ...]
    """First and last commit between two steps, and the median there."""
    steps: tuple[DrawnStep, ...]


@dataclass(frozen=True)
class DrawnHistory:
    """What the page draws: commits (hash, date, subject) and series."""

    commits: tuple[tuple[str, str, str], ...]
    cases: tuple[DrawnCase, ...]


def render(histories: Sequence[History], record: Record) -> str:
    """Return the findings as one HTML page, most of which is plotly.js; it loads nothing."""
    return (
        templates()
        .get_template("history.html.j2")
        .render(
            headline=headline(record),
            head=HEAD,
            rows=rows(record),
            subjects=subjects(record),
            warnings=warnings(record),
            remarks=list(remarks(record)),
            data=plain(_drawn(histories, record)),
            plotly=Markup(packed_plotly()),
            version=gdbench.__version__,
        )
    )


def _drawn(histories: Sequence[History], record: Record) -> DrawnHistory:
    """Return all commits, and for each series its values on them, levels and steps; those that step come first."""
    every = {commit.commit: commit for history in histories for commit in history.commits}
    commits = sorted(every.values(), key=lambda commit: commit.order)
    place = {commit.commit: i for i, commit in enumerate(commits)}
    steps: dict[tuple[str, str], list[StepRow]] = {}
    for step in record.steps:
        steps.setdefault((step.environment, step.case), []).append(step)
    series = {(one.environment, case): (one, values) for one in histories for case, values in one.values.items()}
    found = []
    for key in [*steps, *(key for key in series if key not in steps)]:
        history, values = series[key]
        name = f"{key[1]} in {key[0]}" if len(histories) > 1 else key[1]
        found.append(_case(name, _spread(history, values, place), steps.get(key, []), place))
    return DrawnHistory(tuple((commit.short, commit.date, commit.subject) for commit in commits), tuple(found))


def _spread(history: History, values: Series, place: dict[str, int]) -> Series:
    """Return values on all commits, NaN where this history has none."""
    found = np.full(len(place), np.nan)
    found[[place[commit.commit] for commit in history.commits]] = values
    return found


def _case(name: str, values: Series, steps: list[StepRow], place: dict[str, int]) -> DrawnCase:
    edges = [0, *sorted(place[step.commit] for step in steps), len(values)]
    return DrawnCase(
        case=name,
        axis="linear" if by_difference(values) else "log",
        values=tuple(map(_round, values.tolist())),
        levels=tuple((start, stop - 1, _level(values, start, stop)) for start, stop in pairwise(edges)),
        steps=tuple(DrawnStep(step.label, step.status, change(step), place[step.commit]) for step in steps),
    )


def _level(values: Series, start: int, stop: int) -> float | None:
    """Median of a part on the scale of the series, in its unit."""
    part = values[start:stop]
    return _round(middle(part) if by_difference(values) else float(np.exp(middle(np.log(part)))))


def _round(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
