"""Shows a finished run in the terminal, and its summary to machines: the answer, what failed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
from rich.console import Console
from rich.table import Table

from gdbench.cli.console import say, write_json
from gdbench.report import cold_start
from gdbench.report.findings import failures
from gdbench.report.peers_table import peer_sentences
from gdbench.report.tables import Table as Columns
from gdbench.report.winners import CAUTION, winners_table
from gdbench.run.folder import Run


@dataclass(frozen=True)
class RunAnswer:
    """What ``--json`` of ``run`` and ``report`` writes."""

    folder: str
    complete: bool
    """Whether every block was measured."""
    cases: tuple[dict[str, str | float | bool | None], ...]
    """Rows of ``summary.csv``, None where nothing is known."""


def show(run: Run, out: Console) -> None:
    """Print the answer, what failed or was left out, and where the report with everything else is."""
    winners = winners_table(run)
    if winners is not None:
        print_table(winners, out)
        say(out, CAUTION, "italic")
    for sentence in [*failures(run), *cold_start.failures(run)]:
        say(out, sentence, "red")
    for sentence in peer_sentences(run):
        say(out, sentence)
    say(out, f"Report, with all tables and pictures: {run.folder / 'report.html'}")


def print_table(text: Columns, out: Console) -> None:
    """Print a table; a cell's two lines stand beside each other where the terminal is wide enough."""
    out.print(text.title, style="bold")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for name in text.head:
        table.add_column(name, overflow="fold")
    joined = [[cell.replace("\n", " ") for cell in row] for row in text.rows]
    widths = (max(map(len, column)) + 2 for column in zip(text.head, *joined, strict=True))
    for row in joined if sum(widths) <= out.width else text.rows:
        table.add_row(*row)
    out.print(table, "")


def summary_json(json_path: str | None, run: Run) -> None:
    """Write the summary for machines: one object per case, what is not known as null."""
    if json_path is None:
        return
    write_json(json_path, RunAnswer(str(run.folder), run.complete, records(run.summary)))


def records(table: pd.DataFrame) -> tuple[dict[str, str | float | bool | None], ...]:
    """Return the rows of a table as plain values, what is not known or not finite as None.

    All digits stay: ``DataFrame.to_json`` has fifteen decimal places at most, too few for errors, and ten unless told
    otherwise, too few for the seconds of a small network.
    """
    known = table.replace([math.inf, -math.inf], math.nan)
    plain = known.astype(object).where(known.notna(), None)
    return tuple({str(name): value for name, value in row.items()} for row in plain.to_dict("records"))
