"""How far a pick is, while it goes on: a bar in a terminal and in a notebook, a line per stage elsewhere."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from rich.console import Console

from gdbench.basics.units import duration
from gdbench.pick.progress import Doing
from gdbench.views.progress import bar

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

    def remark(sentence: str) -> None:
        if sentence:
            console.print(sentence, soft_wrap=not console.is_terminal)  # in a log a sentence stays one line

    with bar("Picking", console) as tell:

        def listen(doing: Doing) -> None:
            told = monotonic()
            tell(doing.share, doing.words, lambda: _beside(doing, monotonic() - told))

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
    lines = [f'Picking <progress value="{doing.share:.3f}"></progress> {html.escape(doing.words + _beside(doing))}']
    return "<br>".join([*lines, *map(html.escape, filter(None, remarks))])


def _beside(doing: Doing, since: float = 0.0) -> str:
    """Tell the detail and the time left, so many seconds after that was told."""
    detail, left = f" ({doing.detail})" if doing.detail else "", doing.seconds_left - since
    if left <= 0:  # preparing, or a trial that is under way, takes longer than it was given
        return f"{detail}, beyond its time"
    return f"{detail}, at most {duration(left)} left"
