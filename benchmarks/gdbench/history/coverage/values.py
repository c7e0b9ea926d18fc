"""Values of all cases over the commits of a history, with what became of each case where it has none."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from gdbench.history.coverage.outcomes import ABSENT, MEASURED, UNUSABLE
from gdbench.history.detection.noise import Series

Key = tuple[str, tuple[str, ...]]
"""A benchmark and its parameters, as asv stores them."""


@dataclass(frozen=True)
class Value:
    """What asv measured of one case of a benchmark.

    Attributes
    ----------
    version : str
        What asv made of the benchmark's source; None in early files, which asv takes for the same.
    parameters : tuple of str
        As asv stores them: representations of Python values.
    value : float
        In the benchmark's unit, seconds for times; None if it failed or was skipped.
    low, high : float
        asv's 99 % interval within the process; None where it has none.
    outcome : str
        Whether it was measured, failed, was skipped, or has a value that is no number.
    """

    benchmark: str
    version: str | None
    parameters: tuple[str, ...]
    value: float | None
    low: float | None
    high: float | None
    outcome: str


@dataclass(frozen=True)
class AllSeries:
    """What the results hold of each case.

    Attributes
    ----------
    values : dict
        Those of the newest version of its benchmark over the commits, NaN where there is none.
    outcomes : dict
        What became of it at each commit, in any version.
    other : dict
        Indices of the commits that have a value of another version.
    newest : dict
        Those that have the newest version, by the benchmark alone.
    """

    values: dict[Key, Series] = field(default_factory=dict)
    outcomes: dict[Key, list[str]] = field(default_factory=dict)
    other: dict[Key, set[int]] = field(default_factory=dict)
    newest: dict[str, list[int]] = field(default_factory=dict)


def collect(results: Sequence[tuple[Sequence[Value], Collection[str]]]) -> AllSeries:
    """Collect the series of all cases.

    Parameters
    ----------
    results : sequence of tuple
        For each commit, oldest first, its values and the benchmarks that have a value which is no number.
    """
    newest = {one.benchmark: one.version for values, _ in results for one in values if one.version is not None}
    found = AllSeries()
    for at, (values, unusable) in enumerate(results):
        for one in values:
            key = (one.benchmark, one.parameters)
            outcomes = found.outcomes.setdefault(key, [ABSENT] * len(results))
            outcomes[at] = outcomes[at] if outcomes[at] == MEASURED else one.outcome
            if one.version is not None and one.version != newest[one.benchmark]:
                if one.value is not None:
                    found.other.setdefault(key, set()).add(at)
                continue  # it measured something else then
            found.newest.setdefault(one.benchmark, []).append(at)
            series = found.values.setdefault(key, np.full(len(results), np.nan))
            if one.value is not None:
                series[at] = one.value
        _mark(found, unusable, at)
    return found


def _mark(found: AllSeries, unusable: Collection[str], at: int) -> None:
    """Mark cases of which nothing could be read at a commit, since their benchmark is damaged there."""
    for (benchmark, _), outcomes in found.outcomes.items():
        if benchmark in unusable and outcomes[at] == ABSENT:
            outcomes[at] = UNUSABLE
