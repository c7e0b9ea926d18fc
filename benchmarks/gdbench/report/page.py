"""``report.html``: one self-contained page with charts, tables and filters; it opens from disk without a network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import pandas as pd
from markupsafe import Markup

import gdbench
from gdbench.basics.statistics import CONFIDENCE
from gdbench.experiments.cases import MEASURED, MISSING
from gdbench.experiments.variants import is_peer
from gdbench.machine.environment import UNKNOWN, one_line
from gdbench.machine.roofline import limit_sentences
from gdbench.report import auto_check, cold_start
from gdbench.report.findings import failures, headline_task
from gdbench.report.overview_tables import lead_tables, limit_tables
from gdbench.report.peers_table import peer_sentences, peer_tables
from gdbench.report.process_spread import spread_tables
from gdbench.report.winners import CAUTION, winners_table
from gdbench.run.folder import CERTIFICATE_COLUMNS, Run
from gdbench.views.page import columns, environment_lines, packed_plotly, templates

SHOWN = [
    *("network", "sizes", "dataset", "n_rows", "task", "variant", "descent", "batch_size", "dtype", "threads"),
    *("seconds", "seconds_low", "seconds_high", "blocks"),
    *("seconds_per_row", "seconds_per_row_low", "seconds_per_row_high", "rows_per_second"),
    *("speedup_vs_reference", "speedup_low", "speedup_high"),
    *("best_peer", "speedup_vs_best_peer", "speedup_vs_best_peer_low", "speedup_vs_best_peer_high"),
    *("flops", "bytes", "limit_seconds", "status", "reason"),
]
"""Columns of the summary that go into the page."""
TIMES = [name for name in SHOWN if name.startswith(("seconds", "rows_per", "speedup"))]


def render(run: Run) -> str:
    """Return the report of a run as one HTML page of about 2 MB, most of which is plotly.js.

    Charts are drawn by plotly.js, which lies in the page compressed; nothing is loaded from anywhere.
    Tables and charts are filled by the page's own script from the summary, which it holds as JSON.
    """
    template = templates().get_template("report.html.j2")
    return template.render(
        facts=_facts(run),
        warnings=list(_warnings(run)),
        winners=winners_table(run),
        caution=CAUTION,
        interval=_explain_interval(run.summary),
        environment=list(environment_lines(run.environment)),
        data={
            "summary": columns(_shown(run.summary)),
            "certificates": columns(run.certificates[CERTIFICATE_COLUMNS]),
            "start": {"task": headline_task(run.summary)},
            "about": {name: spec.about for name, spec in run.plan.networks.items()},
            "peers": [name for name in run.summary["variant"].unique() if is_peer(name)],
            "limits": {threads: asdict(found) for threads, found in run.limits.items()},
        },
        peer_tables=[*lead_tables(run), *peer_tables(run), *limit_tables(run), *spread_tables(run)],
        peer_sentences=[*peer_sentences(run), *auto_check.sentences(run)],
        limit_sentences=limit_sentences(run.limits),
        cold_tables=cold_start.tables(run),
        cold_sentences=cold_start.sentences(run),
        plotly=Markup(packed_plotly()),
        version=gdbench.__version__,
    )


def _facts(run: Run) -> dict[str, str]:
    """Where the numbers come from: command, profile, date, commit, machine."""
    environment = run.environment
    commit = (environment.commit or UNKNOWN)[:12]
    return {
        "Command": run.plan.command,
        "Profile": run.plan.profile,
        "Date": (environment.date or UNKNOWN).replace("T", " ").replace("+00:00", " UTC"),
        "Commit": f"{commit}, with uncommitted changes" if environment.dirty else commit,
        "Machine": one_line(environment),
    }


def _warnings(run: Run) -> Iterator[str]:
    """Say what must not be overlooked, whatever the filters show."""
    yield from failures(run)
    missing = int((run.summary["status"] == MISSING).sum())
    if missing:
        yield f"{missing} of {len(run.summary)} cases are not measured yet: continue with gdbench run --resume."
    elif not run.complete:
        yield "Not every block is measured, so intervals are wide: continue with gdbench run --resume."


def _explain_interval(summary: pd.DataFrame) -> str:
    """Say what the intervals of this run are, from the numbers of blocks that its cases really have."""
    measured = summary[summary["status"] == MEASURED]
    pairs = measured[["blocks", "interval_coverage"]].drop_duplicates().sort_values("blocks")
    had = [f"{blocks} blocks, {100 * coverage:.3g} %" for blocks, coverage in pairs.itertuples(index=False)]
    text = (
        "A time is the median over blocks, and a block is one fresh process. The interval reaches from one block's "
        f"time to another's, chosen to cover the true median with at least {100 * CONFIDENCE:.0f} %; below six blocks "
        "even the whole range covers less."
    )
    return f"{text} Here: {'; '.join(had)}." if had else text


def _shown(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of the page, with intervals per row; cases that are not measured show no times."""
    per_row = summary["seconds_per_row"] / summary["seconds"]
    table = summary.assign(
        seconds_per_row_low=summary["seconds_low"] * per_row, seconds_per_row_high=summary["seconds_high"] * per_row
    )[SHOWN]
    table[TIMES] = table[TIMES].astype(float).where(table["status"] == MEASURED)
    return table
