"""Where a self-test works, and what every part of it needs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from selftest import ROOT, blocks
from selftest.journal import Journal

COMPARED = (0, 1, 3, 4)
"""Exit codes of ``gdbench compare`` that come with a record."""
KEPT = (
    *("case", "metric", "verdict", "ratio", "low", "high", "p_adjusted", "pair_sd", "smallest_effect", "blocks"),
    "stage",
)
KEPT_TOGETHER = ("by", "name", "cases", "verdict", "ratio", "low", "high")
VARIABLES = ("PYTEST_ADDOPTS", "GDBENCH_PROFILE")
"""Settings of the user's that would change what is measured."""


@dataclass(frozen=True)
class Context:
    """A self-test: ``scratch`` holds clones and compiled code and may be deleted, ``folder`` the findings."""

    scratch: Path
    folder: Path
    seed: int
    tier: str
    say: Callable[[str], None]

    @property
    def journal(self) -> Journal:
        """Measurements that have been made."""
        return Journal(self.folder)


def instrument_environment() -> dict[str, str]:
    """Environment in which this checkout's kernels and instrument are found, wherever a process starts."""
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return {**kept, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "benchmarks")])}


def gdbench(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run this checkout's ``gdbench`` in a folder."""
    command = [sys.executable, "-P", "-m", "gdbench", *arguments]
    return subprocess.run(command, cwd=cwd, env=instrument_environment(), capture_output=True, text=True, check=False)


def compare(context: Context, base: str, head: str, *, repository: Path, name: str, options: tuple[str, ...]) -> Any:
    """Compare two commits of a scratch repository; return what is kept of the record, and the machine's load.

    The blocks are kept in the scratch folder, in a file of this name.

    Raises
    ------
    RuntimeError
        If the command ends without a record: that is no finding, and nothing is written.
    """
    folder = context.scratch / "comparisons" / name
    shutil.rmtree(folder, ignore_errors=True)
    load = psutil.getloadavg()[0]
    arguments = ("compare", base, head, f"--{context.tier}", *options, "--output", str(folder))
    done = gdbench(*arguments, cwd=repository)
    if done.returncode not in COMPARED:
        raise RuntimeError(f"gdbench {' '.join(arguments)} ended with code {done.returncode}: {done.stderr[-2000:]}")
    blocks.keep(folder, blocks.file_of(context.scratch, name))
    record = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    return {**condense(record), "load_before": load, "load_after": psutil.getloadavg()[0]}


def condense(record: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of a comparison's record."""
    return {
        "tier": record["tier"],
        "exit_code": record["exit_code"],
        "complete": record["complete"],
        "seconds": record["settings"]["seconds"],
        "controls": record["controls"]["status"],
        "controls_reason": record["controls"]["reason"],
        "rows": [{field: row[field] for field in KEPT} for row in record["cases"]],
        "together": [{field: one[field] for field in KEPT_TOGETHER} for one in (record["suite"], *record["groups"])],
    }
