"""What a step is: of a commit, or of the environment; final or too young; gone again, or moved to another case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from gdbench.history.changes import changes, versions
from gdbench.history.detection.noise import Series
from gdbench.history.detection.scale import scaled, there
from gdbench.history.detection.shifts import CONFIDENCE
from gdbench.history.detection.vote import SETTLED, absolute_error
from gdbench.history.notes import about, cost_shifted, unclear, went_away
from gdbench.history.series import History, LevelStep
from gdbench.history.steps import noise_of, size

REGRESSION, IMPROVEMENT, ENVIRONMENT = "REGRESSION", "IMPROVEMENT", "ENVIRONMENT"
SHARED = "SHARED"
"""A step that most cases have, and nothing else: a commit that touched what they share is suspected first."""
DRIFT = "DRIFT"
"""No step: a slow change over many commits, which none of them made."""
FINAL, PROVISIONAL = "final", "provisional"
MOST = 0.6
"""Share of the cases that must move at a commit for the step to be shared."""
REFERENCE = "reference"
"""Variant that nobody makes faster: where its cases move too, it is the environment's doing."""
MIN_CASES = 5
"""Cases that must have results before a share of them, or their median, means anything."""
CANARY = "canary"
"""In the name of a benchmark that runs none of the measured code."""
CANARY_CONFIDENCE = 0.999
"""Coverage of the interval that must leave out no change: one canary that moves by chance would excuse a regression."""
NEXT = "to measure what the versions do"
"""What the note begins with that names the command."""
NEAR = 3
"""Results by which the position of a step may be off."""


@dataclass(frozen=True)
class Proposal:
    """A step with what is known of its cause."""

    step: LevelStep
    label: str
    status: str
    notes: tuple[str, ...] = ()

    @property
    def is_regression(self) -> bool:
        """Whether a commit is proposed as the cause of a slowdown."""
        return self.label == REGRESSION or (self.label == SHARED and self.step.shift.middle > 0)


def label(history: History, steps: list[LevelStep]) -> list[Proposal]:
    """Label the steps of a history; they are sorted by what matters, regressions first.

    A detector compares means, which outliers move; the interval of a step does not mind them. Where it holds no change,
    a slowdown is still worth a look, and provisional; an improvement is not proposed.
    """
    points = {case: [step.at for step in steps if step.case == case] for case in history.values}
    proposals = [_label(history, step, points) for step in steps]
    return sorted((one for one in proposals if one.step.certain or one.label != IMPROVEMENT), key=rank)


def is_canary(case: str) -> bool:
    """Whether a case runs none of the measured code, as its name says."""
    return CANARY in case.lower()


def rank(proposal: Proposal) -> tuple[int, bool, float, int]:
    """Order proposals by what matters: label, finality, size."""
    order = (REGRESSION, SHARED, IMPROVEMENT, ENVIRONMENT).index(proposal.label)
    size = abs(proposal.step.shift.middle) if proposal.step.relative else np.inf
    return order, proposal.status != FINAL, -size, proposal.step.at


def _label(history: History, step: LevelStep, points: Mapping[str, list[int]]) -> Proposal:
    placed = _at_change_of_environment(history, step, points[step.case])
    shared, reference_too = _shared(history, placed, points)
    reasons = list(_environment_reasons(history, placed, points))
    if reference_too and not _canary_stayed(history, placed, points):  # which would know better
        reasons.append(f"{shared}, those of {REFERENCE} among them")
    commit_label = SHARED if shared else REGRESSION if step.shift.middle > 0 else IMPROVEMENT
    return Proposal(
        step=placed if reasons else step,
        label=ENVIRONMENT if reasons else commit_label,
        status=FINAL if step.certain and step.values_after >= SETTLED else PROVISIONAL,
        notes=(
            *(reasons or filter(None, [shared])),
            *(_next_steps(history, placed) if reasons else ()),
            *unclear(step),
            *went_away(history, step, points[step.case]),
            *cost_shifted(history, step),
        ),
    )


def _environment_reasons(history: History, step: LevelStep, points: Mapping[str, list[int]]) -> Iterator[str]:
    changed = _changed(history, step)
    if changed:
        yield f"environment changed: {changed}"
    moved = _moved_canaries(history, step, points)
    if moved:
        yield f"canary moved too: {moved[0]}"


def _moved_canaries(history: History, step: LevelStep, points: Mapping[str, list[int]]) -> list[str]:
    """Return the canaries that became slower or faster about a step as it did."""
    return [
        case
        for case, values in history.values.items()
        if is_canary(case)
        and _moved(values, step.at, points[case], CANARY_CONFIDENCE)
        and _direction(values, step.at, points[case]) == np.sign(step.shift.middle)
    ]


