"""Verdicts on the suite and on groups of cases that share something: what is too small to see in any one of them.

The blocks are those of the screen, which measured every case, so that no case is in it for what it showed. The datum of
a block is the mean log-ratio of the cases of a group; its t-interval over blocks contains what cases of a block share.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gdbench.compare.judge.cases import table
from gdbench.compare.judge.location import Floats, median_of, pseudo_values, scale_of
from gdbench.compare.judge.precision import MIN_BLOCKS, precision
from gdbench.compare.judge.terms import (
    AXES,
    IMPROVED,
    INSUFFICIENT,
    REGRESSED,
    UNCHANGED,
    CaseBlocks,
    GroupVerdict,
    JudgeSettings,
)

MIN_CASES = 3
"""A smaller group says no more than its cases."""
SUITE = "suite"
ID_PARTS = 6
"""Parts of the id of a case of the grid."""
BY_THEMSELVES = "only cases moved that changed by themselves"
MAX_PROVEN = 0.5
"""Share of the cases from which on those that changed by themselves are the group."""
CANARY_LEVEL = 0.002
"""Chance that canaries are taken to have moved when they did not, which hides what the suite did."""
TINY = 1e-300
CANARIES_TOO = "it did not provably move further than the canaries, which are identical code"


@dataclass(frozen=True)
class Mean:
    """Mean log-ratio of cases, with its standard error and the degrees of freedom of that; NaN: too few blocks."""

    centre: float
    error: float
    dof: float
    too_high: float
    """By how much spikes may have moved it upwards."""
    too_low: float

    def moved(self, margin: float, level: float) -> int:
        """Return 1 if it is above the margin, -1 if below minus it, at this two-sided level; 0 if neither is proven."""
        beyond = abs(self.centre) - math.log1p(margin) - (self.too_high if self.centre > 0 else self.too_low)
        proven = beyond > 0 and 2 * stats.t.sf(beyond / (self.error + TINY), self.dof) <= level
        return int(np.sign(self.centre)) if proven else 0

    def beyond(self, other: Mean) -> Mean:
        """Return by how much it moved more than another of the same blocks; noise that both share widens it."""
        return Mean(
            self.centre - other.centre,
            math.hypot(self.error, other.error),
            min(self.dof, other.dof),
            self.too_high + other.too_low,
            self.too_low + other.too_high,
        )


@dataclass(frozen=True)
class Shared:
    """What the verdicts on groups have in common; ``bias`` is the spread of what builds differ by, case by case."""

    autocorrelation: float
    bias: float
    asymmetry: float
    """By how much spikes on one side may move the location of a case, in units of its scale."""
    settings: JudgeSettings

    def mean(self, values: Floats, scales: Floats) -> Mean:
        """Return the mean of cases from their pseudo-values (blocks, cases) and scales (cases,)."""
        kept = np.isfinite(values).all(axis=0)
        known = values[:, kept]
        if len(known) < MIN_BLOCKS or not known.shape[1]:
            return Mean(math.nan, math.nan, math.nan, 0.0, 0.0)
        column = known.mean(axis=1)[:, None]
        at = precision(column, self.settings.layouts, autocorrelation=self.autocorrelation)
        error = math.sqrt(float(at.variance[0]) + self.bias**2 / known.shape[1])
        moved = self.asymmetry * float(np.mean(scales[kept]))
        return Mean(float(at.centre[0]), error, float(at.dof[0]), max(0.0, moved), max(0.0, -moved))


def judge_groups(
    named: Mapping[str, CaseBlocks], canaries: Sequence[CaseBlocks], changed: Collection[str], shared: Shared
) -> tuple[GroupVerdict, tuple[GroupVerdict, ...]]:
    """Return the verdict on all cases together, and those on groups.

    Parameters
    ----------
    named : mapping of CaseBlocks
        Cases that were measured, by their ids, which tell what they share.
    canaries : sequence of CaseBlocks
        Controls of identical code, which stand for what moved everything.
    changed : collection of str
        Cases that are proven to be slower or faster by themselves.
    shared : Shared
        What is known of all blocks.
    """
    cases, settings = list(named.values()), shared.settings
    values, scales = _values(cases)
    proven = np.array([name in changed for name in named], bool)
    like = replace(shared, bias=0.0).mean(*_values(canaries))
    canary = None if math.isnan(like.centre) or not like.moved(settings.suite_margin, CANARY_LEVEL) else like
    members = {(SUITE, ""): list(range(len(cases)))} | _groups(list(named))
    found = []
    for (by, name), chosen in members.items():
        level = settings.suite_level if by == SUITE else settings.suite_level / max(1, len(members) - 1)
        blank = GroupVerdict(by, name, len(chosen), None, None, None, INSUFFICIENT)
        found.append(_judged(blank, (values[:, chosen], scales[chosen]), proven[chosen], shared, level, canary))
    return found[0], tuple(found[1:])


def _groups(names: Sequence[str]) -> dict[tuple[str, str], list[int]]:
    """Return the cases of each value of each axis; a value that all cases have is the suite's."""
    found: dict[tuple[str, str], list[int]] = {}
    for i, name in enumerate(names):
        for key in axes_of(name).items():
            found.setdefault(key, []).append(i)
    return {key: chosen for key, chosen in found.items() if MIN_CASES <= len(chosen) < len(names)}


