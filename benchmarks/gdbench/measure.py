"""One case under pytest-benchmark's clock: certified in this very process, warmed up, then sampled."""

from __future__ import annotations

import math
from functools import lru_cache
from time import perf_counter
from typing import Any

import numpy as np

from gdbench.cases import Case, NetworkSpec
from gdbench.ladder import QUICK_ROWS, Certificate, certify_quickly
from gdbench.tasks import TASKS, Problem, load_problem
from kernels import get

PROBE_ROWS = 64
"""Rows of the untimed calls that warm a case up and tell how long one call will take."""
MOST_ROUNDS = 15
"""Samples per case and block: enough for a median, few enough to keep the raw files small."""


class NotCertified(Exception):
    """The variant disagreed with the reference in this process; nothing was timed."""


def measure(benchmark: Any, case: Case, spec: NetworkSpec, case_seconds: float) -> None:
    """Let pytest-benchmark sample one case for about ``case_seconds``, or for one call if that takes longer.

    Raises
    ------
    NotCertified
        If the variant does not agree with the reference on rows of the case's data.
    """
    problem = load_problem(spec.build(case.dataset), case.dataset, case.dtype, spec.learning_rate)
    first_call_seconds = require_certificate(case.variant, problem)
    kernel, build = get(case.variant), TASKS[case.task]
    rounds, iterations = _schedule(_estimate(case, problem), case_seconds)
    call = build(kernel, problem, case.batch_size)
    benchmark.extra_info["first_call_seconds"] = first_call_seconds
    benchmark.pedantic(call, rounds=rounds, iterations=iterations)


def require_certificate(variant: str, problem: Problem) -> float:
    """Certify a variant on rows of a problem, once per process; return the seconds of its four first calls.

    With a compiled variant that is the time to compile it, or to load it from Numba's cache.

    Raises
    ------
    NotCertified
        If the variant does not agree with the reference.
    """
    proof, seconds = _prove(variant, problem)
    if not proof.certified:
        raise NotCertified(f"{variant}: {proof.where}: error {proof.max_error:.1e}, tolerance {proof.tolerance:.1e}")
    return seconds


@lru_cache(maxsize=64)
def _prove(variant: str, problem: Problem) -> tuple[Certificate, float]:
    kernel = get(variant)
    small = problem.head(QUICK_ROWS)
    begin = perf_counter()
    try:
        for build in TASKS.values():
            build(kernel, small, len(small.X))()
    except Exception:  # the certificate says what is wrong, in terms of inputs that can be repeated
        pass
    seconds = perf_counter() - begin
    return certify_quickly(variant, problem.network, problem.X, problem.Y), seconds


def _estimate(case: Case, problem: Problem) -> float:
    """Seconds that one call will take, from the faster of two calls on few rows."""
    probe = problem.head(max(PROBE_ROWS, 1))
    batch_size = min(case.batch_size, PROBE_ROWS, len(probe.X))
    call = TASKS[case.task](get(case.variant), probe, batch_size)
    rows = len(probe.X) if case.task == "epoch" else batch_size
    seconds = []
    for _ in range(2):
        begin = perf_counter()
        call()
        seconds.append(perf_counter() - begin)
    return float(np.min(seconds)) * case.rows_per_call / rows


def _schedule(call_seconds: float, case_seconds: float) -> tuple[int, int]:
    """Rounds, and calls in each: up to 15 samples that share the case's time."""
    iterations = max(1, math.ceil(case_seconds / MOST_ROUNDS / max(call_seconds, 1e-9)))
    rounds = round(case_seconds / (iterations * max(call_seconds, 1e-9)))
    return min(max(rounds, 1), MOST_ROUNDS), iterations
