"""How much a comparison measures: stages are fixed before it starts, so nothing stops when it likes what it sees."""

from __future__ import annotations

from dataclasses import dataclass

from gdbench.compare.planning import Rule

FEWEST_QUADS = 4
EQUIVALENCE = Rule().equivalence


@dataclass(frozen=True)
class Tier:
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
    least_margin: float
    """Relative difference that no claim is made of; where nothing is compiled afresh, placement may make more."""
    compile_pairs: int
    """Fresh compilations of each side, which are also the code that confirmation runs on, in turns."""
    minutes: int
    """What it may take for 200 cases on two cores, once the builds are compiled and certified."""


TIERS = {
    tier.name: tier
    for tier in (
        Tier("quick", "claims of 10 % and more", 0.10, 8, 12, 0.05, 10, 0.10, 0.03, 0, 4),
        Tier(
            "standard",
            "claims of 5 %, and of 2 % where pairs are steady",
            0.05,
            8,
            24,
            0.1,
            12,
            EQUIVALENCE,
            0.0,
            7,
            15,
        ),
        Tier("deep", "claims of 2 %", 0.02, 8, 40, 0.2, 16, EQUIVALENCE, 0.0, 8, 45),
    )
}
