"""How much a comparison measures: stages are fixed before it starts, so nothing stops when it likes what it sees."""

from __future__ import annotations

from dataclasses import dataclass

from gdbench.compare.planning import Rule

MIN_QUADS = 4
EQUIVALENCE = Rule().equivalence


@dataclass(frozen=True)
class ComparisonTier:
    """Blocks of each stage, and how long a case is sampled in a block, both sides together."""

    name: str
    about: str
    effect: float
    """Slowdown that it is made to find, relative; plans are made for it."""
    screen_blocks: int
    confirm_blocks: int
    """At least; more where the family to confirm is large (``verdicts.confirm_blocks``)."""
    case_seconds: float
    quads: int
    gate: float
    """Relative change that the screen must rule out for a case to be done; others are confirmed."""
    min_margin: float
    """Relative difference that no claim is made of; where nothing is compiled afresh, placement may make more."""
    compile_pairs: int
    """Fresh compilations of each side, which are also the code that confirmation runs on, in turns."""
    minutes: int
    """What it may take for 200 cases on two cores, once the builds are compiled and certified."""


QUICK = ComparisonTier(
    name="quick",
    about="claims of 10 % and more",
    effect=0.10,
    screen_blocks=8,
    confirm_blocks=12,
    case_seconds=0.05,
    quads=10,
    gate=0.10,
    min_margin=0.03,
    compile_pairs=0,
    minutes=4,
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
    min_margin=0.0,
    compile_pairs=7,
    minutes=15,
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
    min_margin=0.0,
    compile_pairs=8,
    minutes=45,
)
TIERS = {tier.name: tier for tier in (QUICK, STANDARD, DEEP)}
