"""Picks on problems whose expected loss is known: how much longer each takes than the best one, and what it costs.

One search of the steps serves all clocks: joined to each of them it gives a pick, and the exact steps at the picked
batch size and rate give its exact time.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from gdbench.pick.steps.measure_steps import measure_steps
from threadpoolctl import threadpool_limits

from gdbench.pick.choose.choice import NoChoice
from gdbench.pick.choose.choose import choose
from gdbench.pick.runners.serial import serial
from gdbench.pick.steps.answer import Steps, Target
from gdbench.pick.steps.tiers import get_tier
from selftest.context import Context
from selftest.picks.baselines import RULES
from selftest.picks.clocks import CLOCKS, Clock
from selftest.picks.exact import exact_steps
from selftest.picks.family import FAMILY, Instance
from selftest.picks.findings import ORACLES, PICK_FOLDER, TRUTHS, code_of_search, latest
from selftest.picks.scores import finite, summary
from selftest.picks.truths import Truths, best_rate_regret, best_time


@dataclass(frozen=True)
class Job:
    """One search: an instance with the randomness of a seed."""

    name: str
    seed: int
    tier: str

    @property
    def key(self) -> str:
        """Name of its measurement."""
        return f"{self.tier} {self.name} {self.seed}"


def measure(context: Context, seeds: Sequence[int], names: Sequence[str], workers: int) -> None:
    """Search and pick on every instance with every seed, unless this version of the code has done so already."""
    wanted = [Job(name, seed, context.tier) for name in names or FAMILY for seed in seeds]
    code = code_of_search()
    known = {entry["key"] for entry in context.journal.entries(ORACLES) if entry["code"] == code}
    jobs = [job for job in wanted if job.key not in known]
    truths = truths_file(context.folder)
    for entry in _entries(jobs, truths, workers):
        context.journal.write(ORACLES, code=code, **entry)
        context.say(_line(entry))
    keys = {job.key for job in wanted}
    context.say(summary([entry for entry in latest(context.journal, ORACLES) if entry["key"] in keys]))


def truths_file(folder: Path) -> Path:
    """Exact steps of a study, beginning with those of the study that is kept with the code."""
    path = folder / TRUTHS
    if not path.exists() and (PICK_FOLDER / TRUTHS).exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PICK_FOLDER / TRUTHS, path)
    return path


def _entries(jobs: Sequence[Job], truths: Path, workers: int) -> Iterator[dict[str, Any]]:
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=threadpool_limits, initargs=(1,))
    with pool:
        for future in as_completed([pool.submit(study, job, truths) for job in jobs]):
            yield future.result()


def study(job: Job, truths: Path) -> dict[str, Any]:
    """Search once, pick by every clock, and compare with the truth; plain values, None for what is infinite."""
    instance, known = FAMILY[job.name](), Truths(truths)
    steps = search(instance, job)
    exact = {
        row.batch_size: exact_steps(instance.oracle, row.batch_size, row.learning_rate, instance.goal)
        for row in steps.rows
        if row.measured and row.learning_rate is not None
    }
    picks = [_pick(known, instance, clock, steps, exact) for clock in CLOCKS.values()]
    return {
        "key": job.key,
        "instance": job.name,
        "seed": job.seed,
        "tier": job.tier,
        "status": steps.status,
        "runs": steps.runs,
        "rows": steps.examples,
        "sweep_rows": known.sweep_rows(instance),
        "picks": picks,
        "steps": [_at(known, instance, row, exact) for row in steps.rows],
    }


def search(instance: Instance, job: Job) -> Steps:
    """Steps to the goal, with the randomness of the job's seed."""
    oracle = replace(instance.oracle, entropy=job.seed)
    target = Target(instance.goal, instance.start_loss, 0.0, "training loss", "a share of the loss at the start")
    tier = get_tier(job.tier)
    with serial() as runner:
        return measure_steps(oracle, instance.candidates, target=target, tier=tier, seed=job.seed, runner=runner)


def _pick(truths: Truths, instance: Instance, clock: Clock, steps: Steps, exact: Mapping[int, float]) -> dict[str, Any]:
    """What is picked by a clock, and what the fixed rules would have been, at their best rates."""
    best, seconds = best_time(truths, instance, clock)
    n_rows = instance.oracle.n_rows
    times = clock.times(instance.candidates)
    rules = {name: rule(instance.candidates, n_rows, clock.seconds) for name, rule in RULES.items()}
    found = {
        "clock": clock.name,
        "best": best,
        "rules": {name: best_rate_regret(truths, instance, clock, size) for name, size in rules.items()},
        "rule_sizes": rules,
    }
    choice = choose(steps, times, n_rows=n_rows)
    if isinstance(choice, NoChoice):
        return {**found, "picked": None, "regret": None, "size_regret": None, "covered": False, "reason": choice.reason}
    true = exact[choice.batch_size] * clock.seconds(choice.batch_size)
    return {
        **found,
        "picked": choice.batch_size,
        "rate": choice.learning_rate,
        "regret": finite(true / seconds - 1),
        "size_regret": best_rate_regret(truths, instance, clock, choice.batch_size),
        "covered": bool(choice.seconds_low <= true <= choice.seconds_high),
        "ratio": finite(true / choice.seconds),
    }


def _at(truths: Truths, instance: Instance, row: Any, exact: Mapping[int, float]) -> dict[str, Any]:
    """Steps found at a batch size, beside the exact ones at that rate and at the best rate."""
    kept = {name: asdict(row)[name] for name in ("batch_size", "status", "steps", "low", "high", "runs")}
    rate, steps = truths.best(instance, row.batch_size)
    return {
        **kept,
        "rate": row.learning_rate,
        "exact": finite(exact.get(row.batch_size)),
        "best_rate": rate,
        "best_steps": steps,
    }


def _line(entry: Mapping[str, Any]) -> str:
    picks = [
        f"{pick['picked']}:{'none' if pick['regret'] is None else format(100 * pick['regret'], '.1f')}"
        f"{'' if pick['covered'] else '!'}"
        for pick in entry["picks"]
    ]
    cost = entry["rows"] / entry["sweep_rows"]
    losses = [
        f"{row['batch_size']}:{100 * (row['exact'] / row['best_steps'] - 1):.1f}"
        for row in entry["steps"]
        if row["exact"]
    ]
    return (
        f"{entry['key']}: cost {cost:.1%}, {entry['runs']} runs; picks {' '.join(picks)}\n"
        f"    rate loss {' '.join(losses)}"
    )
