"""Whether what was said of a simulated history is right, and how often, over events and noises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gdbench.history.record import Judged, judge
from selftest.histories.worlds import EVENTS, NEAR, Event, history_of

NOISES = ("normal", "t, 3 degrees", "one-sided spikes", "AR(1), 0.3", "AR(1), 0.5")


@dataclass(frozen=True)
class Score:
    """How many histories of an event in a noise are right, and why the others are not.

    Attributes
    ----------
    missed, mislabelled, invented : int
        Histories in which a true step or drift is not told, has another label, or in which one is told that is none.
    """

    event: str
    noise: str
    sd: float
    histories: int
    right: int
    missed: int
    mislabelled: int
    invented: int


def score(event: str, noise: str, sd: float, histories: int, seed: int = 0) -> Score:
    """Simulate histories of an event and judge each."""
    rng = np.random.default_rng([seed, [*EVENTS].index(event), NOISES.index(noise), round(1e4 * sd)])
    faults = []
    for _ in range(histories):
        happened = EVENTS[event](rng)
        faults.append(faults_of(judge(history_of(rng, happened, noise, sd)), happened))
    missed, mislabelled, invented = (sum(fault[i] for fault in faults) for i in range(3))
    return Score(event, noise, sd, histories, sum(not any(fault) for fault in faults), missed, mislabelled, invented)


def faults_of(found: Judged, happened: Event) -> tuple[bool, bool, bool]:
    """Return whether something is missed, mislabelled, invented."""
    told = [(proposal.step.at, proposal.label) for proposal in found.proposals]
    near = {at: {label for place, label in told if abs(place - at) <= NEAR} for at in happened.steps}
    missed = any(not labels for labels in near.values()) or (happened.drifts and not found.drifts)
    true = {at: {label for place, label in happened.steps.items() if abs(place - at) <= NEAR} for at in near}
    mislabelled = any(labels and labels != true[at] for at, labels in near.items())
    far = [place for place, _ in told if all(abs(place - at) > NEAR for at in happened.steps)]
    return missed, mislabelled, bool(far) or (bool(found.drifts) and not happened.drifts)
