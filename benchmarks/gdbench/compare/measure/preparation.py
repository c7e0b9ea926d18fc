"""Before a block is timed: both sides take their problems, prove what they compute, and make their calls."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from gdbench.compare.measure.controls import spike_in
from gdbench.compare.measure.pair import Pair, SideProcess
from gdbench.compare.measure.session import CaseSchedule, Setting, State
from gdbench.compare.record.tiers import MIN_QUADS, ComparisonTier
from gdbench.compare.sides.family import Family, problem_key, rows_of
from gdbench.compare.sides.sides import SentNetwork
from gdbench.experiments.cases import Case
from gdbench.processes.live import AnswerError
from gdbench.verify.stages import QUICK_ROWS, certify_quickly
from gdbench.verify.violations import Fault
from kernels import InputError, Network, Variant
from kernels.contract import REQUIRED

REQUIRED_AND_EPOCH = (*REQUIRED, "epoch")
WARM_BELOW_SECONDS = 1e-3
"""Calls that are shorter are made once untimed after each switch of sides, since the other side has had the caches."""


class Lacking(Exception):
    """One side does not have what a case is about."""


def prepare(pair: Pair, setting: Setting, state: State, entries: Iterable[Case | str], *, spiked: int) -> None:
    """Let both sides make their calls, at once, after each has computed what was certified."""
    certified: dict[tuple[str, str], str] = {}
    spike = spike_in(setting.tier.effect)
    steps = [spike.steps_of(spiked=number == spiked) for number in (0, 1)]
    for entry in entries:
        if isinstance(entry, str):
            with at_case(pair, entry):
                seconds = pair.ask_both("prepare_control", *((entry, number) for number in steps))
            for found in filter(failed, seconds):
                raise found
        else:
            key = problem_key(entry), entry.variant
            try:
                if key not in certified:
                    certified[key] = introduce(pair, setting, entry)
            except Lacking as lack:
                state.missing[entry.id] = str(lack)
                continue
            if certified[key]:
                state.broken[entry.id] = certified[key]
                continue
            seconds = prepare_case(pair, setting.family, entry)
            errors = [
                f"{side.name} raised {found}" for side, found in zip(pair.sides, seconds, strict=True) if failed(found)
            ]
            if errors:
                state.broken[entry.id] = "; ".join(errors)
                continue
        state.calls.setdefault(key_of(entry), schedule(min(seconds), setting.tier))


def prepare_case(pair: Pair, family: Family, case: Case) -> list[Any]:
    """Let both sides make the call of a case; return the seconds that it takes on each, or an AnswerError."""
    arguments = (problem_key(case), case.task, case.batch_size, rows_of(case))
    with at_case(pair, case.id):
        return pair.ask_both("prepare", *((case.id, family.variant(case, number), *arguments) for number in (0, 1)))


def introduce(pair: Pair, setting: Setting, case: Case) -> str:
    """Give both sides the problem of a case, and check its variant on it as every block of ``gdbench run`` does.

    Returns why the variant may not be timed, or nothing. Raises Lacking if one side cannot even express the network.
    """
    key, family = problem_key(case), setting.family
    variants = [family.variant(case, number) for number in (0, 1)]
    problem = setting.problems[key].head
    with at_case(pair, case.id):
        answers = pair.ask_both("add_problem", *((key, *setting.problems[key].told),) * 2)
        for side, answer in zip(pair.sides, answers, strict=True):
            if failed(answer) and answer.kind == InputError.__name__:
                raise Lacking(f"{side.name} has no such network: {answer.text}")
        if not any(map(failed, answers)):
            answers = pair.ask_both("first_calls", *((key, name, QUICK_ROWS) for name in variants))
        for side, answer, name in zip(pair.sides, answers, variants, strict=True):
            if failed(answer):
                return f"{side.name} raised {answer}"
            proof = certify_quickly(variant_of(side, name), problem.network, problem.X, problem.Y)
            if side.lost is not None:
                raise side.lost
            if not proof.certified:
                return f"{side.name}: {proof.refusal}"
    return ""


def failed(answer: Any) -> bool:
    """Whether an answer of a side is an error."""
    return isinstance(answer, AnswerError)


@contextmanager
def at_case(pair: Pair, key: str) -> Iterator[None]:
    """Note which case both sides work on, until the block ends in anything but the loss of one of them."""
    for side in pair.sides:
        side.at = key
    try:
        yield
    finally:
        if not any(side.lost for side in pair.sides):
            for side in pair.sides:
                side.at = None


def schedule(call_seconds: float, tier: ComparisonTier) -> CaseSchedule:
    """Return how a case is sampled whose call takes ``call_seconds``."""
    call_seconds = max(call_seconds, 1e-9)
    sample_seconds = tier.case_seconds / (4 * tier.quads)
    calls = max(1, math.ceil(sample_seconds / call_seconds))
    quads = round(tier.case_seconds / (4 * calls * call_seconds))
    return CaseSchedule(calls, int(call_seconds < WARM_BELOW_SECONDS), min(max(quads, MIN_QUADS), tier.quads))


def key_of(entry: Case | str) -> str:
    """Name of a case, or of a control."""
    return entry if isinstance(entry, str) else entry.id


def variant_of(side: SideProcess, name: str) -> Variant:
    """Return a variant whose functions are computed by the process of a side."""
    forward, loss, gradient, epoch = (_function(side, name, function) for function in REQUIRED_AND_EPOCH)
    return Variant(name, f"{name} of {side.name}", forward, loss, gradient, epoch, owns_epoch=True)


def _function(side: SideProcess, variant: str, function: str) -> Callable[..., Any]:
    def ask(network: Network, *arguments: Any) -> Any:
        sent = [(value, value.strides) if isinstance(value, np.ndarray) else value for value in arguments]
        try:
            answer, shared, changed = side.ask("call", variant, function, SentNetwork.of(network), sent)
        except AnswerError as error:
            if error.kind == InputError.__name__:
                raise InputError(error.text) from error
            raise
        if shared:
            raise Fault("returned memory of an input, or of the answer before")
        arrays = [value for value in arguments if isinstance(value, np.ndarray)]
        for here, there in zip(arrays, changed or arrays, strict=True):
            here[...] = there  # verification sees that an input was changed
        return answer

    return ask
