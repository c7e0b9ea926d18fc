"""The files of a pick: its record, and the report, the picture and the page that are made of it."""

from __future__ import annotations

from pathlib import Path

from gdbench.basics import records
from gdbench.basics.folders import writing
from gdbench.basics.storage import replacing_together, write_text
from gdbench.experiments import synthetic
from gdbench.pick.record.record import FILE, PickRecord
from gdbench.pick.views.markdown import render

PARENT = Path("picks")
"""Folder of new folders."""


def subject(record: PickRecord) -> str:
    """Return what the name of a new folder ends with: data and network."""
    name = Path(synthetic.base_of(record.data.name)).stem
    return f"{name}-{record.label.partition(',')[0]}"


def write_views(record: PickRecord, folder: Path) -> tuple[str, ...]:
    """Write all files of a record into a folder, or none if one cannot be written; return their paths.

    Raises
    ------
    InputError
        If they cannot be written there.
    """
    from gdbench.pick.views import page, picture  # noqa: PLC0415 - these load plotting libraries for a second

    paths = [folder / name for name in (FILE, "report.md", "pick.png", "pick.html")]
    with writing(folder), replacing_together() as place:
        write_text(place(paths[1]), render(record))
        place(paths[2]).write_bytes(picture.picture(record))
        write_text(place(paths[3]), page.render(record))
        records.write(place(paths[0]), record)  # what the others are made of takes its place before them
    return tuple(map(str, paths))
