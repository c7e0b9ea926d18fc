"""``gdbench.compare(...)``: two versions against each other from Python, and the answer as table, picture and HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gdbench.api.console import notes
from gdbench.api.html import piece
from gdbench.basics.folders import fresh_folder
from gdbench.cli.steps import steps
from gdbench.compare.comparison import compare
from gdbench.compare.judge.terms import IMPROVED, REGRESSED, UNCHANGED
from gdbench.compare.record.record import FILE, CaseResult, Comparison, read_record
from gdbench.compare.views.headline import headline
from gdbench.compare.views.page import write_views
from gdbench.compare.views.sentences import details
from gdbench.compare.views.tables import case_name, sections
from gdbench.experiments.grid import Filters
from gdbench.report.tables import Table
from kernels import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_SHOWN = 30
"""Cases in the piece of HTML and in the picture, the most telling first."""
COLORS = {REGRESSED: "#c0392b", IMPROVED: "#2e7d32", UNCHANGED: "#8a8f98"}
OTHER_COLOR = "#c9a227"
"""Colour of what was not resolved."""


@dataclass(frozen=True, repr=False)
class ComparisonResult:
    """Verdicts of a comparison, case by case; its files lie in ``folder``."""

    folder: Path
    record: Comparison
    """All that is known, as ``comparison.json`` keeps it."""

    @property
    def exit_code(self) -> int:
        """That of the command: 0 no regression proven, 1 one was, 3 not enough evidence, 4 a kernel is wrong."""
        return self.record.exit_code

    @property
    def complete(self) -> bool:
        """Whether every block was measured."""
        return self.record.complete

    @property
    def suite(self) -> pd.DataFrame:
        """The whole suite, then each group of cases that share something: ratio, its interval, verdict."""
        return pd.DataFrame([asdict(group) for group in (self.record.suite, *self.record.groups)])

    @property
    def table(self) -> pd.DataFrame:
        """A row for each case and metric: ``ratio`` is head relative to base, ``low`` to ``high`` its 95 % interval."""
        return pd.DataFrame([asdict(row) for row in self.record.cases])

    def plot(self) -> Axes:
        """Draw the ratios of time with their intervals, largest changes first, in a new figure of pyplot.

        Raises
        ------
        InputError
            If no case has a ratio.
        """
        from matplotlib import pyplot  # noqa: PLC0415 - it takes a second, and may choose how pictures are shown

        rows = [row for row in self.record.of_metric("time") if row.ratio is not None]
        if not rows:
            raise InputError("no case of this comparison has a ratio of times, so there is no picture")
        shown = sorted(rows, key=_change, reverse=True)[:MAX_SHOWN][::-1]
        figure, axes = pyplot.subplots(figsize=(8, 1.2 + 0.22 * len(shown)), layout="constrained")
        for height, row in enumerate(shown):
            color = COLORS.get(row.verdict, OTHER_COLOR)
            axes.plot(np.array([row.low, row.high], float), [height, height], color=color, lw=2)
            axes.plot(np.array([row.ratio], float), [height], "o", color=color, ms=4)
        axes.axvline(1.0, color="black", lw=0.8)
        axes.set_yticks(range(len(shown)), [f"{case_name(row)}  {row.verdict}" for row in shown], fontsize=8)
        axes.set_xlabel("time of head relative to base, 95 % interval")
        figure.suptitle(f"{len(shown)} of {len(rows)} cases, largest changes first", fontsize=10)
        return axes

    def __repr__(self) -> str:
        return f"<comparison in {self.folder}: {headline(self.record)}>"

    def _repr_html_(self) -> str:
        head = ("verdict", "case", "base", "head", "ratio", "reason")
        tables = []
        for section in sections(self.record):
            changed = [line for line in section.lines if line.verdict != UNCHANGED]
            rows = tuple((line.verdict, line.case, line.base, line.head, line.ratio, line.reason) for line in changed)
            title = f"{section.title}: {len(changed)} of {len(section.lines)} cases that are not unchanged"
            tables += [Table(title, head, rows[:MAX_SHOWN], best=None)] if rows else []
        report = f"Report: {self.folder / 'comparison.html'}"
        return piece(tables, [headline(self.record), *details(self.record), *self.record.warnings, report])


def _change(row: CaseResult) -> float:
    """How far a ratio is from 1, in either direction."""
    ratio = row.ratio or 1.0
    return max(ratio, 1 / ratio)


def measure(
    base: str | None,
    head: str | None,
    *,
    environments: Sequence[str],
    tier: str,
    filters: Filters,
    effect: float | None,
    explain: bool,
    instructions: bool,
    seed: int | None,
    folder: Path | None,
    progress: bool,
) -> ComparisonResult:
    """Compare two sides into a folder, with its report; Ctrl-C keeps what was measured.

    Parameters and errors are those of ``gdbench.compare.CallableComparison.__call__``.
    """
    if effect is not None and not effect > 0:
        raise InputError(f"effect is a relative slowdown above 0, such as 0.05, got {effect:g}")
    with fresh_folder(folder, "compare") as place:
        try:
            with steps("Comparing", notes(shown=progress)) as report:
                record = compare(
                    base,
                    head,
                    folder=place,
                    tier=tier,
                    filters=filters,
                    effect=effect,
                    seed=seed,
                    explain=explain,
                    instructions=instructions,
                    report=report,
                    environments=environments,
                )
        except KeyboardInterrupt:
            if not (place / FILE).exists():
                raise
            record = read_record(place)
        write_views(place)
    return ComparisonResult(place, record)
