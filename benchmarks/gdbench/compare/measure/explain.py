"""Why a proven regression is slower: which task moved, and whether the work grew or only takes longer.

Each of the four tasks is measured in fresh blocks, as the case was, and instructions are counted under valgrind. Both
serve to read a verdict that stands already; neither can change it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

import numpy as np

from gdbench.basics.units import times
from gdbench.compare.judge.cases import intervals
from gdbench.compare.judge.location import Floats
from gdbench.compare.measure.blocks import measure_block
from gdbench.compare.measure.instructions import NOTE, Count, count_both
from gdbench.compare.measure.session import ComparisonSession, StageProgress, State
from gdbench.compare.record.record import (
    CaseResult,
    Explanation,
    InstructionRatio,
    MeasuredBlock,
    TaskRatio,
    table,
    write_block,
)
from gdbench.compare.sides.family import rows_of
from gdbench.experiments.cases import Case
from gdbench.experiments.tasks import TASKS
from gdbench.processes.live import ProcessLost

STAGE = 2
"""After the screen and the confirmation, for the seeds of its blocks."""
BLOCKS = 8
SAME_WORK = 0.01
"""Instructions that differ by less, relatively, are called the same work."""
MIN_EXPLAINED = 0.5
"""Share of a slowdown, on a log scale, from which on it is put down to instructions alone."""
UPDATE = "update"
IN_AN_EPOCH = 0.05
"""A gradient within an epoch, whose rows were just gathered, may take longer or shorter than alone by so much."""


def explanations(
    session: ComparisonSession, rows: Sequence[CaseResult], *, max_rows: int = 5
) -> Iterator[tuple[str, Explanation]]:
    """Yield the case and the explanation of the largest regressions: tasks, instructions and a reading.

    Parameters
    ----------
    session : ComparisonSession
        Session of the comparison, while the arrays of its problems are still on disk.
    rows : sequence of CaseResult
        Rows of time that are proven regressions.
    max_rows : int
        Number of rows that are explained at most, since a count takes up to minutes.
    """
    chosen = sorted(rows, key=lambda row: -(row.ratio or 0.0))[:max_rows]
    if not chosen:
        return
    cases = [_case(row) for row in chosen]
    blocks = _measure(session, list(dict.fromkeys(task for case in cases for task in _tasks(case))))
    setting = session.setting
    for number, (row, case) in enumerate(zip(chosen, cases, strict=True)):
        _tell(session, f"counting instructions, {number + 1} of {len(cases)}", 0.5 + 0.5 * number / len(cases))
        found = task_entries(blocks, case, confidence=session.settings.confidence)
        counted = count_both(setting.builds, setting.family, setting.problems, case)
        told = reading(row.ratio or math.nan, found, counted)
        yield row.case, Explanation(tuple(found), instruction_ratio(counted), told)


def _case(row: CaseResult) -> Case:
    return Case(**{field.name: getattr(row, field.name) for field in fields(Case)})


def _tasks(case: Case) -> list[Case]:
    return [replace(case, task=task) for task in TASKS]


def _tell(session: ComparisonSession, words: str, share: float) -> None:
    session.report(StageProgress(f"explaining: {words}", share, None))


def _measure(session: ComparisonSession, cases: list[Case]) -> list[MeasuredBlock]:
    """Measure cases in blocks of their own; what is lost in them is no fault of the case that was judged."""
    state = State(calls=dict(session.state.calls))
    blocks: list[MeasuredBlock] = []
    for index in range(BLOCKS):
        _tell(session, f"block {index + 1} of {BLOCKS}", 0.5 * index / BLOCKS)
        there = [case for case in cases if not state.out(case.id)]
        try:
            blocks.append(measure_block(session.setting, state, there, stage=STAGE, index=index))
        except ProcessLost as error:
            session.warnings.append(f"explaining stopped after {index} of {BLOCKS} blocks: {error}")
            break
        write_block(session.folder, "explain", blocks[-1])
    return blocks


def task_entries(blocks: Sequence[MeasuredBlock], case: Case, *, confidence: float) -> list[TaskRatio]:
    """Return the ratio of each task of a case with its interval, and that of the update where it can be told.

    A task without enough blocks for an interval is left out.
    """
    keys = {task.task: task.id for task in _tasks(case)}
    ends = intervals(table(blocks, list(keys.values())), confidence=confidence)
    found = dict(zip(keys, np.exp(ends).T.tolist(), strict=True))
    rows = rows_of(replace(case, task="epoch"))
    if rows % case.batch_size == 0:  # a short last batch would count as a whole one
        epoch, gradient = (_seconds(blocks, keys[task]) for task in ("epoch", "gradient"))
        found[UPDATE] = update_ratio(epoch, rows // case.batch_size * gradient, confidence=confidence)
    return [TaskRatio(task, *ends) for task, ends in found.items() if np.all(np.isfinite(ends))]


def _seconds(blocks: Sequence[MeasuredBlock], key: str) -> Floats:
    """Return the times of base and head, (2, blocks), NaN where a case was not measured."""
    unknown = math.nan, math.nan
    there = (block.cases.get(key) for block in blocks)
    times = [unknown if sample is None else (sample.base_seconds, sample.head_seconds) for sample in there]
    return np.array(times, float).reshape(len(blocks), 2).T


def update_ratio(epoch: Floats, gradients: Floats, *, confidence: float) -> tuple[float, float, float]:
    """Return the ratio, low and high, of what an epoch does beside its gradients; NaN where that cannot be told.

    Parameters
    ----------
    epoch, gradients : array
        Seconds of an epoch, and of as many gradients as it computes, on base and head, (2, blocks).
    confidence : float
        Confidence at which the epoch must take longer than its gradients, on both sides: kernels that update while
        they compute the gradient leave nothing to distinguish. The interval holds for gradients that are slower and
        faster in an epoch by ``IN_AN_EPOCH``, since a difference of large numbers is all that is known of a small one.
    """
    beside = intervals(np.log(epoch / gradients).T, confidence=confidence)
    if not np.all(beside.low > math.log1p(IN_AN_EPOCH)):
        return math.nan, math.nan, math.nan
    rests = [epoch - factor * gradients for factor in (1, 1 + IN_AN_EPOCH, 1 - IN_AN_EPOCH)]
    log_ratios = [np.log(np.where(rest > 0, rest, math.nan)) for rest in rests]
    ends = intervals(np.array([head - base for base, head in log_ratios]).T, confidence=confidence)
    return math.exp(ends.centre[0]), math.exp(ends.low.min()), math.exp(ends.high.max())


def instruction_ratio(counted: tuple[Count, Count]) -> InstructionRatio | None:
    """Return instructions per call of base and head with their ratio, None unless both were counted."""
    base, head = (side.per_call for side in counted)
    if base is None or head is None:
        return None
    return InstructionRatio(base, head, head / base, NOTE)


def reading(ratio: float, tasks: Sequence[TaskRatio], counted: tuple[Count, Count]) -> str:
    """Say in a sentence what makes a case slower by a ratio of times: how the work moved, then which task."""
    entry = instruction_ratio(counted)
    if entry is None:
        reason = next(side.reason for side in counted if side.per_call is None)
        work = f"instructions unknown: {reason}"
    else:
        work = _work(ratio, entry.ratio)
    return f"{work}; {_moved(tasks)}"


def _work(ratio: float, instructions: float) -> str:
    if abs(instructions - 1) < SAME_WORK:
        return f"same work (instructions within {100 * SAME_WORK:g} %), placed or fed worse: {times(ratio)} the time"
    said = f"{times(instructions)} the instructions"
    if instructions < 1:
        return f"less work ({said}) that takes longer: {times(ratio)} the time"
    if math.log(instructions) < MIN_EXPLAINED * math.log(ratio):
        return f"more work ({said}), but that is the smaller part of {times(ratio)} the time"
    return f"more work: {said}"


def _moved(tasks: Sequence[TaskRatio]) -> str:
    slower = [entry for entry in tasks if entry.low > 1]
    if not slower:
        return "measured again, no task was slower beyond its noise"
    worst = max(slower, key=lambda entry: entry.ratio)
    faster = [entry.task for entry in tasks if entry.high < 1]
    others = [entry.task for entry in tasks if entry.low <= 1 <= entry.high]
    rest = f", {_list(faster)} became faster" if faster else ""
    rest += f", {_list(others)} did not move beyond noise" if others else ""
    return f"of the tasks {worst.task} became slowest ({times(worst.ratio)} the time){rest}"


def _list(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
