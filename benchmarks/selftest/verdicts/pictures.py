"""One picture: how often each tool alarms where nothing changed, and which planted slowdowns are found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from gdbench.basics.storage import replacing
from gdbench.views.drawing import default_style
from selftest.verdicts.scoring import REGRESSED, UNCHANGED, Planted, Rate

FOUND, MISSED, UNKNOWN = "#1b7f4b", "#b3261e", "#8a8a8a"
SLOWDOWNS, SPREADS = (1, 2, 5, 10, 25, 50, 100), (0.5, 1, 2, 4, 8, 16)
"""Ticks in per cent; those beyond the data are left out."""
SIZE_INCHES = (11.0, 4.2)
DOTS_PER_INCH = 120


@default_style()
def draw(path: Path, rates: Mapping[str, Rate], cases: Sequence[Planted]) -> None:
    """Draw the rates of false alarms with their upper bounds, and planted cases by true size and spread of pairs."""
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    left, right = figure.subplots(1, 2)
    names = list(rates)
    shares = [100 * (rates[name].share or 0.0) for name in names]
    bounds = [100 * (rates[name].upper or 0.0) for name in names]
    left.barh(names, shares, color="#30679c")
    left.plot(bounds, names, "|", color="black", markersize=14)
    for name, share, bound in zip(names, shares, bounds, strict=True):
        left.annotate(f" {share:.2g} %", (max(share, bound), name), va="center")
    left.set(
        xlabel="verdicts that are false alarms, % (mark: upper bound)",
        xlim=(0, 1.25 * max(*bounds, 1.0)),
        title="Nothing changed",
    )
    left.invert_yaxis()
    _planted(right, cases)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DOTS_PER_INCH)


def _planted(axes, cases: Sequence[Planted]) -> None:
    sized = [case for case in cases if case.size is not None and case.pair_sd]
    for label, colour, chosen in (
        ("found", FOUND, [case for case in sized if case.verdict == REGRESSED]),
        ("not enough evidence", UNKNOWN, [case for case in sized if case.verdict not in (REGRESSED, UNCHANGED)]),
        ("called unchanged", MISSED, [case for case in sized if case.verdict == UNCHANGED]),
    ):
        x, y = [100 * (case.truth - 1) for case in chosen], [100 * case.pair_sd for case in chosen]
        axes.plot(x, y, "o", color=colour, label=f"{label} ({len(chosen)})")
    axes.set(xlabel="true slowdown, %", ylabel="spread of pairs (sd), %", title="Planted slowdowns")
    if sized:
        axes.set(xscale="log", yscale="log")
        for axis, ticks in ((axes.xaxis, SLOWDOWNS), (axes.yaxis, SPREADS)):
            low, high = axis.get_view_interval()
            axis.set_ticks([tick for tick in ticks if low <= tick <= high], minor=False)
            axis.set_ticks([], minor=True)
            axis.set_major_formatter("{x:g}")
        axes.legend()
