"""How much slower a mutant really is: it and its original in turn, in one process, over many fresh processes.

Independent of ``gdbench compare``: other code, other processes, and both sides in one address space. One process gives
one logarithm of a ratio for each case; the truth is the median over processes with its order-statistic interval.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import psutil

from gdbench.compare.sides.family import rows_of
from gdbench.experiments.cases import Case
from gdbench.experiments.grid import networks
from gdbench.experiments.tasks import TASKS, Call, load_problem
from gdbench.experiments.variants import get
from selftest.verdicts.tree import environment_for, python

QUADS = 12
SAMPLE_SECONDS = 0.003


def measure_process(tree: Path, pairs: Iterable[tuple[Case, str]], *, turn: int, seed: int) -> list[float]:
    """Start one process, on the cores in turns; return log(mutant / original) for each case and mutant."""
    cores = psutil.Process().cpu_affinity()
    core = cores[turn % len(cores)]
    jobs = [{"case": case.to_dict(), "mutant": mutant} for case, mutant in pairs]
    command = [*python(), "-m", "selftest.verdicts.truth", json.dumps({"jobs": jobs, "core": core, "seed": seed})]
    done = subprocess.run(command, env=environment_for(tree), capture_output=True, text=True, check=True)
    found: list[float] = json.loads(done.stdout)
    return found


def log_ratio(base: Call, other: Call, rng: np.random.Generator) -> float:
    """Median over quads, ABBA or BAAB by chance, of the log-ratio of their times."""
    base(), other()
    calls = max(1, math.ceil(SAMPLE_SECONDS / min(_seconds(base, 1), _seconds(base, 1))))
    found = []
    for first in rng.integers(0, 2, QUADS):
        order = (base, other, other, base) if first else (other, base, base, other)
        spent = [_seconds(call, calls) for call in order]
        outer, inner = spent[0] + spent[3], spent[1] + spent[2]
        found.append(math.log(inner / outer if first else outer / inner))
    return float(np.median(found))


def _seconds(call: Call, calls: int) -> float:
    begin = perf_counter()
    for _ in range(calls):
        call()
    return perf_counter() - begin


def _call(case: Case, variant: str) -> Call:
    spec = networks()[case.network]
    problem = load_problem(spec.build(case.dataset), case.dataset, case.dtype, spec.learning_rate)
    return TASKS[case.task](get(variant), problem.head(rows_of(case)), case.batch_size)  # as compare cuts it


def _work(order: dict[str, Any]) -> list[float]:
    psutil.Process().cpu_affinity([order["core"]])
    rng = np.random.default_rng(order["seed"])
    jobs = [(Case(**job["case"]), job["mutant"]) for job in order["jobs"]]
    found = [0.0] * len(jobs)
    for place in rng.permutation(len(jobs)):
        case, mutant = jobs[place]
        found[place] = log_ratio(_call(case, case.variant), _call(case, mutant), rng)
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_work(json.loads(sys.argv[1]))))
