"""Measures cold starts: a variant's imports, compilation and first calls, in fresh processes with a cache of their own.

``raw/cold_start.json`` has an entry per variant and dtype, on the network that has most of the cases; for a
variant that compiles anew for another network, also one on that. The file is there from the start of a run that
is to have it, and whole after each entry.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from gdbench.basics.storage import write_text
from gdbench.experiments import variants
from gdbench.experiments.cases import Case, NetworkSpec
from gdbench.experiments.tasks import TASKS, load_problem
from gdbench.processes.launch import cores_for, patience, start
from kernels import InputError

ROWS = 512
"""First rows of the data that the calls work on: more than any chunk or tile, few enough for the reference."""
WARM_PROCESSES = 3
"""Processes that find the cache as the first one left it."""
ANSWER_SECONDS = 300
"""A process that takes longer has hung, unless GDBENCH_PATIENCE_SECONDS says otherwise."""
USUAL_SECONDS = {"plain": 6.0, "compiled": 25.0, "peer": 20.0}
"""Roughly what an entry takes, all its processes together."""


class NoAnswer(Exception):
    """A process failed; the message says how."""


@dataclass(frozen=True)
class Job:
    """One entry to measure."""

    variant: str
    dtype: str
    network: str
    dataset: str
    threads: int


def jobs_of(cases: Sequence[Case]) -> list[Job]:
    """Return a job per variant and dtype on the network and data set that have most cases."""
    pair = Counter((case.network, case.dataset) for case in cases).most_common(1)[0][0]
    threads = min(case.threads for case in cases)
    chief = [case for case in cases if (case.network, case.dataset) == pair]
    return list(dict.fromkeys(Job(case.variant, case.dtype, *pair, threads) for case in chief))


def raw_file(folder: Path) -> Path:
    """Path of the raw file of a run."""
    return folder / "raw" / "cold_start.json"


def read_entries(folder: Path) -> list[dict[str, Any]]:
    """Entries measured so far, none where the run is not to have any; InputError if the file is damaged."""
    path = raw_file(folder)
    try:
        entries: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    except ValueError as error:
        raise InputError(f"{path.name} of the run is not readable JSON: delete it") from error
    return entries


def promise(folder: Path) -> None:
    """Note that a run is to have cold starts, so that it also has them when it is resumed."""
    write_text(raw_file(folder), "[]\n")


def left(folder: Path, cases: Sequence[Case]) -> list[Job]:
    """Jobs without an entry, those whose cases have all failed left out; none where the run is not to have any."""
    if not raw_file(folder).exists():
        return []
    entries = read_entries(folder)
    wanted = jobs_of(cases)
    for entry in entries:
        wanted += [Job(**{**_identity(entry), **pair}) for pair in entry["compiled_again"]]
    done = {Job(**_identity(entry)) for entry in entries}
    failures = folder / "failures.json"
    failed = json.loads(failures.read_text(encoding="utf-8")) if failures.exists() else {}
    return [job for job in wanted if job not in done and any(case.id not in failed for case in _cases(job, cases))]


def measure_left(
    folder: Path, cases: Sequence[Case], networks: Mapping[str, NetworkSpec], report: Callable[[Job], None]
) -> None:
    """Measure what is left; ``report`` hears each job before it starts."""
    while jobs := left(folder, cases):
        report(jobs[0])
        entry = measure(jobs[0], cases, networks)
        write_text(raw_file(folder), json.dumps([*read_entries(folder), entry], indent=1) + "\n")


def estimate_seconds(jobs: list[Job]) -> float:
    """Roughly how long jobs will take."""
    return sum(USUAL_SECONDS[_kind(job.variant)] for job in jobs)


def measure(job: Job, cases: Sequence[Case], networks: Mapping[str, NetworkSpec]) -> dict[str, Any]:
    """Return the entry of one job: a process with an empty cache, then some that find what it left there.

    The times are those of ``gdbench.cold_start.process``; ``reason`` says why there are none, if there are none.
    """
    with tempfile.TemporaryDirectory(prefix="gdbench-") as place:
        cache = Path(place, "cache")
        cache.mkdir()
        problems = [_problem(each, cases, networks, Path(place)) for each in (job, *_elsewhere(job, cases))]
        task = {"variant": job.variant, "peer": variants.is_peer(job.variant), "cache": str(cache)}
        entry = {**asdict(job), "rows": ROWS, "calls": problems[0]["calls"], "reason": "", "compiled_again": []}
        try:
            cold = _ask({**task, "problems": problems}, job.threads, turn=0)
            written = _files(cache)
            warm = [
                _ask({**task, "problems": problems[:1]}, job.threads, turn=turn + 1) for turn in range(WARM_PROCESSES)
            ]
        except NoAnswer as error:
            return {**entry, "reason": str(error), "cold": None, "warm": []}
        again = [_place(problems[position]) for position in cold.pop("compiled_again")]
        files = {"files_written": written, "files_written_later": _files(cache) - written}
        return {**entry, "compiled_again": again, "cold": cold, "warm": warm, **files}


def _identity(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in Job.__dataclass_fields__}


def _place(problem: dict[str, Any]) -> dict[str, str]:
    return {"network": problem["name"], "dataset": problem["dataset"]}


def _cases(job: Job, cases: Sequence[Case]) -> list[Case]:
    """Cases that a job is about."""
    return [case for case in cases if asdict(job).items() <= {**case.to_dict(), "threads": job.threads}.items()]


def _elsewhere(job: Job, cases: Sequence[Case]) -> list[Job]:
    """Return the same variant and dtype on the other networks, if the job is on the chief one."""
    if job not in jobs_of(cases):
        return []
    pairs = dict.fromkeys((case.network, case.dataset) for case in cases)
    others = [Job(job.variant, job.dtype, *pair, job.threads) for pair in pairs]
    return [other for other in others if other != job and _cases(other, cases)]


def _problem(job: Job, cases: Sequence[Case], networks: Mapping[str, NetworkSpec], place: Path) -> dict[str, Any]:
    """Store the arrays of a problem where a process finds them without importing anything; say what to call."""
    spec = networks[job.network]
    network = spec.build(job.dataset)
    data = load_problem(network, job.dataset, job.dtype, spec.learning_rate).head(ROWS)
    path = place / f"{job.network}@{len(list(place.iterdir()))}.npz"
    np.savez(path, theta=data.theta, X=data.X, Y=data.Y, order=data.order)
    sizes = sorted({min(case.batch_size, len(data.X)) for case in _cases(job, cases)})
    middle = sizes[len(sizes) // 2]
    chosen = {task: (sizes[0], middle, sizes[-1]) if task == "epoch" else (middle,) for task in TASKS}
    wanted = [(task, size) for task, some in chosen.items() for size in dict.fromkeys(some)]
    return {
        "name": job.network,
        "dataset": job.dataset,
        "network": asdict(network),
        "arrays": str(path),
        "learning_rate": spec.learning_rate,
        "calls": [call for call in wanted if variants.supports(job.variant, network, *call)],
    }


def _files(cache: Path) -> int:
    return sum(path.is_file() for path in cache.rglob("*"))


def _ask(task: dict[str, Any], threads: int, *, turn: int) -> dict[str, Any]:
    """Run one process and return its answer, or raise NoAnswer."""
    limit = patience(ANSWER_SECONDS)
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    arguments = ("gdbench.cold_start.process", json.dumps(task), repr(monotonic()))
    with start(*arguments, threads=threads, cores=cores_for(threads, turn=turn), **streams) as process:
        try:
            output, errors = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired as error:
            raise NoAnswer(f"its process gave no answer within {limit:g} s") from error
        finally:
            process.kill()
    if process.returncode:
        last = errors.strip().splitlines()[-1] if errors.strip() else "no message"
        raise NoAnswer(f"its process ended with code {process.returncode} ({last})")
    answer: dict[str, Any] = json.loads(output.splitlines()[-1])
    return answer


def _kind(variant: str) -> str:
    """Whether an entry will be long: told from the functions in a variant's module, a peer from its name."""
    if variants.is_peer(variant):
        return "peer"
    from numba.core.dispatcher import Dispatcher  # noqa: PLC0415

    functions = getattr(variants.get(variant).forward, "__globals__", {}).values()
    return "compiled" if any(isinstance(value, Dispatcher) for value in functions) else "plain"
