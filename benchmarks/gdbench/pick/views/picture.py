"""The picture of an answer: steps to the target times seconds per step makes time to the target, over batch size."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullLocator

from gdbench.pick.choose.objectives import NEEDS_NO_STEPS
from gdbench.pick.record.record import PickRecord
from gdbench.pick.seconds.model import predict
from gdbench.pick.steps.answer import EXTRAPOLATED, Curve
from gdbench.pick.views.amounts import number
from gdbench.views.drawing import default_style

WIDTH_INCHES, HEIGHT_INCHES, DOTS_PER_INCH = 10.0, 4.4, 180
STEPS, TIMES, TOTAL, CHOSEN, SOFT, RING = "#0072B2", "#D55E00", "#333333", "#009E73", "#5f666d", "#111111"
"""Colours of Okabe and Ito's set, or grey; what must be distinguished has a shape of its own too."""
HEADLINE_POINTS, TITLE_POINTS, LABEL_POINTS, SMALL_POINTS = 10.5, 10.0, 9.0, 8.0
TITLE_CHARACTERS, HEADLINE_CHARACTERS, LINE_INCHES = 130, 112, 0.19
MAX_LABELS, LABEL_RATIO, WORD_RATIO = 8, 1.9, 1.5
"""Batch sizes written at the axis of a panel: how many, and the least ratio of two of them, or of words on end."""
LONGEST_BAR = 5.0
"""Bars end at this factor from their dot, or they would flatten the picture."""
MAX_FINE_TICKS = 1000.0
"""Ratio of an axis's ends up to which 2 and 5 are written beside powers of ten."""
MIN_REACH = 5.0
"""Least ratio of a vertical axis's ends."""
LINE_POINTS = 65

Estimate = tuple[int, float, float, float]
"""Batch size, value and the ends of its 90 % interval."""
Line = Sequence[tuple[float, float]]


def picture(record: PickRecord, kind: str = "png") -> bytes:
    """PNG or SVG of an answer."""
    file = io.BytesIO()
    with default_style(), mpl.rc_context({"svg.hashsalt": "gdbench"}):  # the same answer gives the same file
        figure = draw(record)
        FigureCanvasAgg(figure)
        figure.savefig(file, format=kind, dpi=DOTS_PER_INCH, metadata={"Date": None} if kind == "svg" else None)
    return file.getvalue()


def draw(record: PickRecord, figure: Figure | None = None) -> Figure:
    """Draw the halves of an answer and their product, a panel each, over one axis of batch sizes.

    Dots are measured, bars their 90 % intervals, lines fits to them. Batch sizes without a number stand at the bottom
    with their status. Without a choice the panels show what was found, and no time to the target.
    """
    figure = figure or Figure()  # or one that a notebook shows
    figure.set_size_inches(WIDTH_INCHES, HEIGHT_INCHES)
    figure.set_layout_engine("constrained")
    trained = record.settings.objective != NEEDS_NO_STEPS
    axes = list(figure.subplots(1, 3 if trained else 2))
    if trained:
        _steps(axes[0], record)
    _times(axes[-2], record, title="× time per step" if trained else "Time per step")  # noqa: RUF001 - a product
    _total(axes[-1], record, trained=trained)
    for one in axes:
        _axis_of_sizes(one, record)
    _title(figure, record)
    handles, labels = _legend(axes)
    columns = len(labels) if len(labels) <= 7 else -(-len(labels) // 2)
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=SMALL_POINTS)
    return figure


def _steps(axes: Axes, record: PickRecord) -> None:
    steps = record.steps
    rows = steps.rows if steps else ()
    found = [
        (row.batch_size, row.steps, row.low, row.high)
        for row in rows
        if row.measured and row.steps is not None and row.low is not None and row.high is not None
    ]
    curve = steps.curve if steps else None
    critical = curve.critical if curve and curve.identified else None
    _panel(axes, "Steps to the target", STEPS, found, note=_note("critical batch", critical))
    _line(axes, STEPS, [(size, _on(curve, size)) for size in _between(found)] if curve else [], mark=critical)
    _lost(axes, [(row.batch_size, row.status) for row in rows if not row.measured])


