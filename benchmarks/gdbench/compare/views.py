"""Writes what people read of a comparison beside its record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gdbench.basics.storage import write_text
from gdbench.compare import markdown as as_markdown
from gdbench.compare import page
from gdbench.compare.record import read_record


def write_views(folder: Path, markdown: Path | None = None) -> dict[str, Any]:
    """Write ``comparison.html`` and ``comparison.md``, the latter also where the user wants it; return the record."""
    record = read_record(folder)
    write_text(folder / "comparison.html", page.render(record))
    for path in filter(None, (folder / "comparison.md", markdown)):
        write_text(path, as_markdown.render(record))
    return record
