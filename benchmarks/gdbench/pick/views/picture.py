"""The picture of an answer: steps to the target times seconds per step makes time to the target, over batch size."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from itertools import chain
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullLocator

from gdbench.pick.views.panels import Panel, answer, mark_names, panels, target_of
from gdbench.pick.views.points import Point, Record, points

WIDTH_INCHES, HEIGHT_INCHES, DOTS_PER_INCH = 10.0, 4.4, 180
COLOURS = {"steps": "#0072B2", "times": "#D55E00", "total": "#333333"}
CHOSEN_COLOUR, SOFT_COLOUR, RING_COLOUR = "#009E73", "#5f666d", "#111111"
"""Colours of Okabe and Ito's set, or grey; what must be distinguished has a shape of its own too."""
HEADLINE_POINTS, TITLE_POINTS, LABEL_POINTS, SMALL_POINTS = 12.0, 10.0, 9.0, 8.0
HEADLINE_INCHES, LINE_INCHES = 0.36, 0.19
"""Room of the title's first line and of each other."""
TITLE_CHARACTERS = 130
MAX_LABELS, LABEL_RATIO = 8, 1.9
"""Batch sizes written at the axis of a panel: how many, and the least ratio of two of them."""
ONE_ROW = 7
"""Entries of the legend that fit into a row."""
MAX_FINE_TICKS = 1000.0
"""Ratio of an axis's ends up to which 2 and 5 are written beside powers of ten."""
MARKS: dict[str, dict[str, Any]] = {
    "chosen": {"marker": "D", "ms": 8, "mfc": CHOSEN_COLOUR, "mec": "white", "zorder": 4},
    "fastest": {"marker": "o", "ms": 13, "mfc": "none", "mec": RING_COLOUR, "zorder": 5},
    "current": {"marker": "s", "ms": 9, "mfc": "none", "mec": RING_COLOUR},
    "full": {"marker": "^", "ms": 11, "mfc": "none", "mec": RING_COLOUR},
}
"""How a batch size is marked in the last panel, by the field of its point."""


def picture(record: Record) -> bytes:
    """PNG of an answer: its halves and their product, a panel each, over one axis of batch sizes.

    Dots are estimates and bars their 90 % intervals; lines are fits to them. Batch sizes without a number stand at
    the bottom with their status. Without a choice the panels show what was found, and no time to the target.
    """
    figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), layout="constrained")
    found, drawn = points(record), panels(record)
    for axes, panel in zip(figure.subplots(1, len(drawn), squeeze=False)[0], drawn, strict=True):
        _draw(axes, panel, found)
    _marks(figure.axes[-1], drawn[-1], found, mark_names(record))
    _title(figure, record)
    handles, labels = _legend(figure.axes, found)
    columns = len(labels) if len(labels) <= ONE_ROW else -(-len(labels) // 2)
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=SMALL_POINTS)
    return _png(figure)


def _title(figure: Figure, record: Record) -> None:
    """Write the answer large, below it the target and what was measured, and leave them their room."""
    settings, choice = record["settings"], record["choice"]
    target = f"Target: {target_of(record)}" if target_of(record) else record["reason"]
    variant = choice["variant"] if choice else settings["variant"]
    where = f"{record['network']['label']} on {record['data']['name']}, {variant}, {settings['dtype']}"
    small = [target, f"{where}, {record['environment']['cpu']}"]
    lines = list(chain.from_iterable(textwrap.wrap(line, TITLE_CHARACTERS) for line in small))
    inches = HEADLINE_INCHES + LINE_INCHES * len(lines)
    figure.text(0.012, 1 - 0.1 / HEIGHT_INCHES, answer(record), fontsize=HEADLINE_POINTS, weight="bold", va="top")
    below = 1 - HEADLINE_INCHES / HEIGHT_INCHES
    figure.text(0.012, below, "\n".join(lines), fontsize=LABEL_POINTS, color=SOFT_COLOUR, va="top", linespacing=1.35)
    figure.set_layout_engine("constrained", rect=(0, 0, 1, 1 - inches / HEIGHT_INCHES))


def _draw(axes: Axes, panel: Panel, found: Sequence[Point]) -> None:
    colour = COLOURS[panel.key]
    axes.set_title(panel.title, fontsize=TITLE_POINTS, loc="left", fontweight="bold", color=colour, pad=18)
    axes.annotate(
        panel.note, (0, 1), (0, 5), "axes fraction", "offset points", fontsize=SMALL_POINTS, color=SOFT_COLOUR
    )
    _sizes_axis(axes, found)
    _values_axis(axes, panel)
    axes.grid(alpha=0.3, which="major")
    axes.spines[["top", "right"]].set_visible(False)
    _estimates(axes, panel)
    if panel.own:
        ring: dict[str, Any] = {"ms": 7, "mfc": "none", "mec": colour, "mew": 0.8, "ls": "none"}
        axes.plot(*zip(*panel.own, strict=True), marker="o", label="runs of that batch size alone", **ring)
    if panel.line:
        axes.plot(*zip(*panel.line, strict=True), color=colour, lw=1.2, alpha=0.55, label="fit", zorder=1.5)
    if panel.mark is not None:
        axes.axvline(panel.mark, color=colour, ls=":", lw=1.4, zorder=1.2)
    for point in found:
        if point.chosen:
            axes.axvline(point.batch_size, color=CHOSEN_COLOUR, lw=1.2, alpha=0.8, zorder=1.1)
    _lost(axes, panel)


