"""Live progress of a comparison, which knows its own share and time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from gdbench.cli.console import stderr
from gdbench.compare.measure.session import StageProgress
from gdbench.views.progress import bar, countdown


@contextmanager
def steps(title: str, console: Console = stderr) -> Iterator[Callable[[StageProgress], None]]:
    """Show how far a comparison is."""
    with bar(title, console) as tell:

        def report(step: StageProgress) -> None:
            tell(step.share, step.words, "" if step.seconds_left is None else countdown(step.seconds_left))

        yield report
