"""``gdbench.read(path)``: what a command has left in a folder, by the record that lies in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gdbench.api.comparisons import ComparisonResult
from gdbench.api.runs import RunResult
from gdbench.compare.record.record import FILE as COMPARISON
from gdbench.compare.record.record import read_record as read_comparison
from gdbench.pick.in_python import record_in_python
from gdbench.pick.picked import Pick
from gdbench.pick.record.record import FILE as PICK
from gdbench.pick.record.record import read_record as read_pick
from gdbench.run.folder import read_run
from gdbench.run.plan import FILE as PLAN
from kernels import InputError
from kernels.errors import choices


def read(path: Path) -> RunResult | ComparisonResult | Pick:
    """Read the answer of a command from its folder, or from the file of its record.

    Raises
    ------
    InputError
        If there is none, or it cannot be read.
    """
    folder = path if path.is_dir() else path.parent
    readers: dict[str, Callable[[], RunResult | ComparisonResult | Pick]] = {
        PLAN: lambda: RunResult(read_run(folder)),
        COMPARISON: lambda: ComparisonResult(folder, read_comparison(folder)),
        PICK: lambda: Pick(record_in_python(read_pick(folder))),
    }
    for name, reader in readers.items():
        if path.name == name or (path.is_dir() and (path / name).exists()):
            return reader()
    raise InputError(
        f"there is no answer in {path}: name the folder of a run, a comparison or a pick, which has one of "
        f"{choices(readers)}"
    )
