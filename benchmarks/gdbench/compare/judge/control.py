"""Verdict on the controls: identical code must show no difference, real extra work must be found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from gdbench.compare.judge.cases import DRIFTED
from gdbench.compare.judge.terms import (
    BROKEN,
    IMPROVED,
    MISSING,
    REGRESSED,
    UNCHANGED,
    ControlsVerdict,
    Judgement,
)

CANARY_SHIFT = 0.01
"""Identical code that differs by more than this, relatively, makes a run invalid."""
SPIKE = "spike"
"""What the name of a control begins with that is extra work; all others are identical code."""
VOID = {"valid": (), "underpowered": (UNCHANGED,), "invalid": (UNCHANGED, REGRESSED, IMPROVED)}
"""Verdicts on times that a run may not give, by the status of its controls."""


def is_spike(name: str) -> bool:
    """Whether a control is extra work; all others are identical code."""
    return name.startswith(SPIKE)


def judge_alone(found: Judgement, level: float) -> Judgement:
    """Return the verdict on extra work by a test of its own: it is found once it is proven to be beyond the margin.

    It may be as small as what a case may change and still be unchanged, which takes nothing from the proof.
    """
    alone = replace(found, p_adjusted=found.p)
    if found.reason == DRIFTED or not found.p <= level:
        return alone
    return replace(alone, verdict=REGRESSED if found.ratio > 1 else IMPROVED, reason="")


def judge_controls(found: Mapping[str, Judgement]) -> ControlsVerdict:
    """Judge a run by identical code (canaries) and by real extra work (the spike-in).

    Invalid: a canary is alarmed or could not be measured, the canaries' median ratio is off by more than 1 % and the
    median of their intervals says so too, or the extra work is found to be faster. Underpowered: the extra work is
    not found. Without any control there is nothing to judge a run by, and it is taken for valid.
    """
    if not found:
        return ControlsVerdict("valid", "")
    canaries = [one for name, one in found.items() if not is_spike(name)]
    spikes = [one for name, one in found.items() if is_spike(name)]
    lost = any(one.verdict in (BROKEN, MISSING) for one in canaries)
    if not lost and not any(one.stage == "confirm" for one in found.values()):
        return ControlsVerdict("underpowered", "the run ended before its controls were confirmed")
    wrong = _why_invalid(canaries)
    if wrong or any(one.verdict == IMPROVED for one in spikes):
        return ControlsVerdict("invalid", wrong or "extra work was found to be faster")
    if any(one.verdict != REGRESSED for one in spikes):
        return ControlsVerdict("underpowered", "extra work was not found")
    return ControlsVerdict("valid", "")


def _why_invalid(canaries: Sequence[Judgement]) -> str:
    """Say why identical code does not bear a run out; nothing if it does."""
    if not canaries or any(math.isnan(one.ratio) for one in canaries):
        return "a canary could not be measured" if canaries else "no canary"
    alarmed = [one.ratio for one in canaries if one.verdict in (REGRESSED, IMPROVED)]
    if alarmed:
        return f"identical code was found to differ by {100 * (alarmed[0] - 1):+.1f} %"
    ratio, low, high = (float(np.median([getattr(one, end) for one in canaries])) for end in ("ratio", "low", "high"))
    if abs(math.log(ratio)) > math.log1p(CANARY_SHIFT) and not low <= 1 <= high:
        return f"identical code differed by {100 * (ratio - 1):+.1f} % in the median"
    return ""
