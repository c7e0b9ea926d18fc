"""What a number of blocks can find: the smallest slowdown, and the blocks that a slowdown needs.

A run finds a case when the signed-rank test rejects its margin at the family's level and no interval lies inside
"unchanged". Each of a few thousand simulated runs of normal noise gives the effect from which on it finds the case,
an order statistic of its Walsh averages; the smallest effect is a quantile of these. So the power is as said even
with so few blocks that a normal approximation promises far too much: with 10 blocks in a family of 20 all must agree
in sign, which takes 2.3 standard deviations, not the 1.4 of the approximation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import special

from gdbench.compare.signed_rank import Floats, count_outcomes, walsh_averages

RUNS = 2000
"""Simulated runs: the power that results is within about one percentage point of the one asked for."""
SIMULATED_BLOCKS = 40
"""Number of blocks beyond which the normal approximation is as good, and cheaper."""
MAX_BLOCKS = 10_000
"""Nobody waits for more."""
PSEUDOMEDIAN_VARIANCE = math.pi / 3
"""n times the variance of the pseudomedian of many standard normal values (Lehmann 1975, Nonparametrics, 4.3)."""


@dataclass(frozen=True)
class Rule:
    """When a case is called changed, and when unchanged.

    ``equivalence`` and ``effect`` are relative (0.02: 2 %): "unchanged" is proven within ± the first, blocks are
    planned to find the second with chance ``power``. ``fdr`` is the false discovery rate over the family of
    confirmed cases, ``confidence`` that of the intervals. ``gate`` is the change that a screen must rule out for a case
    to be done; ``equivalence`` if not given.
    """

    equivalence: float = 0.02
    fdr: float = 0.05
    confidence: float = 0.95
    power: float = 0.9
    effect: float = 0.05
    gate: float | None = None

    @property
    def screened_out(self) -> float:
        """Relative change that the screen must rule out for a case to need no confirmation."""
        return self.equivalence if self.gate is None else self.gate


def confirm_blocks(family: int, least: int, rule: Rule) -> int:
    """Return the blocks with which one case alone among ``family`` can be found at all, and at least ``least``."""
    return max(least, math.ceil(math.log2(2 * max(family, 1) / rule.fdr)))


def smallest_effect(
    sd: float, margin: float, *, family: int, screen: int, blocks: int, rule: Rule, known_from: int | None = None
) -> float:
    """Return the relative slowdown that is found with the rule's power, at this pair sd; infinite if none is.

    ``blocks`` fresh ones must prove it against the relative ``margin``, alone among ``family`` cases; the first
    ``screen`` blocks, if any, must not have called it unchanged. If the sd is itself an estimate, ``known_from`` so
    many blocks, power is the average over what the true one may be.
    """
    proof = _interval_ends(blocks, rule.fdr / (2 * family))
    if proof is None or not math.isfinite(sd):
        return math.inf
    sds = sd * (_true_over_estimated(known_from) if known_from else 1.0)
    found_from = math.log1p(margin) - sds * proof
    for seed, n, within in ((0, blocks, rule.equivalence), (1, screen, rule.screened_out)):
        upper = _interval_ends(n, (1 - rule.confidence) / 2, end="upper", seed=seed)
        if upper is not None:
            found_from = np.maximum(found_from, math.log1p(within) - sds * upper)
    last = math.ceil(rule.power * RUNS) - 1
    return math.expm1(max(0.0, float(np.partition(found_from, last)[last])))


def blocks_needed(sd: float, margin: float, *, family: int, rule: Rule) -> int | None:
    """Return the confirmation blocks that find the rule's effect with its power at this pair sd; None if none do."""
    if not math.isfinite(sd) or rule.effect <= margin or rule.effect < rule.equivalence:
        return None

    def enough(n: int) -> bool:
        return smallest_effect(sd, margin, family=family, screen=0, blocks=n, rule=rule) <= rule.effect

    low, high = 0, 1
    while not enough(high):
        low, high = high, 2 * high
        if high > MAX_BLOCKS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


@cache
def _true_over_estimated(n: int) -> Floats:
    """Return, for each simulated run, a standard deviation over its estimate from n normal values."""
    chi2 = np.random.default_rng((2, n)).chisquare(n - 1, size=RUNS)
    return np.asarray(np.sqrt((n - 1) / chi2))


def _interval_ends(n: int, chance: float, *, end: str = "lower", seed: int = 0) -> Floats | None:
    """Return an end of the one-sided interval in each simulated run of n standard normal values.

    The interval fails to hold the centre in at most this ``chance``; None if n values have no such interval.
    """
    sign = 1.0 if end == "lower" else -1.0
    if n > SIMULATED_BLOCKS:
        half_width = -sign * float(special.ndtri(chance))
        return (_centres(seed) - half_width) * math.sqrt(PSEUDOMEDIAN_VARIANCE / n)
    k = count_outcomes(n, chance)
    return sign * _smallest_averages(n, k, sign, seed) if k else None


@cache
def _centres(seed: int) -> Floats:
    """Return the standardised pseudomedian in each simulated run of many values."""
    return np.random.default_rng((seed, SIMULATED_BLOCKS + 1)).standard_normal(RUNS)


@cache
def _smallest_averages(n: int, k: int, sign: float, seed: int) -> Floats:
    """Return the k-th smallest Walsh average of n standard normal values times ``sign`` in each simulated run."""
    values = sign * np.random.default_rng((seed, n)).standard_normal((RUNS, n))
    return np.partition(walsh_averages(values), k - 1, axis=1)[:, k - 1].copy()
