"""The statistical half of a question: its problem, its target, and the steps to it by batch size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial

import numpy as np
from scipy import special

import kernels
from gdbench.basics.units import counted, duration
from gdbench.pick.progress import Clock
from gdbench.pick.question import Question
from gdbench.pick.seconds.kept_proofs import KeptProofs
from gdbench.pick.seconds.process import certified_rows
from gdbench.pick.seconds.times import Times, TimesRow
from gdbench.pick.steps.answer import Steps, Target
from gdbench.pick.steps.candidates import REFERENCE, reference_size
from gdbench.pick.steps.measure import Countdown, OutOfTime, carry, measure_steps
from gdbench.pick.steps.optimum import Optimum, find_optimum
from gdbench.pick.steps.problem import NetworkProblem
from gdbench.pick.steps.summary import idle
from gdbench.pick.steps.targets import Beginning, given_target, near_optimum, reference_steps, reference_target
from gdbench.pick.steps.tiers import get_tier
from gdbench.pick.steps.trials import Runner
from gdbench.verify.gate import call_runs_first
from gdbench.verify.stages import certify, certify_quickly
from kernels.auto import AUTO

MIN_SHARE = 0.5
"""Share of the budget that the search has in any case, even if a busy machine has spent the rest before: an answer a
little late is better than none."""
SAMPLE_ROWS, SMALL_SAMPLE_ROWS, MANY_PARAMETERS = 2048, 1024, 10_000
"""Rows whose loss is looked at in place of that of more than four times as many; of fewer rows, where there are many
parameters, the smaller number."""
OPTIMUM_PRODUCTS, MIN_OPTIMUM_ROWS = 4e6, 4096
"""Rows times parameters on which the least loss is looked for, of more rows an even choice; and the fewest of these."""
SAMPLE_SLACK = 5e-4
"""Share of what can be gained by which the loss of a sample, corrected at the least loss, may be below that."""
MAX_CERTIFIED = 100_000
"""Parameters up to which a variant is certified that runs faster than the one that was timed; beyond it the certificate
takes minutes, and a matrix product most of the time of both."""
FLOOR_DIGITS = 6
"""To which the least loss is rounded down, so that its last bits do not make another problem."""


def least_loss(question: Question) -> Optimum | None:
    """Return the least loss of the rows that count, if the network is convex and the training loss attains it."""
    network, (X, Y) = question.network, question.rows
    most = max(round(OPTIMUM_PRODUCTS / network.n_parameters), MIN_OPTIMUM_ROWS)
    part = slice(None, None, -(-len(X) // most))
    found = find_optimum(network, X[part], Y[part])
    if found is None or not found.attained:
        return None
    if len(X) <= most and question.held_out is None:
        return found
    # not that of all rows, but so close to it that a hundredth of what can be gained is nearly the same
    return replace(found, value=kernels.get("vectorized").loss(network, found.theta, *(question.held_out or (X, Y))))


def make_problem(question: Question, times: Times, start: float, optimum: Optimum | None) -> NetworkProblem:
    """Return what descent is run on: the rows in the dtype of the clock, and the variants that it timed."""
    X, Y = question.timed_rows
    V, T = question.timed_held_out or (X, Y)
    small = question.network.n_parameters >= MANY_PARAMETERS and len(V) <= 4 * SAMPLE_ROWS
    most = SMALL_SAMPLE_ROWS if small else SAMPLE_ROWS
    sample = None
    if len(V) > 4 * most:
        sample = np.sort(np.random.default_rng(question.settings.seed).choice(len(V), most, replace=False))
    floor = 0.0
    if optimum is not None and question.held_out is None:
        slack = 0.0 if sample is None else SAMPLE_SLACK * (start - optimum.value)
        floor = _rounded_down(optimum.value - slack)
    settings, variants = question.settings, _variants(question, times)
    anchor = None if optimum is None else optimum.theta
    return NetworkProblem(
        question.network, X, Y, V, T, variants, settings.seed, settings.scheme, floor, sample=sample, anchor=anchor
    )


def _variants(question: Question, times: Times) -> Mapping[int, str]:
    """Variants that count the steps, by batch size: the fastest of ours, whichever was timed.

    Where that is not the one that was timed, it has to show first that it computes the same: the steps do not depend on
    how they are computed.
    """
    found, agrees = {}, cache(partial(_agrees, question))
    for row in times.rows:
        names = kernels.choose(question.network, question.timed_rows[0], row.batch_size).names
        faster = names[: names.index(row.variant)] if row.variant in names else names
        if question.network.n_parameters > MAX_CERTIFIED and row.variant in names:
            faster = ()
        found[row.batch_size] = next(filter(agrees, faster), row.variant)
    return found


def _agrees(question: Question, name: str) -> bool:
    """Whether a variant computes what the reference does on these rows."""
    network, (X, Y) = question.network, certified_rows(*question.timed_rows)
    kept = KeptProofs(network, X, Y, threads=question.settings.threads)
    call_runs_first(name, network, X.dtype.name)
    if kept.has(name):
        return certify_quickly(name, network, X, Y).certified
    proof = certify(name, network, X.dtype, data=(X, Y))
    if proof.certified:
        kept.keep(name)
    return proof.certified


def known_target(question: Question, start: float, optimum: Optimum | None) -> Target | None:
    """Return the target if nothing has to be trained to know it: the user's, or one near the optimum."""
    asked, metric = question.settings.loss_target, _metric(question)
    if asked != AUTO:
        return given_target(float(asked), start, metric=metric, optimum=optimum)
    return near_optimum(optimum, start, metric=metric) if optimum is not None else None


