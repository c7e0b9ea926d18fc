"""The end of a comparison: what was measured is judged, row by row, and the record written."""

from __future__ import annotations

import math
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import numpy as np

from gdbench.basics import exit_codes
from gdbench.compare import calibration
from gdbench.compare.controls import CONTROLS
from gdbench.compare.record import (
    FORMAT,
    CaseAxes,
    CaseResult,
    Comparison,
    ComparisonSettings,
    Controls,
    Measurements,
    Metric,
    axes_of,
    table,
    unsteady,
    write_record,
)
from gdbench.compare.session import ComparisonSession
from gdbench.compare.verdicts import (
    BROKEN,
    IMPROVED,
    INSUFFICIENT,
    MISSING,
    REGRESSED,
    UNCHANGED,
    ControlsVerdict,
    Judgement,
    Rule,
    controls,
    judge,
)
from gdbench.experiments.cases import Case

RESOLVED_SHARE = 0.8
"""Share of the measured cases that must have a verdict for exit code 0."""
MEMORY_SHARE, MEMORY_BYTES = 0.02, 4096
"""Allocations that differ by more than both are called changed: counts are exact, but Python keeps some memory."""


def conclude(session: ComparisonSession, *, complete: bool) -> Comparison:
    """Judge what was measured, and write the record."""
    stored = calibration.read(session.environment)
    margin = max(calibration.margin(stored), session.tier.min_margin)
    rows, control_rows, verdict = _judged(session, margin)
    counted = [case for case in session.setting.family.cases if not session.state.out(case.id)]
    metrics = [
        *memory_rows(counted, session.measured),
        *compile_rows(session.measured, margin=calibration.COMPILE_MARGIN, rule=session.rule),
    ]
    session.warnings += [
        *calibration.warnings(stored, rows, case_seconds=session.tier.case_seconds),
        *_warnings(session),
    ]
    every = (*apply_controls(rows, verdict), *metrics)
    record = Comparison(
        format=FORMAT,
        command=shlex.join(["gdbench", *sys.argv[1:]]),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        tier=session.tier.name,
        complete=complete,
        progress="" if complete else session.progress,
        base=session.setting.builds[0].side.record,
        head=session.setting.builds[1].side.record,
        environment=session.environment,
        settings=_settings(session, stored, margin),
        controls=Controls(verdict.status, verdict.reason, tuple(control_rows)),
        cases=every,
        warnings=tuple(session.warnings),
        counts=counts(every),
        exit_code=exit_code(every, verdict.status, effect=session.rule.effect, complete=complete),
        ended_early=not complete,
    )
    write_record(session.folder, record)
    return record


def _warnings(session: ComparisonSession) -> Iterator[str]:
    """Say what must not be overlooked."""
    blocks = [*session.measured.screen, *session.measured.confirm]
    compiled = sum(block.compiled_while_timed for block in blocks)
    if compiled:
        yield f"Code was compiled while it was timed in {compiled} of {len(blocks)} blocks: times may be too long."
    if session.setting.family.note:
        yield session.setting.family.note
    for build in session.setting.builds:
        if build.side.kind == "revision" and build.side.dirty:
            yield (
                f"Uncommitted changes of kernels/ are not part of {build.side.text}: name the folder . to measure them."
            )


def _judged(session: ComparisonSession, margin: float) -> tuple[list[CaseResult], list[CaseResult], ControlsVerdict]:
    """Judge by the blocks; what could not be measured has its own verdict and no numbers."""
    rows, control_rows, verdict = case_rows(
        session.setting.family.cases, session.measured, margin=margin, rule=session.rule
    )
    for name, reasons in ((BROKEN, session.state.broken), (MISSING, session.state.missing)):
        rows = [_without_numbers(row, name, reasons[row.case]) if row.case in reasons else row for row in rows]
    return rows, control_rows, verdict


def _without_numbers(row: CaseResult, verdict: str, reason: str) -> CaseResult:
    return replace(row.with_verdict(verdict, reason), ratio=None, low=None, high=None, base=None, head=None)


def _settings(session: ComparisonSession, stored: calibration.Calibration | None, margin: float) -> ComparisonSettings:
    rule, tier = session.rule, session.tier
    return ComparisonSettings(
        equivalence=rule.equivalence,
        fdr=rule.fdr,
        effect=rule.effect,
        screen_blocks=len(session.measured.screen),
        confirm_blocks=len(session.measured.confirm),
        case_seconds=tier.case_seconds,
        quads=tier.quads,
        margin=margin,
        margin_source=calibration.source(stored) if margin > tier.min_margin else f"tier {tier.name}",
        seed=session.setting.seed,
        seconds=monotonic() - session.begun,
    )


def case_rows(
    cases: Sequence[Case], measured: Measurements, *, margin: float, rule: Rule
) -> tuple[list[CaseResult], list[CaseResult], ControlsVerdict]:
    """Judge all cases and controls by time; return the rows of both, and what the controls allow."""
    found = _judge(measured, [case.id for case in cases], margin, rule)
    controlled = _judge(measured, CONTROLS, margin, rule)  # no share in the family of the cases
    return (
        [_timed(axes_of(case), one, measured) for case, one in zip(cases, found, strict=True)],
        [_timed(CaseAxes(case=name), one, measured) for name, one in zip(CONTROLS, controlled, strict=True)],
        _controls_verdict(controlled, measured),
    )


def _judge(measured: Measurements, keys: Sequence[str], margin: float, rule: Rule) -> list[Judgement]:
    margins = [margin] * len(keys)
    found = judge(table(measured.screen, keys), table(measured.confirm, keys), margins=margins, rule=rule)
    return [_steady(judgement, key, measured) for judgement, key in zip(found, keys, strict=True)]


