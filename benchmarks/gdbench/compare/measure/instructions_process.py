"""Counts the instructions of one call of a case, in a process that goes on under valgrind.

It first makes the call as it is, which compiles what Numba has not compiled yet: under valgrind that would take
minutes. Then it replaces itself by the same under valgrind, and makes it again. Like ``pair_process``, whose worker
makes the calls, it runs the kernels of one side and asks nothing of them but the contract.

From the one state that is reached then, forked processes make no call, or many: what they differ by is the calls.
Imports, compiled code and the interpreter, which adapts to what it runs, are the same in all of them.

It is asked and answers by files, not over a connection as other children: two programs answer, this one and valgrind.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from gdbench.basics import records
from gdbench.compare.measure.pair_process import Worker
from gdbench.compare.sides.sides import CountJob

JOB, RESULT, COUNTS = "job.json", "per_call", "counts"
WARM_CALLS = 20
"""At most, before counting: CPython 3.11 and later rewrite what has run a few times."""
INSTRUCTIONS = 1e8
"""Instructions of all calls that are counted; about 2 s under valgrind."""
MAX_CALLS = 1000


def main(place: str, tool: list[str]) -> None:
    """Make the call of the job in a folder; without a tool, count it; with one, go on under it."""
    folder = Path(place)
    job = records.parse(json.loads((folder / JOB).read_text(encoding="utf-8")), CountJob)
    worker = Worker()
    worker.add_problem(*job.problem)
    worker.prepare(*job.call)
    if tool:
        os.execvp(tool[0], [*tool, sys.executable, "-P", "-m", "gdbench.processes.entry", "-", sys.argv[0], place])
    (folder / RESULT).write_text(str(count(worker, job.call[0], folder)), encoding="utf-8")


def count(worker: Worker, case: str, folder: Path) -> float:
    """Return the instructions per call of a case that the worker has prepared."""
    worker.begin()
    about = count_calls(worker, case, 1, folder)
    calls = min(round(INSTRUCTIONS / about), MAX_CALLS)
    if calls <= 1:  # what goes on beside it is nothing to a call of this size, which takes up to a minute here
        return about
    worker.sample(case, min(calls, WARM_CALLS), 0)
    return count_calls(worker, case, calls, folder) / calls


def count_calls(worker: Worker, case: str, calls: int, folder: Path) -> float:
    """Return the instructions of so many calls.

    A fork's count begins with that of this process. What this process does between two forks, which is little, would
    be taken for the calls'; it cancels, since the fork that makes them stands midway between two that make none.
    """
    before, with_calls, after = [_fork(worker, case, number) for number in (0, calls, 0)]
    nothing = (_read(folder, before) + _read(folder, after)) / 2
    return _read(folder, with_calls) - nothing


def _fork(worker: Worker, case: str, calls: int) -> int:
    """Let a fork of this process make calls; return its number once it has ended."""
    child = os.fork()
    if not child:
        code = 1
        try:
            worker.sample(case, calls, 0)
            code = 0
        finally:
            os._exit(code)  # nothing that was begun here is to be ended twice
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError(f"the calls ended with code {os.waitstatus_to_exitcode(status)}")
    return child


def _read(folder: Path, process: int) -> int:
    return int((folder / f"{COUNTS}.{process}").read_text(encoding="utf-8").rpartition("summary:")[2])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
