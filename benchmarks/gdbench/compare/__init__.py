"""Two versions of the code against each other: sides, live pairs of workers, verdicts.

``gdbench.compare("main", "HEAD")`` compares from Python as the command does; ``docs/python.md`` shows it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from gdbench import check_kernels, entry


class CallableComparison(ModuleType):
    """The module of this package, which can be called."""

    def __call__(
        self,
        base: str | None = None,
        head: str | None = None,
        *,
        env: str | Sequence[str] = (),
        tier: str = "standard",
        network: str | Sequence[str] = (),
        dataset: str | Sequence[str] = (),
        variant: str | Sequence[str] = (),
        batch_size: int | str | Sequence[int | str] = (),
        dtype: str | Sequence[str] = (),
        task: str | Sequence[str] = (),
        threads: int | Sequence[int] = (),
        effect: float | None = None,
        explain: bool = False,
        instructions: bool = False,
        seed: int | None = None,
        output: str | Path | None = None,
        progress: bool = True,
    ) -> Any:
        """Tell which cases one side made slower, faster or left unchanged, and where there is not enough evidence.

        Parameters
        ----------
        base, head : str, optional
            A git revision, a folder with a checkout (``"./name"``), or a variant of this tree each. With ``env``
            there is no head, and the base is the code that both sides run: this tree if not given.
        env : str or sequence of str
            Environments that are compared, as requirements of pip: ``("numba==0.65.1", "numba==0.66.0")``. One
            alone is compared with the environment of this process.
        tier : {"quick", "standard", "deep"}
            How much is measured.
        network, dataset, variant, dtype, task : str or sequence of str
            Which cases take part; all if not given.
        batch_size : int, "n" or sequence of them
            Batch sizes in rows; ``"n"`` is all rows.
        threads : int or sequence of int
            Threads of BLAS and Numba.
        effect : float, optional
            Relative slowdown to plan for, such as 0.05; that of the tier if not given.
        explain : bool
            For each proven regression: which task moved, and whether work grew.
        instructions : bool
            Also count the instructions of every case under valgrind, which decide nothing.
        seed : int, optional
            Of orders, hash seeds and padding; drawn anew if not given.
        output : str or Path, optional
            Folder of the comparison; a new one below ``reports/`` if not given.
        progress : bool
            Show how far the comparison is, on standard error.

        Returns
        -------
        gdbench.api.comparisons.ComparisonResult
            ``.table`` is a pandas table, ``.plot()`` a picture, ``.folder`` holds the report. Ctrl-C ends the
            comparison with what was measured until then.

        Raises
        ------
        InputError
            If a side or an option makes no sense; a sentence that names the remedy.
        """
        check_kernels()
        return entry("comparisons").measure(
            base,
            head,
            environments=(env,) if isinstance(env, str) else tuple(env),
            tier=tier,
            filters=entry("filters").read(
                network=network,
                dataset=dataset,
                variant=variant,
                batch_size=batch_size,
                dtype=dtype,
                task=task,
                threads=threads,
            ),
            effect=effect,
            explain=explain,
            instructions=instructions,
            seed=seed,
            folder=None if output is None else Path(output),
            progress=progress,
        )


sys.modules[__name__].__class__ = CallableComparison
