"""Confirms a proposed commit by measuring it against its parent, and looks beside it when that shows nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

CONFIRMED, REFUTED, OPEN = "confirmed", "refuted", "open"
REGRESSED, IMPROVED, UNCHANGED = "REGRESSED", "IMPROVED", "UNCHANGED"
"""Verdicts of a comparison on which the search acts; any other is no answer."""
INVALID = "INVALID"
"""In place of a verdict where the comparison's controls failed."""
REACH = 12
"""Commits on each side of the proposed one among which the cause is sought."""


class CaseComparison(Protocol):
    """What a comparison says of one case: head relative to base, above 1 slower."""

    @property
    def verdict(self) -> str:
        """One of the verdicts of ``gdbench compare``."""

    @property
    def ratio(self) -> float:
        """Time of head over that of base."""

    @property
    def low(self) -> float:
        """Lower end of its interval."""

    @property
    def high(self) -> float:
        """Upper end of its interval."""

    @property
    def p(self) -> float:
        """Its p-value, not adjusted; NaN where it was not tested."""


Measure = Callable[[str, str, str], CaseComparison]
"""Compare a base commit with a head commit on one case."""


@dataclass(frozen=True)
class Confirmation:
    """What measuring again said of a proposed regression.

    Attributes
    ----------
    commit : str
        The culprit, if one was confirmed.
    p, p_adjusted : float
        Of the comparison that confirmed it, times the pairs of neighbours that were asked; and as Holm adjusts it for
        all confirmations of a command.
    """

    status: str
    reason: str
    commit: str | None
    ratio: float | None
    low: float | None
    high: float | None
    comparisons: int
    p: float | None = None
    p_adjusted: float | None = None


class _Search:
    """Measures pairs of commits of one case, counting them."""

    def __init__(self, commits: Sequence[str], case: str, measure: Measure) -> None:
        self.commits, self.case, self.measure = commits, case, measure
        self.comparisons = 0

    def compare(self, base: int, head: int) -> CaseComparison:
        self.comparisons += 1
        return self.measure(self.commits[base], self.commits[head], self.case)

    def answer(self, status: str, reason: str, finding: CaseComparison, commit: int | None = None) -> Confirmation:
        culprit = None if commit is None else self.commits[commit]
        asked = 1 if self.comparisons == 1 else 2  # the proposed commit, and the one that the search ended at
        p = None if commit is None or math.isnan(finding.p) else min(1.0, asked * finding.p)
        return Confirmation(status, reason, culprit, finding.ratio, finding.low, finding.high, self.comparisons, p)


def confirm(
    commits: Sequence[str],
    at: int,
    case: str,
    measure: Measure,
    *,
    first: int = 0,
    last: int | None = None,
    expected: float | None = None,
) -> Confirmation:
    """Confirm, refute or leave open that a case became slower at a commit or near it.

    Parameters
    ----------
    commits : hashes
        In order, each the successor of the one before.
    at : int
        Index of the proposed commit, at least 1.
    case : str
        What ``measure`` is asked about.
    measure : function
        From base commit, head commit and case to a finding with fresh measurements.
    first, last : int
        Commits beyond which the search must not go, since the case steps there for another reason.
    expected : float
        Ratio of the step in the results. A commit that is slower than its parent by less than half of it, on the log
        scale, may differ in memory layout alone: it is confirmed only if the commits about it are slower, too, by no
        more than twice as much.
    """
    search = _Search(commits, case, measure)
    found = search.compare(at - 1, at)
    if found.verdict == REGRESSED and (expected is None or _is_most_of(found, expected)):
        return search.answer(CONFIRMED, "slower than its parent", found, at)
    end = len(commits) - 1 if last is None else last
    base, head = max(first, at - REACH - 1), min(end, at + REACH)
    wide = search.compare(base, head)
    if found.verdict == wide.verdict == REGRESSED and _is_most_of(found, wide.ratio):
        return search.answer(CONFIRMED, "slower than its parent, by less than in the results", found, at)
    if wide.verdict in (UNCHANGED, IMPROVED):
        return search.answer(REFUTED, f"{wide.verdict} between the commits beside it", wide)
    if wide.verdict != REGRESSED:
        return search.answer(OPEN, f"{wide.verdict} between the commits beside it", wide)
    return _bisect(search, base, head, wide)


def _bisect(search: _Search, base: int, head: int, wide: CaseComparison) -> Confirmation:
    """Halve until two neighbours are left, then ask once more, with measurements that chose nothing."""
    low, high = base, head
    while high - low > 1:
        middle = (low + high) // 2
        if _is_most_of(search.compare(base, middle), wide.ratio):
            high = middle
        else:
            low = middle
    last = search.compare(low, high)
    if last.verdict == REGRESSED and _is_most_of(last, wide.ratio):
        return search.answer(CONFIRMED, "found by bisection", last, high)
    between = f"{search.commits[base][:8]} and {search.commits[head][:8]}"
    return search.answer(OPEN, f"slower between {between}, but by no single commit", wide)


def _is_most_of(found: CaseComparison, ratio: float) -> bool:
    """Whether most of a slowdown is there, whatever the verdict: a part of it can be too small for one."""
    return math.isfinite(found.ratio) and math.isfinite(ratio) and math.log(found.ratio) > math.log(ratio) / 2