def _times(axes: Axes, record: PickRecord, *, title: str) -> None:
    times = record.times
    found = [(row.batch_size, row.seconds, row.low, row.high) for row in (times.rows if times else ())]
    half = times.model.half_throughput if times else None
    _panel(axes, title, TIMES, found, note=_note("half-throughput batch", half), unit="s")
    _line(axes, TIMES, _time_line(record, found), mark=half)


def _total(axes: Axes, record: PickRecord, *, trained: bool) -> None:
    title = "= time to the target" if trained else "÷ batch size = time per row"
    rows = record.choice.table if record.choice else ()
    if trained:
        found = [(row.batch_size, *row.time) for row in rows if row.time]
    else:
        sized = [(row.batch_size, row) for row in (record.times.rows if record.times else ())]
        found = [(size, row.seconds / size, row.low / size, row.high / size) for size, row in sized]
    tied = [f"{row.batch_size:,}" for row in rows if row.tied]
    note = f"as good as the best: {', '.join(tied)}" if tied else ""
    _panel(axes, title, TOTAL, found, note=note, unit="s")
    curve = record.steps.curve if record.steps else None
    per_step = _time_line(record, found)
    if not trained:
        _line(axes, TOTAL, [(size, seconds / size) for size, seconds in per_step])
    elif curve is not None:
        _line(axes, TOTAL, [(size, seconds * _on(curve, size)) for size, seconds in per_step])
    _marks(axes, record, {size: value for size, value, _, _ in found})


def _time_line(record: PickRecord, found: Sequence[Estimate]) -> Line:
    """Return seconds per step by the model at batch sizes between those that were found."""
    if record.times is None:
        return []
    timed = [row.batch_size for row in record.times.rows]
    ends = min(timed), max(timed)
    inside = [min(max(size, ends[0]), ends[1]) for size in _between(found)]
    return [(size, predict(record.times.model, size, measured=ends)) for size in inside]


def _on(curve: Curve, size: float) -> float:
    return curve.floor * (1 + curve.critical / size)


def _between(found: Sequence[Estimate]) -> list[float]:
    sizes = [size for size, *_ in found]
    return [float(size) for size in np.geomspace(min(sizes), max(sizes), LINE_POINTS)] if len(sizes) > 1 else []


def _note(name: str, rows: float | None) -> str:
    return f"{name} not known" if rows is None else f"dotted: {name}, {number(rows)} rows"


def _panel(axes: Axes, title: str, colour: str, found: Sequence[Estimate], *, note: str, unit: str = "") -> None:
    axes.set_title(title, fontsize=TITLE_POINTS, loc="left", fontweight="bold", color=colour, pad=18)
    axes.annotate(note, (0, 1), (0, 5), "axes fraction", "offset points", fontsize=SMALL_POINTS, color=SOFT)
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(alpha=0.3, which="major")
    axes.spines[["top", "right"]].set_visible(False)
    if not found:
        axes.annotate("no number", (0.5, 0.55), xycoords="axes fraction", ha="center", fontsize=LABEL_POINTS)
        axes.set_yticks([])
        return
    for size, value, low, high in found:
        axes.vlines(size, max(low, value / LONGEST_BAR), min(high, value * LONGEST_BAR), color=colour, lw=1.4)
    sizes, values = [size for size, *_ in found], [value for _, value, *_ in found]
    axes.plot(sizes, values, "o", ms=4, color=colour, ls="none", label="measured, bar: 90 % interval")
    low, high = axes.get_ylim()
    wider = max(1.0, (MIN_REACH * low / high) ** 0.5)
    axes.set_ylim(low / wider, high * wider)
    fine = max(values) <= MAX_FINE_TICKS * min(values)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if fine else (1,)))
    count = FuncFormatter(lambda steps, _: f"{steps:,.15g}")
    axes.yaxis.set_major_formatter(EngFormatter(unit="s", sep=" ") if unit == "s" else count)


def _line(axes: Axes, colour: str, line: Line, *, mark: float | None = None) -> None:
    if line:
        axes.plot(*zip(*line, strict=True), color=colour, lw=1.2, alpha=0.55, label="fit", zorder=1.5)
    if mark is not None:
        axes.axvline(mark, color=colour, ls=":", lw=1.4, zorder=1.2)


