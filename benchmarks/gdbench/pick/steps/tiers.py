"""How much a search may cost: quick, standard, thorough."""

from __future__ import annotations

from dataclasses import dataclass

from kernels.errors import unknown


@dataclass(frozen=True)
class Tier:
    """Spacing, runs and ends of a search for steps; shares are of the rows of an exhaustive sweep."""

    name: str
    spacing: int
    """Ratio of the batch sizes at which races are held."""
    race_share: float
    """What the runs of one rate in all races may cost."""
    estimate_share: float
    """What the fresh runs of one rate may cost, in one round."""
    rounds: int
    """Rounds of fresh runs, at most."""
    spread: float
    """Standard error of log K that needs no more rounds."""
    share: float
    """What the whole search may cost; rounds end there."""
    budget_seconds: float
    """Unless the user names another."""


QUICK = Tier("quick", 8, 0.006, 0.008, 1, 0.05, 0.05, 60.0)
STANDARD = Tier("standard", 4, 0.011, 0.022, 3, 0.02, 0.08, 300.0)
THOROUGH = Tier("thorough", 2, 0.03, 0.08, 5, 0.01, 0.5, 3600.0)
TIERS = {tier.name: tier for tier in (QUICK, STANDARD, THOROUGH)}


def get_tier(name: str) -> Tier:
    """Return the tier of that name, or raise InputError."""
    if name not in TIERS:
        raise unknown("tier", name, TIERS)
    return TIERS[name]
