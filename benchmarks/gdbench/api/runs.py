"""``gdbench.run(...)``: measure a profile from Python, and the answer as tables, a picture and HTML."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from gdbench.api.console import notes
from gdbench.api.html import piece
from gdbench.basics.folders import fresh_folder
from gdbench.cli.live import Watch
from gdbench.experiments.grid import Filters, profile
from gdbench.report.build import rebuild, write_report
from gdbench.report.findings import exit_code, failures
from gdbench.report.peers_table import peer_sentences
from gdbench.report.winners import CAUTION, winners, winners_table
from gdbench.run import run
from gdbench.run.folder import Run
from gdbench.run.plan import plan_profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False)
class RunResult:
    """What a run found, whole or not; its files lie in ``folder``."""

    run: Run
    """Everything that was measured, as the reports read it."""

    @property
    def folder(self) -> Path:
        """Folder of the run: raw blocks, tables, pictures and the page ``report.html``."""
        return self.run.folder

    @property
    def complete(self) -> bool:
        """Whether every block was measured."""
        return self.run.complete

    @property
    def exit_code(self) -> int:
        """That of the command: 0, or 4 when a variant failed or nothing was measured."""
        return exit_code(self.run)

    @property
    def table(self) -> pd.DataFrame:
        """A row for each case, times in seconds: ``summary.csv``."""
        return self.run.summary.copy()

    @property
    def winners(self) -> pd.DataFrame:
        """Rows of the table that are fastest per row on their network, data set, number of threads and dtype."""
        return winners(self.run)

    @property
    def certificates(self) -> pd.DataFrame:
        """A row for each certificate: the worst error, and its tolerance."""
        return self.run.certificates.copy()

    def plot(self) -> Axes:
        """Draw time per row over batch size, a panel for each network and data set, in a new figure of pyplot.

        Returns
        -------
        Axes
            The first panel; ``.figure`` is the whole picture, and ``.figure.axes`` its panels.

        Raises
        ------
        InputError
            If nothing was measured.
        """
        from matplotlib import pyplot  # noqa: PLC0415 - it takes a second, and may choose how pictures are shown

        from gdbench.report.pictures import draw_times  # noqa: PLC0415

        return draw_times(self.run, pyplot.figure()).axes[0]

    def __repr__(self) -> str:
        found = self.winners
        named = (
            f"{row['network']} on {row['dataset']} in {row['dtype']}: {row['variant']} at B={row['batch_size']}"
            for _, row in found.iterrows()
        )
        return f"<run in {self.folder}: {'; '.join(named) or 'nothing was measured'}>"

    def _repr_html_(self) -> str:
        table = winners_table(self.run)
        sentences = [*failures(self.run), *peer_sentences(self.run), f"Report: {self.folder / 'report.html'}"]
        return piece([table] if table else [], [*([CAUTION] if table else []), *sentences])


def measure(
    profile_name: str,
    filters: Filters,
    *,
    seed: int | None,
    cold_start: bool | None,
    folder: Path | None,
    progress: bool,
) -> RunResult:
    """Measure a profile into a folder, with its reports; Ctrl-C keeps the blocks that were measured.

    Parameters and errors are those of ``gdbench.run.CallableRun.__call__``.
    """
    plan = plan_profile(profile_name, filters, seed=seed, command=f"gdbench.run({profile_name!r})")
    wanted = profile(profile_name).cold_start if cold_start is None else cold_start
    with fresh_folder(folder, plan.profile) as place:
        try:
            with Watch(plan, place, notes(shown=progress)) as report:
                found = run(plan, folder=place, cold_start=wanted, report=report)
        except KeyboardInterrupt:
            if not any((place / "raw").glob("block-*.json")):
                raise
            return RunResult(rebuild(place))
        write_report(found)
    return RunResult(found)
