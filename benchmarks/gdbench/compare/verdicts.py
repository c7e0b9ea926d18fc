"""Verdicts: what blocks of paired times prove about each case. Numbers in, numbers out.

The datum of a case and block is one log-ratio, log t_head - log t_base. A few blocks screen all cases: those whose
interval lies inside "unchanged" are done. Fresh blocks then confirm the others, so that having been selected cannot
bias the test: an exact signed-rank test against a margin for memory layout, with the false discovery rate controlled
over the family of confirmed cases (Benjamini and Hochberg 1995).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from gdbench.compare import bootstrap, signed_rank
from gdbench.compare.planning import Rule, blocks_needed, confirm_blocks, smallest_effect
from gdbench.compare.signed_rank import Floats, common_shift
from kernels import InputError

__all__ = [
    "BROKEN",
    "IMPROVED",
    "INSUFFICIENT",
    "MISSING",
    "REGRESSED",
    "UNCHANGED",
    "ControlsVerdict",
    "Judgement",
    "Rule",
    "block_datum",
    "common_shift",
    "confirm_blocks",
    "controls",
    "judge",
    "needs_confirmation",
]

REGRESSED, IMPROVED, UNCHANGED = "REGRESSED", "IMPROVED", "UNCHANGED"
INSUFFICIENT, BROKEN, MISSING = "INSUFFICIENT EVIDENCE", "BROKEN", "MISSING"

CANARY_SHIFT = 0.01
"""Identical code that differs by more than this, relatively, makes a run invalid."""
DISAGREEMENT = 0.005
"""Ends of the two intervals of a ratio that lie further apart than this are worth a remark."""


@dataclass(frozen=True)
class Judgement:
    """What is known of one case; numbers that could not be had are NaN.

    ``ratio`` is head / base (above 1: slower), the exponential of the pseudomedian of the log-ratios; ``low`` and
    ``high`` are its exact signed-rank interval, the bootstrap's ends that of the same ratio by BCa over blocks.
    ``blocks`` and ``pair_sd`` (standard deviation of the log-ratios over blocks) are those of the ``stage`` that
    decided, "screen" or "confirm". ``smallest_effect`` is the relative slowdown that this run finds with the rule's
    power (infinite: none), ``blocks_needed`` the confirmation blocks for the rule's effect (None: no number of them).
    ``disagreement`` is how far the ends of the two intervals lie apart, if that is the ``reason``.
    """

    verdict: str
    ratio: float
    low: float
    high: float
    bootstrap_low: float
    bootstrap_high: float
    p: float
    p_adjusted: float
    blocks: int
    pair_sd: float
    smallest_effect: float
    blocks_needed: int | None
    stage: str
    reason: str
    disagreement: float = math.nan


@dataclass(frozen=True)
class ControlsVerdict:
    """What the controls of a run allow to be claimed, and why no more."""

    status: Literal["valid", "invalid", "underpowered"]
    reason: str


def block_datum(base_ns: ArrayLike, head_ns: ArrayLike) -> float:
    """Return the log-ratio of one block: the median over quads of mean log head - mean log base.

    Both are (quads, samples of a side in a quad), in nanoseconds, above 0. However many samples there are, a block
    is one datum: samples of one process are wrong together.
    """
    base, head = np.asarray(base_ns, float), np.asarray(head_ns, float)
    if base.shape != head.shape or base.ndim != 2 or not base.size or not (np.all(base > 0) and np.all(head > 0)):
        raise InputError("times of a block must be positive and two-dimensional, alike for both sides: measure again")
    return float(np.median(np.mean(np.log(head), axis=1) - np.mean(np.log(base), axis=1)))


def needs_confirmation(screened: ArrayLike, rule: Rule) -> NDArray[np.bool_]:
    """Tell which cases of ``screened`` (blocks, cases; NaN: lost) are not proven within the rule's gate, (cases,)."""
    found = _estimate(_table(screened), "screen", replace(rule, equivalence=rule.screened_out))
    return np.array([finding.verdict != UNCHANGED for finding in found], bool)


def judge(
    screened: ArrayLike,
    confirmed: ArrayLike,
    *,
    margins: ArrayLike,
    rule: Rule,
    resamples: int = bootstrap.RESAMPLES,
) -> list[Judgement]:
    """Return a finding for each case.

    Parameters
    ----------
    screened : array_like
        Log-ratios log t_head - log t_base of the screen, (blocks, cases), NaN where a block was lost.
    confirmed : array_like
        The same of the fresh blocks, (blocks, cases); a column of NaN was not sent to confirmation. Its number of
        rows is taken for that of a complete confirmation, also if no case was sent; (0, cases): there was none.
    margins : array_like
        Relative differences that are taken for memory layout, (cases,).
    rule : Rule
        What is called changed and unchanged.
    resamples : int
        Bootstrap resamples of the confirmed cases; 0: no bootstrap interval.

    Fewer confirmed blocks than an interval takes (6 at 95 %) leave a case with the finding of its screen, which is
    never a change.
    """
    first, second, delta = _table(screened), _table(confirmed), np.asarray(margins, float)
    if not (first.shape[1],) == (second.shape[1],) == delta.shape or not np.all(delta >= 0):
        raise InputError("screen, confirmation and margins are of unlike cases: pass a column and a margin for each")
    early, late = _estimate(first, "screen", rule), _confirm(second, delta, rule, resamples)
    sent = ~np.all(np.isnan(second), axis=0)
    family = max(1, int(np.sum(sent)))
    findings = []
    for case, confirmation in enumerate(late):
        finding = early[case] if math.isnan(confirmation.low) else confirmation
        sd, margin = finding.pair_sd, float(delta[case])
        blocks, screen = (confirmation.blocks if sent[case] else len(second)), early[case].blocks
        visible = smallest_effect(
            sd, margin, family=family, screen=screen, blocks=blocks, rule=rule, known_from=finding.blocks
        )
        needed = blocks_needed(sd, margin, family=family, rule=rule)
        findings.append(replace(finding, smallest_effect=visible, blocks_needed=needed))
    return findings


