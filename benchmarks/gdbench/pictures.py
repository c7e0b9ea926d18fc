"""The picture of a run: time per row over batch size, a line per variant with its interval."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, NullFormatter

from gdbench.findings import experiments, headline_task
from gdbench.records import MEASURED, Run
from gdbench.storage import replacing

COLORS = ("#4c566a", "#d08770", "#2e7d9a", "#7a3e9d", "#5b8c3a", "#b5446e", "#c9a227", "#222222")
LABEL_RATIO = 1.4
"""Least ratio of two batch sizes that are both written at the axis."""
STYLES = ("-", "--")


def write_picture(run: Run, path: Path) -> None:
    """Draw a panel per network and data set into a PNG file; panels of what was not measured are left out."""
    panels = [(name, table) for name, table in experiments(run.summary) if (table["status"] == MEASURED).any()]
    if not panels:
        return
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(5.6 * columns, 3.7 * rows + 0.7), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    styles = dict(zip(run.summary["dtype"].unique(), STYLES, strict=False))
    colors = dict(zip(run.summary["variant"].unique(), COLORS * 4, strict=False))
    for axes, (name, table) in zip(grid, panels, strict=False):
        _panel(axes, " on ".join(name), table[table["task"] == headline_task(table)], colors, styles)
    for axes in grid[len(panels) :]:
        axes.remove()
    handles = {line.get_label(): line for axes in grid[: len(panels)] for line in axes.get_lines()}
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    figure.suptitle(f"Time per row of a training pass, {run.environment['cpu']}", fontsize=11)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)


def _apart(sizes: list[int]) -> list[int]:
    """Leave out batch sizes whose labels would run into the next one; the largest, all rows, always stays."""
    return [size for size, following in zip(sizes, [*sizes[1:], None], strict=True) if not _touch(size, following)]


def _touch(size: int, following: int | None) -> bool:
    return following is not None and following < LABEL_RATIO * size


def _panel(axes: Axes, title: str, table: pd.DataFrame, colors: dict[str, str], styles: dict[str, str]) -> None:
    measured = table[table["status"] == MEASURED]
    for key, group in measured.groupby(["variant", "dtype"], sort=False):
        variant, dtype = map(str, key)
        line = group.sort_values("batch_size")
        per_row = line["seconds_per_row"] / line["seconds"]
        (points,) = axes.plot(line["batch_size"], line["seconds_per_row"], marker="o", ms=3.5, lw=1.6)
        points.set(color=colors[variant], linestyle=styles[dtype], label=f"{variant} {dtype}")
        low, high = line["seconds_low"] * per_row, line["seconds_high"] * per_row
        axes.fill_between(line["batch_size"], low, high, color=colors[variant], alpha=0.18, lw=0)
    sizes = _apart(sorted(measured["batch_size"].unique()))
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sizes, [str(size) for size in sizes], rotation=30)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(EngFormatter(unit="s", sep=" "))
    axes.set_title(f"{title} ({table['sizes'].iloc[0].split(' ')[0]})", fontsize=10)
    axes.set_xlabel("batch size (rows)", fontsize=9)
    axes.set_ylabel(f"time per row, {table['task'].iloc[0]}", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(which="major", color="#dddddd", lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
