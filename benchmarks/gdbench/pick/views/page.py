"""``pick.html``: an answer as one self-contained page, the batch size first, then why, the picture and the table."""

from __future__ import annotations

from markupsafe import Markup

import gdbench
from gdbench.pick.record.record import PickRecord
from gdbench.pick.views.markdown import facts
from gdbench.pick.views.picture import picture
from gdbench.pick.views.tables import cells
from gdbench.views.page import environment_lines, templates


def render(record: PickRecord) -> str:
    """Return the page; it loads nothing and needs no script."""
    svg = picture(record, "svg").decode()
    return (
        templates()
        .get_template("pick.html.j2")
        .render(
            record=record,
            table=cells(record),
            facts=[*facts(record), ("command", record.command)],
            environment=list(environment_lines(record.environment)),
            picture=Markup(svg[svg.index("<svg") :]),
            version=gdbench.__version__,
        )
    )


def head_and_table(record: PickRecord) -> str:
    """Return the answer and its table as a piece of HTML, for a notebook."""
    template = templates().get_template("pick_answer.html.j2")
    return template.render(record=record, table=cells(record))
