"""``gdbench report``: rebuild what is derived from a run's raw files."""

from __future__ import annotations

from pathlib import Path

import click

from gdbench.cli.console import human_output, json_option
from gdbench.cli.show import show, summary_json
from gdbench.report.build import rebuild
from gdbench.report.findings import exit_code
from gdbench.run.plan import FILE
from kernels import InputError


@click.command(
    "report", short_help="Rebuild the pages of a run.", epilog="Example:\n\n\b\n  gdbench report reports/limits"
)
@click.argument("run", required=False, type=click.Path(path_type=Path))
@json_option
def command(run: Path | None, json_path: str | None) -> int:
    """Rebuild tables, picture and pages of RUN (a folder; the newest below reports/ if not given)."""
    found = rebuild(run or _newest())
    summary_json(json_path, found)
    show(found, human_output(json_path))
    return exit_code(found)


def _newest() -> Path:
    plans = sorted(Path("reports").glob(f"*/{FILE}"), key=lambda path: path.stat().st_mtime)
    if not plans:
        raise InputError("there is no run below reports/: make one with gdbench run, or name its folder")
    return plans[-1].parent
