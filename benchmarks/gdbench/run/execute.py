"""Carries out a plan block by block; what is measured is on disk before the next block starts."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO, Any

from gdbench.basics.storage import write_text
from gdbench.processes.launch import cores_for, patience, start
from gdbench.run.plan import Block, Plan, read_plan
from kernels import InputError

Report = Callable[[dict[str, Any]], None]

SILENCE_SECONDS = 900
"""A worker that says nothing for so long has hung, unless GDBENCH_PATIENCE_SECONDS says otherwise."""


@dataclass(frozen=True)
class Death:
    """How a block's process ended before its time, and in which case."""

    reason: str
    case_id: str | None


class BlockFailed(RuntimeError):
    """A block's process failed in a way that no single case explains; the message is what it printed."""


def new_folder(profile: str, parent: Path = Path("reports")) -> Path:
    """Return the path of a new dated folder such as ``reports/2026-01-31-quick``, which is not made yet."""
    name = f"{date.today().isoformat()}-{profile}"
    taken = {path.name for path in parent.glob(f"{name}*")}
    tries = (name if number == 1 else f"{name}-{number}" for number in range(1, len(taken) + 2))
    return parent / next(candidate for candidate in tries if candidate not in taken)


def unfinished(parent: Path = Path("reports")) -> Path:
    """Return the newest run below a folder that has blocks left, or raise InputError."""
    plans = sorted(parent.glob("*/plan.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in plans:
        if left(path.parent, read_plan(path.parent)):
            return path.parent
    raise InputError(f"no run below {parent}/ has blocks left: start one, or name its folder with --output")


def left(folder: Path, plan: Plan) -> list[Block]:
    """Blocks that are not measured yet."""
    return [block for block in plan.blocks if not _raw(folder, block).exists()]


def execute(folder: Path, plan: Plan, report: Report) -> None:
    """Measure every block that is left.

    ``report`` hears ``{"block": index}`` when a block starts, ``{"end": case id, "failed": reason or None}`` for
    each case, and ``{"block_end": index}`` when the block's file is on disk.

    Raises
    ------
    BlockFailed
        If a process fails before it comes to a case.
    """
    for stale in (folder / "raw").glob(".*.partial"):  # of a run that was killed
        stale.unlink()
    for block in left(folder, plan):
        report({"block": block.index})
        while (death := _measure(folder, block, report)) is not None:
            if death.case_id is None:
                raise BlockFailed(death.reason)
            remember_failure(folder, death.case_id, death.reason)
            report({"end": death.case_id, "failed": death.reason})
            report({"block": block.index})
        report({"block_end": block.index})


def remember_failure(folder: Path, case_id: str, reason: str) -> None:
    """Note in ``failures.json`` that a case cannot be measured, so that it is neither timed nor ranked."""
    path = folder / "failures.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    write_text(path, json.dumps({**known, case_id: reason}, indent=1) + "\n")


def _raw(folder: Path, block: Block) -> Path:
    return folder / "raw" / f"block-{block.index:03d}.json"


def _measure(folder: Path, block: Block, report: Report) -> Death | None:
    """Run the process of one block; return how it died, or None when its file is in place."""
    target = _raw(folder, block)
    target.parent.mkdir(exist_ok=True)
    # a leading dot: never taken for a block; our own number: an orphan of a killed run cannot write into it
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    cores = cores_for(block.threads, turn=block.turn)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        arguments = ("gdbench.run.block", str(folder), str(block.index), str(partial))
        process = start(*arguments, threads=block.threads, cores=cores, stdout=subprocess.PIPE, stderr=errors)
        try:
            done, running, silence = _listen(folder, process, report)
            code = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            partial.unlink(missing_ok=True)
            raise
        errors.seek(0)
        printed = errors.read()
    if not done:
        partial.unlink(missing_ok=True)
        reason = silence or f"its process ended with code {code}"
        return Death(reason if running else f"{reason}:\n{printed[-2000:]}", running)
    if not partial.exists():  # pytest-benchmark writes nothing when every case failed
        write_text(partial, json.dumps({"gdbench": {"block": block.index}, "benchmarks": []}))
    partial.replace(target)
    return None


def _listen(folder: Path, process: subprocess.Popen[str], report: Report) -> tuple[bool, str | None, str | None]:
    """Pass events on until the process ends.

    Return whether it came to the end of the block, the case that it was in, and a reason if it was stopped.
    """
    done, running, silence, limit = False, None, None, patience(SILENCE_SECONDS)
    assert process.stdout is not None
    for event in _events(process.stdout, limit):
        if event is None:
            silence = f"its process said nothing for {limit:g} s and was stopped"
            process.kill()
        elif "done" in event:
            done = True
        elif "start" in event:
            running = event["start"]
        else:
            running = None
            if event["failed"]:
                remember_failure(folder, event["end"], event["failed"])
            report(event)
    return done, running, silence


def _events(stream: IO[str], limit: float) -> Iterator[dict[str, Any] | None]:
    """Yield the worker's events, and None whenever it has said nothing for ``limit`` seconds."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in stream:
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=limit)
        except queue.Empty:
            yield None
            continue
        if not line:
            return
        yield json.loads(line)
