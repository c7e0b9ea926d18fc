"""How far the builds of a run differ by themselves: what the ratios of its cases spread beyond their own noise.

A build lies where it lies for the whole run: no number of blocks tells its bias from a change of a case. But most cases
of a suite change alike or not at all, so the closest quarter of all differences between two cases shows how far ratios
lie apart by noise and bias together (the estimator Qn of Rousseeuw and Croux 1993, JASA 88, for cases of unlike noise).
Cases that did change are not in that quarter, but the more of them there are, the wider it becomes. So they are left
out once the spread tells which they are, and it is taken again.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from gdbench.compare.judge.location import Floats

QUANTILE = 0.25
"""Share of all pairs of cases whose differences tell the spread."""
EXPECTED_CASES = 10
"""Cases whose word counts as much as what was expected."""
MIN_CASES = 4
"""Fewer cases have no word."""
FAR = 3.0
"""Standard errors from the median beyond which a case has changed, and has no word either."""
ROUNDS = 4
"""Times that the cases which have changed are looked for anew: the first spread still contains them."""
MAX_SD, MAX_TIMES_EXPECTED = 0.05, 20.0
"""What builds differ by is taken to be at most the larger of this, and of so many times what was expected: cases that
truly changed by unlike large amounts would hide each other beyond it, and no fresh builds were seen to differ so."""
LARGEST = 1.0
TINY = 1e-300
STEPS = 40


def bias_sd(centres: Floats, variances: Floats, expected: float) -> float:
    """Return the standard deviation of the bias of a case.

    Parameters
    ----------
    centres, variances : array (cases,)
        Location of the log-ratios of each case, and the variance of it by noise.
    expected : float
        What it is expected to be, which stands in for the word of ``EXPECTED_CASES`` cases.
    """
    known = np.isfinite(centres) & np.isfinite(variances)
    cases = int(np.sum(known))
    most = max(MAX_SD, MAX_TIMES_EXPECTED * expected)
    seen = min(most, _spread_of_alike(centres[known], variances[known])) if cases >= MIN_CASES else 0.0
    weight = cases if cases >= MIN_CASES else 0
    return float(np.sqrt((weight * seen**2 + EXPECTED_CASES * expected**2) / (weight + EXPECTED_CASES)))


def _spread_of_alike(centres: Floats, variances: Floats) -> float:
    """Return the spread beside noise of the cases that lie near most others; those far away have changed."""
    spread = _spread(centres, variances)
    away = np.abs(centres - np.median(centres))
    for _ in range(ROUNDS):
        near = away <= FAR * np.sqrt(variances + spread**2)
        if np.sum(near) < MIN_CASES:
            break
        spread = _spread(centres[near], variances[near])
    return spread


def _spread(centres: Floats, variances: Floats) -> float:
    """Return the spread beside noise that makes the lower quartile of the differences what it is."""
    i, j = np.triu_indices(len(centres), 1)
    quartile = float(np.quantile(np.abs(centres[i] - centres[j]), QUANTILE))
    noise = variances[i] + variances[j]

    def below(sd: float) -> float:
        return float(np.mean(special.erf(quartile / np.sqrt(2 * (noise + 2 * sd**2) + TINY))))

    low, high = 0.0, LARGEST
    if below(low) <= QUANTILE:
        return 0.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) > QUANTILE else (low, middle)
    return low
