"""Processes of this machine that run trials.

They are started as a module of their own. Those of ``multiprocessing`` would run the user's script a second time, up to
``if __name__ == "__main__"``, which a script that calls ``gdbench.pick`` need not have.
"""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from gdbench.basics.folders import scratch_folder, writing
from gdbench.basics.storage import replacing
from gdbench.pick.runners.rounds import EngineRunner
from gdbench.pick.steps.problem import DescentProblem
from gdbench.pick.steps.trials import Curves, Trial
from gdbench.processes.children import Children
from gdbench.processes.launch import allowed_cores
from gdbench.processes.live import LiveProcess, ProcessLost

TRIAL_SECONDS = 7 * 86_400.0
"""A trial may take as long as a user has: a process is lost when it dies."""


@contextmanager
def processes(workers: int | None = None) -> Iterator[EngineRunner]:
    """Give a runner whose trials run in processes of this machine, by default one for each core that may be used.

    They start at once, while the machine is looked at, and live until the end: starting one costs about a second.
    """
    with scratch_folder("gdbench-pick-") as folder:
        engine = _Pool(workers or len(allowed_cores()) or os.cpu_count() or 1, folder)
        engine.warm()
        try:
            yield EngineRunner(engine)
        finally:
            engine.abandon()


class _Pool:
    """An engine that builds its team of processes when it is needed, and anew after one was killed."""

    lost = (ProcessLost,)
    remedy = (
        "a worker process was killed again and again, probably because memory ran short: "
        "use fewer workers, or stop other programs, and start again"
    )

    def __init__(self, workers: int, folder: Path) -> None:
        self.workers, self._folder = workers, folder
        self._team: _Team | None = None

    def warm(self) -> None:
        """Start the processes without a trial; one that fails to start is started again when it is needed."""
        self._team = self._team or _Team(self.workers)
        self._team.warm()

    def prepare(self, problem: DescentProblem) -> None:
        """Do nothing: the first trial sends the problem, and each process reads it in little time."""

    def submit(self, problem: DescentProblem, trial: Trial) -> Future[Curves]:
        path = self._send(problem)
        self._team = self._team or _Team(self.workers)
        return self._team.submit(str(path), trial)

    def abandon(self) -> None:
        team, self._team = self._team, None
        if team is not None:
            team.end()

    def _send(self, problem: DescentProblem) -> Path:
        """Write the problem where each process reads it once, instead of sending it with every trial."""
        path = self._folder / f"{problem.key}.pickle"
        if not path.exists():
            named = writing(self._folder, "set TMPDIR to a folder that has some")
            with named, replacing(path) as temporary, temporary.open("wb") as file:
                pickle.dump(problem, file, protocol=pickle.HIGHEST_PROTOCOL)
        return path


class _Team:
    """Threads, each of which has a process of its own and asks it to run one trial after another."""

    def __init__(self, workers: int) -> None:
        self._children, self._processes = Children(), list[LiveProcess]()
        self._own = threading.local()
        self._workers, self._threads = workers, ThreadPoolExecutor(workers, thread_name_prefix="gdbench-pick")

    def warm(self) -> None:
        for _ in range(self._workers):
            self._threads.submit(self._process)

    def submit(self, path: str, trial: Trial) -> Future[Curves]:
        return self._threads.submit(self._run, path, trial)

    def end(self) -> None:
        """Kill the processes, whatever they do: whoever waits for one sees it lost."""
        self._children.end()
        self._threads.shutdown(cancel_futures=True)
        for process in self._processes:
            process.close()

    def _run(self, path: str, trial: Trial) -> Curves:
        found: Curves | Exception = self._process().ask("run", path, trial)
        if isinstance(found, Exception):
            raise found
        return found

    def _process(self) -> LiveProcess:
        """Process of this thread."""
        if not hasattr(self._own, "process"):
            self._own.process = self._children.start(self._start)
            self._processes.append(self._own.process)
        process: LiveProcess = self._own.process
        return process

    def _start(self) -> LiveProcess:
        return LiveProcess(
            "gdbench.pick.runners.process", name="a trial", threads=1, cores=[], usual_seconds=TRIAL_SECONDS
        )
