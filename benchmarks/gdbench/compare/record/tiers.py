"""How much a comparison measures: stages are fixed before it starts, so nothing stops when it likes what it sees."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gdbench.compare.judge.terms import JudgeSettings

MIN_QUADS = 4
EQUIVALENCE = JudgeSettings.equivalence
SUITE_EQUIVALENCE = JudgeSettings.suite_equivalence


@dataclass(frozen=True)
class ComparisonTier:
    """Blocks of each stage, and how long a case is sampled in a block, both sides together."""

    name: str
    about: str
    effect: float
    """Slowdown that it is made to find, relative: as much more work is its spike-in, and plans are made for it."""
    screen_blocks: int
    confirm_blocks: int
    case_seconds: float
    quads: int
    gate: float
    """Relative change that the screen must rule out for a case to be done; others are confirmed."""
    margin: float
    """Relative change of a case that no claim is made of; where nothing is built afresh, placement may make more."""
    suite_margin: float
    """The same of the suite and of groups, in which the placement of single cases averages out."""
    layouts: int
    """Fresh builds and compilations of each side, over which the blocks of each stage are spread; 1: none."""
    minutes: int
    """Longest time on two cores with 200 cases, once both sides are built: where confirmation would take longer, it has
    fewer blocks."""
    asked: float | None = None
    """Slowdown for which plans are made instead; the spike-in stays what it is."""

    @property
    def settings(self) -> JudgeSettings:
        """How its blocks are judged."""
        return JudgeSettings(
            effect=self.effect if self.asked is None else self.asked,
            gate=self.gate,
            margin=self.margin,
            suite_margin=self.suite_margin,
            suite_equivalence=max(SUITE_EQUIVALENCE, 2 * self.suite_margin),
            layouts=self.layouts,
        )

    def asked_about(self, effect: float) -> ComparisonTier:
        """Return the tier with plans for a slowdown of this relative size, which its screen must let through."""
        return replace(self, asked=effect, gate=max(min(self.gate, effect), EQUIVALENCE))


QUICK = ComparisonTier(
    name="quick",
    about="claims of 10 % and more",
    effect=0.10,
    screen_blocks=8,
    confirm_blocks=12,
    case_seconds=0.05,
    quads=10,
    gate=0.10,
    margin=0.03,
    suite_margin=0.005,
    layouts=1,
    minutes=8,
)
STANDARD = ComparisonTier(
    name="standard",
    about="claims of 5 %, and of 2 % where pairs are steady",
    effect=0.05,
    screen_blocks=8,
    confirm_blocks=24,
    case_seconds=0.1,
    quads=12,
    gate=EQUIVALENCE,
    margin=0.005,
    suite_margin=0.0025,
    layouts=8,
    minutes=30,
)
DEEP = ComparisonTier(
    name="deep",
    about="claims of 2 %",
    effect=0.02,
    screen_blocks=8,
    confirm_blocks=40,
    case_seconds=0.2,
    quads=16,
    gate=EQUIVALENCE,
    margin=0.005,
    suite_margin=0.0025,
    layouts=8,
    minutes=75,
)
TIERS = {tier.name: tier for tier in (QUICK, STANDARD, DEEP)}
