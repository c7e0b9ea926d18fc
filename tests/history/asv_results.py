"""A repository of empty commits with asv's result files, written by asv itself."""

import math
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asv.results import Results
from asv.runner import BenchmarkResult

from gdbench.history.reading import read_histories
from gdbench.history.series import History

from ..helpers import invoke

TASKS, DTYPES, SIZES = ("gradient", "forward"), ("float64",), (1, 32)
VARIANTS = ("buffered", "jit", "vectorized")
BENCHMARK = {
    "name": "experiments.deep_wine.time_task",
    "version": "1",
    "param_names": ["task", "dtype", "variant", "batch_size"],
    "params": [[repr(value) for value in axis] for axis in (TASKS, DTYPES, VARIANTS, SIZES)],
}
"""Parameters in the order in which asv asks for them."""
CASES = [(task, dtype, variant, size) for task in TASKS for dtype in DTYPES for variant in VARIANTS for size in SIZES]
MACHINE = {"arch": "x86_64", "cpu": "A CPU", "num_cpu": "2", "os": "Linux 6", "ram": "8000", "version": 1}
NO_PACKAGES: Mapping[str, str] = {}
FIRST_DATE_MS = 1_700_000_000_000
COMMITS, STEP, SLOW = 40, 25, 4
"""Commits, the one from which a case is slow, and which case."""
RESULTS = Path("reports", "asv", "results")


def make_repository(folder: Path, subjects: Sequence[str]) -> list[str]:
    """Make empty commits; return their hashes, oldest first."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    for subject in subjects:
        git(folder, "commit", "-q", "--allow-empty", "--allow-empty-message", "-m", subject)
    return git(folder, "rev-list", "--topo-order", "--reverse", "HEAD").split()


def git(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    environment |= {f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, env=environment, capture_output=True, text=True)
    return done.stdout


def write_result(
    results: Path,
    commit: str,
    seconds: Sequence[float | None],
    *,
    machine: str = "here",
    numpy: str = "2.1",
    environment: str = "virtualenv-py3.11",
    position: int = 0,
    version: str = "1",
    benchmark: Mapping[str, object] = BENCHMARK,
    packages: Mapping[str, str] = NO_PACKAGES,
    described: Mapping[str, str] = NO_PACKAGES,
) -> Path:
    """Write one commit's results as asv does; a value of None failed, NaN was skipped."""
    params = {**MACHINE, "machine": machine, "python": "3.11", **described}
    environment = "-".join([environment, *packages])
    folder = results / machine
    folder.mkdir(parents=True, exist_ok=True)
    describe(results, machine)
    date = FIRST_DATE_MS + 1000 * position
    result = Results(params, {"numpy": numpy, **packages}, commit, date, "3.11", environment, {"OMP_NUM_THREADS": "1"})
    measured = BenchmarkResult(list(seconds), [None] * len(seconds), [None] * len(seconds), 0, "", None)
    result.add_result({**benchmark, "version": version}, measured)
    result.save(str(results))
    return folder / f"{commit[:8]}-{environment}.json"


def describe(results: Path, machine: str, **changes: object) -> None:
    """Write asv's description of a machine."""
    from asv.util import write_json  # noqa: PLC0415 - beside its only use

    write_json(str(results / machine / "machine.json"), {**MACHINE, "machine": machine, **changes}, 1)


def times(index: int, *, step_at: int, slow: Mapping[int, float], scale: float = 1e-4) -> list[float]:
    """Seconds of every case at a commit: those in ``slow`` are slower by a factor from a commit on."""
    wobble = 0.004
    return [
        scale
        * (1 + case)
        * (1 + wobble * math.sin(12.9898 * (index + 1) * (case + 2.3)))
        * (factor if index >= step_at else 1)
        for case in range(len(CASES))
        for factor in (slow.get(case, 1.0),)
    ]


def regressions(folder: Path, *options: str) -> Any:
    """Run ``gdbench regressions`` in a folder."""
    return invoke("regressions", *options, cwd=folder)


def history_of(results: Path, machine: str, repository: Path) -> History:
    """Read the only history of a machine's results."""
    (found,) = read_histories(results, machine, repository)
    return found