def controls(canaries: Sequence[Judgement], spike: Judgement) -> ControlsVerdict:
    """Judge a run by identical code (canaries) and by real extra work (the spike-in).

    Invalid: a canary is alarmed, broken or missing, the canaries' median ratio is off by more than 1 % and the
    median of their intervals says so too, or the extra work is found to be faster. Underpowered: the extra work is
    not found.
    """
    verdicts = [canary.verdict for canary in canaries]
    unknown = any(math.isnan(canary.ratio) for canary in canaries)
    if not verdicts or unknown or BROKEN in verdicts or MISSING in verdicts:
        return ControlsVerdict("invalid", "no canary" if not verdicts else "a canary could not be measured")
    alarmed = [canary.ratio for canary in canaries if canary.verdict in (REGRESSED, IMPROVED)]
    if alarmed:
        return ControlsVerdict("invalid", f"identical code was found to differ by {100 * (alarmed[0] - 1):+.1f} %")
    ratio, low, high = (
        float(np.median([getattr(canary, end) for canary in canaries])) for end in ("ratio", "low", "high")
    )
    if abs(math.log(ratio)) > math.log1p(CANARY_SHIFT) and not low <= 1 <= high:
        return ControlsVerdict("invalid", f"identical code differed by {100 * (ratio - 1):+.1f} % in the median")
    if spike.verdict == IMPROVED:
        return ControlsVerdict("invalid", "extra work was found to be faster")
    if spike.verdict != REGRESSED:
        return ControlsVerdict("underpowered", "extra work was not found")
    return ControlsVerdict("valid", "")


def _table(values: ArrayLike) -> Floats:
    d = np.asarray(values, float)
    if d.ndim != 2 or np.any(np.isinf(d)):
        raise InputError("log-ratios must be finite, with a row for each block and a column for each case")
    return d


def _estimate(d: Floats, stage: str, rule: Rule) -> list[Judgement]:
    """Return what the blocks of one stage say without a test: unchanged, or not enough."""
    ends = np.exp(signed_rank.intervals(d, confidence=rule.confidence))
    bound = 1 + rule.equivalence
    findings = []
    for column, (ratio, low, high) in zip(d.T, ends.T.tolist(), strict=True):
        values = np.sort(column[~np.isnan(column)])
        findings.append(
            Judgement(
                verdict=UNCHANGED if 1 / bound <= low <= high <= bound else INSUFFICIENT,
                ratio=ratio,
                low=low,
                high=high,
                bootstrap_low=math.nan,
                bootstrap_high=math.nan,
                p=math.nan,
                p_adjusted=math.nan,
                blocks=len(values),
                pair_sd=float(np.std(values, ddof=1)) if len(values) > 1 else math.nan,
                smallest_effect=math.inf,
                blocks_needed=None,
                stage=stage,
                reason=f"fewer than {signed_rank.min_blocks(rule.confidence)} blocks" if math.isnan(low) else "",
            )
        )
    return findings


def _confirm(d: Floats, margins: Floats, rule: Rule, resamples: int) -> list[Judgement]:
    """Return what the fresh blocks say, with the test of the cases that were sent."""
    above, below = signed_rank.p_values(d, margins=np.log1p(margins))
    p = np.minimum(1.0, 2 * np.minimum(above, below))
    sent = ~np.all(np.isnan(d), axis=0)
    adjusted = np.ones_like(p)
    adjusted[sent] = stats.false_discovery_control(p[sent])
    min_blocks = signed_rank.min_blocks(rule.confidence)
    others = np.exp(bootstrap.bca_intervals(d, confidence=rule.confidence, min_blocks=min_blocks, resamples=resamples))
    findings = []
    for case, finding in enumerate(_estimate(d, "confirm", rule)):
        proven = adjusted[case] <= rule.fdr and finding.verdict != UNCHANGED
        direction = REGRESSED if above[case] < below[case] else IMPROVED
        low, high = others[:, case].tolist()
        disagreement = math.nan if finding.reason else _disagreement(finding.low, finding.high, low, high)
        findings.append(
            replace(
                finding,
                verdict=direction if proven else finding.verdict,
                p=float(p[case]),
                p_adjusted=float(adjusted[case]),
                bootstrap_low=low,
                bootstrap_high=high,
                reason=finding.reason if math.isnan(disagreement) else disagreement_clause(disagreement),
                disagreement=disagreement,
            )
        )
    return findings


def _disagreement(low: float, high: float, bootstrap_low: float, bootstrap_high: float) -> float:
    """Return how far the ends of the two intervals of a ratio lie apart at most; NaN if that is worth no remark."""
    apart = max(abs(low - bootstrap_low), abs(high - bootstrap_high))
    return apart if apart > DISAGREEMENT else math.nan


def disagreement_clause(disagreement: float, most: str = "") -> str:
    """Say how far the two intervals of a ratio lie apart."""
    return f"the bootstrap's interval differs by {most}{100 * disagreement:.1f} percentage points"
