"""Records of comparisons for tests: seeded pairs go through the real ``judge``; no verdict is written here."""

from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from gdbench.basics import records
from gdbench.compare.conclusion import case_rows, compile_rows, counts, judge_measured, memory_rows
from gdbench.compare.judge.cases import needs_confirmation
from gdbench.compare.judge.terms import BROKEN, INSUFFICIENT, MISSING, REGRESSED, CaseBlocks, Verdicts
from gdbench.compare.measure.controls import CANARIES, control_names, spike_in
from gdbench.compare.measure.instructions import NOTE
from gdbench.compare.measure.session import State
from gdbench.compare.record.record import (
    CaseResult,
    Comparison,
    ComparisonSettings,
    Controls,
    Explanation,
    InstructionRatio,
    MeasuredBlock,
    Measurements,
    PairedSample,
    TaskRatio,
    table,
)
from gdbench.compare.record.tiers import STANDARD
from gdbench.compare.sides.sides import ComparedSide
from gdbench.experiments.cases import CASE_COLUMNS, Case
from gdbench.machine.environment import Environment, describe

SCREEN_BLOCKS, CONFIRM_BLOCKS = 8, 24
SETTINGS = STANDARD.settings
CONTROLS, SPIKE = control_names(STANDARD.effect), spike_in(STANDARD.effect)
QUIET = 0.008
"""Standard deviation over blocks of the log-ratio of a steady case."""
EXPERIMENTS = (("mlp", "mnist5k", 5000), ("softmax", "digits", 1797), ("linear", "diabetes", 442))
AXES = (EXPERIMENTS, ("gradient", "epoch"), ("jit", "vectorized"), (1, 32, 442), ("float32", "float64"))
BASE_SECONDS, BASE_BYTES, COMPILE_SECONDS = 2e-4, 401_408, 0.8
COMPILE_PAIRS = 8
SLOWER, MUCH_SLOWER, FASTER, LOST, WRONG, ABSENT = 10, 3, 20, 50, 70, 71
"""Positions of the cases that ``something_of_everything`` is about."""
HOSTILE = "</script><b id=broken>@someone |`*_x_*`\n# title"
READING = "more work: 1.25x the instructions; of <b>the</b> tasks gradient became slowest"


def cases() -> list[Case]:
    """Seventy-two cases of three networks."""
    return [Case(*experiment, task, variant, size, dtype) for experiment, task, variant, size, dtype in product(*AXES)]


def make(
    chosen: list[Case] | None = None,
    *,
    effects: dict[int, float] | None = None,
    spreads: dict[int, float] | None = None,
    absent: dict[int, tuple[str, str]] | None = None,
    canary: float = 0.0,
    spike: float = SPIKE.ratio - 1,
    kept: tuple[int, int] | None = None,
    seed: int = 0,
    **fields: Any,
) -> Comparison:
    """Return the record of a simulated comparison.

    Parameters
    ----------
    effects, spreads
        Relative slowdown, and standard deviation of the log-ratio, of the cases at these positions; 0 and ``QUIET``
        for the others.
    absent
        Verdict (``BROKEN`` or ``MISSING``) and reason of cases that have no pairs.
    canary, spike
        What the controls really are.
    kept
        Blocks of the screen and of the confirmation that were measured before the run ended; all if not given.
    fields
        Entries of the record that are to be different.
    """
    chosen = cases() if chosen is None else chosen
    rng = np.random.default_rng(seed)
    keys = [*(case.id for case in chosen), *CONTROLS]
    planted = [(effects or {}).get(i, 0.0) for i in range(len(chosen))] + [canary] * len(CANARIES) + [spike]
    noise = [(spreads or {}).get(i, QUIET) for i in range(len(keys))]
    found = measure(keys, planted, noise, rng)
    if kept is not None:
        found = Measurements(found.screen[: kept[0]], found.confirm[: kept[1]])
    state = State()
    for i, (verdict, reason) in (absent or {}).items():
        (state.broken if verdict == BROKEN else state.missing)[chosen[i].id] = reason
    settings = replace(SETTINGS, complete=fields.get("complete", True))
    judged = judge_measured(chosen, found, state, settings, controls=CONTROLS)
    return assemble(judged, chosen, found, fields)


def something_of_everything() -> Comparison:
    """Slower, faster, unresolved, broken, missing; bytes and compilation too."""
    record = make(
        effects={MUCH_SLOWER: 0.24, SLOWER: 0.08, FASTER: -0.2},
        spreads={LOST: 0.08},
        absent={WRONG: (BROKEN, HOSTILE), ABSENT: (MISSING, "base has no variant vectorized")},
        warnings=["the load was 3.1 on 2 cores"],
    )
    return explained(with_compile(with_memory(record, {5: 2 * BASE_BYTES}), [0.0, 0.4]), READING)


def measure(keys: list[str], effects: list[float], spreads: list[float], rng: np.random.Generator) -> Measurements:
    """Simulate blocks of both stages; controls are confirmed always, cases where the screen leaves doubt."""
    screen = blocks(keys, effects, spreads, SCREEN_BLOCKS, rng)
    columns = dict(zip(keys, table(screen, keys).T, strict=True))
    wanted = needs_confirmation({key: CaseBlocks(tuple(column)) for key, column in columns.items()}, SETTINGS)
    sent = [i for i, key in enumerate(keys) if wanted[key] or key in CONTROLS]
    confirm = blocks(*([values[i] for i in sent] for values in (keys, effects, spreads)), CONFIRM_BLOCKS, rng)
    return Measurements(screen, confirm)


