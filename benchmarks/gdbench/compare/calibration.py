"""What this machine's noise is: stored by ``gdbench calibrate``, used by every comparison on the same machine.

Two builds of one commit differ in nothing but where their code and data happen to lie. The spread of their pairs is
noise, which more blocks average away; what the odd and the even blocks of a case agree on is bias, which only fresh
builds average away. A comparison finds the spread of biases itself; what is stored says what to expect of it.
"""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_state_path
from scipy import stats

from gdbench.basics import records
from gdbench.basics.folders import locked, writing
from gdbench.basics.storage import check_writable
from gdbench.compare.judge.terms import JudgeSettings
from gdbench.compare.judge.visible import Stage, smallest_effect
from gdbench.compare.measure.session import ComparisonSession, NothingMeasured, ReportStage, open_session
from gdbench.compare.measure.stages import SCREEN, certify, stage
from gdbench.compare.record.record import CaseResult, table
from gdbench.compare.record.tiers import TIERS
from gdbench.compare.sides.sides import here
from gdbench.experiments.grid import Filters
from gdbench.machine.environment import Environment
from kernels import InputError

BLOCKS = 16
MIN_BLOCKS = 6
SAMPLED_AS = "standard"
"""Tier whose length of samples is calibrated."""

WINSORIZED = 0.05
NOISIER = 1.5
"""Ratio of spreads of pairs, now over stored, above which a comparison has a warning."""
DOUBTFUL_BIAS = 0.005
"""Spread of biases above which slowdowns of 2 % can hardly be claimed here."""
MIN_SHARED = 5
STATE_REMEDY = "set XDG_STATE_HOME to another folder"


@dataclass(frozen=True)
class CalibratedMachine:
    """What distinguishes machines."""

    cpu: str | None
    logical_cores: int | None
    memory_bytes: int | None
    system: str | None
    python: str | None


@dataclass(frozen=True)
class CaseNoise:
    """Noise of one case: the spread of its pairs, and by how much two builds of one commit differ."""

    pair_sd: float
    """Standard deviation of the log-ratios over blocks."""
    bias: float
    """Median ratio - 1."""
    agreement: float
    """Median log-ratio of the odd blocks times that of the even ones: 0 in the mean if there is no bias."""
    blocks: int


@dataclass(frozen=True)
class Calibration:
    """The noise of a machine."""

    date: str
    commit: str | None
    machine: CalibratedMachine
    case_seconds: float
    """How long a case was sampled in a block: comparisons that sample otherwise have another spread."""
    load: float
    bias_sd: float
    """Standard deviation of the biases over cases."""
    cases: dict[str, CaseNoise]


@dataclass(frozen=True)
class Kept:
    """What was stored, what had been there, and where."""

    stored: Calibration
    former: Calibration | None
    path: Path


def calibrate(
    *,
    filters: Filters | None = None,
    blocks: int = BLOCKS,
    seed: int | None = None,
    report: ReportStage = lambda step: None,
) -> tuple[Calibration, Environment]:
    """Compare the current commit with itself, built twice; return its noise, and the environment. Stores nothing.

    Raises
    ------
    InputError
        If there are too few blocks, or what is measured could not be stored.
    NothingMeasured
        If every case is broken.
    """
    if blocks < MIN_BLOCKS:
        raise InputError(f"{blocks} blocks say nothing of spread: ask for at least {MIN_BLOCKS}")
    check_writable(user_state_path("gdbench"), STATE_REMEDY)  # before minutes of measuring, not after them
    text, tier = here(), replace(TIERS[SAMPLED_AS], screen_blocks=blocks, confirm_blocks=0, layouts=1)
    with (
        tempfile.TemporaryDirectory(prefix="gdbench-") as name,
        open_session(
            text, text, folder=Path(name), tier=tier, filters=filters or Filters(), seed=seed, report=report
        ) as (session, _),
    ):
        certify(session)
        stage(session, SCREEN, session.left(), blocks)
        return calibration_of(session), session.environment


def calibration_of(session: ComparisonSession) -> Calibration:
    """Return what the blocks of a comparison of like builds say of the machine.

    Raises
    ------
    NothingMeasured
        If every case is broken.
    """
    cases, blocks = session.left(), session.measured.screen
    if not cases:
        reasons = "; ".join(dict.fromkeys(session.state.broken.values()))
        raise NothingMeasured(f"no case could be measured ({reasons}): run gdbench check")
    ratios = table(blocks, [case.id for case in cases])
    several = np.isfinite(ratios).sum(axis=0) > 1  # one alone has no spread, and agrees with none
    known, ratios = [case for case, there in zip(cases, several, strict=True) if there], ratios[:, several]
    found = {case.id: noise_of(column[np.isfinite(column)]) for case, column in zip(known, ratios.T, strict=True)}
    return Calibration(
        date=session.environment.date,
        commit=session.setting.builds[0].side.commit,
        machine=machine_of(session.environment),
        case_seconds=session.tier.case_seconds,
        load=float(np.median([block.load_1_minute for block in blocks])),
        bias_sd=bias_spread(found.values()),
        cases=found,
    )


