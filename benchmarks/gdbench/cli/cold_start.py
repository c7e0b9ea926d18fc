"""Cold starts in the terminal: their progress, and what they found."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from gdbench.cli.console import stderr
from gdbench.cold_start.measure import Job, measure_left
from gdbench.report import cold_start
from gdbench.run.folder import Run
from gdbench.run.plan import Plan


def measure(folder: Path, plan: Plan) -> None:
    """Measure the cold starts that a run is still to have, naming the one in progress."""
    with stderr.status("Cold starts") as status:

        def report(job: Job) -> None:
            status.update(f"Cold start of {job.variant} in {job.dtype}")

        measure_left(folder, plan.cases, plan.networks, report)


def show(run: Run, out: Console) -> None:
    """Print the tables and sentences of a run's cold starts; nothing if it has none."""
    for text in cold_start.tables(run):
        out.print(f"\n{text.title}", style="bold", highlight=False, markup=False, soft_wrap=True)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
        for position, name in enumerate(text.head):
            table.add_column(name, justify="left" if position < 2 else "right", no_wrap=True)
        for row in text.rows:
            table.add_row(*row)
        out.print(table, highlight=False)
    for sentence in cold_start.sentences(run):
        out.print(sentence, highlight=False, markup=False, style="red" if sentence.startswith("FAILED") else None)
