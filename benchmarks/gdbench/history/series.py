"""A history: the commits that have results, and a series of values for each case."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gdbench.experiments.cases import Case
from gdbench.history.detection.noise import Series
from gdbench.history.detection.shifts import Shift
from gdbench.history.detection.vote import MIN_VALUES

MAX_LOG = 700.0
"""Log of the greatest ratio that is told; a little above, numbers end."""


@dataclass(frozen=True)
class Measured:
    """A commit that has results, with what was known of the environment when they were made."""

    commit: str
    subject: str
    date: str
    environment: Mapping[str, str]
    order: int
    """Place among all commits, those without results too, where git knows it; otherwise among those with results."""

    @property
    def short(self) -> str:
        """First letters of its hash."""
        return self.commit[:8]


@dataclass(frozen=True, eq=False)
class History:
    """Commits in their order, oldest first, and each case's values, NaN where a commit has none.

    Attributes
    ----------
    values : mapping
        By the name of the case: an array as long as ``commits``.
    cases : mapping
        Those of our own grid by their name; a benchmark of another suite has none.
    environment : str
        asv's name for where all of it was measured; several where one came after the other.
    n_series : int
        Series with enough results in all environments of the machine, those too that are not asked for: one error rate
        is theirs together, so that what is told of one does not depend on the others being shown. Where it is 0, only
        those of the histories that are judged together count.
    skipped : tuple of str
        Sentences on what was left out, and why.
    incomplete : tuple of str
        Sentences on results that could be judged, but for something that the user can mend.
    """

    machine: str
    commits: tuple[Measured, ...]
    values: Mapping[str, Series]
    cases: Mapping[str, Case]
    environment: str = ""
    skipped: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()
    n_series: int = 0

    @property
    def n_judgeable(self) -> int:
        """Cases that have enough results for a step to be seen."""
        return sum(int(np.isfinite(values).sum()) >= MIN_VALUES for values in self.values.values())


@dataclass(frozen=True)
class LevelStep:
    """A change of the level of one case."""

    case: str
    at: int
    """Index of the first commit of the new level."""
    since: int
    """Index of the last commit of the old level that has a value; commits in between have none for this case."""
    shift: Shift
    """On the scale of the series."""
    before: float
    after: float
    """Medians of both levels, in the unit of the values."""
    relative: bool
    """Whether that scale is logarithmic, so that the step has a ratio."""
    values_after: int
    """Results on the new level."""

    @property
    def ratio(self) -> float:
        """Later level over the earlier; NaN where the series has values of zero or less."""
        return self._ratio(self.shift.middle)

    @property
    def low(self) -> float:
        """Lower end of the ratio's interval."""
        return self._ratio(self.shift.low)

    @property
    def high(self) -> float:
        """Upper end of the ratio's interval."""
        return self._ratio(self.shift.high)

    @property
    def certain(self) -> bool:
        """Whether the interval leaves out no change."""
        return self.shift.certain

    def _ratio(self, difference: float) -> float:
        return math.exp(max(-MAX_LOG, min(MAX_LOG, difference))) if self.relative else math.nan
