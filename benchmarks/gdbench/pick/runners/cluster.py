"""A Dask cluster that runs trials: https://distributed.dask.org."""

from __future__ import annotations

import asyncio
import importlib
import logging
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from typing import Any

from gdbench.pick.data.file_rows import FileRows
from gdbench.pick.runners.by_path import UNREADABLE, ByPath, NotRead, by_path, failure, forget, sentence, with_rows
from gdbench.pick.runners.fingerprint import fingerprint
from gdbench.pick.runners.rounds import EngineRunner, run_limited
from gdbench.pick.steps.problem import DescentProblem, NetworkProblem
from gdbench.pick.steps.trials import Curves, Trial
from gdbench.processes.launch import patience
from kernels import InputError

CONNECT_SECONDS = 5
"""Time for a scheduler to answer and to name a worker."""
LONELY_SECONDS = 60.0
"""Time without any worker after which the cluster is given up; GDBENCH_PATIENCE_SECONDS replaces it."""


@contextmanager
def cluster(
    address: str,
    rows: FileRows | None = None,
    *,
    tell: Callable[[str], None] = lambda words: None,
    warn: Callable[[str], None] = lambda words: None,
) -> Iterator[EngineRunner]:
    """Give a runner whose trials run on the Dask cluster of a scheduler, such as ``tcp://10.0.0.1:8786``.

    Its workers need the same versions of gdbench and NumPy as this machine. They are sent the path of a file, and read
    its rows themselves; the rows are sent where one of them reads others or none, or where there is no file.

    Parameters
    ----------
    rows : FileRows, optional
        How the rows of the problem are read from a file.
    tell, warn : callable, optional
        Hear that the workers read it, and the sentence that says why the rows were sent after all.

    Raises
    ------
    InputError
        If distributed is not installed, if no scheduler answers at the address within seconds, if it has no workers
        or if one of them has other versions; during a round, if trials bring their workers down or all are gone.
    """
    try:
        distributed = importlib.import_module("distributed")  # an extra, which takes a second to import
    except ImportError as error:
        raise InputError("a cluster needs the package distributed: pip install 'gdbench[cluster]'") from error
    # what it logs of a lost connection, with traceback, is what the user reads in one sentence
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    _find_scheduler(distributed, address)
    with distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False, name="gdbench-pick") as client:
        _check_workers(client, address)
        engine = _Cluster(client, address, rows, tell, warn)
        try:
            yield EngineRunner(engine)
        except distributed.KilledWorker as error:
            raise InputError(
                "a trial brought down one worker of the cluster after another, probably because memory ran short: "
                "start workers with more memory or fewer threads, and start again"
            ) from error
        finally:
            engine.end()


def _find_scheduler(distributed: Any, address: str) -> None:
    """Ask who answers at an address: a client of something else than a scheduler hangs, or dies of its answer."""

    async def ask() -> str:
        arguments = distributed.Security().get_connection_args("client")
        async with distributed.rpc(address, timeout=CONNECT_SECONDS, connection_args=arguments) as remote:
            return str((await remote.identity())["type"])

    async def ask_in_time() -> str:
        return await asyncio.wait_for(ask(), CONNECT_SECONDS)

    try:
        found = asyncio.run(ask_in_time())
    except Exception as error:  # no answer, or one that is taken for the size of an array, or anything else
        raise InputError(f"no Dask scheduler answers at {address}: correct it, or run dask scheduler there") from error
    if found != "Scheduler":
        raise InputError(f"a Dask {found.lower()} answers at {address}: name the address of the scheduler")


def _check_workers(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError as error:
        raise InputError(f"the scheduler has no workers: start some with dask worker {address}") from error
    answers = client.run(fingerprint, on_error="return")
    _refuse_others({worker for worker, answer in answers.items() if answer != fingerprint()})


def _refuse_others(workers: set[str]) -> None:
    if workers:
        raise InputError(
            f"{len(workers)} of the workers, such as {min(workers)}, have no gdbench or other versions of gdbench "
            "or NumPy: install the same ones on each"
        )


class _Cluster:
    """An engine whose trials run on the workers of a Dask cluster, which itself makes good the loss of one."""

    lost = (CancelledError, NotRead)
    """With the last worker that held the problem, or with the scheduler; or a worker joined that has not its file."""

    def __init__(
        self,
        client: Any,
        address: str,
        rows: FileRows | None,
        tell: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> None:
        self.remedy = f"the cluster at {address} was lost again and again: see its logs, and start again"
        self._client, self._address = client, address
        self._rows, self._tell, self._warn = rows, tell, warn
        self.workers = max(sum(client.nthreads().values()), 1)
        self._executor = client.get_executor(pure=False)
        self._key, self._problem = "", None
        self._kept = ""  # key of the problem whose rows the workers may keep

    def prepare(self, problem: DescentProblem) -> None:
        if self._key == problem.key:
            return
        with self._answered():
            sent = self._to_send(problem)
            limit = patience(LONELY_SECONDS)
            self._problem = self._client.scatter(sent, broadcast=True, hash=False, timeout=limit)
        self._key = problem.key

    def _to_send(self, problem: DescentProblem) -> DescentProblem | ByPath:
        """Return the problem without its rows if every worker there is now reads the same ones, else as it is."""
        if self._rows is None or not isinstance(problem, NetworkProblem):
            return problem
        sent = by_path(problem, self._rows)
        self._kept = problem.key
        self._tell(f"waiting for the workers to read {self._rows.source.file}")
        answers = self._client.run(failure, sent, on_error="return")
        answers = {worker: found for worker, found in answers.items() if not isinstance(found, OSError)}  # it is gone
        wrong = {
            worker: found if isinstance(found, str) else UNREADABLE for worker, found in answers.items() if found != ""
        }
        if not wrong:
            return sent
        self._warn(sentence(problem, self._rows, wrong, len(answers)))
        self._rows = None
        self._forget()  # or else some of them would have the rows twice
        return problem

    def _forget(self) -> None:
        self._client.run(forget, self._kept, wait=False, on_error="ignore")
        self._kept = ""

    def end(self) -> None:
        """Have the workers let go of what they read: they outlive this process, and their memory is others' too."""
        if self._kept and self._client.status == "running":
            with suppress(Exception):  # the search has its answer, or an error of its own
                self._forget()

    def submit(self, problem: DescentProblem, trial: Trial) -> Future[Curves]:
        self.prepare(problem)
        with self._answered():
            future: Future[Curves] = self._executor.submit(_run_checked, self._problem, trial, fingerprint())
        return future

    def abandon(self) -> None:
        with suppress(InputError), self._answered():  # a scheduler that is gone runs nothing
            self._executor.shutdown(wait=False)  # cancels its trials
        self._executor = self._client.get_executor(pure=False)
        self._key, self._problem = "", None

    @contextmanager
    def _answered(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:  # of scatter, which finds nobody to send to
            raise InputError(
                f"the cluster has lost all its workers: start some with dask worker {self._address}, and repeat the "
                "command, which goes on where it was"
            ) from error
        except (OSError, RuntimeError) as error:  # RuntimeError from a client that has given up
            raise InputError(
                f"the scheduler at {self._address} no longer answers: see its log, start it and its workers again, "
                "and repeat the command, which goes on where it was"
            ) from error


def _run_checked(sent: DescentProblem | ByPath, trial: Trial, expected: str) -> Curves:
    """Run a trial on a worker, which may have joined after the versions were compared."""
    if fingerprint() != expected:
        _refuse_others({socket.gethostname()})
    return run_limited(with_rows(sent), trial)
