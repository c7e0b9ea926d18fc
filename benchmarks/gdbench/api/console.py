"""Where a call from Python shows how far it is: standard error, as lines in a notebook, or nowhere."""

from __future__ import annotations

from io import StringIO

from rich.console import Console


def notes(*, shown: bool) -> Console:
    """Return the console; rich would draw a bar in a notebook by ipywidgets, which many have not."""
    if not shown:
        return Console(file=StringIO(), force_terminal=False)
    return Console(stderr=True, markup=False, emoji=False, highlight=False, force_jupyter=False)
