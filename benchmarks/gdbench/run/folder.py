"""Reads a run's folder into tables: the raw files are the truth, everything here is derived from them.

Where a run was published without its raw files, ``samples.csv`` and ``limits.json`` stand for them.

Columns of ``samples.csv`` (a row per case and block) are those of a case, then ``block``, ``seconds`` (per
call, median over the block's rounds), ``rounds``, ``iterations`` and ``first_call_seconds``. Those of
``summary.csv`` (a row per case) are listed in docs/method/columns.md.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from gdbench.basics import records
from gdbench.basics.folders import writing
from gdbench.basics.storage import replacing
from gdbench.experiments.cases import CASE_COLUMNS
from gdbench.machine.environment import Environment
from gdbench.machine.roofline import limits_of
from gdbench.machine.work import Limits
from gdbench.run.plan import Plan, read_plan
from gdbench.run.raw import REMEDY, SAMPLES, CaseEntry, block_files, published, read_block, read_failures
from gdbench.run.summary import summarise
from gdbench.verify.certificates import CertificateRow
from kernels import InputError

LIMITS = "limits.json"
"""Limits of the machine, by number of threads."""
SAMPLE_COLUMNS = [*CASE_COLUMNS, "block", "seconds", "rounds", "iterations", "first_call_seconds"]


@dataclass(frozen=True, eq=False)
class Run:
    """A run as it stands on disk, whole or not."""

    folder: Path
    plan: Plan
    environment: Environment
    certificates: pd.DataFrame
    """A row per variant, network, data set and dtype: the fields of a certificate."""
    samples: pd.DataFrame
    summary: pd.DataFrame
    limits: dict[int, Limits]
    """Limits of the machine, by number of threads; empty for a run of a version that did not measure them."""

    @property
    def complete(self) -> bool:
        """Whether every block was measured."""
        measured = set(self.samples["block"]) if published(self.folder) else block_files(self.folder)
        return len(measured) == len(self.plan.blocks)


def read_run(folder: Path) -> Run:
    """Read a run's folder.

    Raises
    ------
    InputError
        If it holds no run, or one that was stopped before its first block.
    """
    plan = read_plan(folder)
    if not (folder / "environment.json").exists() or not certificates_file(folder).exists():
        raise InputError(f"the run in {folder} was stopped before its first block: go on with it by --resume")
    rows = read_certificates(folder)
    certificates = pd.DataFrame(map(asdict, rows), columns=CERTIFICATE_COLUMNS)
    certificates = certificates.astype({"max_error": float, "tolerance": float}).fillna({"max_error": math.inf})
    samples, limits = _read_tables(folder) if published(folder) else read_blocks(folder, plan)
    return Run(
        folder=folder,
        plan=plan,
        environment=records.read(folder / "environment.json", Environment, remedy=REMEDY),
        certificates=certificates,
        samples=samples,
        summary=summarise(plan.cases, samples, rows, read_failures(folder), networks=plan.networks, limits=limits),
        limits=limits,
    )


CERTIFICATE_COLUMNS = [field.name for field in fields(CertificateRow)]


def certificates_file(folder: Path) -> Path:
    """Path of the certificates of a run."""
    return folder / "certificates.json"


def read_certificates(folder: Path) -> list[CertificateRow]:
    """Read the certificates of a run, or raise InputError."""
    return records.read(certificates_file(folder), list[CertificateRow], remedy=REMEDY)


def read_blocks(folder: Path, plan: Plan) -> tuple[pd.DataFrame, dict[int, Limits]]:
    """Read the raw files of pytest-benchmark into one row per case and block, and the machine's limits by threads."""
    rows, limits = [], []
    for path in block_files(folder):
        block = read_block(path)
        index = block.gdbench.block
        if not 0 <= index < len(plan.blocks):
            raise InputError(f"{path} is of another run, since the plan has no block {index}: {REMEDY}")
        rows += [_block_row(index, entry) for entry in block.benchmarks]
        if block.gdbench.limits is not None:
            limits.append((plan.blocks[index].threads, block.gdbench.limits))
    return pd.DataFrame(rows, columns=SAMPLE_COLUMNS), limits_of(limits)


def _read_tables(folder: Path) -> tuple[pd.DataFrame, dict[int, Limits]]:
    """Read what ``read_blocks`` gives, to six digits, from the tables that were derived from the raw files."""
    path, limits = folder / SAMPLES, folder / LIMITS
    anew = "take the run's folder anew from where it came from"
    try:
        samples = pd.read_csv(path).astype({"seconds": float, "first_call_seconds": float})[SAMPLE_COLUMNS]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} is no table of samples: {anew}") from error
    return samples, records.read(limits, dict[int, Limits], remedy=anew) if limits.exists() else {}


def write_tables(run: Run) -> None:
    """Write ``samples.csv``, ``limits.json`` and ``summary.csv`` into the run's folder."""
    with writing(run.folder):
        records.write(run.folder / LIMITS, run.limits)
    for name, table in ((SAMPLES, run.samples), ("summary.csv", run.summary)):
        with writing(run.folder), replacing(run.folder / name) as temporary:
            table.to_csv(temporary, index=False, float_format="%.6g")


def _block_row(block: int, entry: CaseEntry) -> dict[str, object]:
    return {
        **entry.params.to_dict(),
        "block": block,
        "seconds": float(np.median(entry.stats.data)),
        "rounds": entry.stats.rounds,
        "iterations": entry.stats.iterations,
        "first_call_seconds": entry.extra_info.first_call_seconds,
    }