def _lost(axes: Axes, rows: Sequence[tuple[int, str]]) -> None:
    """Put a cross and the status at the bottom, where a batch size has no number."""
    at_bottom = axes.get_xaxis_transform()
    following = [size for size, _ in rows[1:]]
    for (size, status), neighbour in zip_longest(rows, following):
        axes.plot([size], [0.035], "x", transform=at_bottom, color=SOFT, ms=6, mew=1.6, label="no number")
        place: dict[str, Any] = {"xycoords": at_bottom, "textcoords": "offset points", "ha": "center", "va": "bottom"}
        if neighbour is not None and neighbour < WORD_RATIO * size:
            continue  # its word would be printed over the next one
        word = "not measured" if status == EXTRAPOLATED else status
        axes.annotate(word, (size, 0.035), (0, 6), rotation=90, fontsize=7.5, color=SOFT, **place)


def _marks(axes: Axes, record: PickRecord, heights: dict[int, float]) -> None:
    """Mark the choice, the best, and what both are compared with."""
    if record.choice is None:
        return
    looks: list[tuple[int | None, str, dict[str, Any]]] = [
        (record.choice.batch_size, "chosen", {"marker": "D", "ms": 8, "mfc": CHOSEN, "mec": "white", "zorder": 4}),
        (record.choice.fastest, "best", {"marker": "o", "ms": 13, "mfc": "none", "mec": RING, "zorder": 5}),
        (record.settings.current, "your batch size", {"marker": "s", "ms": 9, "mfc": "none", "mec": RING}),
        (record.data.n_rows, "all rows", {"marker": "^", "ms": 11, "mfc": "none", "mec": RING}),
    ]
    for size, name, look in looks:
        if size in heights:
            axes.plot([size], [heights[size]], ls="none", label=name, **look)


def _axis_of_sizes(axes: Axes, record: PickRecord) -> None:
    halves = (record.steps.rows if record.steps else (), record.times.rows if record.times else ())
    sizes = sorted({row.batch_size for half in halves for row in half})
    axes.set_xscale("log", base=2)
    axes.set_xlabel("batch size (rows)", fontsize=LABEL_POINTS)
    if sizes:
        axes.set_xlim(sizes[0] / 2**0.5, sizes[-1] * 2**0.5)
    shown = _apart(sizes)
    axes.set_xticks(shown, [f"{size:,}" for size in shown])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(labelsize=SMALL_POINTS)
    if record.choice:
        axes.axvline(record.choice.batch_size, color=CHOSEN, lw=1.2, alpha=0.8, zorder=1.1)


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


def _title(figure: Figure, record: PickRecord) -> None:
    """Write the answer large, below it the target and what was measured, and leave them their room."""
    settings, choice = record.settings, record.choice
    trained = record.steps is not None and settings.objective != NEEDS_NO_STEPS
    target = f"Target: {record.steps.target.words}" if record.steps and trained else record.reason
    where = f"{record.label} on {record.data.name}, {choice.variant if choice else settings.variant}, {settings.dtype}"
    large = textwrap.wrap(record.sentences[0], HEADLINE_CHARACTERS)
    small = list(chain.from_iterable(textwrap.wrap(line, TITLE_CHARACTERS) for line in (target, where)))
    top = 1 - 0.1 / HEIGHT_INCHES
    inches = LINE_INCHES * (1.3 * len(large))
    look: dict[str, Any] = {"va": "top", "linespacing": 1.35, "parse_math": False}  # a file's name may have dollars
    figure.text(0.012, top, "\n".join(large), fontsize=HEADLINE_POINTS, weight="bold", **look)
    below = top - inches / HEIGHT_INCHES
    figure.text(0.012, below, "\n".join(small), fontsize=LABEL_POINTS, color=SOFT, **look)
    room = 1 - (0.15 + inches + LINE_INCHES * len(small)) / HEIGHT_INCHES
    figure.set_layout_engine("constrained", rect=(0, 0, 1, room))


def _legend(panels: Sequence[Axes]) -> tuple[list[Artist], list[str]]:
    """One entry for each kind of mark that occurs; it has the first panel's colour that has it."""
    by_name: dict[str, Artist] = {}
    for handle, name in chain.from_iterable(zip(*axes.get_legend_handles_labels(), strict=True) for axes in panels):
        by_name.setdefault(name, handle)
    return list(by_name.values()), list(by_name)
