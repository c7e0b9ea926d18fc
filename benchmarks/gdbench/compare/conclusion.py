"""The end of a comparison: what was measured is judged, and the record written."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from gdbench.basics.records import plain
from gdbench.compare import calibration
from gdbench.compare.record import (
    FORMAT,
    believe,
    case_rows,
    compile_rows,
    counts,
    exit_code,
    memory_rows,
    write_record,
)
from gdbench.compare.session import Session
from gdbench.compare.verdicts import BROKEN, MISSING, Controls


def conclude(session: Session, *, complete: bool) -> dict[str, Any]:
    """Judge what was measured, and write the record."""
    family, state = session.setting.family, session.state
    stored = calibration.read(session.environment)
    cases: list[dict[str, Any]] = [{"case": case.id, **case.to_dict()} for case in family.cases]
    margin = max(calibration.margin(stored), session.tier.least_margin)
    rows, control_rows, verdict = _judged(session, cases, margin)
    metrics = memory_rows([case for case in cases if not state.out(str(case["case"]))], session.measured)
    metrics += compile_rows(session.measured, margin=calibration.COMPILE_MARGIN, rule=session.rule)
    session.warnings += [
        *calibration.warnings(stored, rows, case_seconds=session.tier.case_seconds),
        *_warnings(session),
    ]
    rows = believe(rows, verdict)
    every = [*rows, *metrics]
    record = {
        "format": FORMAT,
        "command": shlex.join(["gdbench", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "tier": session.tier.name,
        "complete": complete,
        "progress": "" if complete else session.progress,
        "base": session.setting.builds[0].side.for_json(),
        "head": session.setting.builds[1].side.for_json(),
        "environment": plain(session.environment),
        "settings": _settings(session, stored, margin),
        "controls": {**asdict(verdict), "cases": control_rows},
        "cases": every,
        "warnings": session.warnings,
        "counts": counts(every),
        "exit_code": exit_code(every, verdict.status, effect=session.rule.effect, complete=complete),
    }
    write_record(session.folder, record)
    return record


def _warnings(session: Session) -> Iterator[str]:
    """Say what must not be overlooked."""
    blocks = [*session.measured.screen, *session.measured.confirm]
    compiled = sum(block["compiled_while_timed"] for block in blocks)
    if compiled:
        yield f"Code was compiled while it was timed in {compiled} of {len(blocks)} blocks: times may be too long."
    if session.setting.family.note:
        yield session.setting.family.note
    for build in session.setting.builds:
        if build.side.kind == "revision" and build.side.dirty:
            yield (
                f"Uncommitted changes of kernels/ are not part of {build.side.text}: name the folder . to measure them."
            )


def _judged(
    session: Session, cases: list[dict[str, Any]], margin: float
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Controls]:
    """Judge by the blocks; what could not be measured has its own verdict and no numbers."""
    rows, control_rows, verdict = case_rows(cases, session.measured, margin=margin, rule=session.rule)
    for row in rows:
        for name, reasons in ((BROKEN, session.state.broken), (MISSING, session.state.missing)):
            if row["case"] in reasons:
                row.update(dict.fromkeys(("ratio", "low", "high", "base", "head")))
                row.update(verdict=name, reason=reasons[row["case"]])
    return rows, control_rows, verdict


def _settings(session: Session, stored: calibration.Stored | None, margin: float) -> dict[str, Any]:
    rule, tier = session.rule, session.tier
    return {
        "equivalence": rule.equivalence,
        "fdr": rule.fdr,
        "effect": rule.effect,
        "screen_blocks": len(session.measured.screen),
        "confirm_blocks": len(session.measured.confirm),
        "case_seconds": tier.case_seconds,
        "quads": tier.quads,
        "margin": margin,
        "margin_source": calibration.source(stored) if margin > tier.least_margin else f"tier {tier.name}",
        "seed": session.setting.seed,
        "seconds": monotonic() - session.begun,
    }
