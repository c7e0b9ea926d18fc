"""Slowdowns next to a change of environment, judged apart from what that change did to all cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from gdbench.history.changes import changes
from gdbench.history.detection.certainty import threshold
from gdbench.history.detection.noise import Series, from_differences
from gdbench.history.detection.scale import by_difference, scaled, there
from gdbench.history.detection.vote import SETTLED
from gdbench.history.labels import ENVIRONMENT, MIN_CASES, NEAR, REFERENCE, Proposal, is_canary, label
from gdbench.history.notes import about
from gdbench.history.series import History, LevelStep
from gdbench.history.steps import noise_of, size, steps_of

MIN_CONTROLS = 2
"""Cases that no commit makes slower and that suffice to tell what a change of environment did."""


def slowdowns_beside(history: History, found: Sequence[Proposal], *, n_series: int) -> list[Proposal]:
    """Return slowdowns within a few commits of a change of environment that were taken for a part of it.

    What the change did to all is the median over the reference and the canaries, or over all cases where there are few
    of those. Without it, a case that steps at the very change has it from the environment; one that steps beside it has
    it from a commit, if it is so large that the results between both tell that it is not at the change.
    """
    told = {(one.step.case, one.step.at) for one in found if one.label != ENVIRONMENT}
    more = []
    for at in range(1, len(history.commits)):
        changed = changes(*(history.commits[i].environment for i in (at - 1, at)))
        if changed and (effect := _effect(history, at)) is not None:
            note = f"judged apart from what changed at {history.commits[at].short}: {changed}"
            for one in _apart(history, at, effect, n_series):
                if not any((one.step.case, one.step.at + by) in told for by in range(-NEAR, NEAR + 1)):
                    told.add((one.step.case, one.step.at))
                    more.append(replace(one, notes=(*one.notes, note)))
    return more


def _apart(history: History, at: int, effect: float, n_series: int) -> Iterator[Proposal]:
    """Yield the slowdowns near a change of environment that are left without its effect."""
    shape = np.exp(-effect * (np.arange(len(history.commits)) >= at))
    left = replace(
        history,
        values={case: values if by_difference(values) else values * shape for case, values in history.values.items()},
    )
    slower = [case for case in left.values if _is_slower(left, case, at)]
    steps = [step for case in slower for step in steps_of(case, left.values[case], n_series=n_series)]
    for one in label(left, steps):
        beside = one.is_regression and one.step.certain and 0 < abs(one.step.at - at) <= NEAR
        own = [step.at for step in steps if step.case == one.step.case]
        if beside and _standard_errors(left.values[one.step.case], one.step, at, own) >= threshold(n_series):
            yield one


def _standard_errors(values: Series, step: LevelStep, at: int, steps: list[int]) -> float:
    """Size of a step in standard errors of the results between it and a change: they alone tell one from the other.

    The noise is that about all steps of the case.
    """
    start, stop = sorted((step.at, at))
    between = len(there(values[start:stop]))
    if not between:
        return 0.0
    noise = noise_of(values, steps)
    variance = noise.sd**2 * min(noise.inflation / between, 1.0)
    return abs(step.shift.middle) / max(float(np.sqrt(variance)), float(np.finfo(float).tiny))


def _is_slower(history: History, case: str, at: int) -> bool:
    """Whether a case that runs the measured code became slower about a commit."""
    values = scaled(history.values[case])
    before, after = about(values, at)
    if is_canary(case) or min(len(before), len(after)) < SETTLED:
        return False
    return size(before, after, noise=from_differences(there(values))).low > 0


def _effect(history: History, at: int) -> float | None:
    """Median change of the controls about a commit, or of all cases; None where there are too few."""
    logs = {case: scaled(values) for case, values in history.values.items() if not by_difference(values)}
    moved = {
        case: float(np.median(after) - np.median(before))
        for case, (before, after) in ((case, about(values, at)) for case, values in logs.items())
        if min(len(before), len(after)) >= SETTLED
    }
    controls = [moved[case] for case in moved if _is_control(history, case)]
    if len(controls) >= MIN_CONTROLS:
        return float(np.median(controls))
    return float(np.median([*moved.values()])) if len(moved) >= MIN_CASES else None


def _is_control(history: History, case: str) -> bool:
    return is_canary(case) or (case in history.cases and history.cases[case].variant == REFERENCE)
