"""What a run's cold starts found, in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from gdbench.report import cold_start
from gdbench.run.folder import Run


def show(run: Run, out: Console) -> None:
    """Print the tables and sentences of a run's cold starts; nothing if it has none."""
    for text in cold_start.tables(run):
        out.print(f"\n{text.title}", style="bold", soft_wrap=True)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
        for position, name in enumerate(text.head):
            table.add_column(name, justify="left" if position < 2 else "right", no_wrap=True)
        for row in text.rows:
            table.add_row(*row)
        out.print(table)
    for sentence in cold_start.answers(run):
        out.print(sentence)
    for sentence in cold_start.failures(run):
        out.print(sentence, style="red")
