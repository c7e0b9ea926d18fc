"""The head and the table of the page as a piece of HTML for a notebook, with a style of their own."""

from __future__ import annotations

from markupsafe import Markup

from gdbench.pick.record.record import PickRecord
from gdbench.pick.views.page import head_and_table
from gdbench.views.page import templates


def render(record: PickRecord) -> str:
    """Return the piece; it loads nothing, and its style touches nothing else in the notebook."""
    template = templates().get_template("pick_notebook.html.j2")
    return template.render(record=record, answer=Markup(head_and_table(record)))
