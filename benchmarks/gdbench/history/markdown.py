"""Findings on a history as Markdown, for a pull request or an issue."""

from __future__ import annotations

from collections.abc import Sequence

from gdbench.history.record import Record
from gdbench.history.tables import HEAD, headline, remarks, rows, subjects, warnings


def render(record: Record) -> str:
    """Return the findings as Markdown."""
    table = [_line(HEAD), _line(["---"] * len(HEAD)), *(_line(row) for row in rows(record))]
    parts = [
        "# gdbench regressions",
        f"{headline(record)}.",
        "\n\n".join(f"**{_text(warning)}**" for warning in warnings(record)),
        "\n".join(table) if rows(record) else "",
        "\n".join(f"- `{commit}` {_text(subject)}" for commit, subject in subjects(record).items()),
        "\n".join(f"- {_text(remark)}" for remark in remarks(record)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_text(cell) for cell in cells)} |"


def _text(text: str) -> str:
    """Keep a text from being read as Markdown or HTML: subjects are what anybody wrote."""
    escaped = text.replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;").replace("|", "&#124;")
    for sign in "`*_[]#":
        escaped = escaped.replace(sign, f"\\{sign}")
    return escaped.replace("\n", " ")