def _controls_verdict(found: list[Judgement], measured: Measurements) -> ControlsVerdict:
    if not measured.confirm:
        return ControlsVerdict("underpowered", "the run ended before its controls were confirmed")
    return controls(found[:-1], found[-1])


def _steady(judgement: Judgement, key: str, measured: Measurements) -> Judgement:
    """Downgrade a case whose log-ratio drifted inside too many of the blocks that decided."""
    if not unsteady(measured.deciding(judgement.stage), key):
        return judgement
    reason = "it drifted inside too many blocks"
    return replace(judgement, verdict=INSUFFICIENT, reason=reason, disagreement=math.nan)


def _timed(axes: CaseAxes, judgement: Judgement, measured: Measurements) -> CaseResult:
    base, head = _seconds(measured, axes.case)
    return _row(axes, "time", "s", base, head, judgement, measured)


def _seconds(measured: Measurements, key: str) -> tuple[float | None, float | None]:
    """Return the median times of both sides, of the last stage that has the case."""
    for blocks in (measured.confirm, measured.screen):
        there = [block.cases[key] for block in blocks if key in block.cases]
        if there:
            times = np.median([(sample.base_seconds, sample.head_seconds) for sample in there], axis=0)
            return float(times[0]), float(times[1])
    return None, None


def _row(
    axes: CaseAxes,
    metric: Metric,
    unit: str,
    base: float | None,
    head: float | None,
    judgement: Judgement,
    measured: Measurements,
) -> CaseResult:
    blocks = measured.deciding(judgement.stage)
    needed = judgement.blocks_needed
    minutes = None if needed is None or not blocks else needed * float(np.mean([b.seconds for b in blocks])) / 60
    numbers = {name: _finite(value) for name, value in asdict(judgement).items()}
    return CaseResult(
        **vars(axes),
        metric=metric,
        unit=unit,
        base=_finite(base),
        head=_finite(head),
        **numbers,
        minutes_needed=_finite(minutes),
    )


def _finite(value: Any) -> Any:
    """Return None for NaN and infinity, anything else as it is."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def memory_rows(cases: Sequence[Case], measured: Measurements) -> list[CaseResult]:
    """Compare the bytes that a call allocates: counts, not samples, so one of each side is enough."""
    rows = []
    for case in cases:
        base, head = measured.allocated.get(case.id, [None, None])
        if base is None or head is None:
            continue
        differs = abs(head - base) > max(MEMORY_SHARE * base, MEMORY_BYTES)
        verdict = UNCHANGED if not differs else REGRESSED if head > base else IMPROVED
        ratio = head / base if base else (1.0 if head == base else math.inf)
        unknown = math.nan, math.nan, math.nan, math.nan
        judgement = Judgement(verdict, ratio, ratio, ratio, *unknown, 1, 0.0, 0.0, None, "screen", "")
        rows.append(_row(axes_of(case), "memory", "B", base, head, judgement, Measurements()))
    return rows


def compile_rows(measured: Measurements, *, margin: float, rule: Rule) -> list[CaseResult]:
    """Judge the CPU seconds of fresh compilations by the same rule, a fresh pair of processes being a block."""
    names = list(dict.fromkeys(name for entry in measured.compiled for name in entry))
    if not names:
        return []
    times = np.array([[entry.get(name, [math.nan] * 2) for name in names] for entry in measured.compiled], float)
    times[~(times > 0)] = math.nan  # loaded, not compiled: CPU clocks tick in steps
    ratios = np.log(times[:, :, 1] / times[:, :, 0])
    found = judge(np.full((1, len(names)), math.nan), ratios, margins=[margin] * len(names), rule=rule)
    rows = []
    for position, (name, judgement) in enumerate(zip(names, found, strict=True)):
        there = times[~np.isnan(ratios[:, position]), position]
        base, head = np.median(there, axis=0) if len(there) else (math.nan, math.nan)
        axes = CaseAxes(case=f"compile {name}", variant=name)
        rows.append(_row(axes, "compile", "s", float(base), float(head), judgement, Measurements()))
    return rows


def exit_code(rows: Sequence[CaseResult], status: str, *, effect: float, complete: bool) -> int:
    """Return the exit code of a whole comparison: 4 a kernel or control failed, 1 slower, 3 not known, 0 fine.

    A case is resolved if it has a verdict, or if its interval rules the effect out that was asked about. A comparison
    that did not come to its end is never fine.
    """
    timed = [row for row in rows if row.metric == "time"]
    measured = [row for row in timed if row.base is not None]
    if status == "invalid" or not measured or any(row.verdict == BROKEN for row in timed):
        return exit_codes.KERNEL_WRONG
    if any(row.verdict == REGRESSED for row in rows):
        return exit_codes.REGRESSED
    resolved = sum(row.verdict != INSUFFICIENT or row.rules_out(effect) for row in measured)
    enough = complete and status == "valid" and resolved >= RESOLVED_SHARE * len(measured)
    return exit_codes.OK if enough else exit_codes.NOT_ENOUGH_EVIDENCE


def apply_controls(rows: Sequence[CaseResult], verdict: ControlsVerdict) -> list[CaseResult]:
    """Downgrade the times that failed controls do not support: all if invalid, "unchanged" if underpowered."""
    void = {"valid": (), "underpowered": (UNCHANGED,), "invalid": (UNCHANGED, REGRESSED, IMPROVED)}[verdict.status]
    return [
        row.with_verdict(INSUFFICIENT, verdict.reason) if row.verdict in void and row.metric == "time" else row
        for row in rows
    ]


def counts(rows: Sequence[CaseResult]) -> dict[str, int]:
    """Return the number of cases with each verdict, by time."""
    return dict(Counter(row.verdict for row in rows if row.metric == "time"))
