"""Whether what was said of a simulated history is right, and how often, over events and noises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gdbench.history.record import Judged, judge
from selftest.histories.worlds import CASES, EVENTS, NEAR, Event, case_of, history_of, nothing
from selftest.noises import NOISES


class Faults(NamedTuple):
    """Whether a true step or drift is not told, has another label, and whether one is told that is none."""

    missed: bool
    mislabelled: bool
    invented: bool


@dataclass(frozen=True)
class Score:
    """How many histories of an event in a noise are right, and why the others are not.

    Attributes
    ----------
    cases : int
        Series of each history, which are judged together.
    missed, mislabelled, invented : int
        Histories with such a fault; one may have several.
    """

    event: str
    noise: str
    sd: float
    cases: int
    histories: int
    right: int
    missed: int
    mislabelled: int
    invented: int


@dataclass(frozen=True)
class _Told:
    """A step of one case, told or true."""

    case: str
    at: int
    label: str

    def near(self, others: Sequence[_Told]) -> set[str]:
        """Return the labels of the steps of this case that may be this one."""
        return {one.label for one in others if one.case == self.case and abs(one.at - self.at) <= NEAR}


def score(event: str, noise: str, sd: float, histories: int, *, cases: int = CASES, seed: int = 0) -> Score:
    """Simulate histories of an event and judge each; only nothing can happen to any number of cases."""
    if cases != CASES and EVENTS[event] is not nothing:
        raise ValueError(f"{event} happens to {CASES} cases, not to {cases}")
    rng = np.random.default_rng([seed, [*EVENTS].index(event), [*NOISES].index(noise), round(1e4 * sd), cases])
    faults = []
    for _ in range(histories):
        happened = EVENTS[event](rng) if cases == CASES else nothing(rng, cases)
        faults.append(faults_of(judge(history_of(rng, happened, noise, sd)), happened))
    missed, mislabelled, invented = (sum(fault[i] for fault in faults) for i in range(3))
    right = sum(not any(fault) for fault in faults)
    return Score(event, noise, sd, cases, histories, right, missed, mislabelled, invented)


def faults_of(found: Judged, happened: Event) -> Faults:
    """Hold what is told of each case to what happened to it: its steps with their labels, and whether it drifts."""
    told = [_Told(one.step.case, one.step.at, one.label) for one in found.proposals]
    true = [_Told(case_of(index).id, step.at, step.label) for step in happened.steps for index in step.cases]
    hidden = [_Told(case_of(index).id, step.at, step.label) for step in happened.steps for index in step.hidden]
    drifts = Counter(case for drift in found.drifts for case in drift.cases)
    drifting = Counter(case_of(index).id for index in happened.drifting)
    sought = [(one, told) for one in true if one not in hidden]
    given = [(one, true) for one in told]
    return Faults(
        missed=any(not one.near(others) for one, others in sought) or bool(drifting - drifts),
        mislabelled=any(one.label not in near for one, others in sought + given if (near := one.near(others))),
        invented=any(not one.near(others) for one, others in given) or bool(drifts - drifting),
    )
