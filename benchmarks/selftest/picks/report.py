"""The report of the studies of picks: ``report.md`` and a picture, made anew from the measurements each time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from gdbench.basics.storage import replacing, write_text
from gdbench.views.drawing import default_style
from selftest.journal import Journal
from selftest.picks.findings import ORACLES, REGRETS, SIMULATED, TABLES, latest
from selftest.picks.known_tables import known_parts
from selftest.picks.real_tables import real_parts
from selftest.picks.scores import Entry

PICTURE = "picks.png"
COLOURS = ("#1b7f4b", "#30679c", "#b3261e", "#8a8a8a")
SIZE_INCHES, DOTS_PER_INCH = (6.5, 4.6), 120
MIN_PERCENT, MAX_PERCENT = 0.1, 1e5
"""Ends of the axis of regrets, per cent; smaller and larger ones are drawn there."""
INTRODUCTION = """# How good the picks are

Made by `python benchmarks/selftest/run.py oracles simulated empirical`; every number below is computed from
`measurements.jsonl` beside this file. The regret of a pick is how much longer training takes at the picked batch size
and learning rate than at the best batch size with its best rate: 2 % is 1.02 times as long. A 90th percentile is a
value that occurred.
"""


def is_measured(folder: Path) -> bool:
    """Whether a folder holds findings of these studies."""
    return any(Journal(folder).entries(part) for part in (ORACLES, SIMULATED, TABLES))


def write_report(folder: Path) -> Path:
    """Write the report of whatever has been measured so far."""
    journal = Journal(folder)
    tables, regrets = (latest(journal, part) for part in (TABLES, REGRETS))
    searches = [*latest(journal, ORACLES), *latest(journal, SIMULATED)]
    parts = [INTRODUCTION]
    if searches:
        parts.append(f"![Regrets of picks and fixed rules]({PICTURE})\n")
        _draw(folder / PICTURE, searches)
    for tier in dict.fromkeys(search["tier"] for search in searches):
        parts += known_parts([search for search in searches if search["tier"] == tier], tier)
    path = folder / "report.md"
    write_text(path, "\n".join([*parts, *real_parts(tables, regrets)]))
    return path


@default_style()
def _draw(path: Path, searches: Sequence[Entry]) -> None:
    """Draw the shares of picks and of fixed rules up to every regret."""
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    found = {"gdbench pick": [search["regret"] for search in searches]}
    found |= {name: [search["rules"][name] for search in searches] for name in searches[0]["rules"]}
    for colour, (name, values) in zip(COLOURS, found.items(), strict=True):
        shown = [100 * value if value is not None else MAX_PERCENT for value in values]
        known = np.sort(shown).clip(MIN_PERCENT, MAX_PERCENT)
        shares = 100 * np.arange(1, len(known) + 1) / len(known)
        axes.step(known, shares, where="post", color=colour, label=name, linewidth=2 if name == "gdbench pick" else 1)
    axes.set(xscale="log", xlim=(MIN_PERCENT, MAX_PERCENT), ylim=(0, 102), title="Regret")
    axes.set(xlabel="longer than the best batch size, % (at most)", ylabel="% of picks")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.legend(loc="lower right")
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DOTS_PER_INCH)
