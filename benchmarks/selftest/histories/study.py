"""Part ``labels``: how often simulated histories are labelled right, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context

from threadpoolctl import threadpool_limits

from selftest.context import Context
from selftest.histories.scores import score
from selftest.histories.worlds import CASES, EVENTS, nothing
from selftest.noises import NOISES

PART = "labels"
SDS = (0.01, 0.02)
"""Standard deviations of the noise between neighbouring results."""
OTHER_CASES = (1, 100)
"""Series of further histories in which nothing happens: what is invented depends on how many are judged together."""


@dataclass(frozen=True)
class Row:
    """Histories of one event in one noise."""

    event: str
    noise: str
    sd: float
    cases: int = CASES

    def key(self, histories: int) -> str:
        """Return the name of so many such histories in the journal."""
        cases = "1 case" if self.cases == 1 else f"{self.cases} cases"
        return f"{self.event}, {cases}, {self.noise}, sd {self.sd:.0%}, {histories} histories"


def rows() -> Iterator[Row]:
    """Yield each event in each noise, then other numbers of cases without any."""
    for event in EVENTS:
        for noise in NOISES:
            for sd in SDS:
                yield Row(event, noise, sd)
    (quiet,) = (event for event in EVENTS if EVENTS[event] is nothing)
    for cases in OTHER_CASES:
        for noise in NOISES:
            yield Row(quiet, noise, SDS[-1], cases)


def measure(context: Context, histories: int, workers: int) -> None:
    """Simulate so many histories of each row in several processes; rows that are there are not simulated again."""
    left = [row for row in rows() if not context.journal.has(PART, row.key(histories))]
    with ProcessPoolExecutor(workers, get_context("spawn"), threadpool_limits, (1,)) as pool:
        jobs = {
            pool.submit(score, row.event, row.noise, row.sd, histories, cases=row.cases, seed=context.seed): row
            for row in left
        }
        for job in as_completed(jobs):
            key, found = jobs[job].key(histories), job.result()
            context.journal.write(PART, key, **asdict(found))
            context.say(f"labels: {key}: {found.right} right")
