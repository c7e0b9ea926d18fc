"""A Dask cluster that runs trials: https://distributed.dask.org."""

from __future__ import annotations

import asyncio
import importlib
import logging
import socket
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from typing import Any

from gdbench.pick.runners.fingerprint import fingerprint
from gdbench.pick.runners.rounds import EngineRunner, run_limited
from gdbench.pick.steps.problem import DescentProblem
from gdbench.pick.steps.trials import Curves, Trial
from gdbench.processes.launch import patience
from kernels import InputError

CONNECT_SECONDS = 5
"""Time for a scheduler to answer and to name a worker."""
LONELY_SECONDS = 60.0
"""Time without any worker after which the cluster is given up; GDBENCH_PATIENCE_SECONDS replaces it."""


@contextmanager
def cluster(address: str) -> Iterator[EngineRunner]:
    """Give a runner whose trials run on the Dask cluster of a scheduler, such as ``tcp://10.0.0.1:8786``.

    Its workers need the same versions of gdbench and NumPy as this machine.

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
        try:
            yield EngineRunner(_Cluster(client, address))
        except distributed.KilledWorker as error:
            raise InputError(
                "a trial brought down one worker of the cluster after another, probably because memory ran short: "
                "start workers with more memory or fewer threads, and start again"
            ) from error


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

    lost = (CancelledError,)  # with the last worker that held the problem, or with the scheduler

    def __init__(self, client: Any, address: str) -> None:
        self.remedy = f"the cluster at {address} was lost again and again: see its logs, and start again"
        self._client, self._address = client, address
        self.workers = max(sum(client.nthreads().values()), 1)
        self._executor = client.get_executor(pure=False)
        self._key, self._problem = "", None

    def submit(self, problem: DescentProblem, trial: Trial) -> Future[Curves]:
        with self._answered():
            if self._key != problem.key:
                limit = patience(LONELY_SECONDS)
                self._problem = self._client.scatter(problem, broadcast=True, hash=False, timeout=limit)
                self._key = problem.key
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


def _run_checked(problem: DescentProblem, trial: Trial, expected: str) -> Curves:
    """Run a trial on a worker, which may have joined after the versions were compared."""
    if fingerprint() != expected:
        _refuse_others({socket.gethostname()})
    return run_limited(problem, trial)
