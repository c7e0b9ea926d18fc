"""Remarks on a step that are no label: it went away again, or only moved from one task to another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np

from gdbench.experiments.cases import Case
from gdbench.history.detection.noise import Series
from gdbench.history.detection.scale import middle, scaled
from gdbench.history.detection.vote import SETTLED
from gdbench.history.series import History, LevelStep

REACH = 15
"""Results on each side of a commit that are looked at."""
COST_KEPT = 0.25
"""Share of a step below which the sum over a variant's tasks counts as unchanged."""


def about(values: Series, at: int) -> tuple[Series, Series]:
    """Return the nearest results on both sides of a commit, at most ``REACH`` each, in any unit."""
    before, after = values[:at], values[at:]
    return before[np.isfinite(before)][-REACH:], after[np.isfinite(after)][:REACH]


def unclear(step: LevelStep) -> Iterator[str]:
    """Say that a step may be none."""
    if not step.certain:
        yield "its interval holds no change"


def went_away(history: History, step: LevelStep, points: list[int]) -> Iterator[str]:
    """Say where a slowdown was undone: a later level is nearer to the one before the step than to the one after it."""
    values = scaled(history.values[step.case])
    later = [at for at in points if at > step.at]
    start = max((at for at in points if at < step.at), default=0)
    before = middle(values[start : step.at])
    for at, stop in pairwise([*later, len(values)]):
        level = middle(values[at:stop])
        if abs(level - before) < abs(step.shift.middle) / 2:
            yield f"went away at {history.commits[at].short}"
            return


def cost_shifted(history: History, step: LevelStep) -> Iterator[str]:
    """Say that what one task of a variant lost another won, so that their sum is as it was."""
    case = history.cases.get(step.case)
    if case is None:
        return
    siblings = [name for name, other in history.cases.items() if _is_sibling(case, other)]
    changes = [change for change in (_change(history.values[name], step.at) for name in siblings) if change is not None]
    own = _change(history.values[step.case], step.at)
    if own is not None and abs(own + sum(changes)) <= COST_KEPT * abs(own):
        yield f"cost shifted between tasks: the sum of {case.variant}'s tasks is unchanged"


def _is_sibling(case: Case, other: Case) -> bool:
    """Whether two cases differ in the task alone; an epoch holds the other tasks, and is no sibling of theirs."""
    return other.task != case.task and "epoch" not in (case.task, other.task) and replace(other, task=case.task) == case


def _change(values: Series, at: int) -> float | None:
    """Difference of the medians about a commit, in the unit of the values; None where there are too few."""
    before, after = about(values, at)
    if min(len(before), len(after)) < SETTLED:
        return None
    return float(np.median(after) - np.median(before))
