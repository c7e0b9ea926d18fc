"""Which runner a user asks for: processes of this machine, or a cluster."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol

from gdbench.pick.data.file_rows import FileRows
from gdbench.pick.runners.cluster import cluster
from gdbench.pick.runners.pool import processes
from gdbench.pick.steps.trials import Runner
from kernels import InputError


class OpenRunner(Protocol):
    """Opens a runner."""

    def __call__(
        self, rows: FileRows | None, *, tell: Callable[[str], None], warn: Callable[[str], None]
    ) -> AbstractContextManager[Runner]:
        """Give a runner.

        Parameters
        ----------
        rows : FileRows, optional
            Where the rows of its problem can be read; None if they are of no file.
        tell, warn : callable
            Hear what its workers do that takes long, and sentences that belong to the answer.
        """


def runner_for(workers: int | None, scheduler: str | None) -> OpenRunner:
    """Return what opens a runner: so many processes, by default one for each core, or the cluster of a scheduler.

    Raises
    ------
    InputError
        If both are asked for, or fewer processes than one.
    """
    if scheduler is not None and workers is not None:
        raise InputError("--workers is for this machine, and a cluster has its own: leave out --workers or --scheduler")
    if workers is not None and workers < 1:
        raise InputError(f"--workers must be at least 1, got {workers}: correct it or leave it out")
    return partial(_processes, workers) if scheduler is None else partial(cluster, scheduler)


def _processes(workers: int | None, rows: FileRows | None, **listeners: object) -> AbstractContextManager[Runner]:
    """Open processes of this machine: they read what this one has written, and have nothing to say."""
    return processes(workers)
