"""``comparison.html``: a comparison as one self-contained page with a picture, filters and sortable tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from markupsafe import Markup

import gdbench
from gdbench.basics.folders import writing
from gdbench.basics.storage import replacing_together, write_text
from gdbench.basics.units import duration, times
from gdbench.compare.record.record import CaseResult, Comparison, read_record
from gdbench.compare.views import markdown as as_markdown
from gdbench.compare.views.headline import capital, headline
from gdbench.compare.views.markdown import reproduce, side_name
from gdbench.compare.views.sentences import builds, details, meanings
from gdbench.compare.views.tables import (
    METRICS,
    ORDER,
    case_name,
    line,
    ratio_text,
    sections,
    share,
    sort,
)
from gdbench.compare.views.together import group_lines
from gdbench.views.page import columns, environment_lines, packed_plotly, templates

SHOWN = [
    *("case", "network", "dataset", "n_rows", "task", "variant", "batch_size", "dtype", "threads", "metric", "unit"),
    *("base", "head", "ratio", "low", "high", "p", "p_adjusted", "blocks", "pair_sd", "smallest_effect"),
    *("minutes_needed", "stage", "reason"),
]
"""Fields of a row that go into the page."""


def render(record: Comparison) -> str:
    """Return a comparison as one HTML page of about 2 MB, most of which is plotly.js; it loads nothing."""
    rows = [row for metric in METRICS for row in sort(record.cases) if row.metric == metric]
    words = meanings(record)
    return (
        templates()
        .get_template("compare.html.j2")
        .render(
            headline=headline(record),
            status=_status(record),
            facts=_facts(record),
            groups=group_lines(record, every=True),
            details=details(record),
            warnings=[capital(warning) for warning in record.warnings],
            unchanged=[(section.title, section.unchanged) for section in sections(record) if section.unchanged],
            explained=[_explained(row) for row in rows if line(row).explained],
            controls=record.controls,
            controls_are=capital(words["controls"]),
            meanings=words,
            environment=list(environment_lines(record.environment)),
            reproduce=reproduce(record),
            data={
                "cases": _columns(rows),
                "controls": _columns(record.controls.cases),
                "metrics": METRICS,
                "verdicts": ORDER,
                "equivalence": record.settings.equivalence,
            },
            plotly=Markup(packed_plotly()),
            version=gdbench.__version__,
        )
    )


@dataclass(frozen=True)
class ExplainedCase:
    """What ``--explain`` found of a case, as text: a line per task, and a note on how instructions were counted."""

    case: str
    reading: str
    lines: tuple[tuple[str, str], ...]
    note: str


def _columns(rows: Sequence[CaseResult]) -> dict[str, object]:
    """Return rows as columns for JSON, with the verdict that may be claimed and the case in words."""
    lines = [line(row) for row in rows]
    table = pd.DataFrame([[getattr(row, name) for name in SHOWN] for row in rows], columns=SHOWN)
    table = table.assign(reason=[told.reason for told in lines])
    table.insert(0, "verdict", [told.verdict for told in lines])
    table.insert(1, "name", [case_name(row) for row in rows])
    return columns(table)


def _explained(row: CaseResult) -> ExplainedCase:
    """Return what --explain found for a case: ratios by task, instructions where they were counted, the reading."""
    found, note = row.explanation, ""
    assert found is not None  # nothing else is asked about
    lines = [(entry.task, ratio_text(entry)) for entry in found.tasks]
    counted = found.instructions
    if counted is not None:
        sides = f"{counted.base:,.0f} to {counted.head:,.0f} per call"
        lines.append((f"instructions, {sides}", times(counted.ratio)))
        note = f"{capital(counted.note)}."
    return ExplainedCase(case_name(row), capital(found.reading), tuple(lines), note)


def _status(record: Comparison) -> str:
    """Class of the headline: what colour it has."""
    if record.exit_code in (1, 4):
        return "bad"
    return "unsure" if record.exit_code or record.controls.status != "valid" else "fine"


def _facts(record: Comparison) -> dict[str, str]:
    settings = record.settings
    return {
        "Command": record.command,
        "Base": side_name(record.base),
        "Head": side_name(record.head),
        "Date": record.date.replace("T", " ").replace("+00:00", " UTC"),
        "Blocks": f"{record.tier}: {settings.screen_blocks} to screen, {settings.confirm_blocks} to confirm",
        "Time spent": duration(settings.seconds),
        "Unchanged": f"within {share(settings.equivalence)} of 1x",
        "Not claimed": f"changes below {share(settings.margin)} of a case, {share(settings.suite_margin)} of the suite",
        "Builds": builds(record),
    }


def write_views(folder: Path) -> None:
    """Write ``comparison.html`` and ``comparison.md``, of the record in the folder."""
    record = read_record(folder)
    with writing(folder), replacing_together() as place:
        write_text(place(folder / "comparison.html"), render(record))
        write_text(place(folder / "comparison.md"), as_markdown.render(record))
