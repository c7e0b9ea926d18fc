"""Part ``labels``: how often simulated histories are labelled right, row by row."""

from __future__ import annotations

from dataclasses import asdict

from selftest.context import Context
from selftest.histories.scores import NOISES, score
from selftest.histories.worlds import EVENTS

PART = "labels"
SDS = (0.01, 0.02)
"""Standard deviations of the noise between neighbouring results."""


def measure(context: Context, histories: int) -> None:
    """Simulate so many histories of each event in each noise; rows that are there are not simulated again."""
    for event in EVENTS:
        for noise in NOISES:
            for sd in SDS:
                key = f"{event}, {noise}, sd {sd:.0%}, {histories} histories"
                if context.journal.has(PART, key):
                    continue
                found = score(event, noise, sd, histories, context.seed)
                context.journal.write(PART, key, **asdict(found))
                context.say(f"labels: {key}: {found.right} right")
