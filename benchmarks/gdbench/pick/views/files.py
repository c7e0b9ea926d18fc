"""The files of a pick: its record, and the report, the picture and the page that are made of it."""

from __future__ import annotations

from pathlib import Path

from gdbench.basics.folders import writing
from gdbench.basics.storage import replacing, write_text
from gdbench.pick.record.file import FILE, Record, write_record
from gdbench.pick.views.markdown import render


def write_views(record: Record, folder: Path) -> tuple[str, ...]:
    """Write all files of a record into a folder, the record first; return their paths.

    Raises
    ------
    InputError
        If they cannot be written there.
    """
    from gdbench.pick.views.page import write_page  # noqa: PLC0415 - these load plotting libraries for a second
    from gdbench.pick.views.picture import picture  # noqa: PLC0415

    paths = [folder / name for name in (FILE, "report.md", "pick.png", "pick.html")]
    with writing(folder):
        write_record(record, paths[0])
        write_text(paths[1], render(record))
        with replacing(paths[2]) as temporary:
            temporary.write_bytes(picture(record))
        write_page(record, paths[3])
    return tuple(map(str, paths))
