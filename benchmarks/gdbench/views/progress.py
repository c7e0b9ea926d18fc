"""How far work is, while it goes on: a bar in a terminal, elsewhere a line per stage and one whenever it was quiet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic
from typing import TypeAlias

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from gdbench.basics.units import duration

REFRESH_SECONDS = 0.1
"""Least time between two drawings by hand, which is as often as the eye can follow."""
QUIET_SECONDS = 25.0
"""Longest time without a line where there is no bar: whoever watches a log knows within half a minute that it lives."""
MAX_BAR_WIDTH, BAR_PARTS = 40, 5
"""Width of a bar in characters, and how many times it fits into a narrow terminal: the words beside it come first."""
Detail: TypeAlias = str | Callable[[], str]
"""What changes within a stage, in words, or what tells it whenever it is shown: how much time is left then."""
ShowShare: TypeAlias = Callable[[float | None, str, Detail], None]
"""Hears the share that is done (None: unknown), the stage in words, and what changes within it."""


def countdown(seconds: float, before: str = "") -> Callable[[], str]:
    """Return a detail: these words, and how much is then left of so many seconds, as long as that is half a second.

    Examples
    --------
    >>> countdown(90, ", 3 done")(), countdown(0, ", 3 done")()
    (', 3 done, about 1 min 30 s left', ', 3 done')
    """
    end = monotonic() + seconds

    def words() -> str:
        left = end - monotonic()
        return f"{before}, about {duration(left)} left" if left > 0.5 else before

    return words


class WordsColumn(ProgressColumn):
    """The words beside a bar, as they are when it is drawn; folded where the terminal is narrow."""

    def __init__(self, words: Callable[[], str]) -> None:
        super().__init__()
        self.words = words

    def render(self, task: Task) -> Text:
        """Return the words of now."""
        return Text(self.words())


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
    stage: str = ""
    detail: Detail = ""
    columns = (
        TextColumn(title, markup=False, table_column=Column(no_wrap=True, min_width=len(title))),
        BarColumn(bar_width=min(MAX_BAR_WIDTH, console.width // BAR_PARTS)),
        WordsColumn(lambda: stage + _now(detail)),
    )
    with Progress(*columns, console=console, transient=True, auto_refresh=not by_hand) as shown:
        task, drawn = shown.add_task("", total=None), 0.0

        def tell(share: float | None, new_stage: str, new_detail: Detail) -> None:
            nonlocal stage, detail, drawn
            stage, detail = new_stage, new_detail
            refresh = by_hand and monotonic() - drawn > REFRESH_SECONDS
            shown.update(task, total=None if share is None else 1.0, completed=share or 0.0, refresh=refresh)
            drawn = monotonic() if refresh else drawn

        yield tell


def _now(detail: Detail) -> str:
    return detail if isinstance(detail, str) else detail()


@contextmanager
def _written(title: str, console: Console) -> Iterator[ShowShare]:
    stage, said, ended = "", monotonic(), Event()
    detail: Detail = ""

    def say() -> None:
        nonlocal said
        said = monotonic()
        console.print(f"{title}: {stage}{_now(detail)}" if stage else title, soft_wrap=True)

    def tell(share: float | None, new_stage: str, new_detail: Detail) -> None:
        nonlocal stage, detail
        old_stage, stage, detail = stage, new_stage, new_detail
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
