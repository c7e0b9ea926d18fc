"""The gate before a clock: a variant is certified in the very process that will time it, or it is not timed."""

from __future__ import annotations

from collections.abc import Container
from contextlib import suppress
from functools import lru_cache
from time import perf_counter

import numpy as np

from gdbench.experiments.tasks import TASKS, Problem
from gdbench.experiments.variants import get
from gdbench.verify.inputs import random_situation, with_labels
from gdbench.verify.stages import QUICK_ROWS, UPDATE_LEARNING_RATE, Certificate, certify, certify_quickly
from kernels import Choice, Network


class NotCertified(Exception):
    """The variant disagreed with the reference in this process; nothing was timed."""


def preferred(choice: Choice, refused: Container[str]) -> str | None:
    """Return the variant that a choice prefers among those that are not refused; None if all are."""
    return next((name for name in choice.names if name not in refused), None)


def require_certificate(variant: str, problem: Problem) -> float:
    """Certify a variant on a few rows of a problem, once per process; return ``first_call_seconds``.

    This is what a block does whose variants have passed full verification elsewhere.

    Raises
    ------
    NotCertified
        If the variant does not agree with the reference.
    """
    proof, seconds = _prove(variant, problem)
    if not proof.certified:
        raise NotCertified(f"{proof.variant}: {proof.refusal}")
    return seconds


def require_full_verification(variant: str, problem: Problem) -> None:
    """Verify a variant in full, all rows included, once per process; for harnesses without a run's start.

    Raises
    ------
    NotCertified
        If the variant does not agree with the reference.
    """
    proof = _certify(variant, problem)
    if not proof.certified:
        raise NotCertified(f"{proof.variant}: {proof.refusal}")


@lru_cache(maxsize=64)
def _certify(variant: str, problem: Problem) -> Certificate:
    return certify(variant, problem.network, problem.X.dtype, data=(problem.X, problem.Y))


def first_call_seconds(variant: str, network: Network, dtype: str) -> float:
    """Seconds of the first calls of all four functions of a variant in this process, on a few random rows.

    A compiled variant compiles in them, or loads what Numba's cache has.
    """
    situation = random_situation(network, dtype, rows=QUICK_ROWS, seed=0)
    kernel, order = get(variant), np.arange(QUICK_ROWS)
    situation = with_labels(network, situation) if kernel.labels_only else situation
    problem = Problem(network, situation.theta, situation.X, situation.Y, order, UPDATE_LEARNING_RATE)
    begin = perf_counter()
    for name, build in TASKS.items():
        if name not in kernel.lacks:
            with suppress(Exception):  # the certificate says what is wrong
                build(kernel, problem, QUICK_ROWS)()
    return perf_counter() - begin


def call_runs_first(variant: str, network: Network, dtype: str) -> None:
    """Make the first calls of what advances several runs at once, where a variant has functions of its own for it.

    They are compiled in these calls and kept in Numba's cache. A search must not come upon them uncompiled: its
    deadline would end the compilation each time anew, and it would never have an answer.
    """
    kernel = get(variant)
    if kernel.own_epochs is None and kernel.own_losses is None:
        return
    situation = random_situation(network, dtype, rows=QUICK_ROWS, seed=0)
    thetas, order = situation.theta[None], np.arange(QUICK_ROWS)[None]
    with suppress(Exception):  # whoever needs them is told what is wrong
        kernel.epochs(network, thetas, situation.X, situation.Y, order, QUICK_ROWS, UPDATE_LEARNING_RATE)
        kernel.losses(network, thetas, situation.X, situation.Y, None)


@lru_cache(maxsize=64)
def _prove(variant: str, problem: Problem) -> tuple[Certificate, float]:
    seconds = first_call_seconds(variant, problem.network, problem.X.dtype.name)
    return certify_quickly(variant, problem.network, problem.X, problem.Y), seconds
