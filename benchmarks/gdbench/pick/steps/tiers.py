"""How sure a search shall be, and how long it may take: quick, standard, thorough."""

from __future__ import annotations

from dataclasses import dataclass

from kernels.errors import unknown


@dataclass(frozen=True)
class Tier:
    """Ends of a search; standard errors are those of log K."""

    name: str
    budget_seconds: float
    """Seconds of everything, unless the user names another budget."""
    times_seconds: float
    """Seconds of the budget for timing a step."""
    regret: float
    """Expected regret by the steps at which the choice is made."""
    error: float
    """Standard error that is enough for a batch size that cannot win."""
    rate_error: float
    """Standard error by which learning rates of a contender are compared."""
    racing_runs: int
    """Runs of one learning rate in that comparison, at most."""


QUICK = Tier("quick", 10.0, 2.5, 0.01, 0.03, 0.025, 128)
STANDARD = Tier("standard", 60.0, 6.0, 0.01, 0.018, 0.012, 1024)
THOROUGH = Tier("thorough", 300.0, 20.0, 0.003, 0.01, 0.005, 4096)
TIERS = {tier.name: tier for tier in (QUICK, STANDARD, THOROUGH)}


def get_tier(name: str) -> Tier:
    """Return the tier of that name, or raise InputError."""
    if name not in TIERS:
        raise unknown("tier", name, TIERS)
    return TIERS[name]
