"""``regressions.html``: series over commits with their steps drawn, as one self-contained page."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from markupsafe import Markup

import gdbench
from gdbench.history.noise import Series
from gdbench.history.series import History
from gdbench.history.steps import logs
from gdbench.history.tables import HEAD, Record, headline, remarks, rows, subjects
from gdbench.views.page import packed_plotly, templates

DIGITS = 4
"""Significant digits of the values in the page."""


def render(history: History, record: Record) -> str:
    """Return the findings as one HTML page, most of which is plotly.js; it loads nothing."""
    return (
        templates()
        .get_template("history.html.j2")
        .render(
            headline=headline(record),
            head=HEAD,
            rows=rows(record),
            subjects=subjects(record),
            remarks=list(remarks(record)),
            data=_data(history, record),
            plotly=Markup(packed_plotly()),
            version=gdbench.__version__,
        )
    )


def _data(history: History, record: Record) -> dict[str, Any]:
    """Return commits, and for each case its values, levels and steps; cases that step come first."""
    place = {commit.commit: i for i, commit in enumerate(history.commits)}
    steps: dict[str, list[dict[str, Any]]] = {}
    for step in record["steps"]:
        shown = {name: step[name] for name in ("label", "status", "ratio", "low", "high")}
        steps.setdefault(step["case"], []).append({**shown, "at": place[step["commit"]]})
    order = [*steps, *(case for case in history.values if case not in steps)]
    return {
        "commits": [[commit.short, commit.date, commit.subject] for commit in history.commits],
        "cases": [_case(case, history.values[case], steps.get(case, [])) for case in order],
    }


def _case(case: str, values: Series, steps: list[dict[str, Any]]) -> dict[str, Any]:
    edges = [0, *sorted(step["at"] for step in steps), len(values)]
    levels = [[start, stop - 1, _level(values[start:stop])] for start, stop in pairwise(edges)]
    return {"case": case, "values": [_round(value) for value in values.tolist()], "levels": levels, "steps": steps}


def _level(values: Series) -> float | None:
    found = logs(values)
    return _round(float(np.exp(np.median(found)))) if len(found) else None


def _round(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
