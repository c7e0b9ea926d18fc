"""An answer as a piece of HTML for a notebook, with a style that touches nothing else in it."""

from __future__ import annotations

from collections.abc import Sequence

from gdbench.report.tables import Table
from gdbench.views.page import templates


def piece(tables: Sequence[Table], sentences: Sequence[str]) -> str:
    """Return tables, and sentences below them; nothing is loaded from anywhere."""
    return templates().get_template("answer_notebook.html.j2").render(tables=tables, sentences=sentences)
