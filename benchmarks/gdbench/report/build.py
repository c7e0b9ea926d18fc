"""Writes everything that is derived from a run's raw files: tables, picture, page and Markdown."""

from __future__ import annotations

from pathlib import Path

from gdbench.basics.folders import writing
from gdbench.basics.storage import write_text
from gdbench.report import cold_start, markdown, page
from gdbench.report.pictures import ROOFLINE, TIME_PER_ROW, write_picture
from gdbench.report.roofline_picture import write_roofline
from gdbench.run.folder import Run, read_run, write_tables


def rebuild(folder: Path) -> Run:
    """Read a run's raw files and write the tables, the pictures and both reports anew."""
    run = read_run(folder)
    write_tables(run)
    write_report(run)
    return run


def write_report(run: Run) -> None:
    """Write the pictures and both reports of a run whose tables are written, and the table of its cold starts."""
    with writing(run.folder):
        cold_start.write_table(run.folder)
        write_picture(run, run.folder / TIME_PER_ROW)
        write_roofline(run, run.folder / ROOFLINE)
        write_text(run.folder / "report.md", markdown.render(run))
        write_text(run.folder / "report.html", page.render(run))
