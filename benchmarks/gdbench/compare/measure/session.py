"""What is known of a comparison while it goes on, and how it begins: both sides built, alike, and with cases."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from gdbench.basics.folders import writing
from gdbench.compare.environments.record import UsedEnvironment, differences
from gdbench.compare.environments.store import provide_both
from gdbench.compare.judge.terms import JudgeSettings
from gdbench.compare.measure.pair import Pair
from gdbench.compare.record.record import Measurements
from gdbench.compare.record.tiers import TIERS, ComparisonTier
from gdbench.compare.sides.builds import Build, build_both, instrument_path
from gdbench.compare.sides.family import Family, StoredProblem, make_family, store_problems
from gdbench.compare.sides.sides import Side, SideDescription, in_environments, read_sides, read_tree
from gdbench.experiments.cases import Case
from gdbench.experiments.grid import Filters
from gdbench.machine.environment import Environment, observe
from gdbench.machine.fingerprint import version_of
from gdbench.machine.settings import check_settings
from gdbench.processes.launch import check_threads
from kernels import InputError

MIN_LAYOUTS = 3
"""Fewer fresh builds do not tell what builds differ by."""


@dataclass(frozen=True)
class Setting:
    """What all blocks of a comparison share."""

    builds: tuple[Build, Build]
    family: Family
    problems: dict[str, StoredProblem]
    tier: ComparisonTier
    seed: int


class CaseSchedule(NamedTuple):
    """How a case is sampled in every block."""

    calls: int
    """Calls in a sample."""
    warm_calls: int
    """Untimed calls before a sample, after a switch of sides."""
    quads: int


@dataclass
class State:
    """What is learnt while measuring: calls in a sample, frozen by the first block, and cases that are out."""

    calls: dict[str, CaseSchedule] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def out(self, key: str) -> bool:
        """Whether a case is not to be measured any more."""
        return key in self.broken or key in self.missing


def note_lost(state: State, pair: Pair) -> bool:
    """Note the case in which a side was lost; False where it was in none."""
    places = {side.at: str(side.lost) for side in pair.sides if side.at is not None and side.lost is not None}
    for key, reason in places.items():
        state.broken[key] = reason
    return bool(places)


@dataclass(frozen=True)
class StageProgress:
    """Progress: the stage in words, the share of all work that is done, and seconds left (None: not known yet)."""

    words: str
    share: float
    seconds_left: float | None


ReportStage = Callable[[StageProgress], None]


@dataclass
class ComparisonSession:
    """What is known of a comparison while it goes on."""

    setting: Setting
    folder: Path
    report: ReportStage
    environment: Environment
    state: State = field(default_factory=State)
    measured: Measurements = field(default_factory=Measurements)
    warnings: list[str] = field(default_factory=list)
    layouts: list[tuple[Build, Build]] = field(default_factory=list)
    """Fresh builds of both sides, compiled anew; none: those of the cache are measured."""
    counts_instructions: bool = False
    shortened: bool = False
    """Whether blocks after the first have fewer samples."""
    counting_seconds: float = 0.0
    """What counting them took, which is no part of the minutes of a tier."""
    progress: str = "stopped before its first block"
    begun: float = field(default_factory=monotonic)

    @property
    def tier(self) -> ComparisonTier:
        """How much is measured."""
        return self.setting.tier

    @property
    def settings(self) -> JudgeSettings:
        """How it is judged; where fresh builds could not be made, with the margins of a tier that makes none."""
        settings = self.tier.settings
        if self.tier.layouts > 1 and len(self.layouts) < MIN_LAYOUTS:
            quick = TIERS["quick"]
            settings = replace(settings, margin=quick.margin, suite_margin=quick.suite_margin)
        return replace(settings, layouts=max(1, len(self.layouts)))

    @property
    def minutes_left(self) -> float:
        """Minutes of the tier that are left, below 0 where there are none."""
        return self.tier.minutes - (monotonic() - self.begun - self.counting_seconds) / 60

    def left(self) -> list[Case]:
        """Cases that can be measured."""
        return [case for case in self.setting.family.cases if not self.state.out(case.id)]


class NothingMeasured(Exception):
    """No case could be measured."""


@contextmanager
def open_session(
    base: str | None,
    head: str | None,
    *,
    folder: Path,
    tier: ComparisonTier,
    filters: Filters,
    seed: int | None,
    report: ReportStage,
    environments: Sequence[str] = (),
) -> Iterator[tuple[ComparisonSession, Path]]:
    """Build both sides and choose the cases; give the session and a folder for what nobody keeps.

    Sides and environments are those of ``comparison.compare``.

    Raises
    ------
    InputError
        If a side cannot be measured at all, or both are not alike in their packages; if Numba cannot be measured as it
        is set, or this machine not be described.
    """
    check_settings()
    sides = _sides(base, head, environments, report)
    report(StageProgress("building both sides", 0.0, None))
    builds = build_both(*sides)
    family, missing = _family(builds, filters)
    check_threads(max(family.threads()))
    with tempfile.TemporaryDirectory(prefix="gdbench-") as name:
        place = Path(name)
        seed = secrets.randbits(32) if seed is None else seed
        with writing(place, "set TMPDIR to another folder"):
            problems = store_problems(family, place)
        setting = Setting(builds, family, problems, tier, seed)
        machine = _observe(builds[1].side.environment, max(family.threads()))
        session = ComparisonSession(setting, folder, report, machine, State(missing=missing))
        session.warnings += _like_environments(*sides)
        yield session, place


def _sides(base: str | None, head: str | None, environments: Sequence[str], report: ReportStage) -> tuple[Side, Side]:
    """Read both sides; environments are made first, which may take minutes."""
    if not environments:
        if base is None or head is None:
            raise InputError("name two sides, such as main HEAD, or environments, such as --env numba==0.65.1")
        return read_sides(base, head)
    if base is not None and head is not None:
        raise InputError(
            f"{base} and {head} are two sides already, and --env would make more: name one revision, or none"
        )
    tree = read_tree(base)
    return in_environments(tree, provide_both(environments, lambda words: report(StageProgress(words, 0.0, None))))


def _observe(environment: UsedEnvironment | None, threads: int) -> Environment:
    """Describe the machine as the processes of the head find it."""
    if environment is None or environment.root is None:
        return observe(threads)
    path = os.pathsep.join(instrument_path(environment))
    found = observe(threads, executable=environment.executable, variables={"PYTHONPATH": path})
    return replace(found, versions={**found.versions, "gdbench": version_of("gdbench")})  # found by a link there


def _like_environments(base: Side, head: Side) -> Iterator[str]:
    """Warn of environments that are the same, although something was wished for."""
    there = [side.environment.installed for side in (base, head) if side.environment]
    if there and not differences(*there):
        yield "The environments of both sides have the same versions of everything, so they should not differ."


def _family(builds: tuple[Build, Build], filters: Filters) -> tuple[Family, dict[str, str]]:
    """Choose the cases of two sides; refuse sides that are not alike; note what one of them lacks."""
    base, head = _described(builds)
    if builds[0].side.environment is None:
        _check_alike(base, head)
    for build, answer in zip(builds, (base, head), strict=True):
        _check_own(build, answer)
    family = make_family(builds, (base.variants, head.variants), filters)
    missing = {}
    for case in family.cases:
        for number, (build, answer) in enumerate(zip(builds, (base, head), strict=True)):
            variant = family.variant(case, number)
            if variant not in answer.variants:
                missing[case.id] = f"{build.side.text} has no variant {variant}"
    return family, missing


def _check_alike(base: SideDescription, head: SideDescription) -> None:
    """Raise InputError if two sides do not run on the same packages."""
    for name in ("python", "executable", "packages"):
        ours, theirs = getattr(base, name), getattr(head, name)
        if ours != theirs:
            raise InputError(
                f"{name} would be {ours} for the base and {theirs} for the head: both sides must run on the same, "
                "so unset PYTHONPATH"
            )


def _check_own(build: Build, found: SideDescription) -> None:
    """Raise InputError if a side that has an environment of its own runs on packages from elsewhere."""
    root = build.side.environment.root if build.side.environment else None
    for name, (version, file) in found.packages.items():
        if root is not None and not Path(str(file)).is_relative_to(root):
            raise InputError(
                f"{name} {version} would come from {file} and not from the environment {build.side.text}: "
                "unset PYTHONPATH"
            )


def _described(builds: tuple[Build, Build]) -> tuple[SideDescription, SideDescription]:
    """Ask both sides what they are and have; raise what one of them raised."""
    with Pair(builds, threads=1, variables=({}, {})) as pair:
        answers = pair.ask_both("hello", (), ())
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    base, head = answers
    return base, head
