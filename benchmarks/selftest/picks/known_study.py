"""Picks on problems whose steps are known: a search for every seed and clock, judged by the truth.

A search has the budget of its tier, counted in CPU seconds of its trials on two workers, less what the seconds per step
would take: those come from a synthetic clock. Searches of one seed that differ in the clock share their trials.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from gdbench.pick.choose.choose import choose
from gdbench.pick.runners.serial import serial
from gdbench.pick.steps.measure import measure_steps
from gdbench.pick.steps.tiers import get_tier
from selftest.context import Context
from selftest.picks.clocks import CLOCKS, Clock
from selftest.picks.findings import PICK_FOLDER, TRUTHS, code_of_search, latest
from selftest.picks.judging import Truth, against, judge
from selftest.picks.scores import errors_of, summary
from selftest.picks.virtual import Known, VirtualClock, VirtualRunner

WORKERS = 2
"""Seconds of a search, in its own time."""


@dataclass(frozen=True)
class Job:
    """Searches of a problem with the randomness of a seed, by some clocks."""

    make: Callable[[str], Truth]
    name: str
    seed: int
    tier: str
    clocks: tuple[str, ...]


def measure(
    context: Context,
    part: str,
    make: Callable[[str], Truth],
    *,
    names: Sequence[str],
    seeds: Sequence[int],
    workers: int,
) -> None:
    """Search and pick on some problems with every seed and clock, unless this version of the code has done so already.

    Parameters
    ----------
    part : str
        Of the journal.
    make : callable
        Returns the problem of a name; it can be pickled.
    """
    code = code_of_search()
    known = {entry["key"] for entry in context.journal.entries(part) if entry["code"] == code}
    jobs, wanted = [], set[str]()
    for seed in seeds:
        for name in names:
            keys = {_key(context.tier, name, seed, clock): clock for clock in CLOCKS}
            missing = tuple(clock for key, clock in keys.items() if key not in known)
            jobs += [Job(make, name, seed, context.tier, missing)] if missing else []
            wanted |= set(keys)
    for entries in _found(jobs, workers):
        for entry in entries:
            context.journal.write(part, code=code, **entry)
            context.say(_line(entry))
    context.say(summary([entry for entry in latest(context.journal, part) if entry["key"] in wanted]))


def truths_file(folder: Path) -> Path:
    """Exact steps of a study, beginning with those of the study that is kept with the code."""
    path = folder / TRUTHS
    if not path.exists() and (PICK_FOLDER / TRUTHS).exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PICK_FOLDER / TRUTHS, path)
    return path


def _found(jobs: Sequence[Job], workers: int) -> Iterator[list[dict[str, Any]]]:
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=threadpool_limits, initargs=(1,))
    with pool:
        for future in as_completed([pool.submit(study, job) for job in jobs]):
            yield future.result()


def study(job: Job) -> list[dict[str, Any]]:
    """Search by every clock, and compare with the truth; plain values, None for what is infinite."""
    truth, trials = job.make(job.name), Known()
    return [_search(job, truth, CLOCKS[clock], trials) for clock in job.clocks]


def _search(job: Job, truth: Truth, clock: Clock, trials: Known) -> dict[str, Any]:
    tier = get_tier(job.tier)
    time = VirtualClock(tier.budget_seconds - tier.times_seconds)
    with serial() as runner:
        steps = measure_steps(
            truth.problem(job.seed),
            {size: clock.seconds(size) for size in truth.candidates},
            target=truth.target,
            tier=tier,
            seed=job.seed,
            runner=VirtualRunner(runner, time, WORKERS, trials),
            workers=WORKERS,
            asked={1, truth.n_rows} & set(truth.candidates),  # as gdbench pick does
            clock=time,
        )
    choice = choose(steps, clock.times(truth.candidates), n_rows=truth.n_rows)
    return {
        "key": _key(job.tier, job.name, job.seed, clock.name),
        "problem": job.name,
        "family": truth.family,
        "seed": job.seed,
        "tier": job.tier,
        "status": steps.status,
        "runs": steps.runs,
        "seconds": time.spent,
        **judge(truth, clock, choice),
        "steps": [against(truth, row) for row in steps.rows],
    }


def _key(tier: str, name: str, seed: int, clock: str) -> str:
    return f"{tier} {name} {seed} {clock}"


def _line(entry: Mapping[str, Any]) -> str:
    loss = "never there" if entry["regret"] is None else f"regret {entry['regret']:.1%}"
    errors = [f"{row['batch_size']}:{error:.1%}" for row, error in errors_of([entry])]
    cover = "" if entry["covered"] else ", interval missed"
    return (
        f"{entry['key']}: {entry['picked']}, best {entry['best']}, {loss}{cover}; "
        f"{entry['seconds']:.1f} s, {entry['runs']} runs, {entry['status']}\n    errors of steps {' '.join(errors)}"
    )
