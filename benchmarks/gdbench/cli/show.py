"""Shows a finished run in the terminal, and its summary to machines: tables, sentences, exit code."""

from __future__ import annotations

import json
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gdbench.basics.exit_codes import KERNEL_WRONG, OK
from gdbench.cli.console import write_json
from gdbench.experiments.cases import FAILED, MEASURED
from gdbench.machine.roofline import limit_sentences
from gdbench.report import auto_check
from gdbench.report.findings import CAUTION, answers, failures
from gdbench.report.limit_table import limit_tables
from gdbench.report.peers_table import peer_sentences, peer_tables
from gdbench.report.tables import BEST, speed_tables
from gdbench.report.tables import Table as Columns
from gdbench.run.folder import Run

ONE_LINE_WIDTH = 120
"""Columns of a terminal from which on time and speed stand beside each other."""


@dataclass(frozen=True)
class RunAnswer:
    """What ``--json`` of ``run`` and ``report`` writes."""

    folder: str
    complete: bool
    """Whether every block was measured."""
    cases: tuple[dict[str, str | float | bool | None], ...]
    """Rows of ``summary.csv``, None where nothing is known."""


def show(run: Run, out: Console) -> None:
    """Print tables, sentences and where the files are."""
    joint = " " if out.width >= ONE_LINE_WIDTH else "\n"
    for text in [*speed_tables(run), *_beside(run)]:
        out.print(text.title, style="bold", soft_wrap=True)
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
        for position, name in enumerate(text.head):
            table.add_column(name, justify="left" if position < 2 else "right", no_wrap=True)
        for position, row in enumerate(text.rows):
            cells = (cell.replace("\n", joint) for cell in row)
            table.add_row(*(_cell(cell, (position, column) == text.best) for column, cell in enumerate(cells)))
        out.print(table, "")
    for sentence in answers(run):
        out.print(sentence)
    for sentence in failures(run):
        out.print(sentence, style="red")
    for sentence in [*peer_sentences(run), *auto_check.sentences(run), *limit_sentences(run.limits)]:
        out.print(sentence)
    out.print(CAUTION, style="italic")
    out.print(f"\nReport: {run.folder / 'report.html'}", soft_wrap=True)


def _beside(run: Run) -> list[Columns]:
    """Tables that compare with something else: with peers, where one was measured, and with the machine's limits."""
    return [*(peer_tables(run) if run.summary["best_peer"].any() else []), *limit_tables(run)]


def exit_code(run: Run) -> int:
    """4 when a variant failed or nothing was measured, otherwise 0; cases that are still missing are no fault."""
    found = set(run.summary["status"])
    return OK if MEASURED in found and FAILED not in found else KERNEL_WRONG


def summary_json(json_path: str | None, run: Run) -> None:
    """Write the summary for machines: one object per case, what is not known as null."""
    if json_path is None:
        return
    cases = tuple(json.loads(run.summary.to_json(orient="records")))
    write_json(json_path, RunAnswer(str(run.folder), run.complete, cases))


def _cell(text: str, best: bool) -> str | Text:
    if best:
        return Text(f"{text} {BEST}", style="bold green")
    return Text(text, style="red") if text == "failed" else text
