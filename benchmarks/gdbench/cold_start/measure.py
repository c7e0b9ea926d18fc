"""Measures cold starts: a variant's imports, compilation and first calls, in fresh processes with a cache of their own.

``raw/cold_start.json`` has an entry per variant and dtype, on the network that has most of the cases; for a
variant that compiles anew for another network, also one on that. The file is there from the start of a run that
is to have it, and whole after each entry.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic

import numpy as np

from gdbench.basics.records import plain
from gdbench.cold_start.entries import (
    ColdStartAnswer,
    ColdStartEntry,
    Experiment,
    ProcessTimes,
    raw_file,
    read_entries,
    write_entries,
)
from gdbench.experiments import variants
from gdbench.experiments.cases import Case, NetworkSpec
from gdbench.experiments.tasks import TASKS, load_problem
from gdbench.processes.launch import cores_for
from gdbench.processes.live import LiveProcess, ProcessLost
from kernels import Network

ROWS = 512
"""First rows of the data that the calls work on: more than any chunk or tile, few enough for the reference."""
WARM_PROCESSES = 3
"""Processes that find the cache as the first one left it."""
ANSWER_SECONDS = 300
"""A process that takes longer has hung, unless GDBENCH_PATIENCE_SECONDS says otherwise."""
USUAL_SECONDS = {"plain": 6.0, "compiled": 25.0, "peer": 20.0}
"""Roughly what an entry takes, all its processes together."""


@dataclass(frozen=True)
class ColdStart:
    """One entry to measure."""

    variant: str
    dtype: str
    network: str
    dataset: str
    threads: int


@dataclass(frozen=True)
class ColdStartProblem:
    """A problem that a process finds in a file, and what it is to call on it."""

    experiment: Experiment
    network: Network
    arrays: str
    """File with theta, X, Y and order, as ``np.savez`` writes it."""
    learning_rate: float
    calls: tuple[tuple[str, int], ...]
    """Task and batch size of each call."""


@dataclass(frozen=True)
class Assignment:
    """What a process is to do; it gets this as JSON, since it can import none of our records before it has measured."""

    variant: str
    peer: bool
    cache: str
    """Folder of Numba's cache."""
    problems: tuple[ColdStartProblem, ...]
    """The first is timed; on the others it is seen whether the variant compiles anew."""


def jobs_of(cases: Sequence[Case]) -> list[ColdStart]:
    """Return a job per variant and dtype on the network and data set that have most cases."""
    pair = Counter((case.network, case.dataset) for case in cases).most_common(1)[0][0]
    threads = min(case.threads for case in cases)
    chief = [case for case in cases if (case.network, case.dataset) == pair]
    return list(dict.fromkeys(ColdStart(case.variant, case.dtype, *pair, threads) for case in chief))


def promise(folder: Path) -> None:
    """Note that a run is to have cold starts, so that it also has them when it is resumed."""
    write_entries(folder, [])


def left(folder: Path, cases: Sequence[Case], failed: Container[str]) -> list[ColdStart]:
    """Jobs without an entry; none where the run is not to have any.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    cases : sequence of Case
        Cases of the run.
    failed : container of str
        Ids of the cases that failed; a job whose cases have all failed is left out.
    """
    if not raw_file(folder).exists():
        return []
    entries = read_entries(folder)
    wanted = jobs_of(cases)
    for entry in entries:
        wanted += [replace(_job(entry), network=at.network, dataset=at.dataset) for at in entry.compiled_again]
    done = set(map(_job, entries))
    return [job for job in wanted if job not in done and any(case.id not in failed for case in _cases(job, cases))]


def measure_left(
    folder: Path,
    cases: Sequence[Case],
    networks: Mapping[str, NetworkSpec],
    *,
    failed: Container[str],
    report: Callable[[ColdStart], None],
) -> None:
    """Measure what is left; ``report`` hears each job before it starts."""
    while jobs := left(folder, cases, failed):
        report(jobs[0])
        entry = measure(jobs[0], cases, networks)
        write_entries(folder, [*read_entries(folder), entry])


