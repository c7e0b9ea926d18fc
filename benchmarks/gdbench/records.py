"""Reads a run's folder into tables: the raw files are the truth, everything here is derived from them.

Columns of ``samples.csv`` (a row per case and block) are those of a case, then ``block``, ``seconds`` (per
call, median over the block's rounds), ``rounds``, ``iterations`` and ``first_call_seconds``. Those of
``summary.csv`` (a row per case) are listed in METHODOLOGY.md.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gdbench.cases import Case
from gdbench.certificates import refusal
from gdbench.plan import Plan, read_plan
from gdbench.statistics import median_interval, ratio_interval
from gdbench.storage import replacing
from kernels import InputError

CASE_COLUMNS = [field.name for field in fields(Case)]
SAMPLE_COLUMNS = [*CASE_COLUMNS, "block", "seconds", "rounds", "iterations", "first_call_seconds"]
MEASURED, FAILED, MISSING = "measured", "failed", "missing"


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
    samples = read_samples(folder)
    failures = _read_json(folder / "failures.json", default={})
    return Run(
        folder=folder,
        plan=plan,
        environment=_read_json(folder / "environment.json"),
        certificates=certificates,
        samples=samples,
        summary=summarise(plan.cases, samples, certificates, failures),
    )


CERTIFICATE_COLUMNS = [
    *("variant", "network", "dataset", "sizes", "dtype"),
    *("max_error", "tolerance", "certified", "where", "first_call_seconds"),
]


def block_files(folder: Path) -> list[Path]:
    """Raw files of the blocks that ended, in their order."""
    return sorted((folder / "raw").glob("block-*.json"))


def read_samples(folder: Path) -> pd.DataFrame:
    """Read the raw files of pytest-benchmark into one row per case and block."""
    rows = [row for path in block_files(folder) for row in _block_rows(path)]
    return pd.DataFrame(rows, columns=SAMPLE_COLUMNS)


def summarise(
    cases: tuple[Case, ...], samples: pd.DataFrame, certificates: pd.DataFrame, failures: dict[str, str]
) -> pd.DataFrame:
    """Make a row per case: time with its interval over blocks, speed, certificate and status."""
    by_case = {
        tuple(key): group.set_index("block")["seconds"] for key, group in samples.groupby(CASE_COLUMNS, sort=False)
    }
    first_calls = samples.groupby(CASE_COLUMNS, sort=False)["first_call_seconds"].median().to_dict()
    proofs = {
        (row["variant"], row["network"], row["dataset"], row["dtype"]): row for row in certificates.to_dict("records")
    }
    rows = []
    for case in cases:
        key = tuple(case.to_dict().values())
        proof = proofs.get((case.variant, case.network, case.dataset, case.dtype), {})
        status = _status(case, by_case.get(key), proof, failures)
        seconds = by_case.get(key) if status["status"] == MEASURED else None
        reference = _reference(case, by_case, proofs, failures)
        rows.append(
            {
                **case.to_dict(),
                "sizes": proof.get("sizes", ""),
                "descent": case.descent,
                **_times(case, seconds),
                **_speedup(seconds, reference),
                "first_call_seconds": first_calls.get(key, math.nan),
                "max_error": proof.get("max_error", math.nan),
                "tolerance": proof.get("tolerance", math.nan),
                "certified": bool(proof.get("certified", False)),
                **status,
            }
        )
    return pd.DataFrame(rows, columns=SUMMARY_COLUMNS)


def _reference(
    case: Case, by_case: dict[Any, pd.Series], proofs: dict[Any, Any], failures: dict[str, str]
) -> pd.Series | None:
    """Times of the reference in the same circumstances, None if it was not measured or failed itself."""
    same = replace(case, variant="reference")
    seconds = by_case.get(tuple(same.to_dict().values()))
    proof = proofs.get(("reference", case.network, case.dataset, case.dtype), {})
    return seconds if _status(same, seconds, proof, failures)["status"] == MEASURED else None


SUMMARY_COLUMNS = [
    *("network", "sizes", "dataset", "n_rows", "task", "variant", "descent", "batch_size", "dtype", "threads"),
    *("seconds", "seconds_low", "seconds_high", "interval_coverage", "blocks"),
    *("seconds_per_row", "rows_per_second", "speedup_vs_reference", "speedup_low", "speedup_high"),
    *("first_call_seconds", "max_error", "tolerance", "certified", "status", "reason"),
]


def write_tables(run: Run) -> None:
    """Write ``samples.csv`` and ``summary.csv`` into the run's folder."""
    for name, table in (("samples.csv", run.samples), ("summary.csv", run.summary)):
        with replacing(run.folder / name) as temporary:
            table.to_csv(temporary, index=False, float_format="%.6g")


def _times(case: Case, seconds: pd.Series | None) -> dict[str, float]:
    if seconds is None:
        return {"blocks": 0}
    interval = median_interval(seconds.tolist())
    return {
        "seconds": interval.median,
        "seconds_low": interval.low,
        "seconds_high": interval.high,
        "interval_coverage": interval.coverage,
        "blocks": len(seconds),
        "seconds_per_row": interval.median / case.rows_per_call,
        "rows_per_second": case.rows_per_call / interval.median,
    }


def _speedup(seconds: pd.Series | None, reference: pd.Series | None) -> dict[str, float]:
    """Speed relative to the reference, from the blocks in which both were measured."""
    if seconds is None or reference is None:
        return {}
    shared = seconds.index.intersection(reference.index)
    if shared.empty:
        return {}
    ratio = ratio_interval(reference[shared].tolist(), seconds[shared].tolist())
    return {"speedup_vs_reference": ratio.median, "speedup_low": ratio.low, "speedup_high": ratio.high}


def _status(case: Case, seconds: pd.Series | None, proof: dict[Any, Any], failures: dict[str, str]) -> dict[str, str]:
    """Failed when a certificate or a process says so; times of a failed case are never shown."""
    if case.id in failures:
        return {"status": FAILED, "reason": failures[case.id]}
    if proof and not proof["certified"]:
        return {"status": FAILED, "reason": refusal(proof)}
    if seconds is None:
        return {"status": MISSING, "reason": "not measured yet"}
    return {"status": MEASURED, "reason": ""}


def _block_rows(path: Path) -> list[dict[str, Any]]:
    content = _read_json(path)
    try:
        return [_block_row(content["gdbench"]["block"], entry) for entry in content["benchmarks"]]
    except (KeyError, TypeError) as error:
        raise InputError(f"{path.name} of the run is no file of a block: delete it and resume the run") from error


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
