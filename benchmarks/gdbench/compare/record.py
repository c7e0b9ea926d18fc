"""The record of a comparison: what its blocks say about each case, as plain data for every view of it."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gdbench.basics import exit_codes
from gdbench.basics.storage import write_text
from gdbench.compare.controls import CONTROLS
from gdbench.compare.verdicts import (
    BROKEN,
    IMPROVED,
    INSUFFICIENT,
    REGRESSED,
    UNCHANGED,
    Controls,
    Finding,
    Rule,
    controls,
    judge,
)
from gdbench.experiments.cases import Case
from kernels import InputError

FILE = "comparison.json"
FORMAT = 1
RESOLVED_SHARE = 0.8
"""Share of the measured cases that must have a verdict for exit code 0."""
UNSTEADY_SHARE = 0.2
"""Share of blocks in which a case may drift before nothing is said of it."""
MEMORY_SHARE, MEMORY_BYTES = 0.02, 4096
"""Allocations that differ by more than both are called changed: counts are exact, but Python keeps some memory."""

Blocks = Sequence[dict[str, Any]]


@dataclass
class Measured:
    """All that was measured: blocks of both stages, bytes by case, seconds of compilation by what was compiled."""

    screen: list[dict[str, Any]] = field(default_factory=list)
    confirm: list[dict[str, Any]] = field(default_factory=list)
    allocated: dict[str, list[int | None]] = field(default_factory=dict)
    compiled: list[dict[str, list[float]]] = field(default_factory=list)
    """For each fresh compilation, CPU seconds of base and head by name."""


def table(blocks: Blocks, keys: Sequence[str]) -> NDArray[np.float64]:
    """Return the log-ratios of blocks, (blocks, cases), NaN where a case was not measured."""
    values = [[block["cases"].get(key, {}).get("log_ratio", math.nan) for key in keys] for block in blocks]
    return np.array(values, float).reshape(len(blocks), len(keys))


def case_rows(
    cases: Sequence[dict[str, Any]], measured: Measured, *, margin: float, rule: Rule
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Controls]:
    """Judge all cases and controls; return the rows of both, and whether the run can be believed.

    ``cases`` are the fields of each case under ``case`` and its axes.
    """
    names = [case["case"] for case in cases]
    found = _judge(measured, names, margin, rule)
    controlled = _judge(measured, CONTROLS, margin, rule)  # no share in the family of the cases
    blank = dict.fromkeys(cases[0]) if cases else {}
    rows = [_timed(case, finding, measured) for case, finding in zip(cases, found, strict=True)]
    return (
        rows,
        [
            _timed({**blank, "case": name}, finding, measured)
            for name, finding in zip(CONTROLS, controlled, strict=True)
        ],
        _believable(controlled, measured),
    )


def _judge(measured: Measured, keys: Sequence[str], margin: float, rule: Rule) -> list[Finding]:
    margins = [margin] * len(keys)
    found = judge(table(measured.screen, keys), table(measured.confirm, keys), margins=margins, rule=rule)
    return [_steady(finding, key, measured) for finding, key in zip(found, keys, strict=True)]


def _believable(found: list[Finding], measured: Measured) -> Controls:
    if not measured.confirm:
        return Controls("underpowered", "the run ended before its controls were confirmed")
    return controls(found[:-1], found[-1])


def _timed(case: dict[str, Any], finding: Finding, measured: Measured) -> dict[str, Any]:
    return _row(case, "time", "s", *_seconds(measured, case["case"]), finding, measured)


def _steady(finding: Finding, key: str, measured: Measured) -> Finding:
    """Take back a verdict on a case whose log-ratio drifted inside too many of the blocks that decided."""
    blocks = measured.confirm if finding.stage == "confirm" else measured.screen
    if not unsteady(blocks, key):
        return finding
    return replace(finding, verdict=INSUFFICIENT, reason="it drifted inside too many blocks")


def unsteady(blocks: Blocks, key: str) -> bool:
    """Whether a case drifted in more blocks than noise explains."""
    drifted = [block["cases"][key]["unsteady"] for block in blocks if key in block["cases"]]
    return bool(sum(drifted) > UNSTEADY_SHARE * len(drifted))


def _seconds(measured: Measured, key: str) -> tuple[float | None, float | None]:
    """Median times of both sides, of the stage that decided."""
    for blocks in (measured.confirm, measured.screen):
        there = [block["cases"][key] for block in blocks if key in block["cases"]]
        if there:
            times = np.median([(entry["base_seconds"], entry["head_seconds"]) for entry in there], axis=0)
            return float(times[0]), float(times[1])
    return None, None


def _row(
    case: dict[str, Any],
    metric: str,
    unit: str,
    base: float | None,
    head: float | None,
    finding: Finding,
    measured: Measured,
) -> dict[str, Any]:
    blocks = measured.confirm if finding.stage == "confirm" else measured.screen
    seconds = float(np.mean([block["seconds"] for block in blocks])) if blocks else math.nan
    needed = finding.blocks_needed
    minutes = None if needed is None or not math.isfinite(seconds) else needed * seconds / 60
    numbers = {**case, "metric": metric, "unit": unit, "base": base, "head": head, **asdict(finding)}
    return plain({**numbers, "minutes_needed": minutes, "explanation": None})


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """Replace numbers that JSON has not by None, and NumPy's by Python's."""
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def memory_rows(cases: Sequence[dict[str, Any]], measured: Measured) -> list[dict[str, Any]]:
    """Compare the bytes that a call allocates: counts, not samples, so one of each side is enough."""
    rows = []
    for case in cases:
        base, head = measured.allocated.get(case["case"], [None, None])
        if base is None or head is None:
            continue
        differs = abs(head - base) > max(MEMORY_SHARE * base, MEMORY_BYTES)
        verdict = UNCHANGED if not differs else REGRESSED if head > base else IMPROVED
        ratio = head / base if base else (1.0 if head == base else math.inf)
        unknown = math.nan, math.nan, math.nan, math.nan
        finding = Finding(verdict, ratio, ratio, ratio, *unknown, 1, 0.0, 0.0, None, "screen", "")
        rows.append(_row(case, "memory", "B", base, head, finding, Measured()))
    return rows


def compile_rows(measured: Measured, *, margin: float, rule: Rule) -> list[dict[str, Any]]:
    """Judge the CPU seconds of fresh compilations by the same rule, a fresh pair of processes being a block."""
    names = list(dict.fromkeys(name for entry in measured.compiled for name in entry))
    if not names:
        return []
    times = np.array([[entry.get(name, [math.nan] * 2) for name in names] for entry in measured.compiled], float)
    times[~(times > 0)] = math.nan  # loaded, not compiled: CPU clocks tick in steps
    ratios = np.log(times[:, :, 1] / times[:, :, 0])
    found = judge(np.full((1, len(names)), math.nan), ratios, margins=[margin] * len(names), rule=rule)
    rows = []
    for position, (name, finding) in enumerate(zip(names, found, strict=True)):
        there = times[~np.isnan(ratios[:, position]), position]
        base, head = np.median(there, axis=0) if len(there) else (math.nan, math.nan)
        case = {**dict.fromkeys(Case.__dataclass_fields__), "case": f"compile {name}", "variant": name}
        rows.append(_row(case, "compile", "s", float(base), float(head), finding, Measured()))
    return rows


def exit_code(rows: Sequence[dict[str, Any]], status: str, *, effect: float, complete: bool) -> int:
    """Return the exit code of a whole comparison: 4 not to be believed, 1 slower, 3 not known, 0 fine.

    A case is resolved if it has a verdict, or if its interval rules the effect out that was asked about. A comparison
    that did not come to its end is never fine.
    """
    timed = [row for row in rows if row["metric"] == "time"]
    measured = [row for row in timed if row["base"] is not None]
    if status == "invalid" or len(measured) == 0 or any(row["verdict"] == BROKEN for row in timed):
        return exit_codes.KERNEL_WRONG
    if any(row["verdict"] == REGRESSED for row in rows):
        return exit_codes.REGRESSED
    resolved = sum(row["verdict"] != INSUFFICIENT or rules_out(row, effect) for row in measured)
    enough = complete and status == "valid" and resolved >= RESOLVED_SHARE * len(measured)
    return exit_codes.OK if enough else exit_codes.NOT_ENOUGH_EVIDENCE


def rules_out(row: Mapping[str, Any], effect: float) -> bool:
    """Whether the interval of a case leaves no room for a change by the effect, in either direction."""
    return row["low"] is not None and 1 / (1 + effect) < row["low"] and row["high"] < 1 + effect


def believe(rows: list[dict[str, Any]], verdict: Controls) -> list[dict[str, Any]]:
    """Take back what a run cannot claim whose controls failed: everything if invalid, "unchanged" if underpowered."""
    taken = {"valid": (), "underpowered": (UNCHANGED,), "invalid": (UNCHANGED, REGRESSED, IMPROVED)}[verdict.status]
    return [
        {**row, "verdict": INSUFFICIENT, "reason": verdict.reason}
        if row["verdict"] in taken and row["metric"] == "time"
        else row
        for row in rows
    ]


def counts(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """How many cases have each verdict, by time."""
    return dict(Counter(row["verdict"] for row in rows if row["metric"] == "time"))


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write the record into the folder of its comparison."""
    write_text(folder / FILE, json.dumps(record, indent=1, allow_nan=False) + "\n")


def read_record(folder: Path) -> dict[str, Any]:
    """Read the record of a comparison, or raise InputError if the folder holds none."""
    try:
        record: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} holds no comparison: name a folder that gdbench compare made") from error
    if record.get("format") != FORMAT:
        raise InputError(f"the comparison in {folder} is of another version of gdbench: compare again")
    return record