def blocks(
    keys: list[str], effects: list[float], spreads: list[float], number: int, rng: np.random.Generator
) -> list[MeasuredBlock]:
    """Return simulated blocks."""
    ratios = rng.normal(np.log1p(effects), spreads, (number, len(keys))).tolist()
    return [block(dict(zip(keys, line, strict=True))) for line in ratios]


def block(log_ratios: dict[str, float]) -> MeasuredBlock:
    """Return a block with these log-ratios."""
    found = {key: sample(value, BASE_SECONDS) for key, value in log_ratios.items()}
    return MeasuredBlock(0, 0, 0, 0, (0,), 0.0, compiled_while_timed=False, seconds=10.0, cases=found)


def sample(log_ratio: float, base_seconds: float) -> PairedSample:
    """Return what a block measures of a case of this log-ratio."""
    times = base_seconds, base_seconds * float(np.exp(log_ratio))
    return PairedSample(log_ratio, *times, calls=1, quads=10, unsteady=False, cpu_share=(1.0, 1.0), switches=(0, 0))


def assemble(judged: Verdicts, chosen: list[Case], measured: Measurements, fields: dict[str, Any]) -> Comparison:
    """Return the whole record, as it comes back from its file."""
    rows, control_rows = case_rows(chosen, judged, measured)
    controls = Controls(judged.controls.status, judged.controls.reason, tuple(control_rows))
    complete = fields.get("complete", True)
    told: dict[str, Any] = {
        "format": 2,
        "command": "gdbench compare main HEAD --quick",
        "date": "2026-01-31T09:30:00+00:00",
        "tier": "standard",
        "complete": complete,
        "progress": "",
        "base": ComparedSide("main", "revision", "1f0c" * 10),
        "head": ComparedSide("HEAD", "revision", "9b3e" * 10),
        "environment": environment(),
        "settings": ComparisonSettings(
            equivalence=SETTINGS.equivalence,
            fdr=SETTINGS.fdr,
            effect=SETTINGS.effect,
            screen_blocks=len(measured.screen),
            confirm_blocks=len(measured.confirm),
            case_seconds=0.1,
            quads=12,
            margin=SETTINGS.margin,
            suite_margin=SETTINGS.suite_margin,
            layouts=SETTINGS.layouts,
            bias_sd=judged.bias_sd,
            bias_expected=SETTINGS.bias_sd,
            bias_source="default",
            seconds=412.0,
        ),
        "controls": controls,
        "suite": judged.suite,
        "groups": judged.groups,
        "cases": tuple(rows),
        "warnings": (),
        "counts": counts(rows),
        "exit_code": judged.exit_code,
        "ended_early": not complete,
    }
    return records.parse(records.plain(Comparison(**(told | fields))), Comparison)


def with_memory(record: Comparison, head_bytes: dict[int, int], *, base_bytes: int = BASE_BYTES) -> Comparison:
    """Return the record with allocated bytes too; those of head are given for some cases."""
    chosen = [Case(**{name: getattr(row, name) for name in CASE_COLUMNS}) for row in record.cases]
    allocated: dict[str, list[int | None]] = {
        case.id: [base_bytes, head_bytes.get(i, base_bytes)] for i, case in enumerate(chosen)
    }
    return extended(record, memory_rows(chosen, Measurements(allocated=allocated)))


def with_compile(record: Comparison, effects: list[float], *, seed: int = 1) -> Comparison:
    """Return the record with simulated times of compilation too."""
    rng, seconds = np.random.default_rng(seed), COMPILE_SECONDS
    compiled = [
        {
            ("jit", "tiled", "sparse")[i]: [seconds, seconds * (1 + effect) * rng.lognormal(0, 0.01)]
            for i, effect in enumerate(effects)
        }
        for _ in range(COMPILE_PAIRS)
    ]
    return extended(record, compile_rows(Measurements(compiled=compiled), SETTINGS))


def extended(record: Comparison, more: list[CaseResult]) -> Comparison:
    """Return the record with more rows, and the exit code that they make."""
    proven = any(row.verdict == REGRESSED for row in more) and record.exit_code != 4
    return replace(record, cases=(*record.cases, *more), exit_code=1 if proven else record.exit_code)


def explained(record: Comparison, reading: str) -> Comparison:
    """Return the record with what --explain adds to its first regression."""
    slower = next(row for row in record.cases if row.verdict == REGRESSED)
    assert slower.ratio is not None
    assert slower.low is not None
    assert slower.high is not None
    tasks = TaskRatio("forward", 1.0, 0.99, 1.01), TaskRatio("gradient", slower.ratio, slower.low, slower.high)
    added = Explanation(tasks, InstructionRatio(1_200_000, 1_500_000, 1.25, NOTE), reading)
    rows = (replace(row, explanation=added) if row is slower else row for row in record.cases)
    return replace(record, cases=tuple(rows))


def uncontrolled(record: Comparison, reason: str) -> Comparison:
    """Return the record as if its canaries had differed: no verdict on times can be claimed."""
    rows = (
        replace(row, verdict=INSUFFICIENT, reason=reason, claimable=False) if row.metric == "time" else row
        for row in record.cases
    )
    return replace(record, cases=tuple(rows), controls=replace(record.controls, status="invalid", reason=reason))


@cache
def environment() -> Environment:
    """Return this machine's own description."""
    return describe()
