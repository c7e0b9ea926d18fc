"""How far work is, while it goes on: a bar in a terminal, elsewhere a line per stage and one whenever it was quiet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic
from typing import TypeAlias

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

REFRESH_SECONDS = 0.1
"""Least time between two drawings by hand, which is as often as the eye can follow."""
QUIET_SECONDS = 25.0
"""Longest time without a line where there is no bar: whoever watches a log knows within half a minute that it lives."""
MAX_BAR_WIDTH, BAR_PARTS = 40, 5
"""Width of a bar in characters, and how many times it fits into a narrow terminal: the words beside it come first."""
ShowShare: TypeAlias = Callable[[float | None, str, str], None]
"""Hears the share that is done (None: unknown), the stage in words, and what changes within it."""


@contextmanager
def bar(title: str, console: Console, *, by_hand: bool = False) -> Iterator[ShowShare]:
    """Draw a bar that is gone when the block ends; where the console is no terminal, write lines.

    Parameters
    ----------
    title : str
        What stands before the bar, and before every line.
    console : Console
        Where it is drawn.
    by_hand : bool
        Whether it is drawn only when it moves on: a thread that draws would take the processor from work in this
        process.

    Yields
    ------
    callable
        Moves the bar on. A new stage is a line of its own in a log, a new detail is not.
    """
    with _drawn(title, console, by_hand=by_hand) if console.is_terminal else _written(title, console) as tell:
        yield tell


@contextmanager
def _drawn(title: str, console: Console, *, by_hand: bool) -> Iterator[ShowShare]:
    columns = (
        TextColumn(title, markup=False, table_column=Column(no_wrap=True, min_width=len(title))),
        BarColumn(bar_width=min(MAX_BAR_WIDTH, console.width // BAR_PARTS)),
        TextColumn("{task.description}", markup=False, table_column=Column()),  # folded where the terminal is narrow
    )
    with Progress(*columns, console=console, transient=True, auto_refresh=not by_hand) as shown:
        task, drawn = shown.add_task("", total=None), 0.0

        def tell(share: float | None, stage: str, detail: str) -> None:
            nonlocal drawn
            refresh = by_hand and monotonic() - drawn > REFRESH_SECONDS
            total = None if share is None else 1.0
            shown.update(task, total=total, completed=share or 0.0, description=f"{stage}{detail}", refresh=refresh)
            drawn = monotonic() if refresh else drawn

        yield tell


@contextmanager
def _written(title: str, console: Console) -> Iterator[ShowShare]:
    stage, line, said, ended = "", title, monotonic(), Event()

    def say() -> None:
        nonlocal said
        said = monotonic()
        console.print(line, soft_wrap=True)

    def tell(share: float | None, new_stage: str, detail: str) -> None:
        nonlocal stage, line
        line, old_stage, stage = f"{title}: {new_stage}{detail}", stage, new_stage
        if new_stage != old_stage:
            say()

    def watch() -> None:
        while not ended.wait(max(0.0, said + QUIET_SECONDS - monotonic())):
            if monotonic() - said >= QUIET_SECONDS:
                say()

    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield tell
    finally:
        ended.set()
        watcher.join()