def _canary_stayed(history: History, step: LevelStep, points: Mapping[str, list[int]]) -> bool:
    """Whether a canary has results about a step and did not move as it did."""
    told = [
        _moved(values, step.at, points[case], CANARY_CONFIDENCE)
        for case, values in history.values.items()
        if is_canary(case)
    ]
    return any(answer is not None for answer in told) and not _moved_canaries(history, step, points)


def _direction(values: Series, at: int, points: list[int]) -> float:
    """Return 1 where a series is higher after a commit than before it, -1 where it is lower."""
    before, after = _around(values, at, points)
    return float(np.sign(np.median(after) - np.median(before))) if len(before) and len(after) else 0.0


def _shared(history: History, step: LevelStep, points: Mapping[str, list[int]]) -> tuple[str, bool]:
    """Say how many cases have a step, nothing where it is not most of them, and whether the reference has it too."""
    asked = [case for case in history.values if not is_canary(case)]
    answers = {case: _moved(history.values[case], step.at, points[case]) for case in asked}
    known = {case: answer for case, answer in answers.items() if answer is not None}
    if not _says_something(history, asked, list(answers.values())) or sum(known.values()) < MOST * len(known):
        return "", False
    reference = [known[case] for case in known if case in history.cases and history.cases[case].variant == REFERENCE]
    return f"{sum(known.values())} of {len(known)} cases moved at this commit", bool(
        reference and sum(reference) >= MOST * len(reference)
    )


def _says_something(history: History, asked: list[str], answers: list[bool | None]) -> bool:
    """Whether a share of the cases means anything: several cases, and not all of one variant."""
    there = [case for case, answer in zip(asked, answers, strict=True) if answer is not None]
    variants = {history.cases[case].variant for case in there if case in history.cases}
    return len(there) >= MIN_CASES and len(variants) != 1


def _changed(history: History, step: LevelStep) -> str:
    """Say in what the environment of a step's first commit differs from that of the last one before it."""
    return changes(*(history.commits[at].environment for at in (step.since, step.at)))


def _next_steps(history: History, step: LevelStep) -> Iterator[str]:
    """Say how to measure what other versions of packages do, if any changed: one environment against the other."""
    base, head = versions(*(history.commits[at].environment for at in (step.since, step.at)))
    if base:
        yield f"{NEXT}: gdbench compare --env {base} --env {head}"


def _at_change_of_environment(history: History, step: LevelStep, points: list[int]) -> LevelStep:
    """Move a step to a change of environment nearby if it fits there as well, up to the noise."""
    values = history.values[step.case]
    present = [int(at) for at in np.flatnonzero(np.isfinite(values))]
    here = present.index(step.at)
    edges = [0, *points, len(values)]
    start, stop = edges[points.index(step.at)], edges[points.index(step.at) + 2]
    sd = noise_of(values, points).sd
    for at in sorted(present[max(1, here - NEAR) : here + NEAR + 1], key=lambda other: abs(other - step.at)):
        moved = replace(step, at=at, since=present[present.index(at) - 1])
        if start < at < stop and _changed(history, moved) and _fits(values, step.at, at, edges=(start, stop), sd=sd):
            return moved
    return step


def _fits(values: Series, best: int, other: int, *, edges: tuple[int, int], sd: float) -> bool:
    """Whether a step may as well be elsewhere: each result in between costs no more than the noise would."""
    start, stop = edges
    on_scale = scaled(values)
    errors = [sum(absolute_error(there(on_scale[part])) for part in _halves(start, at, stop)) for at in (best, other)]
    return errors[1] - errors[0] <= sd * abs(other - best)


def _halves(start: int, at: int, stop: int) -> tuple[slice, slice]:
    return slice(start, at), slice(at, stop)


def _moved(values: Series, at: int, points: list[int], confidence: float = CONFIDENCE) -> bool | None:
    """Whether the level of a case differs about a commit; None where it has too few results to tell."""
    before, after = _around(values, at, points)
    near = any(abs(point - at) <= NEAR for point in points)
    if near or min(len(before), len(after)) < SETTLED:
        return bool(near) or None
    return size(before, after, noise=noise_of(values, points), confidence=confidence).certain


def _around(values: Series, at: int, points: list[int]) -> tuple[Series, Series]:
    """Return the results of a case before and after a commit, scaled.

    Only results between the case's other steps are asked, so that a later one is not taken for this one.
    """
    edges = [0, *(point for point in points if abs(point - at) > NEAR), len(values)]
    start = max(edge for edge in edges if edge <= at)
    stop = min(edge for edge in edges if edge > at)
    return about(scaled(values)[start:stop], at - start)
