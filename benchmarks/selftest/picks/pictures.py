"""One picture: how many picks and fixed rules lose at most so much, and what the searches cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from gdbench.basics.storage import replacing
from selftest.picks.family import FAMILY
from selftest.picks.scores import CHEAP, costs, picks_of

COLOURS = ("#1b7f4b", "#30679c", "#b3261e", "#8a8a8a", "#c77700")
SIZE_INCHES = (11.0, 4.6)
DOTS_PER_INCH = 120
MIN_PERCENT, MAX_PERCENT = 0.1, 1e5
"""Ends of the axis of regrets, per cent; smaller and larger ones are drawn there."""


def draw(path: Path, searches: Sequence[Mapping[str, Any]]) -> None:
    """Draw the shares of picks and rules up to every regret, and the cost of every search by problem."""
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    left, right = figure.subplots(1, 2)
    _regrets(left, picks_of(searches))
    names = [name for name in FAMILY if any(search["instance"] == name for search in searches)]
    for name in names:
        shares = costs([search for search in searches if search["instance"] == name])
        right.plot([100 * share for share in shares], [name] * len(shares), "o", color=COLOURS[1], alpha=0.6)
    right.axvline(100 * CHEAP, color="black", linewidth=0.8)
    right.set(xlabel="rows of a search, % of an exhaustive sweep (line: goal)", title="Cost")
    right.set_xlim(left=0)
    right.invert_yaxis()
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DOTS_PER_INCH)


def _regrets(axes: Any, picks: Sequence[Mapping[str, Any]]) -> None:
    found = {"gdbench pick": [pick["regret"] for pick in picks]}
    found |= {name: [pick["rules"][name] for pick in picks] for name in picks[0]["rules"]}
    for colour, (name, values) in zip(COLOURS, found.items(), strict=True):
        known = np.sort([100 * value if value is not None else MAX_PERCENT for value in values]).clip(
            MIN_PERCENT, MAX_PERCENT
        )
        shares = 100 * np.arange(1, len(known) + 1) / len(known)
        axes.step(known, shares, where="post", color=colour, label=name, linewidth=2 if name == "gdbench pick" else 1)
    axes.set(xscale="log", xlim=(MIN_PERCENT, MAX_PERCENT), ylim=(0, 102), title="Regret")
    axes.set(xlabel="longer than the best batch size, % (at most)", ylabel="% of picks")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.legend(loc="lower right")
