"""A run: planned, measured in blocks, kept in a folder, summarised case by case.

``gdbench.run("smoke")`` measures a profile from Python, with reports, as the command does; ``docs/python.md`` shows it.
Below it ``from gdbench.run import run`` measures a plan of ``gdbench.run.plan.plan_profile``, without reports.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gdbench import check_kernels, entry

if TYPE_CHECKING:
    from gdbench.run.runner import run

__all__ = ["run"]


class CallableRun(ModuleType):
    """The module of this package, which can be called."""

    def __call__(
        self,
        profile: str = "quick",
        *,
        network: str | Sequence[str] = (),
        dataset: str | Sequence[str] = (),
        variant: str | Sequence[str] = (),
        batch_size: int | str | Sequence[int | str] = (),
        dtype: str | Sequence[str] = (),
        task: str | Sequence[str] = (),
        threads: int | Sequence[int] = (),
        seed: int | None = None,
        cold_start: bool | None = None,
        output: str | Path | None = None,
        progress: bool = True,
    ) -> Any:
        """Measure a profile of the grid into a new folder: certificates first, then blocks of fresh processes.

        Parameters
        ----------
        profile : str
            How much to measure; ``gdbench list`` shows the profiles.
        network, dataset, variant, dtype, task : str or sequence of str
            What of the profile is measured; all of it if not given.
        batch_size : int, "n" or sequence of them
            Batch sizes in rows; ``"n"`` is all rows.
        threads : int or sequence of int
            Threads of BLAS and Numba.
        seed : int, optional
            Of the order of blocks and cases; drawn anew if not given.
        cold_start : bool, optional
            Whether imports, compilation and first calls are measured too; the profile decides if not given.
        output : str or Path, optional
            Folder of the run; a new dated one below ``reports/`` if not given.
        progress : bool
            Show how far the run is, on standard error.

        Returns
        -------
        gdbench.api.runs.RunResult
            ``.table`` and ``.winners`` are pandas tables, ``.plot()`` is a picture, ``.folder`` holds the report.
            Ctrl-C ends the run with the blocks that were measured until then.

        Raises
        ------
        InputError
            If an option makes no sense, or the folder cannot be written; a sentence that names the remedy.
        BlockFailed
            If a block's process fails before it comes to a case.
        """
        check_kernels()
        return entry("runs").measure(
            profile,
            entry("filters").read(
                network=network,
                dataset=dataset,
                variant=variant,
                batch_size=batch_size,
                dtype=dtype,
                task=task,
                threads=threads,
            ),
            seed=seed,
            cold_start=cold_start,
            folder=None if output is None else Path(output),
            progress=progress,
        )


def __getattr__(name: str) -> Any:
    """Import ``run`` when it is asked for: the process of each block imports this package, and would import pandas."""
    if name != "run":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gdbench.run.runner import run  # noqa: PLC0415

    return run


sys.modules[__name__].__class__ = CallableRun
