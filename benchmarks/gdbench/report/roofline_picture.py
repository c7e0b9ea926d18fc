"""The roofline of a run: performance over arithmetic intensity, under the machine's roofs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter, StrMethodFormatter

from gdbench.experiments.cases import MEASURED
from gdbench.experiments.variants import is_peer
from gdbench.machine.roofline import roofs
from gdbench.machine.work import Limits
from gdbench.report.pictures import Look, draw_panels, write_figure
from gdbench.run.folder import Run
from gdbench.views.drawing import default_style

ROOF_COLOR = "#333333"
MARGIN = 2.0
"""By so much the axes reach beyond the points."""


@default_style()
def write_roofline(run: Run, path: Path) -> None:
    """Draw the roofline into a PNG file; nothing for a run that did not measure the machine's limits.

    A column of points is one batch size and dtype: all variants do the same work. The bar in it is the case's own
    limit. It need not lie on a line: those are for updates alone, while a case also reads its rows, at the same time
    and from where they live.
    """
    if not run.limits or not (run.summary["status"] == MEASURED).any():
        return
    title = f"Roofline, {run.environment.cpu}: bars are the limits of the cases"
    write_figure(draw_panels(run, Figure(), title, partial(_panel, run.limits)), path)


def _panel(limits: dict[int, Limits], axes: Axes, measured: pd.DataFrame, look: Look) -> None:
    threads = int(measured["threads"].min())  # the roofs of another number of threads are others
    shown = measured[measured["threads"] == threads]
    table = shown.assign(intensity=shown["flops"] / shown["bytes"], speed=shown["flops"] / shown["seconds"])
    for key, points in table.groupby(["variant", "dtype"], sort=False):
        variant, dtype = map(str, key)
        color = look.colors[variant]
        axes.plot(
            points["intensity"],
            points["speed"],
            linestyle="none",
            marker=look.markers[variant],
            ms=4.5,
            color=color,
            mfc=look.face(color, dtype),
            zorder=1.5 if is_peer(variant) else 2,
        )
    least = table["flops"] / table["limit_seconds"]
    axes.plot(table["intensity"], least, linestyle="none", marker="_", ms=10, mew=1.6, color="#c0392b", zorder=3)
    _roofs(axes, limits[threads], table["intensity"], look)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(EngFormatter(unit="FLOP/s", sep=" "))
    axes.set_xlabel("arithmetic intensity (FLOP per byte that must move)", fontsize=9)
    axes.set_ylabel(f"performance, {table['task'].iloc[0]}", fontsize=9)


def _roofs(axes: Axes, limits: Limits, intensities: pd.Series, look: Look) -> None:
    """Draw the roof of each level and dtype, with the level's name on the slope."""
    x = np.geomspace(intensities.min() / MARGIN, intensities.max() * MARGIN, 200)
    for dtype, style in look.styles.items():
        for level, roof in roofs(limits, dtype, x.tolist()).items():
            axes.plot(x, roof, color=ROOF_COLOR, lw=0.8, linestyle=style, zorder=1)
            if style == "-":
                axes.annotate(
                    level, (x[0], roof[0]), fontsize=7, color=ROOF_COLOR, xytext=(2, 3), textcoords="offset points"
                )
