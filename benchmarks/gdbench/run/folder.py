"""Reads a run's folder into tables: the raw files are the truth, everything here is derived from them.

Columns of ``samples.csv`` (a row per case and block) are those of a case, then ``block``, ``seconds`` (per
call, median over the block's rounds), ``rounds``, ``iterations`` and ``first_call_seconds``. Those of
``summary.csv`` (a row per case) are listed in METHODOLOGY.md.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gdbench.basics.storage import replacing
from gdbench.experiments.cases import CASE_COLUMNS
from gdbench.machine.roofline import limits_of
from gdbench.machine.work import Limits
from gdbench.run.plan import Plan, read_plan
from gdbench.run.summary import summarise
from kernels import InputError

SAMPLE_COLUMNS = [*CASE_COLUMNS, "block", "seconds", "rounds", "iterations", "first_call_seconds"]


@dataclass(frozen=True, eq=False)
class Run:
    """A run as it stands on disk, whole or not."""

    folder: Path
    plan: Plan
    environment: dict[str, Any]
    certificates: pd.DataFrame
    """A row per variant, network, data set and dtype: the fields of a certificate."""
    samples: pd.DataFrame
    summary: pd.DataFrame
    limits: dict[int, Limits]
    """Of the machine, by number of threads; empty for a run of a version that did not measure them."""

    @property
    def complete(self) -> bool:
        """Whether every block was measured."""
        return len(block_files(self.folder)) == len(self.plan.blocks)


def read_run(folder: Path) -> Run:
    """Read a run's folder.

    Raises
    ------
    InputError
        If it holds no run, or one that was stopped before its first block.
    """
    plan = read_plan(folder)
    if not (folder / "environment.json").exists() or not (folder / "certificates.json").exists():
        raise InputError(f"the run in {folder} was stopped before its first block: go on with it by --resume")
    certificates = pd.DataFrame(_read_json(folder / "certificates.json"), columns=CERTIFICATE_COLUMNS)
    certificates["max_error"] = certificates["max_error"].astype(float).fillna(math.inf)
    samples, limits = read_blocks(folder, plan)
    failures = _read_json(folder / "failures.json", default={})
    return Run(
        folder=folder,
        plan=plan,
        environment=_read_json(folder / "environment.json"),
        certificates=certificates,
        samples=samples,
        summary=summarise(plan.cases, samples, certificates, failures, networks=plan.networks, limits=limits),
        limits=limits,
    )


CERTIFICATE_COLUMNS = [
    *("variant", "network", "dataset", "sizes", "dtype"),
    *("max_error", "tolerance", "certified", "where", "first_call_seconds"),
]


def block_files(folder: Path) -> list[Path]:
    """Raw files of the blocks that ended, in their order."""
    return sorted((folder / "raw").glob("block-*.json"))


def read_blocks(folder: Path, plan: Plan) -> tuple[pd.DataFrame, dict[int, Limits]]:
    """Read the raw files of pytest-benchmark into one row per case and block, and the machine's limits by threads."""
    rows, limits = [], []
    for path in block_files(folder):
        content = _read_json(path)
        try:
            block = content["gdbench"]["block"]
            rows += [_block_row(block, entry) for entry in content["benchmarks"]]
            if "limits" in content["gdbench"]:  # none where every case failed, or of a version that had none
                limits.append((plan.blocks[block].threads, content["gdbench"]["limits"]))
        except (KeyError, TypeError, IndexError) as error:
            raise InputError(f"{path.name} of the run is no file of a block: delete it and resume the run") from error
    return pd.DataFrame(rows, columns=SAMPLE_COLUMNS), limits_of(limits)


def write_tables(run: Run) -> None:
    """Write ``samples.csv`` and ``summary.csv`` into the run's folder."""
    for name, table in (("samples.csv", run.samples), ("summary.csv", run.summary)):
        with replacing(run.folder / name) as temporary:
            table.to_csv(temporary, index=False, float_format="%.6g")


def _block_row(block: int, entry: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: entry["params"][name] for name in CASE_COLUMNS},
        "block": block,
        "seconds": float(np.median(entry["stats"]["data"])),
        "rounds": entry["stats"]["rounds"],
        "iterations": entry["stats"]["iterations"],
        "first_call_seconds": entry["extra_info"]["first_call_seconds"],
    }


def _read_json(path: Path, default: Any = None) -> Any:
    if default is not None and not path.exists():
        return default
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path.name} of the run is not readable JSON: delete it and resume the run") from error
