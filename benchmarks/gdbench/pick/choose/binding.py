"""Which part of the time to the target binds: the fixed cost of a step, the arithmetic of its rows, gradient noise."""

from __future__ import annotations

from gdbench.pick.choose.choice import ARITHMETIC, NOISE, OVERHEAD, Shares

HELD_ODDS = 4.0
"""Odds of noise over those of arithmetic from which the batch is held below half the balance point."""


def shares(batch_size: int, seconds: float, fixed: float, critical: float | None) -> Shares:
    """Return the three elasticities of the time to the target at a batch size.

    Parameters
    ----------
    seconds, fixed
        Time of a step at this batch size, and its fixed cost: the line's intercept.
    critical
        Critical batch size Bn, if it is known.
    """
    overhead = min(max(fixed / seconds, 0.0), 1.0)
    return Shares(overhead, 1.0 - overhead, None if critical is None else critical / (batch_size + critical))


def binding(found: Shares) -> str:
    """Return what would make training faster if there were less of it, first of all.

    At the best batch size of smooth curves, ``B* = sqrt(Bn a / b)``, the shares of arithmetic and of noise are equal:
    any larger batch pays in arithmetic what it saves in steps. Their odds are ``b B / a`` and ``Bn / B``, so that
    noise has ``(B* / B)²`` times the odds of arithmetic. Rounding to powers of two and ties move that by less than 4.

    * ``gradient noise`` binds where its share is the largest of all and its odds are more than 4 times those of
      arithmetic: the batch is less than half of B*, since the rows, the memory or another objective allow no larger.
    * Otherwise ``overhead`` binds if it is at least half of a step (B at most half-throughput),
    * and ``arithmetic`` if it is more: what less noise would save, faster arithmetic would save as well.
    """
    if found.noise is not None and found.noise > max(found.overhead, found.arithmetic) and _held(found, found.noise):
        return NOISE
    return OVERHEAD if found.overhead >= found.arithmetic else ARITHMETIC


def _held(found: Shares, noise: float) -> bool:
    """Compare odds without dividing: noise may be 1, and arithmetic 0."""
    return noise * (1 - found.arithmetic) > HELD_ODDS * found.arithmetic * (1 - noise)
