"""Words and records of the judge: what it is given, and what it answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

REGRESSED, IMPROVED, UNCHANGED = "REGRESSED", "IMPROVED", "UNCHANGED"
INSUFFICIENT, BROKEN, MISSING = "INSUFFICIENT EVIDENCE", "BROKEN", "MISSING"
Values = Sequence[float] | NDArray[np.float64]
AXES = ("variant", "network", "task", "dtype", "batch_size")
"""What cases may share, so that one cause moves all of them."""


@dataclass(frozen=True)
class JudgeSettings:
    """When a case, a group and the suite are called changed, and when unchanged; sizes are relative (0.02: 2 %)."""

    equivalence: float = 0.02
    """Change within which a case is unchanged."""
    fdr: float = 0.03
    """False discovery rate over all cases that were measured."""
    confidence: float = 0.95
    power: float = 0.9
    effect: float = 0.05
    """Slowdown that is asked about: plans tell what would find it with this power, and a case may rule it out."""
    gate: float | None = None
    """Change that the screen must rule out for a case to be done; ``equivalence`` if not given."""
    margin: float = 0.005
    """Change of a case of which no claim is made."""
    suite_margin: float = 0.0025
    """Change of the suite, or of a group, of which no claim is made."""
    suite_equivalence: float = 0.01
    """Change within which the suite is unchanged."""
    suite_level: float = 0.005
    """Chance of a false alarm of the suite, and again of all groups together."""
    layouts: int = 1
    """Fresh builds and compilations of each side, over which the blocks of each stage are spread."""
    bias_sd: float = 0.0025
    """Spread of the bias between two builds that is expected: where few cases tell, it stands for theirs."""
    complete: bool = True
    """Whether every block was measured that had been planned."""

    @property
    def screened_out(self) -> float:
        """Change that the screen must rule out for a case to need no confirmation."""
        return self.equivalence if self.gate is None else self.gate


class StagedBlocks(TypedDict, total=False):
    """Log-ratios of a case in order of measuring; ``confirm`` is left out of a case that was not sent there."""

    screen: Values
    confirm: Values


@dataclass(frozen=True)
class CaseBlocks:
    """What was measured of a case: log t_head - log t_base of each block, in order of measuring (NaN: lost)."""

    screen: Values = ()
    confirm: Values = ()
    unsteady: tuple[bool, bool] = (False, False)
    """Whether it drifted inside too many blocks of the screen, of the confirmation."""
    absent: tuple[str, str] | None = None
    """BROKEN or MISSING, and why."""

    @property
    def sent(self) -> bool:
        """Whether it has blocks of the confirmation."""
        return any(math.isfinite(value) for value in self.confirm)


@dataclass(frozen=True)
class Judgement:
    """What is known of one case; numbers that could not be had are NaN.

    ``ratio`` is head / base (above 1: slower); ``low`` to ``high`` is its interval, ``bias_sd`` the part of it that is
    put down to builds. ``blocks`` and ``pair_sd`` (spread of the log-ratios over blocks) are those of the ``stage``
    that decided, "screen" or "confirm". ``smallest_effect`` is the relative slowdown that such a run finds with the
    power of the settings (infinite: none), ``blocks_needed`` the confirmation blocks for their effect (None: no number
    of them). ``claimable`` is False where the controls do not support the verdict that the blocks would have.
    """

    verdict: str
    ratio: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    p_adjusted: float = math.nan
    blocks: int = 0
    pair_sd: float = math.nan
    bias_sd: float = math.nan
    smallest_effect: float = math.inf
    blocks_needed: int | None = None
    stage: str = "screen"
    reason: str = ""
    claimable: bool = True


def rules_out(low: float, high: float, effect: float) -> bool:
    """Whether an interval of ratios leaves no room for a change by a relative effect, in either direction."""
    return 1 / (1 + effect) < low and high < 1 + effect


@dataclass(frozen=True)
class GroupVerdict:
    """Geometric mean of the ratios of cases that share something, with its interval over blocks; None: not known."""

    by: str
    """What they share: one of ``AXES``, or "suite"."""
    name: str
    cases: int
    ratio: float | None
    low: float | None
    high: float | None
    verdict: str
    reason: str = ""


@dataclass(frozen=True)
class ControlsVerdict:
    """What the controls of a run allow to be claimed, and why no more."""

    status: Literal["valid", "invalid", "underpowered"]
    reason: str


@dataclass(frozen=True)
class Verdicts:
    """The answer of the judge."""

    cases: dict[str, Judgement]
    suite: GroupVerdict
    groups: tuple[GroupVerdict, ...]
    controls: ControlsVerdict
    control_cases: dict[str, Judgement]
    bias_sd: float
    """Spread of the bias of builds over cases."""
    exit_code: int

    @property
    def verdicts(self) -> dict[str, str]:
        """Verdict by case."""
        return {name: found.verdict for name, found in self.cases.items()}