def start_loss(question: Question) -> float:
    """Loss before the first step, mean over several starts."""
    X, Y = question.timed_rows
    V, T = question.timed_held_out or (X, Y)
    return NetworkProblem(
        question.network, X, Y, V, T, {}, question.settings.seed, question.settings.scheme
    ).start_loss()


def is_idle(target: Target) -> bool:
    """Whether there is nothing to train for: the target is met at the start, or below the least loss there is."""
    return target.start <= target.value or (target.optimum is not None and target.optimum >= target.value)


def idle_steps(question: Question, target: Target, begin: Beginning | None = None) -> Steps:
    """Return the steps where there is nothing to train for, or no learning rate to begin with."""
    return idle(target, question.batch_sizes, begin, seed=question.settings.seed)


def find_steps(
    question: Question,
    problem: NetworkProblem,
    target: Target | None,
    start: float,
    times: Times,
    *,
    runner: Runner,
    clock: Clock,
    reserve: float,
) -> Steps | str:
    """Find the steps to a target; a text says why there is not even a target.

    Parameters
    ----------
    target : Target, optional
        None for what a reference descent reaches.
    start : float
        Loss before the first step.
    times : Times
        Seconds of a step, which decide where it pays to look.
    reserve : float
        Seconds of the clock's that are left for what follows.
    """
    least, begin = MIN_SHARE * clock.most_seconds, None
    if target is None:
        clock.tell("finding a target")
        size = reference_size([row.batch_size for row in times.rows], problem.n_rows)
        steps = reference_steps(problem.n_rows, question.network.n_parameters, size)
        plan = reference_target(problem, size, steps, start, metric=_metric(question))
        try:
            target, begin = carry(
                plan, problem, runner, countdown=Countdown(max(clock.left - reserve, least), clock.extend)
            )
        except OutOfTime:
            return f"the budget of {duration(clock.most_seconds)} was spent before there was a target"
        if is_idle(target):
            return idle_steps(question, target, begin)
    found = measure_steps(
        problem,
        {row.batch_size: row.seconds for row in times.rows},
        step_errors={row.batch_size: _log_error(row) for row in times.rows},
        target=target,
        tier=get_tier(question.settings.tier),
        seed=question.settings.seed,
        runner=runner,
        workers=runner.workers,
        asked=problem.variants.keys() & {1, question.settings.current, problem.n_rows},
        begin=begin if begin is not None and begin.reached else None,
        most_seconds=max(clock.left - reserve, least),
        more=clock.extend,
        report=lambda words, rows: clock.tell(words, f"{rows:,.0f} rows so far" if rows else ""),
    )
    return replace(found, variants=dict(problem.variants))


def as_trainings(steps: Steps, current: int | None) -> str:
    """Compare what a search has cost with single trainings; empty where it found no steps to compare with."""
    known = [row for row in steps.rows if row.measured]
    wanted = min(known, key=lambda row: abs(math.log(row.batch_size / (current or REFERENCE))), default=None)
    if wanted is None or wanted.steps is None:
        return ""
    count = counted(round(steps.examples / (wanted.steps * wanted.batch_size)), "training")
    return f"The search processed {steps.examples:,.0f} rows, as many as {count} at batch size {wanted.batch_size:,}."


def _metric(question: Question) -> str:
    return "validation loss" if question.held_out is not None else "training loss"


def _log_error(row: TimesRow) -> float:
    """Standard error of the logarithm of a step's seconds, from its 90 % interval."""
    low = row.low if row.low > 0 else row.seconds**2 / row.high
    return float(math.log(row.high / low) / 2 / special.ndtri(0.95))


def _rounded_down(value: float) -> float:
    if value == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(value))) + 1 - FLOOR_DIGITS)
    return math.floor(value / unit - 1) * unit
