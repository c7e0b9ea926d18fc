"""The end of a comparison: what was measured goes to the judge, and the record is written."""

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

from gdbench.compare import calibration
from gdbench.compare.environments.record import VersionDifference, differences
from gdbench.compare.judge.rule import exit_code, judge
from gdbench.compare.judge.terms import (
    BROKEN,
    IMPROVED,
    MISSING,
    REGRESSED,
    UNCHANGED,
    CaseBlocks,
    Judgement,
    JudgeSettings,
    Verdicts,
)
from gdbench.compare.measure.controls import control_names
from gdbench.compare.measure.instructions import SAME_WORK
from gdbench.compare.measure.session import ComparisonSession, State
from gdbench.compare.record.record import (
    FORMAT,
    CaseAxes,
    CaseResult,
    Comparison,
    ComparisonSettings,
    Controls,
    Measurements,
    Metric,
    axes_of,
    unsteady,
    write_record,
)
from gdbench.compare.sides.builds import Build
from gdbench.compare.views.tables import COUNTED
from gdbench.experiments.cases import Case

MEMORY_SHARE, MEMORY_BYTES = 0.02, 4096
"""Allocations that differ by more than both are called changed: counts are exact, but Python keeps some memory."""
COMPILE_MARGIN = 0.05
"""Relative difference of CPU seconds of compilation of which no claim is made."""


def conclude(session: ComparisonSession, *, complete: bool) -> Comparison:
    """Judge what was measured, and write the record."""
    stored = calibration.read(session.environment)
    settings = session.settings
    expected = calibration.expected_bias(stored, settings.layouts)
    settings = replace(settings, bias_sd=expected, complete=complete)
    cases = session.setting.family.cases
    controls = control_names(session.tier.effect)
    found = judge_measured(cases, session.measured, session.state, settings, controls=controls)
    rows, control_rows = case_rows(cases, found, session.measured)
    counted = [case for case in cases if not session.state.out(case.id)]
    metrics = [*memory_rows(counted, session.measured), *compile_rows(session.measured, settings)]
    session.warnings += [
        *calibration.warnings(stored, rows, case_seconds=math.nan if session.shortened else session.tier.case_seconds),
        *_warnings(session),
    ]
    every = (*rows, *metrics, *instruction_rows(cases, session.measured))  # which decide nothing
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
        settings=_settings(session, settings, calibration.source(stored), found.bias_sd),
        controls=Controls(found.controls.status, found.controls.reason, tuple(control_rows)),
        suite=found.suite,
        groups=found.groups,
        cases=every,
        warnings=tuple(session.warnings),
        counts=counts(every),
        exit_code=exit_code(found, [row.verdict for row in metrics], settings),
        ended_early=not complete,
        differences=_differences(session.setting.builds),
    )
    write_record(session.folder, record)
    return record


def _differences(builds: tuple[Build, Build]) -> tuple[VersionDifference, ...]:
    """Return in which versions two environments differ."""
    base, head = (build.side.environment for build in builds)
    return differences(base.installed, head.installed) if base and head else ()


def _warnings(session: ComparisonSession) -> Iterator[str]:
    """Say what must not be overlooked."""
    blocks = [*session.measured.screen, *session.measured.confirm]
    compiled = sum(block.compiled_while_timed for block in blocks)
    if compiled:
        yield f"Code was compiled while it was timed in {compiled} of {len(blocks)} blocks: times may be too long."
    if session.setting.family.note:
        yield session.setting.family.note
    sides = [build.side for build in session.setting.builds]
    for revision in dict.fromkeys(side.revision for side in sides if side.kind == "revision" and side.dirty):
        yield f"Uncommitted changes of kernels/ are not part of {revision}: name the folder . to measure them."


def _settings(session: ComparisonSession, settings: JudgeSettings, source: str, bias_sd: float) -> ComparisonSettings:
    tier = session.tier
    return ComparisonSettings(
        equivalence=settings.equivalence,
        fdr=settings.fdr,
        effect=settings.effect,
        screen_blocks=len(session.measured.screen),
        confirm_blocks=len(session.measured.confirm),
        confirm_planned=session.measured.confirm_planned,
        case_seconds=tier.case_seconds,
        quads=tier.quads,
        margin=settings.margin,
        suite_margin=settings.suite_margin,
        layouts=settings.layouts,
        bias_sd=bias_sd,
        bias_expected=settings.bias_sd,
        bias_source=source,
        seed=session.setting.seed,
        seconds=monotonic() - session.begun,
    )


