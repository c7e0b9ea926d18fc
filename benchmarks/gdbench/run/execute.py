"""Carries out a plan block by block; what is measured is on disk before the next block starts."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gdbench.basics import records
from gdbench.processes.launch import cores_for
from gdbench.processes.live import AnswerError, LiveProcess, ProcessLost
from gdbench.run.events import BlockBegun, BlockEnded, CaseBegun, CaseEnded, ReportEvent
from gdbench.run.plan import Plan, PlannedBlock
from gdbench.run.raw import BlockFacts, BlockFile, block_file, published, remember_failure, writing_block
from kernels import InputError

SILENCE_SECONDS = 900
"""A block that says nothing for so long has hung, unless GDBENCH_PATIENCE_SECONDS says otherwise."""
PRINTED_CHARACTERS = 2000
"""End of what a failed block printed that is shown."""


class BlockFailed(RuntimeError):
    """A block's process failed in a way that no single case explains; the message is what it printed."""


@dataclass(frozen=True)
class Death:
    """A case that ended its block's process, and how."""

    case_id: str
    reason: str


def left(folder: Path, plan: Plan) -> list[PlannedBlock]:
    """Blocks that are not measured yet; none of a published run."""
    return [] if published(folder) else [block for block in plan.blocks if not block_file(folder, block.index).exists()]


def execute(folder: Path, plan: Plan, report: ReportEvent) -> None:
    """Measure every block that is left.

    Parameters
    ----------
    folder : Path
        Folder of the run, with its ``plan.json``.
    plan : Plan
        What is measured.
    report : callable
        Hears ``BlockBegun``, then ``CaseBegun`` and ``CaseEnded`` of each case, and ``BlockEnded``.

    Raises
    ------
    BlockFailed
        If a process fails before it comes to a case.
    InputError
        If a block cannot be written; those that are done are kept.
    """
    for stale in (folder / "raw").glob(".*.partial"):  # of a run that was killed
        stale.unlink()
    for block in left(folder, plan):
        report(BlockBegun(block.index))
        while (death := _measure(folder, block, report)) is not None:
            remember_failure(folder, death.case_id, death.reason)
            report(CaseEnded(death.case_id, death.reason))
            report(BlockBegun(block.index))
        report(BlockEnded(block.index))


def _measure(folder: Path, block: PlannedBlock, report: ReportEvent) -> Death | None:
    """Run the process of one block; return the case that ended it, or None when the block's file is in place."""
    target = block_file(folder, block.index)
    with writing_block(folder):
        target.parent.mkdir(exist_ok=True)
    # a leading dot: never taken for a block; our own number: an orphan of a killed run cannot write into it
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    running: CaseBegun | None = None

    def hear(event: CaseBegun | CaseEnded) -> None:
        nonlocal running
        running = event if isinstance(event, CaseBegun) else None
        if isinstance(event, CaseEnded) and event.failed:
            remember_failure(folder, event.case_id, event.failed)
        report(event)

    try:
        with _process(block) as process:
            try:
                process.ask("measure", folder, block.index, partial, hear=hear)
            except AnswerError as error:
                raise _failure(error, process.printed()) from error
    except ProcessLost as loss:
        if running is None:
            raise BlockFailed(f"its process {loss.ending}:\n{loss.printed[-PRINTED_CHARACTERS:]}") from loss
        return Death(running.case_id, f"its process {loss.ending}")
    else:
        with writing_block(folder):
            if not partial.exists():  # pytest-benchmark writes nothing when every case failed
                records.write(partial, BlockFile(BlockFacts(block.index), ()))
            partial.replace(target)
        return None
    finally:
        with suppress(OSError):  # what refuses the file may refuse this, and is told above
            partial.unlink(missing_ok=True)


def _failure(error: AnswerError, printed: str) -> InputError | BlockFailed:
    """What to raise where a block raised outside its cases: its file cannot be written, or something else failed."""
    if error.kind == InputError.__name__:
        return InputError(error.text)
    return BlockFailed(f"{error}:\n{printed[-PRINTED_CHARACTERS:]}")


def _process(block: PlannedBlock) -> LiveProcess:
    return LiveProcess(
        "gdbench.run.block",
        name=f"block {block.index}",
        threads=block.threads,
        cores=cores_for(block.threads, turn=block.turn),
        usual_seconds=SILENCE_SECONDS,
    )