def axes_of(name: str) -> dict[str, str]:
    """Return what the id of a case tells that others share: variant, network, task, dtype, batch size."""
    parts = name.split("/")
    if len(parts) != ID_PARTS:
        return {}
    network, task, variant, size, dtype, _threads = parts
    return dict(zip(AXES, (variant, network, task, dtype, size.removeprefix("B=")), strict=True))


def _values(cases: Sequence[CaseBlocks]) -> tuple[Floats, Floats]:
    """Return pseudo-values of the screen (blocks, cases), and the scale of each case.

    A lost block has what its case has otherwise, so that no case drops out of one block.
    """
    d = table([one.screen for one in cases])
    filled = np.where(np.isfinite(d), d, median_of(d))
    return pseudo_values(filled), scale_of(filled)


def _judged(
    blank: GroupVerdict,
    cases: tuple[Floats, Floats],
    proven: NDArray[np.bool_],
    shared: Shared,
    level: float,
    canary: Mean | None,
) -> GroupVerdict:
    """Return the verdict on cases (pseudo-values, scales), some of which are ``proven`` to have changed by themselves.

    Where most did not, those must have moved too: one case that is twice as slow makes no group slower. And where
    identical code moved, by ``canary``, the cases must have moved further.
    """
    settings, whole = shared.settings, shared.mean(*cases)
    if math.isnan(whole.centre):
        return replace(blank, reason=f"fewer than {MIN_BLOCKS} blocks")
    half = float(stats.t.ppf((1 + settings.confidence) / 2, whole.dof)) * whole.error
    low, high = whole.centre - half - whole.too_high, whole.centre + half + whole.too_low
    bound = math.log1p(settings.suite_equivalence)
    moved, reason = whole.moved(settings.suite_margin, level), ""
    if moved and np.any(proven) and np.mean(proven) < MAX_PROVEN:
        rest = shared.mean(cases[0][:, ~proven], cases[1][~proven])
        reason = "" if rest.moved(settings.suite_margin, level) == moved else BY_THEMSELVES
    if moved and canary and whole.beyond(canary).moved(settings.suite_margin, level) != moved:
        reason = CANARIES_TOO
    verdict = UNCHANGED if -bound <= low and high <= bound else INSUFFICIENT
    if moved and not reason:
        verdict = REGRESSED if moved > 0 else IMPROVED
    if verdict == INSUFFICIENT and not moved and (low > 0 or high < 0):
        certainty, margin = f"{100 * (1 - level):.4g} %", f"{100 * settings.suite_margin:.3g} %"
        reason = f"a verdict takes {certainty} certainty of more than {margin}"
    ratio, low, high = map(math.exp, (whole.centre, low, high))
    return replace(blank, ratio=ratio, low=low, high=high, verdict=verdict, reason=reason)
