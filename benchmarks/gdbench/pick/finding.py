"""The statistical half of a question: its problem, its target, and the steps to it by batch size."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from gdbench.basics.units import duration
from gdbench.pick.progress import Clock
from gdbench.pick.question import Question
from gdbench.pick.steps.answer import Steps, Target
from gdbench.pick.steps.measure_steps import OutOfTime, Progress, carry, measure_steps
from gdbench.pick.steps.optimum import Optimum, find_optimum
from gdbench.pick.steps.problem import NetworkProblem, Values
from gdbench.pick.steps.runner import Runner
from gdbench.pick.steps.targets import given_target, near_optimum, passes_for, reference_target
from gdbench.pick.steps.tiers import get_tier
from gdbench.pick.views.amounts import counted
from kernels.auto import AUTO

OPERATIONS = {"quick": 1e12, "standard": 3e12, "thorough": 3e13}
"""Floating-point operations that a search may cost, by tier: a machine does 1e10 to 1e11 a second."""
OPERATIONS_PER_ROW = 6.0
"""And parameter: forward pass, backpropagation and weight gradient, two each."""
REFERENCE = 32
"""Batch size of the descent that sets a target where no optimum is known."""
MAX_PRODUCTS, MIN_ROWS_SEEN = 2e8, 1000
"""Rows times parameters in one look at the loss, beyond which it is that of fewer rows; and the fewest of these."""
FLOOR_DIGITS = 6
"""To which the least loss is rounded down, so that its last bits do not make another problem."""


def make_problem(question: Question) -> tuple[NetworkProblem, Optimum | None]:
    """Return what descent is run on, and the least training loss if it is attained and the target is one of it."""
    optimum = find_optimum(question.network, *question.rows) if question.held_out is None else None
    if optimum is not None and not optimum.attained:
        optimum = None
    V, T = question.held_out or _some_rows(question)
    settings = question.settings
    floor = _rounded_down(optimum.value) if optimum is not None and V is None else 0.0
    problem = NetworkProblem(question.network, *question.rows, settings.seed, settings.scheme, floor, V, T)
    if optimum is not None and V is not None:  # the loss of the rows that are looked at
        optimum = replace(optimum, value=float(problem.losses(optimum.theta[None])[0]))
    return problem, optimum


def _some_rows(question: Question) -> tuple[Values, Values] | tuple[None, None]:
    """Rows, drawn once, whose loss stands for that of all, where looking at all takes longer than training."""
    X, Y = question.rows
    most = max(MIN_ROWS_SEEN, round(MAX_PRODUCTS / question.network.n_parameters))
    if len(X) <= most:
        return None, None
    rows = np.sort(np.random.default_rng(question.settings.seed).choice(len(X), most, replace=False))
    return X[rows], Y[rows]


def known_target(question: Question, problem: NetworkProblem, optimum: Optimum | None) -> Target | None:
    """Return the target if nothing has to be trained to know it: the user's, or one near the optimum."""
    asked = question.settings.loss_target
    if asked != AUTO:
        return given_target(problem, float(asked), metric=_metric(question, problem), optimum=optimum)
    return near_optimum(problem, optimum, metric=_metric(question, problem)) if optimum is not None else None


def is_idle(target: Target) -> bool:
    """Whether there is nothing to train for: the target is met at the start, or below the least loss there is."""
    return target.start <= target.value or (target.optimum is not None and target.optimum >= target.value)


def find_steps(
    question: Question, problem: NetworkProblem, target: Target | None, *, runner: Runner, clock: Clock, reserve: float
) -> Steps | str:
    """Find the steps to a target; a text says why there is not even a target.

    Parameters
    ----------
    target : Target, optional
        None for what a reference descent reaches.
    reserve : float
        Seconds of the clock's that are left for what follows.
    """
    if target is None:
        clock.tell("finding a target")
        passes = passes_for(problem.n_rows, question.network.n_parameters)
        size = min(REFERENCE, problem.n_rows)
        plan = reference_target(problem, size, metric=_metric(question, problem), passes=passes)
        try:
            target = carry(plan, problem, runner, most_seconds=max(0.0, clock.left - reserve))
        except OutOfTime:
            return f"the budget of {duration(clock.most_seconds)} was spent before there was a target"
    return measure_steps(
        problem,
        question.batch_sizes,
        target=target,
        tier=get_tier(question.settings.tier),
        seed=question.settings.seed,
        runner=runner,
        most_rows=OPERATIONS[question.settings.tier] / (OPERATIONS_PER_ROW * question.network.n_parameters),
        most_seconds=max(0.0, clock.left - reserve),
        report=lambda progress: clock.tell(progress.words, _rows(progress)),
    )


def as_trainings(steps: Steps, current: int | None) -> str:
    """Compare what a search has cost with single trainings; empty where it found no steps to compare with."""
    known = [row for row in steps.rows if row.steps]
    wanted = min(known, key=lambda row: abs(math.log(row.batch_size / (current or REFERENCE))), default=None)
    if wanted is None or wanted.steps is None:
        return ""
    count = counted(round(steps.examples / (wanted.steps * wanted.batch_size)), "training")
    rows = f"{steps.examples / 1e6:,.3g} million rows"
    return f"finding the steps processed {rows}, as {count} at batch size {wanted.batch_size} would"


def _metric(question: Question, problem: NetworkProblem) -> str:
    if question.held_out is not None:
        return "validation loss"
    return "training loss" if problem.V is None else f"training loss (on {len(problem.V):,} of the rows)"


def _rows(progress: Progress) -> str:
    return f"{progress.rows / 1e6:,.3g} million rows so far" if progress.rows else ""


def _rounded_down(value: float) -> float:
    if value == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(value))) + 1 - FLOOR_DIGITS)
    return math.floor(value / unit - 1) * unit
