"""One case under pytest-benchmark's clock: certified in this very process, warmed up, then sampled."""

from __future__ import annotations

import math
from contextlib import suppress
from functools import lru_cache
from time import perf_counter
from typing import Any

import numpy as np

from gdbench.cases import Case, NetworkSpec
from gdbench.ladder import QUICK_ROWS, UPDATE_RATE, Certificate, certify, certify_quickly
from gdbench.situations import random_situation, with_labels
from gdbench.tasks import TASKS, Call, Problem, load_problem
from gdbench.variants import get
from kernels import Network

PROBE_ROWS = 64
"""Rows of the untimed calls that warm a case up and tell how long one call will take."""
WARM_SECONDS = 0.03
"""A case whose call is expected to be shorter is called once at full size before it is sampled."""
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


def require_certificate(variant: str, problem: Problem) -> float:
    """Certify a variant on a few rows of a problem, once per process; return ``first_call_seconds``.

    This is what a block does whose variants have climbed the whole ladder elsewhere.

    Raises
    ------
    NotCertified
        If the variant does not agree with the reference.
    """
    proof, seconds = _prove(variant, problem)
    if not proof.certified:
        raise NotCertified(_refusal(proof))
    return seconds


def require_whole_ladder(variant: str, problem: Problem) -> None:
    """Let a variant climb the whole ladder, all rows included, once per process; for harnesses without a run's start.

    Raises
    ------
    NotCertified
        If the variant does not agree with the reference.
    """
    proof = _climb(variant, problem)
    if not proof.certified:
        raise NotCertified(_refusal(proof))


@lru_cache(maxsize=64)
def _climb(variant: str, problem: Problem) -> Certificate:
    return certify(variant, problem.network, problem.X.dtype, data=(problem.X, problem.Y))


def _refusal(proof: Certificate) -> str:
    return f"{proof.variant}: {proof.where}: error {proof.max_error:.1e}, tolerance {proof.tolerance:.1e}"


def first_call_seconds(variant: str, network: Network, dtype: str) -> float:
    """Seconds of the first calls of all four functions of a variant in this process, on a few random rows.

    A compiled variant compiles in them, or loads what Numba's cache has.
    """
    situation = random_situation(network, dtype, rows=QUICK_ROWS, seed=0)
    kernel, order = get(variant), np.arange(QUICK_ROWS)
    situation = with_labels(network, situation) if kernel.labels_only else situation
    problem = Problem(network, situation.theta, situation.X, situation.Y, order, UPDATE_RATE)
    begin = perf_counter()
    for name, build in TASKS.items():
        if name not in kernel.lacks:
            with suppress(Exception):  # the certificate says what is wrong
                build(kernel, problem, QUICK_ROWS)()
    return perf_counter() - begin


@lru_cache(maxsize=64)
def _prove(variant: str, problem: Problem) -> tuple[Certificate, float]:
    seconds = first_call_seconds(variant, problem.network, problem.X.dtype.name)
    return certify_quickly(variant, problem.network, problem.X, problem.Y), seconds


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
    iterations = max(1, math.ceil(case_seconds / MOST_ROUNDS / max(call_seconds, 1e-9)))
    rounds = round(case_seconds / (iterations * max(call_seconds, 1e-9)))
    return min(max(rounds, 1), MOST_ROUNDS), iterations
