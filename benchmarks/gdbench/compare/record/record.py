"""The records of a comparison: raw blocks, and ``comparison.json`` with what they say about each case."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gdbench.basics import records
from gdbench.basics.folders import writing
from gdbench.compare.environments.record import VersionDifference
from gdbench.compare.judge.terms import ControlsVerdict, GroupVerdict, rules_out
from gdbench.compare.sides.sides import ComparedSide
from gdbench.experiments.cases import Case
from gdbench.machine.environment import Environment
from kernels import InputError

FILE = "comparison.json"
FORMAT = 2
RAW = "raw"
"""Folder of the raw blocks within that of a comparison."""
UNSTEADY_SHARE = 0.2
"""Share of blocks in which a case may drift before nothing is said of it."""

Metric = Literal["time", "compile", "memory", "instructions"]


@dataclass(frozen=True)
class PairedSample:
    """What one block measured of a case: times are medians over quads, seconds per call."""

    log_ratio: float
    """log t_head - log t_base, the only datum of the block that enters a test."""
    base_seconds: float
    head_seconds: float
    calls: int
    """Calls in a sample."""
    quads: int
    unsteady: bool
    """Whether the log-ratio drifted within the block."""
    cpu_share: tuple[float, ...]
    """CPU time over wall time of base and head."""
    switches: tuple[int, ...]
    """Involuntary context switches of base and head."""


@dataclass(frozen=True)
class MeasuredBlock:
    """A raw file: what one fresh pair of processes measured."""

    stage: int
    index: int
    hash_seed: int
    padding_bytes: int
    core: tuple[int, ...]
    load_1_minute: float
    compiled_while_timed: bool
    seconds: float
    cases: dict[str, PairedSample]
    """By case, or name of a control."""


@dataclass(frozen=True)
class Count:
    """Instructions per call, or None and why they could not be counted."""

    per_call: float | None
    reason: str = ""


@dataclass
class Measurements:
    """All that was measured: blocks of both stages, bytes by case, seconds of compilation by what was compiled."""

    screen: list[MeasuredBlock] = field(default_factory=list)
    confirm: list[MeasuredBlock] = field(default_factory=list)
    confirm_planned: int = 0
    """Blocks of the confirmation before it began."""
    allocated: dict[str, list[int | None]] = field(default_factory=dict)
    counted: dict[str, tuple[Count, Count]] = field(default_factory=dict)
    """Instructions per call of base and head by case, where they were asked for."""
    compiled: list[dict[str, list[float]]] = field(default_factory=list)
    """CPU seconds of base and head by name, for each fresh compilation."""

    def deciding(self, stage: str) -> list[MeasuredBlock]:
        """Blocks of the stage that decided, "screen" or "confirm"."""
        return self.confirm if stage == "confirm" else self.screen


@dataclass(frozen=True)
class TaskRatio:
    """The ratio head / base of one task of a case, with its interval."""

    task: str
    ratio: float
    low: float
    high: float


@dataclass(frozen=True)
class InstructionRatio:
    """Instructions per call of base and head, and how they were counted."""

    base: float
    head: float
    ratio: float
    note: str


@dataclass(frozen=True)
class Explanation:
    """What ``--explain`` found of a regression."""

    tasks: tuple[TaskRatio, ...]
    instructions: InstructionRatio | None
    reading: str


@dataclass(frozen=True, kw_only=True)
class CaseAxes:
    """What a row is of; the axes are None where that is no case of the grid: a control, or a compilation."""

    case: str
    network: str | None = None
    dataset: str | None = None
    n_rows: int | None = None
    task: str | None = None
    variant: str | None = None
    batch_size: int | None = None
    dtype: str | None = None
    threads: int | None = None


@dataclass(frozen=True, kw_only=True)
class CaseResult(CaseAxes):
    """A row: one case in one metric, with its verdict; numbers that could not be had are None.

    ``ratio`` and what follows are those of ``judge.terms.Judgement``.
    """

    metric: Metric
    unit: str
    base: int | float | None
    """Median of the base; bytes, which are counted, stay whole numbers."""
    head: int | float | None
    verdict: str
    ratio: float | None
    low: float | None
    high: float | None
    p: float | None
    p_adjusted: float | None
    blocks: int
    pair_sd: float | None
    bias_sd: float | None
    smallest_effect: float | None
    blocks_needed: int | None
    stage: str
    reason: str
    claimable: bool = True
    minutes_needed: float | None
    explanation: Explanation | None = None

    def rules_out(self, effect: float) -> bool:
        """Whether the interval leaves no room for a change by a relative effect, in either direction."""
        return self.low is not None and self.high is not None and rules_out(self.low, self.high, effect)


@dataclass(frozen=True)
class Controls(ControlsVerdict):
    """The verdict of the controls with the row of each."""

    cases: tuple[CaseResult, ...]


@dataclass(frozen=True, kw_only=True)
class ComparisonSettings:
    """How it was measured and judged; effects and margins are relative."""

    equivalence: float
    fdr: float
    effect: float
    screen_blocks: int
    """Blocks that were measured."""
    confirm_blocks: int
    confirm_planned: int = 0
    """Blocks of the confirmation before it began, over which fresh builds are spread; 0: not recorded."""
    case_seconds: float
    quads: int
    margin: float
    suite_margin: float
    layouts: int
    """Fresh builds of each side; 1: those of the cache."""
    bias_sd: float
    """Spread of the bias of builds over cases, as this run found it."""
    bias_expected: float
    bias_source: str
    seed: int | None = None
    seconds: float


@dataclass(frozen=True)
class Comparison:
    """What ``comparison.json`` holds."""

    format: int
    command: str
    date: str
    tier: str
    complete: bool
    """Whether every block was measured, so that all verdicts are reached."""
    progress: str
    """How far it got, in words, if it ended early."""
    base: ComparedSide
    head: ComparedSide
    environment: Environment
    """The machine, and what the head ran on."""
    settings: ComparisonSettings
    controls: Controls
    suite: GroupVerdict
    """Geometric mean of the ratios of all cases."""
    groups: tuple[GroupVerdict, ...]
    """The same of cases that share something."""
    cases: tuple[CaseResult, ...]
    warnings: tuple[str, ...]
    counts: dict[str, int]
    """Number of cases with each verdict, by time."""
    exit_code: int
    ended_early: bool = False
    """Whether it was stopped, or lost a process: before its last block or, if ``complete``, while it explained."""
    differences: tuple[VersionDifference, ...] = ()
    """Versions of Python and packages that differ, where environments are compared."""

    def of_metric(self, metric: str) -> list[CaseResult]:
        """Rows of one metric, in their order."""
        return [row for row in self.cases if row.metric == metric]


def axes_of(case: Case) -> CaseAxes:
    """Return what the rows of a case are of."""
    return CaseAxes(case=case.id, **vars(case))


def table(blocks: Sequence[MeasuredBlock], keys: Sequence[str]) -> NDArray[np.float64]:
    """Return the log-ratios of blocks, (blocks, cases), NaN where a case was not measured."""
    values = [[block.cases[key].log_ratio if key in block.cases else math.nan for key in keys] for block in blocks]
    return np.array(values, float).reshape(len(blocks), len(keys))


def unsteady(blocks: Sequence[MeasuredBlock], key: str) -> bool:
    """Whether a case drifted in more blocks than noise explains."""
    drifted = [block.cases[key].unsteady for block in blocks if key in block.cases]
    return bool(sum(drifted) > UNSTEADY_SHARE * len(drifted))


def write_block(folder: Path, name: str, block: MeasuredBlock) -> None:
    """Write the raw file of a block, in one line, into the folder of its comparison."""
    with writing(folder):
        records.write(folder / RAW / f"{name}-{block.index:03d}.json", block, indent=None)


def write_record(folder: Path, record: Comparison) -> None:
    """Write the record into the folder of its comparison."""
    with writing(folder):
        records.write(folder / FILE, record)


def read_record(folder: Path) -> Comparison:
    """Read the record of a comparison.

    Raises
    ------
    InputError
        If the folder holds none, or one of another version.
    """
    path = folder / FILE
    if not path.exists():
        raise InputError(f"{folder} holds no comparison: name a folder that gdbench compare made")
    found = records.read(path, _Head, remedy="name a folder that gdbench compare made")
    if found.format != FORMAT:
        raise InputError(f"the comparison in {folder} is of another version of gdbench: compare again")
    return records.read(path, Comparison, remedy="compare again")


@dataclass(frozen=True)
class _Head:
    """What a record of any version has."""

    format: int | None = None