def _estimates(axes: Axes, panel: Panel) -> None:
    if not panel.estimates:
        axes.annotate(panel.empty, (0.5, 0.55), xycoords="axes fraction", ha="center", fontsize=LABEL_POINTS)
        return
    for size, found in panel.estimates:
        guessed = size in panel.guessed
        marker, face = ("v", "white") if guessed else ("o", COLOURS[panel.key])
        name = "from the fit alone, never chosen" if guessed else "estimate, bar: 90 % interval"
        axes.vlines(size, found.low, found.high, color=COLOURS[panel.key], lw=1.4)
        axes.plot([size], [found.value], marker, ms=4, color=COLOURS[panel.key], mfc=face, ls="none", label=name)


def _lost(axes: Axes, panel: Panel) -> None:
    """Put a cross and the status at the bottom, where a batch size has no number."""
    at_bottom = axes.get_xaxis_transform()
    for size, status in panel.lost:
        axes.plot([size], [0.035], "x", transform=at_bottom, color=SOFT_COLOUR, ms=6, mew=1.6, label="no number")
        place: dict[str, Any] = {"xycoords": at_bottom, "textcoords": "offset points", "ha": "center", "va": "bottom"}
        axes.annotate(status, (size, 0.035), (0, 6), rotation=90, fontsize=7.5, color=SOFT_COLOUR, **place)


def _marks(axes: Axes, panel: Panel, found: Sequence[Point], names: dict[str, str]) -> None:
    """Mark the choice, what ties with it, and what it is compared with."""
    heights = {size: estimate.value for size, estimate in panel.estimates}
    for point in found:
        size = point.batch_size
        if point.tied:
            axes.axvspan(*point.stretch, color=CHOSEN_COLOUR, alpha=0.13, lw=0, zorder=0.5)
        if size not in heights:
            continue
        for field, look in MARKS.items():
            if getattr(point, field):
                axes.plot([size], [heights[size]], ls="none", label=names[field], **look)


def _legend(panels_drawn: Sequence[Axes], found: Sequence[Point]) -> tuple[list[Artist], list[str]]:
    """One entry for each kind of mark that occurs; they have the first panel's colour that has them."""
    pairs = chain.from_iterable(zip(*axes.get_legend_handles_labels(), strict=True) for axes in panels_drawn)
    by_name: dict[str, Artist] = {}
    for handle, name in pairs:
        by_name.setdefault(name, handle)
    if any(point.tied for point in found):
        by_name["as good as the best"] = Patch(color=CHOSEN_COLOUR, alpha=0.2, lw=0)
    return list(by_name.values()), list(by_name)


def _sizes_axis(axes: Axes, found: Sequence[Point]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xlabel("batch size (rows)", fontsize=LABEL_POINTS)
    if found:
        axes.set_xlim(found[0].stretch[0], found[-1].stretch[1])
    shown = _apart([point.batch_size for point in found])
    axes.set_xticks(shown, [f"{size:,}" for size in shown])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(labelsize=SMALL_POINTS)


def _apart(sizes: Sequence[int]) -> list[int]:
    """Leave out batch sizes whose labels would run into the next one; both ends always stay."""
    if not sizes:
        return []
    least = max(LABEL_RATIO, (sizes[-1] / sizes[0]) ** (1 / MAX_LABELS))
    kept = [sizes[0]]
    for size in sizes[1:]:
        if size >= least * kept[-1] and (size == sizes[-1] or sizes[-1] >= least * size):
            kept.append(size)
    return kept if kept[-1] == sizes[-1] else [*kept, sizes[-1]]


def _values_axis(axes: Axes, panel: Panel) -> None:
    axes.set_yscale("log")
    axes.set_ylabel(panel.label, fontsize=LABEL_POINTS)
    axes.yaxis.set_minor_locator(NullLocator())
    if panel.reach is None:
        axes.set_yticks([])
        return
    low, high = panel.reach
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(LogLocator(subs=(1,) if high > MAX_FINE_TICKS * low else (1, 2, 5)))
    count = FuncFormatter(lambda steps, _: f"{steps:,.15g}")
    axes.yaxis.set_major_formatter(count if panel.unit == "steps" else EngFormatter(unit="s", sep=" "))


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DOTS_PER_INCH)
    return file.getvalue()
