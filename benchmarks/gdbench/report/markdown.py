"""``report.md``: the same findings as the page, for a pull request."""

from __future__ import annotations

import math
import re

import pandas as pd

from gdbench.machine.environment import commit, one_line
from gdbench.machine.roofline import limit_sentences
from gdbench.report import auto_check, cold_start
from gdbench.report.findings import failures
from gdbench.report.overview_tables import lead_tables, limit_tables
from gdbench.report.peers_table import peer_sentences, peer_tables
from gdbench.report.pictures import ROOFLINE
from gdbench.report.process_spread import spread_tables
from gdbench.report.tables import BEST, Table, speed_tables
from gdbench.report.winners import CAUTION, winners_table
from gdbench.run.folder import Run

BEFORE_UNIT = re.compile(r"(?<=\d) (?=%|(?:ns|µs|ms|s)\b)")


def render(run: Run) -> str:
    """Return the report of a run as Markdown."""
    parts = [
        f"# gdbench report: profile {run.plan.profile}",
        _origin(run),
        "## Fastest",
        *_winners(run),
        "## Time per row",
        f"Median over processes; `{BEST}` marks the fastest cell; `2.00x` is twice the speed of the reference.",
        *(table_lines(table) for table in speed_tables(run)),
        "## Fastest variant, fastest peer and the machine's limit",
        "`of the limit` is the least time that the machine's limits allow for the dense algorithm, divided by the time "
        "of our fastest variant; speeds relative to the fastest peer have their interval over processes.",
        *(table_lines(table) for table in [*lead_tables(run), *peer_tables(run)]),
        *peer_sentences(run),
        *auto_check.sentences(run),
        *(table_lines(table) for table in [*limit_tables(run), *spread_tables(run)]),
        *_limits(run),
        *_cold_start(run),
        "## Certificates",
        "Worst error against its tolerance, both relative to the largest true value of that output.",
        _certificates(run.certificates),
    ]
    return "\n\n".join(parts) + "\n"


def _winners(run: Run) -> list[str]:
    """Return the answer of the run, and what failed in it."""
    table = winners_table(run)
    failed = "\n".join(f"- {sentence}" for sentence in failures(run))
    return [table_lines(table) if table else "Nothing was measured.", CAUTION, *filter(None, [failed])]


def _origin(run: Run) -> str:
    environment = run.environment
    done = "" if run.complete else "**Incomplete: not every block was measured.** "
    return f"{done}`{run.plan.command}` on {environment.date}, {commit(environment)}.\n\n{one_line(environment)}."


def _limits(run: Run) -> list[str]:
    """Return the limits of the machine and their picture; nothing for a run that did not measure them."""
    return ["## Roofline", *limit_sentences(run.limits), f"![Roofline]({ROOFLINE})"] if run.limits else []


def _cold_start(run: Run) -> list[str]:
    """Return what the variants cost before their first epoch; nothing for a run that did not measure it."""
    tables, sentences = cold_start.tables(run), cold_start.sentences(run)
    if not tables:
        return []
    lines = "\n".join(f"- {sentence}" for sentence in sentences)
    return ["## Cold start", *(table_lines(table) for table in tables), *filter(None, [lines])]


def table_lines(table: Table) -> str:
    """Return one table as Markdown."""
    lines = [f"### {table.title}", "", _line(table.head), _line(["---"] * len(table.head))]
    for position, row in enumerate(table.rows):
        lines.append(
            _line([f"**{cell}** {BEST}" if (position, i) == table.best else cell for i, cell in enumerate(row)])
        )
    return "\n".join(lines)


def _certificates(certificates: pd.DataFrame) -> str:
    ordered = certificates.sort_values("certified", kind="stable")
    lines = [_line(["variant", "network", "data", "dtype", "max error", "tolerance", "certified", "where"])]
    lines.append(_line(["---"] * 8))
    for row in ordered.to_dict("records"):
        numbers = [row["max_error"], row["tolerance"]]
        error, tolerance = (f"{number:.1e}" if math.isfinite(number) else "-" for number in numbers)
        verdict = "yes" if row["certified"] else "**NO**"
        identity = [row["variant"], f"{row['network']} ({row['sizes']})", row["dataset"], row["dtype"]]
        lines.append(_line([*identity, error, tolerance, verdict, row["where"]]))
    return "\n".join(lines)


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: object) -> str:
    """Write a cell whose lines stay apart, also where tags are dropped, and whose numbers keep their units."""
    return BEFORE_UNIT.sub("\N{NO-BREAK SPACE}", str(text).replace("|", "&#124;").replace("\n", " <br>"))