def judge_measured(
    cases: Sequence[Case], measured: Measurements, state: State, settings: JudgeSettings, *, controls: Sequence[str]
) -> Verdicts:
    """Give the blocks of all cases and controls to the judge."""
    absent = {
        key: (name, why)
        for name, told in ((BROKEN, state.broken), (MISSING, state.missing))
        for key, why in told.items()
    }
    return judge(
        {case.id: _blocks_of(case.id, measured, absent.get(case.id)) for case in cases},
        {name: _blocks_of(name, measured, absent.get(name)) for name in controls},
        settings,
    )


def _blocks_of(key: str, measured: Measurements, absent: tuple[str, str] | None) -> CaseBlocks:
    stages = measured.screen, measured.confirm
    screen, confirm = (
        tuple(block.cases[key].log_ratio if key in block.cases else math.nan for block in blocks) for blocks in stages
    )
    if confirm:  # blocks that an end came before are lost ones: each build has its place among all that were planned
        confirm += (math.nan,) * (measured.confirm_planned - len(confirm))
    drifted = unsteady(measured.screen, key), unsteady(measured.confirm, key)
    return CaseBlocks(screen, confirm, unsteady=drifted, absent=absent)


def case_rows(
    cases: Sequence[Case], found: Verdicts, measured: Measurements
) -> tuple[list[CaseResult], list[CaseResult]]:
    """Return a row for each case and for each control."""
    return (
        [_timed(axes_of(case), found.cases[case.id], measured) for case in cases],
        [_timed(CaseAxes(case=name), one, measured) for name, one in found.control_cases.items()],
    )


def _timed(axes: CaseAxes, judgement: Judgement, measured: Measurements) -> CaseResult:
    absent = judgement.verdict in (BROKEN, MISSING)
    base, head = (None, None) if absent else _seconds(measured, axes.case)
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
        if base is not None and head is not None:
            allowed = max(MEMORY_SHARE * base, MEMORY_BYTES)
            rows.append(_row(axes_of(case), "memory", "B", base, head, _counted(base, head, allowed), Measurements()))
    return rows


def instruction_rows(cases: Sequence[Case], measured: Measurements) -> list[CaseResult]:
    """Compare the instructions of a call, one count of each side, where they were asked for."""
    rows = []
    for case in cases:
        if case.id not in measured.counted:
            continue
        (base, head), axes = measured.counted[case.id], axes_of(case)
        judgement = Judgement(MISSING, reason=base.reason or head.reason)
        if base.per_call is not None and head.per_call is not None:
            judgement = _counted(base.per_call, head.per_call, SAME_WORK * base.per_call)
        rows.append(_row(axes, "instructions", COUNTED, base.per_call, head.per_call, judgement, Measurements()))
    return rows


def _counted(base: float, head: float, allowed: float) -> Judgement:
    """Judge two counts that differ by no chance."""
    verdict = UNCHANGED if abs(head - base) <= allowed else REGRESSED if head > base else IMPROVED
    ratio = head / base if base else (1.0 if head == base else math.inf)
    return Judgement(
        verdict, ratio=ratio, low=ratio, high=ratio, blocks=1, pair_sd=0.0, bias_sd=0.0, smallest_effect=0.0
    )


def compile_rows(measured: Measurements, settings: JudgeSettings) -> list[CaseResult]:
    """Judge the CPU seconds of fresh compilations by the same rule, a fresh pair of processes being a block."""
    names = list(dict.fromkeys(name for entry in measured.compiled for name in entry))
    times = {name: np.array([entry.get(name, [math.nan] * 2) for entry in measured.compiled], float) for name in names}
    for values in times.values():
        values[~(values > 0)] = math.nan  # loaded, not compiled: CPU clocks tick in steps
    blocks = {name: CaseBlocks(confirm=tuple(np.log(both[:, 1] / both[:, 0]))) for name, both in times.items()}
    found = judge(blocks, {}, replace(settings, margin=COMPILE_MARGIN, layouts=1, bias_sd=0.0))
    rows = []
    for name, both in times.items():
        there = both[~np.isnan(both).any(axis=1)]
        base, head = np.median(there, axis=0) if len(there) else (math.nan, math.nan)
        axes = CaseAxes(case=f"compile {name}", variant=name)
        rows.append(_row(axes, "compile", "s", float(base), float(head), found.cases[name], Measurements()))
    return rows


def counts(rows: Sequence[CaseResult]) -> dict[str, int]:
    """Return the number of cases with each verdict, by time."""
    return dict(Counter(row.verdict for row in rows if row.metric == "time"))
