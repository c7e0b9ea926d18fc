"""A process that runs trials: ``DESCRIPTOR`` names the connection over which it is asked."""

from __future__ import annotations

import os
import pickle
import select
import sys
import threading
import traceback
from functools import lru_cache

from gdbench.pick.runners.rounds import run_limited
from gdbench.pick.steps.problem import DescentProblem
from gdbench.pick.steps.trials import Curves, Trial
from gdbench.processes.answers import serve


class Worker:
    """Runs one trial after another."""

    def run(self, path: str, trial: Trial) -> Curves | Exception:
        """Return what came of a trial of the problem in a file, or what it raised, with a note of where that was."""
        try:
            return run_limited(_read(path), trial)
        except Exception as error:
            error.add_note(f"In a process that runs trials:\n{''.join(traceback.format_exception(error))}")
            return error


@lru_cache(maxsize=1)
def _read(path: str) -> DescentProblem:
    with open(path, "rb") as file:
        problem: DescentProblem = pickle.load(file)
    return problem


def end_with_parent(descriptor: int) -> None:
    """End this process, whatever it does, when the other end of its connection is closed: a trial may last hours."""
    poller = select.poll()
    poller.register(descriptor, 0)  # that it is hung up is told whatever one asks for
    poller.poll()
    os._exit(1)


if __name__ == "__main__":
    connection = int(sys.argv[1])
    threading.Thread(target=end_with_parent, args=(connection,), daemon=True).start()
    serve(connection, Worker())
