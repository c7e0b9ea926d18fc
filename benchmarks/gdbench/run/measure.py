"""One case under pytest-benchmark's clock: certified in this very process, warmed up, then sampled.

This is the file that pytest collects in a block: ``test_speed``, once for each case.
"""

from __future__ import annotations

import math
from time import perf_counter
from typing import Any

import numpy as np

from gdbench.experiments.cases import Case, NetworkSpec
from gdbench.experiments.tasks import TASKS, Call, Problem, load_problem
from gdbench.experiments.variants import get
from gdbench.run.plan import Plan
from gdbench.verify.gate import require_certificate

PROBE_ROWS = 64
"""Rows of the untimed calls that warm a case up and tell how long one call will take."""
WARM_SECONDS = 0.03
"""A case whose call is expected to be shorter is called once at full size before it is sampled."""
MAX_ROUNDS = 15
"""Samples per case and block: enough for a median, few enough to keep the raw files small."""


def test_speed(
    benchmark: Any,
    plan: Plan,
    network: str,
    dataset: str,
    n_rows: int,
    task: str,
    variant: str,
    batch_size: int,
    dtype: str,
    threads: int,
) -> None:
    """Time one case of the plan; pytest-benchmark stores the arguments as the case's parameters."""
    case = Case(network, dataset, n_rows, task, variant, batch_size, dtype, threads)
    measure(benchmark, case, plan.networks[network], plan.case_seconds)


def measure(benchmark: Any, case: Case, spec: NetworkSpec, case_seconds: float) -> None:
    """Let pytest-benchmark sample one case for about ``case_seconds``, or for one call if that takes longer.

    Raises
    ------
    NotCertified
        If the variant does not agree with the reference on rows of the case's data.
    """
    problem = load_problem(spec.build(case.dataset), case.dataset, case.dtype, spec.learning_rate)
    warm_up_seconds = require_certificate(case.variant, problem)
    kernel, build = get(case.variant), TASKS[case.task]
    call = build(kernel, problem, case.batch_size)
    call_seconds = _second_call_seconds(call) if kernel.compiles_shapes else _estimate(case, problem)
    rounds, iterations = _schedule(call_seconds, case_seconds)
    several = case.threads > 1  # what starts or compiles for several threads does so at full size only
    if (call_seconds < WARM_SECONDS or several) and not kernel.compiles_shapes:
        call()
    benchmark.extra_info["first_call_seconds"] = warm_up_seconds
    benchmark.pedantic(call, rounds=rounds, iterations=iterations)


def _estimate(case: Case, problem: Problem) -> float:
    """Seconds that one call will take, from the faster of two calls on few rows."""
    probe = problem.head(PROBE_ROWS)
    batch_size = min(case.batch_size, len(probe.X))
    call = TASKS[case.task](get(case.variant), probe, batch_size)
    rows = len(probe.X) if case.task == "epoch" else batch_size
    seconds = []
    for _ in range(2):
        begin = perf_counter()
        call()
        seconds.append(perf_counter() - begin)
    return float(np.min(seconds)) * case.rows_per_call / rows


def _second_call_seconds(call: Call) -> float:
    """Seconds of the second call at full size: few rows would be compiled for themselves, and tell nothing of many."""
    call()
    begin = perf_counter()
    call()
    return perf_counter() - begin


def _schedule(call_seconds: float, case_seconds: float) -> tuple[int, int]:
    """Rounds, and calls in each: up to 15 samples that share the case's time."""
    iterations = max(1, math.ceil(case_seconds / MAX_ROUNDS / max(call_seconds, 1e-9)))
    rounds = round(case_seconds / (iterations * max(call_seconds, 1e-9)))
    return min(max(rounds, 1), MAX_ROUNDS), iterations
