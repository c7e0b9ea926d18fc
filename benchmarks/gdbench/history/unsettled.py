"""Results at an end of a history that are much slower than the others, and too few for a step: they are said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gdbench.history.coverage.names import MAX_NAMED
from gdbench.history.detection.noise import Series
from gdbench.history.detection.scale import by_difference, scaled
from gdbench.history.detection.vote import MIN_VALUES, SETTLED, YOUNGEST, change_points
from gdbench.history.series import History

MIN_FACTOR = 2.0
"""Slowdown from which on one result is worth a word: something else on the machine rarely costs as much."""
NEWEST, OLDEST = "newest", "oldest"


@dataclass(frozen=True)
class _Jump:
    """Results of a case from a commit on are slower than all near it before, and on one side there are too few."""

    at: int
    count: int
    side: str
    size: str


def unsettled(history: History, *, n_series: int) -> Iterator[str]:
    """Say which cases are slower, since which commit, and what would settle it."""
    found = defaultdict(list)
    for case, values in history.values.items():
        for jump in _jumps(values, n_series):
            found[jump.at, jump.count, jump.side].append((case, jump.size))
    for (at, count, side), cases in sorted(found.items()):
        named = ", ".join(f"{case}: {size}" for case, size in cases[:MAX_NAMED])
        more = f" and {len(cases) - MAX_NAMED} more" if len(cases) > MAX_NAMED else ""
        results = f"the {side} result is" if count == 1 else f"the {count} {side} results are"
        remedy = "this commit again, and those after it" if side == NEWEST else "commits before it"
        yield (
            f"{history.commits[at].short} may be slower ({named}{more}), but {results} too few for a step: "
            f"measure {remedy}"
        )


def _jumps(values: Series, n_series: int) -> Iterator[_Jump]:
    """Look at both ends of a series; only results between its steps are compared."""
    on_scale = scaled(values)
    present = np.flatnonzero(np.isfinite(on_scale))
    if len(present) < MIN_VALUES:
        return
    points = [int(np.searchsorted(present, point)) for point in change_points(values, n_series=n_series)]
    found = on_scale[present]
    last, first = max(points, default=0), min(points, default=len(found))
    relative = not by_difference(values)
    newest = [len(found) - count for count in range(1, YOUNGEST) if len(found) - count - last >= SETTLED]
    oldest = [count for count in range(1, SETTLED) if first - count >= SETTLED]
    for places, start, stop, side in ((newest, last, len(found), NEWEST), (oldest, 0, first, OLDEST)):
        slower = [at for at in places if _is_slower(found[start:at], found[at:stop], relative=relative)]
        if slower:
            at = slower[-1]
            size = _size(values[present[start:at]], values[present[at:stop]])
            yield _Jump(int(present[at]), len(found) - at if side == NEWEST else at, side, size)


def _is_slower(before: Series, after: Series, *, relative: bool) -> bool:
    """Whether all later values are above all earlier ones, by more than those of the longer side differ."""
    longer = before if len(before) > len(after) else after
    margin = max(float(np.ptp(longer)), float(np.log(MIN_FACTOR)) if relative else 0.0)
    return float(after.min() - before.max()) > margin


def _size(before: Series, after: Series) -> str:
    old, new = float(np.median(before)), float(np.median(after))
    return f"{new / old:.3g} times" if old > 0 and new / old < np.inf else f"{old:.4g} to {new:.4g}"