def estimate_seconds(jobs: list[ColdStart]) -> float:
    """Roughly how long jobs will take."""
    return sum(USUAL_SECONDS[_kind(job.variant)] for job in jobs)


def measure(job: ColdStart, cases: Sequence[Case], networks: Mapping[str, NetworkSpec]) -> ColdStartEntry:
    """Return the entry of one job: a process with an empty cache, then some that find what it left there.

    The times are those of ``gdbench.cold_start.process``; ``reason`` says why there are none, if there are none.
    """
    with tempfile.TemporaryDirectory(prefix="gdbench-") as place:
        cache = Path(place, "cache")
        cache.mkdir()
        problems = tuple(_problem(each, cases, networks, Path(place)) for each in (job, *_elsewhere(job, cases)))
        task = Assignment(job.variant, variants.is_peer(job.variant), str(cache), problems)
        entry = ColdStartEntry(
            **asdict(job), rows=ROWS, calls=problems[0].calls, reason="", compiled_again=(), cold=None, warm=()
        )
        try:
            cold = _ask(task, job.threads, turn=0)
            written = _files(cache)
            warm = _warm(replace(task, problems=problems[:1]), job.threads)
        except ProcessLost as loss:
            return replace(entry, reason=f"its process {loss.how}")
        return replace(
            entry,
            compiled_again=tuple(problems[position].experiment for position in cold.compiled_again),
            cold=cold.times,
            warm=warm,
            files_written=written,
            files_written_later=_files(cache) - written,
        )


def _warm(task: Assignment, threads: int) -> tuple[ProcessTimes, ...]:
    return tuple(_ask(task, threads, turn=turn + 1).times for turn in range(WARM_PROCESSES))


def _job(entry: ColdStartEntry) -> ColdStart:
    return ColdStart(entry.variant, entry.dtype, entry.network, entry.dataset, entry.threads)


def _cases(job: ColdStart, cases: Sequence[Case]) -> list[Case]:
    """Cases that a job is about."""
    return [case for case in cases if asdict(job).items() <= {**case.to_dict(), "threads": job.threads}.items()]


def _elsewhere(job: ColdStart, cases: Sequence[Case]) -> list[ColdStart]:
    """Return the same variant and dtype on the other networks, if the job is on the chief one."""
    if job not in jobs_of(cases):
        return []
    pairs = dict.fromkeys((case.network, case.dataset) for case in cases)
    others = [ColdStart(job.variant, job.dtype, *pair, job.threads) for pair in pairs]
    return [other for other in others if other != job and _cases(other, cases)]


def _problem(
    job: ColdStart, cases: Sequence[Case], networks: Mapping[str, NetworkSpec], place: Path
) -> ColdStartProblem:
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
    return ColdStartProblem(
        experiment=Experiment(job.network, job.dataset),
        network=network,
        arrays=str(path),
        learning_rate=spec.learning_rate,
        calls=tuple(call for call in wanted if variants.supports(job.variant, network, *call)),
    )


def _files(cache: Path) -> int:
    return sum(path.is_file() for path in cache.rglob("*"))


def _ask(task: Assignment, threads: int, *, turn: int) -> ColdStartAnswer:
    """Run one process and return its answer, or raise ProcessLost."""
    arguments = json.dumps(plain(task)), repr(monotonic())
    with LiveProcess(
        "gdbench.cold_start.process",
        *arguments,
        name=f"the cold start of {task.variant}",
        threads=threads,
        cores=cores_for(threads, turn=turn),
        usual_seconds=ANSWER_SECONDS,
    ) as process:
        answer: ColdStartAnswer = process.ask("answer")
        return answer


def _kind(variant: str) -> str:
    """Whether an entry will be long: told from the functions in a variant's module, a peer from its name."""
    if variants.is_peer(variant):
        return "peer"
    from numba.core.dispatcher import Dispatcher  # noqa: PLC0415

    functions = getattr(variants.get(variant).forward, "__globals__", {}).values()
    return "compiled" if any(isinstance(value, Dispatcher) for value in functions) else "plain"