def machine_of(environment: Environment) -> CalibratedMachine:
    """Return what of an environment distinguishes machines."""
    return CalibratedMachine(**{name: getattr(environment, name) for name in CalibratedMachine.__dataclass_fields__})


def noise_of(log_ratios: NDArray[np.float64]) -> CaseNoise:
    """Return what the blocks of two builds of one commit, at least two of them, say of a case."""
    odd, even = (float(np.median(log_ratios[start::2])) for start in (0, 1))
    return CaseNoise(
        pair_sd=float(np.std(log_ratios, ddof=1)),
        bias=float(np.expm1(np.median(log_ratios))),
        agreement=odd * even,
        blocks=len(log_ratios),
    )


def bias_spread(cases: Collection[CaseNoise]) -> float:
    """Standard deviation of the biases over cases: what their odd and their even blocks agree on.

    Noise of either half is no part of the mean product of both, whatever its distribution. The largest and the
    smallest twentieth of the products count as the ones next to them: a few wild cases do not speak for all.
    """
    products = np.array([noise.agreement for noise in cases])
    if not len(products):
        return 0.0
    kept = stats.mstats.winsorize(products, (WINSORIZED, WINSORIZED))
    return math.sqrt(max(0.0, float(np.mean(kept))))


def smallest_effects(stored: Calibration, case: str) -> dict[str, float]:
    """Slowdown that each tier finds in a case with a chance of 90 %, by its own gate and margin; infinite: none."""
    noise, found = stored.cases[case], {}
    for tier in TIERS.values():
        bias = math.hypot(
            stored.bias_sd / math.sqrt(tier.layouts), JudgeSettings.bias_sd / math.sqrt(len(stored.cases))
        )
        screen, confirm = (
            Stage(math.hypot(noise.pair_sd / math.sqrt(blocks), bias), noise.blocks - 1, blocks - 1)
            for blocks in (tier.screen_blocks, tier.confirm_blocks)
        )
        found[tier.name] = smallest_effect(screen, confirm, family=len(stored.cases), settings=tier.settings)
    return found


def file_of(environment: Environment) -> Path:
    """Return where the calibration of a machine is kept: in the user's folder, under what distinguishes machines.

    Memory is left out: an update of the system's kernel changes it by some kilobytes.
    """
    told = records.plain(machine_of(environment))
    del told["memory_bytes"]
    settings = [environment.settings] if environment.settings else []
    digest = hashlib.sha256(json.dumps([*told.values(), *settings]).encode()).hexdigest()
    return user_state_path("gdbench") / f"calibration-{digest[:16]}.json"


def keep(new: Calibration, environment: Environment, *, part: bool) -> Kept:
    """Store a calibration in the place of the former one of this machine, or added to it if it is of part of the grid.

    Two at once are stored one after the other, so that neither loses its cases.

    Raises
    ------
    InputError
        If the user's folder cannot be written.
    """
    path = file_of(environment)
    with writing(path.parent, STATE_REMEDY), locked(path):
        former = read(environment)
        stored = merged(former, new) if part else new
        records.write(path, stored)
    return Kept(stored, former, path)


def read(environment: Environment) -> Calibration | None:
    """Return the calibration of a machine; None if there is none, or one of another version."""
    try:
        return records.read(file_of(environment), Calibration, remedy="run gdbench calibrate again")
    except InputError:
        return None


def expected_bias(stored: Calibration | None, layouts: int) -> float:
    """Spread of the bias that a comparison expects after so many fresh builds, over which that of one averages out."""
    return JudgeSettings.bias_sd if stored is None else max(JudgeSettings.bias_sd, stored.bias_sd / math.sqrt(layouts))


def source(stored: Calibration | None) -> str:
    """Where that is from, in words."""
    return "default" if stored is None else f"calibration of {stored.date[:10]}"


def merged(former: Calibration | None, new: Calibration) -> Calibration:
    """Return a calibration of part of the grid together with the former one, which keeps the rest of its cases."""
    if former is None or former.case_seconds != new.case_seconds:
        return new
    cases = {**former.cases, **new.cases}
    return replace(new, cases=cases, bias_sd=bias_spread(cases.values()))


def warnings(stored: Calibration | None, rows: Sequence[CaseResult], *, case_seconds: float) -> list[str]:
    """Say whether the machine has become noisier than it was calibrated, or cannot show small changes at all."""
    if stored is None:
        return []
    found = []
    pairs = [
        (row.pair_sd, stored.cases[row.case].pair_sd)
        for row in rows
        if row.metric == "time" and row.pair_sd and row.case in stored.cases
    ]
    if len(pairs) >= MIN_SHARED and case_seconds == stored.case_seconds:
        growth = float(np.median([now / max(then, 1e-9) for now, then in pairs]))
        if growth > NOISIER:
            found.append(
                f"Pairs spread {growth:.1f} times as much as when this machine was calibrated ({stored.date[:10]}): "
                "compare when it is quieter, or run gdbench calibrate again."
            )
    if stored.bias_sd > DOUBTFUL_BIAS:
        found.append(
            f"Two builds of one commit differ by {100 * stored.bias_sd:.1f} % on this machine, whatever they contain: "
            "only changes that stand out against it are claimed."
        )
    return found
