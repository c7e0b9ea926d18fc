"""Certificates of both sides: every variant passes today's verification in the process of its side before any timing.

A certificate is kept with the build, under the code of the instrument that granted it; so a commit is verified once.
Bytes that a call allocates are counted in the same pass, which is not timed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from gdbench.basics import records
from gdbench.basics.folders import locked
from gdbench.compare.measure.pair import Pair
from gdbench.compare.measure.preparation import Lacking, at_case, failed, introduce, prepare_case, variant_of
from gdbench.compare.measure.session import Setting, State
from gdbench.compare.sides.builds import Build
from gdbench.compare.sides.family import certified_together, problem_key
from gdbench.experiments.cases import Case
from gdbench.machine.fingerprint import fingerprint
from gdbench.processes.live import ProcessLost
from gdbench.verify.stages import certify
from kernels import InputError

ReportShare = Callable[[float], None]


@dataclass(frozen=True)
class Granted:
    """The certificates of a build, and the fingerprint of the code that granted them."""

    by: str
    granted: tuple[str, ...]


def prove(setting: Setting, state: State, report: ReportShare) -> dict[str, list[int | None]]:
    """Certify all variants of both sides; note those that are wrong as broken.

    Returns the bytes that a call allocates on each side by case, None where the call failed.
    """
    allocated: dict[str, list[int | None]] = {}
    jobs = list(certified_together(setting.family.cases).values())
    done: set[int] = set()
    while left := [number for number in range(len(jobs)) if number not in done]:
        with Pair(setting.builds, threads=max(setting.family.threads()), variables=({}, {})) as pair:
            try:
                for number in left:
                    done.add(number)  # also if it fails: a side that is lost in a case is not sent there again
                    _prove_job(pair, setting, state, jobs[number], allocated)
                    report(len(done) / len(jobs))
            except ProcessLost as error:
                _break_all(setting, state, jobs[max(done)], str(error))
    return allocated


def _prove_job(pair: Pair, setting: Setting, state: State, job: Case, allocated: dict[str, list[int | None]]) -> None:
    members = [case for case in setting.family.cases if _kind(case) == _kind(job) and not state.out(case.id)]
    try:
        reason = introduce(pair, setting, job) or _verify(pair, setting, job)
    except Lacking as lack:
        state.missing.update({case.id: str(lack) for case in members})
        return
    if reason:
        _break_all(setting, state, job, reason)
        return
    for case in members:
        if any(map(failed, prepare_case(pair, setting.family, case))):
            continue  # its first block says why
        with at_case(pair, case.id):
            found = pair.ask_both("allocated", *((case.id,),) * 2)
        allocated[case.id] = [None if failed(count) else int(count) for count in found]


def _kind(case: Case) -> tuple[str, str]:
    """What a certificate is for."""
    return problem_key(case), case.variant


def _break_all(setting: Setting, state: State, job: Case, reason: str) -> None:
    for case in setting.family.cases:
        if _kind(case) == _kind(job) and not state.out(case.id):
            state.broken[case.id] = reason


def _verify(pair: Pair, setting: Setting, job: Case) -> str:
    """Verify the variant of each side, unless its build has a certificate; return why one is refused."""
    problem, threads = setting.family.problem(job), max(setting.family.threads())
    for number, (side, build) in enumerate(zip(pair.sides, setting.builds, strict=True)):
        variant = setting.family.variant(job, number)
        granted, key = _read(build), f"{variant}, {problem_key(job)}, {problem.network}, {threads}"
        if key in granted:
            continue
        with at_case(pair, job.id):
            proof = certify(variant_of(side, variant), problem.network, problem.X.dtype, data=(problem.X, problem.Y))
        if side.lost is not None:
            raise side.lost
        if not proof.certified:
            return f"{side.name}: {proof.refusal}"
        _grant(build, key)
    return ""


def _grant(build: Build, key: str) -> None:
    """Add a certificate to those of a build, which another comparison may add to at the same moment."""
    with suppress(OSError), locked(build.certificates):  # where it cannot be kept, it will be verified again
        records.write(build.certificates, Granted(by=_fingerprint(), granted=(*_read(build), key)))


def _read(build: Build) -> tuple[str, ...]:
    """Return what of a build has been certified; nothing if other code certified it."""
    try:
        found = records.read(build.certificates, Granted, remedy="delete it")
    except InputError:
        return ()
    return found.granted if found.by == _fingerprint() else ()


@cache
def _fingerprint() -> str:
    return fingerprint()
