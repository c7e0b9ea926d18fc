"""Quantiles of regrets and costs, and the goals that they are held against: numbers in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

CHEAP, CHEAP_SHARE = 0.1, 0.9
"""Goal of costs: at most a tenth of the exhaustive sweep, in nine searches of ten."""
COVER = (0.85, 0.95)
"""Goal of the share of 90 % intervals that hold the truth."""
RULE_SHARE = 1 / 3
"""Goal of the 90th percentile of regret, over that of each fixed rule."""


@dataclass(frozen=True)
class Regret:
    """How much longer picks take than the best ones; 0.02 is 2 % longer, infinity is never."""

    median: float
    p90: float
    worst: float
    count: int


EXACT_GOAL = Regret(0.02, 0.07, 0.15, 0)
REAL_GOAL = Regret(0.03, math.inf, 0.25, 0)


def finite(value: float | None) -> float | None:
    """Give the number, or None where JSON has no word for it."""
    return float(value) if value is not None and math.isfinite(value) else None


def regret(values: Iterable[float | None]) -> Regret:
    """Median, 90th percentile and worst, of values that occurred; None counts as infinite."""
    known = np.array([math.inf if value is None else value for value in values])
    if not known.size:
        return Regret(math.nan, math.nan, math.nan, 0)
    middle, p90 = (float(np.quantile(known, share, method="higher")) for share in (0.5, 0.9))
    return Regret(middle, p90, float(known.max()), known.size)


def picks_of(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """All picks of some searches."""
    return [pick for entry in entries for pick in entry["picks"]]


def rule_regrets(picks: Sequence[Mapping[str, Any]]) -> dict[str, Regret]:
    """Regrets of the fixed rules, where there are such picks."""
    names = list(dict.fromkeys(name for pick in picks for name in pick["rules"]))
    return {name: regret(pick["rules"][name] for pick in picks) for name in names}


def cover(picks: Sequence[Mapping[str, Any]]) -> float:
    """Share of picks whose interval of the expected time holds the true time."""
    return sum(pick["covered"] for pick in picks) / len(picks) if picks else math.nan


def costs(entries: Sequence[Mapping[str, Any]]) -> list[float]:
    """Rows that each search processed, as a share of those of an exhaustive sweep."""
    return [entry["rows"] / entry["sweep_rows"] for entry in entries]


def share_within(values: Sequence[float], limit: float) -> float:
    """Share of values up to a limit."""
    return sum(value <= limit for value in values) / len(values) if values else math.nan


def summary(entries: Sequence[Mapping[str, Any]]) -> str:
    """Quantiles of some searches in one line."""
    if not entries:
        return "nothing measured"
    picks, cost = picks_of(entries), costs(entries)
    found, sizes = regret(pick["regret"] for pick in picks), regret(pick["size_regret"] for pick in picks)
    return (
        f"regret median {found.median:.1%}, P90 {found.p90:.1%}, worst {found.worst:.1%} of {found.count} "
        f"(batch size alone P90 {sizes.p90:.1%}, worst {sizes.worst:.1%}); "
        f"cost median {median(cost):.1%}, at most {CHEAP:.0%} in {share_within(cost, CHEAP):.0%}; "
        f"cover {cover(picks):.1%}"
    )
