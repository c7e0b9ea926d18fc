"""Live progress of work that knows its own share and time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn

from gdbench.basics.units import duration
from gdbench.cli.console import stderr
from gdbench.compare.session import StageProgress


@contextmanager
def steps(title: str) -> Iterator[Callable[[StageProgress], None]]:
    """Draw a bar on standard error; where it is no terminal, a line per stage."""
    columns = TextColumn(title, markup=False), BarColumn(), TextColumn("{task.description}", markup=False)
    with Progress(*columns, console=stderr, transient=True) as progress:
        bar, said = progress.add_task("", total=1.0), [""]

        def report(step: StageProgress) -> None:
            left = "" if step.seconds_left is None else f", about {duration(step.seconds_left)} left"
            progress.update(bar, completed=step.share, description=f"{step.words}{left}")
            if not stderr.is_terminal and step.words != said[0]:
                stderr.print(f"{step.words}{left}", soft_wrap=True)
            said[0] = step.words

        yield report
