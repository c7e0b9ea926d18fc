"""The pictures of a run: a panel per network and data set; here time per row over batch size, with our intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Literal, TypeAlias

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, NullFormatter

from gdbench.basics.storage import replacing
from gdbench.experiments.cases import MEASURED
from gdbench.experiments.datasets import describe_zeros
from gdbench.experiments.variants import is_peer
from gdbench.report.findings import experiments, headline_task
from gdbench.run.folder import Run
from gdbench.views.drawing import default_style
from kernels import InputError

TIME_PER_ROW, ROOFLINE = "time_per_row.png", "roofline.png"
COLORS = ("#4c566a", "#d08770", "#2e7d9a", "#7a3e9d", "#5b8c3a", "#b5446e", "#c9a227", "#222222")
GREYS = ("#8a8f98", "#a9adb4", "#6b7078", "#bcc0c6", "#7d7468", "#9a9186")
MARKERS = ("s", "D", "^", "v", "X", "P")
"""Markers of the peers, whose greys are close to one another."""
LEGEND_ROW_INCHES = 0.2
TITLE_POINTS = 9
LABEL_RATIO = 1.4
"""Least ratio of two batch sizes that are both written at the axis."""
STYLES: tuple[Literal["-", "--"], ...] = ("-", "--")


@dataclass(frozen=True)
class Look:
    """What the lines of a run's pictures look like: variants differ in colour and marker, dtypes in the line."""

    colors: dict[str, str]
    markers: dict[str, str]
    styles: dict[str, Literal["-", "--"]]

    def face(self, color: str, dtype: str) -> str:
        """Colour inside a marker: the second dtype's are hollow."""
        return color if self.styles[dtype] == STYLES[0] else "white"


def look_of(run: Run) -> Look:
    """Give our variants colours and the peers greys; every peer has a marker of its own."""
    names = [str(name) for name in run.summary["variant"].unique()]
    peers = [name for name in names if is_peer(name)]
    ours = [name for name in names if name not in peers]
    return Look(
        colors=dict(zip(ours, cycle(COLORS), strict=False)) | dict(zip(peers, cycle(GREYS), strict=False)),
        markers=dict.fromkeys(ours, "o") | dict(zip(peers, cycle(MARKERS), strict=False)),
        styles=dict(zip(run.summary["dtype"].unique(), STYLES, strict=False)),
    )


Draw: TypeAlias = Callable[[Axes, pd.DataFrame, Look], None]
"""Draws the measured cases of one network and data set."""


@default_style()
def write_picture(run: Run, path: Path) -> None:
    """Draw time per row over batch size into a PNG file; nothing if nothing was measured."""
    if (run.summary["status"] == MEASURED).any():
        write_figure(draw_times(run, Figure()), path)


def draw_times(run: Run, figure: Figure) -> Figure:
    """Draw time per row over batch size; raises InputError if nothing was measured."""
    return draw_panels(run, figure, f"Time per row of a training pass, {run.environment.cpu}", _panel)


def write_figure(figure: Figure, path: Path) -> None:
    """Write a PNG file."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)


def draw_panels(run: Run, figure: Figure, title: str, draw: Draw) -> Figure:
    """Draw a panel per network and data set; panels of what was not measured are left out.

    Raises
    ------
    InputError
        If that leaves none.
    """
    panels = [(name, table) for name, table in experiments(run.summary) if (table["status"] == MEASURED).any()]
    if not panels:
        raise InputError("nothing was measured in this run, so there is no picture: go on with gdbench run --resume")
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    look = look_of(run)
    entries, wide = _legend(look), 5 * columns // 2
    height = 3.7 * rows + 0.4 + LEGEND_ROW_INCHES * -(-len(entries) // wide)
    figure.set_size_inches(5.6 * columns, height)
    figure.set_layout_engine("constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (name, table) in zip(grid, panels, strict=False):
        task = table[table["task"] == headline_task(table)]
        draw(axes, task[task["status"] == MEASURED], look)
        sizes = "-".join(map(str, run.plan.networks[name[0]].build(name[1]).sizes))
        words = f"{' on '.join(name)} ({sizes}), {describe_zeros(name[1])}"
        axes.set_title(words, fontsize=TITLE_POINTS, wrap=True, parse_math=False)
        axes.tick_params(labelsize=8)
        axes.grid(which="major", color="#dddddd", lw=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[len(panels) :]:
        axes.remove()
    figure.legend(handles=entries, loc="outside lower center", ncols=wide, frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11, parse_math=False)
    return figure


def _legend(look: Look) -> list[Line2D]:
    variants = [
        Line2D([], [], color=color, marker=look.markers[name], ms=4, label=name + (" (peer)" if is_peer(name) else ""))
        for name, color in look.colors.items()
    ]
    dtypes = [
        Line2D([], [], color="black", ls=style, marker="o", ms=4, mfc=look.face("black", name), label=name)
        for name, style in look.styles.items()
    ]
    return variants + dtypes


def _apart(sizes: list[int]) -> list[int]:
    """Leave out batch sizes whose labels would run into the next one; the largest, all rows, always stays."""
    return [size for size, following in zip(sizes, [*sizes[1:], None], strict=True) if not _touch(size, following)]


def _touch(size: int, following: int | None) -> bool:
    return following is not None and following < LABEL_RATIO * size


def _panel(axes: Axes, measured: pd.DataFrame, look: Look) -> None:
    for key, group in measured.groupby(["variant", "dtype"], sort=False):
        variant, dtype = map(str, key)
        line = group.sort_values("batch_size")
        per_row = line["seconds_per_row"] / line["seconds"]
        axes.plot(
            line["batch_size"],
            line["seconds_per_row"],
            color=look.colors[variant],
            linestyle=look.styles[dtype],
            marker=look.markers[variant],
            mfc=look.face(look.colors[variant], dtype),
            ms=3.5,
            lw=1.6,
            zorder=1.5 if is_peer(variant) else 2,
        )
        low, high = line["seconds_low"] * per_row, line["seconds_high"] * per_row
        if not is_peer(variant):  # so many bands upon one another would hide the lines
            axes.fill_between(line["batch_size"], low, high, color=look.colors[variant], alpha=0.18, lw=0)
    sizes = _apart(sorted(measured["batch_size"].unique()))
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sizes, [str(size) for size in sizes], rotation=30)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(EngFormatter(unit="s", sep=" "))
    axes.set_xlabel("batch size (rows)", fontsize=9)
    axes.set_ylabel(f"time per row, {measured['task'].iloc[0]}", fontsize=9)
