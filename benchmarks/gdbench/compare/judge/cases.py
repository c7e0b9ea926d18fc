"""Verdicts on single cases: a screen of all, a test with fresh blocks of those that it leaves in doubt.

One-sided t-tests hold the location of a case against its margin, with a variance that contains noise, builds that were
made afresh and the bias of those that were not. The false discovery rate is controlled over all cases that were
measured (Benjamini and Hochberg 1995), those that the screen has settled among them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gdbench.compare.judge.location import Floats
from gdbench.compare.judge.precision import MIN_BLOCKS, Precision, precision
from gdbench.compare.judge.terms import (
    IMPROVED,
    INSUFFICIENT,
    REGRESSED,
    UNCHANGED,
    CaseBlocks,
    Judgement,
    JudgeSettings,
    Values,
)
from gdbench.compare.judge.visible import Stage, blocks_needed, smallest_effect
from kernels import InputError

DRIFTED = "it drifted inside too many blocks"
TOO_FEW = f"fewer than {MIN_BLOCKS} blocks"
LAYOUT = "it cannot be told from what builds differ by themselves here"
LAYOUT_SHARE = 0.5
"""Share of the variance from which on builds are named as the reason."""
BIAS_DOF = 50.0
"""Degrees of freedom of the spread of biases over a suite."""
TINY = 1e-12


@dataclass(frozen=True)
class Seen:
    """What a stage tells of each case, with the bias of builds in its error and its interval (NaN: too few blocks)."""

    at: Precision
    bias: float
    error: Floats
    dof: Floats
    low: Floats
    high: Floats

    def unchanged(self, settings: JudgeSettings) -> NDArray[np.bool_]:
        """Whether the interval of each case lies within "unchanged"."""
        bound = math.log1p(settings.equivalence)
        return (self.low >= -bound) & (self.high <= bound)


class Intervals(NamedTuple):
    """Location of the log-ratios of each case, with its interval."""

    centre: Floats
    low: Floats
    high: Floats


def table(blocks: Sequence[Values]) -> Floats:
    """Return the log-ratios of cases as columns (blocks, cases), NaN where a case has fewer."""
    longest = max((len(values) for values in blocks), default=0)
    d = np.full((longest, len(blocks)), np.nan)
    for case, values in enumerate(blocks):
        d[: len(values), case] = values
    if np.any(np.isinf(d)):
        raise InputError("log-ratios must be finite, or NaN where a block was lost: measure again")
    return d


def needs_confirmation(cases: Mapping[str, CaseBlocks], settings: JudgeSettings) -> dict[str, bool]:
    """Tell which cases are to be confirmed: those that their screen neither settles nor proves within the gate.

    A case that lies within a wide gate but shows a change beyond its margin is confirmed too, and so is one that
    drifted.
    """
    there = {name: one for name, one in cases.items() if one.absent is None}
    seen = see(screen_of(there.values(), settings), 0.0, settings)
    gate, margin = math.log1p(settings.screened_out), math.log1p(settings.margin)
    within = (seen.low >= -gate) & (seen.high <= gate)
    changed = (seen.low > margin) | (seen.high < -margin)
    doubtful = ~within | (changed & ~seen.unchanged(settings))
    return {
        name: bool(doubt) or one.unsteady[0] for (name, one), doubt in zip(there.items(), doubtful, strict=True)
    } | dict.fromkeys(cases.keys() - there.keys(), False)


def screen_of(cases: Iterable[CaseBlocks], settings: JudgeSettings, **known: float) -> Precision:
    """Return what the screen tells of each case by its noise."""
    return precision(table([one.screen for one in cases]), settings.layouts, **known)


def confirmation_of(cases: Iterable[CaseBlocks], settings: JudgeSettings, **known: float) -> Precision:
    """Return what the fresh blocks tell of each case by its noise."""
    return precision(table([one.confirm for one in cases]), settings.layouts, **known)


def see(at: Precision, bias: float, settings: JudgeSettings) -> Seen:
    """Return what a stage tells, with the bias of builds in its variance."""
    variance = at.variance + bias**2
    dof = _dof_with_bias(at.variance, at.dof, bias)
    half = stats.t.ppf((1 + settings.confidence) / 2, dof) * np.sqrt(variance)
    half = np.where(at.blocks >= MIN_BLOCKS, half, np.nan)
    return Seen(at, bias, np.sqrt(variance), dof, at.centre - half, at.centre + half)


def _dof_with_bias(variance: Floats, dof: Floats, bias: float) -> Floats:
    """Return the degrees of freedom of a variance to which that of builds is added (Satterthwaite 1946)."""
    total = variance + bias**2
    with np.errstate(invalid="ignore", divide="ignore"):
        found = total**2 / (variance**2 / dof + bias**4 / BIAS_DOF)
    return np.where(total > 0, found, dof)


def intervals(d: Floats, *, confidence: float) -> Intervals:
    """Return location and interval of each column of d (blocks, cases), all on one build; NaN: too few blocks."""
    seen = see(precision(d, 1), 0.0, JudgeSettings(confidence=confidence))
    return Intervals(seen.at.centre, seen.low, seen.high)


def judge_cases(
    cases: Sequence[CaseBlocks],
    screen: Precision,
    confirm: Precision,
    *,
    bias: float,
    blocks: int,
    settings: JudgeSettings,
) -> list[Judgement]:
    """Return a finding for each case, all of which were measured; ``blocks`` are those of a whole confirmation."""
    early, late = see(screen, bias, settings), see(confirm, bias, settings)
    tested = np.isfinite(late.low)
    above, below = _p_values(late, math.log1p(settings.margin))
    p = np.where(tested, np.minimum(1.0, 2 * np.minimum(above, below)), 1.0)
    adjusted = stats.false_discovery_control(p) if len(p) else p
    visible = _Visible(early, late, len(cases), blocks, settings)
    found = []
    for i, one in enumerate(cases):
        seen, stage = (late, "confirm") if tested[i] else (early, "screen")
        finding = _finding(seen, i, stage, settings)
        if tested[i]:
            direction = REGRESSED if above[i] < below[i] else IMPROVED
            proven = adjusted[i] <= settings.fdr and finding.verdict != UNCHANGED
            finding = replace(finding, p=float(p[i]), p_adjusted=float(adjusted[i]))
            finding = replace(finding, verdict=direction, reason="") if proven else finding
        if one.unsteady[stage == "confirm"]:
            finding = replace(finding, verdict=INSUFFICIENT, reason=DRIFTED)
        effect, needed = visible.of(i)
        found.append(replace(finding, smallest_effect=effect, blocks_needed=needed))
    return found


def _finding(seen: Seen, i: int, stage: str, settings: JudgeSettings) -> Judgement:
    """Return what the blocks of one stage say without a test: unchanged, or not enough, and why not."""
    ratio, low, high = (float(np.exp(end[i])) for end in (seen.at.centre, seen.low, seen.high))
    unchanged = bool(seen.unchanged(settings)[i])
    reason = ""
    if math.isnan(low):
        reason = TOO_FEW
    elif not unchanged and seen.bias**2 > LAYOUT_SHARE * seen.error[i] ** 2:
        reason = LAYOUT
    return Judgement(
        verdict=UNCHANGED if unchanged else INSUFFICIENT,
        ratio=ratio,
        low=low,
        high=high,
        blocks=int(seen.at.blocks[i]),
        pair_sd=float(seen.at.pair_sd[i]),
        bias_sd=seen.bias,
        stage=stage,
        reason=reason,
    )


def _p_values(seen: Seen, margin: float) -> tuple[Floats, Floats]:
    """Return one-sided p-values of each case: above its margin, and below minus its margin."""
    with np.errstate(invalid="ignore", divide="ignore"):
        above, below = (sign * seen.at.centre - margin for sign in (1, -1))
        certain = seen.error <= TINY * (1 + np.abs(seen.at.centre))  # counts, equal in all blocks
        chances = [
            np.where(certain, np.where(distance > 0, 0.0, 1.0), stats.t.sf(distance / seen.error, seen.dof))
            for distance in (above, below)
        ]
    return chances[0], chances[1]


class _Visible:
    """Plans for each case: what its blocks could have shown, and how many would show what was asked about."""

    def __init__(self, early: Seen, late: Seen, family: int, blocks: int, settings: JudgeSettings) -> None:
        self.early, self.late, self.family, self.settings = early, late, family, settings
        self.blocks = blocks
        n, runs = len(early.at.centre), max(1.0, blocks / max(1, settings.layouts))
        excess = late.at.excess if math.isfinite(late.at.excess) else 1.0
        self.of_builds = 1 - 1 / max(1.0, excess)
        self.scale = excess / (1 + (excess - 1) / runs)
        self.variance = early.at.variance * early.at.blocks * self.scale / max(blocks, 1)
        told = late.dof[np.isfinite(late.low)]
        alone = _dof_with_bias(self.variance, np.full(n, max(1.0, blocks - 1.0)), early.bias)
        self.dof = np.full(n, np.median(told)) if len(told) else alone

    def of(self, i: int) -> tuple[float, int | None]:
        """Return the smallest effect of a case, and the blocks that it needs."""
        early, late, blocks = self.early, self.late, self.blocks
        screen = Stage(float(early.error[i]), float(early.dof[i]), float(early.dof[i]))
        if np.isfinite(late.low[i]):
            blocks, variance, dof = int(late.at.blocks[i]), float(late.at.variance[i]), float(late.dof[i])
            known_dof = dof
        else:
            variance, dof, known_dof = float(self.variance[i]), float(self.dof[i]), float(early.dof[i])
        effect = math.inf
        if blocks >= MIN_BLOCKS:
            whole = Stage(math.sqrt(variance + early.bias**2), known_dof, dof)
            effect = smallest_effect(screen, whole, family=self.family, settings=self.settings)
        lasting = math.sqrt(self.of_builds * variance + early.bias**2)
        noise = Stage(math.sqrt((1 - self.of_builds) * variance), known_dof, dof)
        return effect, blocks_needed(noise, max(blocks, 1), lasting, family=self.family, settings=self.settings)
