"""How far a pick is, while it goes on: a bar in a terminal and in a notebook, a line per stage elsewhere."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from gdbench.basics.units import duration
from gdbench.pick.progress import Doing

Listeners = tuple[Callable[[Doing], None], Callable[[str], None]]
"""What hears how far a pick is, and what hears a remark."""
UPDATE_SECONDS = 0.2
"""Least time between two changes of what a notebook shows."""


def silent() -> Listeners:
    """Return listeners that say nothing."""
    return (lambda doing: None), (lambda sentence: None)


@contextmanager
def drawn(console: Console) -> Iterator[Listeners]:
    """Draw a bar on a console; where that is no terminal, a line per stage."""
    columns = TextColumn("Picking", markup=False), BarColumn(), TextColumn("{task.description}", markup=False)

    def remark(sentence: str) -> None:
        if sentence:
            console.print(sentence, soft_wrap=True)

    with Progress(*columns, console=console, transient=True) as shown:
        bar, said = shown.add_task("", total=1.0), [""]

        def listen(doing: Doing) -> None:
            shown.update(bar, completed=doing.share, description=_words(doing))
            if not console.is_terminal and doing.words != said[0]:
                remark(f"{doing.words}, at most {duration(doing.seconds_left)} left")
            said[0] = doing.words

        yield listen, remark


@contextmanager
def drawn_in_notebook() -> Iterator[Listeners]:
    """Draw a bar below a notebook's cell, gone when the block ends.

    Rich draws there by ipywidgets alone, which many notebooks have not, and tqdm complains of the same; a browser has
    a bar of its own.
    """
    from IPython.display import HTML, display  # noqa: PLC0415 - only a notebook has it

    place: Any = display(HTML(""), display_id=True)
    changed, remarks = [0.0], list[str]()

    def listen(doing: Doing) -> None:
        if monotonic() - changed[0] >= UPDATE_SECONDS:
            place.update(HTML(_bar(doing, remarks)))
            changed[0] = monotonic()

    try:
        yield listen, remarks.append
    finally:
        place.update(HTML(""))


def _bar(doing: Doing, remarks: list[str]) -> str:
    lines = [f'Picking <progress value="{doing.share:.3f}"></progress> {html.escape(_words(doing))}']
    return "<br>".join([*lines, *map(html.escape, filter(None, remarks))])


def _words(doing: Doing) -> str:
    detail = f" ({doing.detail})" if doing.detail else ""
    return f"{doing.words}{detail}, at most {duration(doing.seconds_left)} left"
