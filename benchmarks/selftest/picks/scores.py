"""Quantiles of regrets and of errors, and the goals that they are held against: numbers in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Entry = Mapping[str, Any]
NORMAL_90 = 1.645
"""Standard errors on either side of a 90 % interval."""
COVER = (0.85, 0.95)
"""Goal of the share of 90 % intervals that hold the truth."""
CLOSE = 0.05
"""Goal of the error of steps, relative to the truth."""


@dataclass(frozen=True)
class Regret:
    """How much longer picks take than the best ones; 0.02 is 2 % longer, infinity is never."""

    median: float
    p90: float
    worst: float
    count: int


KNOWN_GOAL = Regret(0.01, 0.04, 0.10, 0)
REAL_GOAL = Regret(0.015, 0.05, math.inf, 0)


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


def rule_regrets(picks: Sequence[Entry]) -> dict[str, Regret]:
    """Regrets of the fixed rules, where there are such picks."""
    names = list(dict.fromkeys(name for pick in picks for name in pick["rules"]))
    return {name: regret(pick["rules"][name] for pick in picks) for name in names}


def cover(found: Sequence[Entry]) -> float:
    """Share of picks, or of batch sizes, whose interval holds the truth."""
    return sum(one["covered"] for one in found) / len(found) if found else math.nan


def measured(searches: Sequence[Entry]) -> list[Entry]:
    """Rows of the batch sizes that searches measured."""
    return [row for search in searches for row in search["steps"] if row["steps"] is not None]


def errors_of(searches: Sequence[Entry]) -> list[tuple[Entry, float]]:
    """Rows that were measured, each with how much its steps are too many (or too few), relative to the truth."""
    return [(row, row["steps"] / row["exact"] - 1 if row["exact"] else -1.0) for row in measured(searches)]


def is_close(row: Entry, error: float) -> bool:
    """Whether steps are near the truth: within 5 %, or a single step off."""
    return abs(error) <= CLOSE or (row["exact"] is not None and abs(row["steps"] - row["exact"]) <= 1)


def summary(searches: Sequence[Entry]) -> str:
    """Quantiles of some searches in one line."""
    if not searches:
        return "nothing measured"
    found, sizes = (regret(search[name] for search in searches) for name in ("regret", "size_regret"))
    errors = errors_of(searches)
    close = sum(is_close(row, error) for row, error in errors) / max(len(errors), 1)
    return (
        f"regret median {found.median:.1%}, P90 {found.p90:.1%}, worst {found.worst:.1%} of {found.count} "
        f"(batch size alone P90 {sizes.p90:.1%}, worst {sizes.worst:.1%}); cover of times {cover(searches):.1%}, "
        f"of steps {cover(measured(searches)):.1%}; steps within 5 % or a step {close:.1%}"
    )
