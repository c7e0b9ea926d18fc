"""How far the builds of a run differ by themselves: what the ratios of its cases spread beyond their own noise.

A build lies where it lies for the whole run: no number of blocks tells its bias from a change of a case. But most cases
of a suite change alike or not at all, so the closest quarter of all differences between two cases shows how far ratios
lie apart by noise and bias together. Cases that did change are far from the others, and fall out of that quarter
(the estimator Qn of Rousseeuw and Croux 1993, JASA 88, for cases of unlike noise).
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
MAX_SD = 1.0
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
    seen = _spread(centres[known], variances[known]) if cases >= MIN_CASES else 0.0
    weight = cases if cases >= MIN_CASES else 0
    return float(np.sqrt((weight * seen**2 + EXPECTED_CASES * expected**2) / (weight + EXPECTED_CASES)))


def _spread(centres: Floats, variances: Floats) -> float:
    """Return the spread beside noise that makes the lower quartile of the differences what it is."""
    i, j = np.triu_indices(len(centres), 1)
    quartile = float(np.quantile(np.abs(centres[i] - centres[j]), QUANTILE))
    noise = variances[i] + variances[j]

    def below(sd: float) -> float:
        return float(np.mean(special.erf(quartile / np.sqrt(2 * (noise + 2 * sd**2) + TINY))))

    low, high = 0.0, MAX_SD
    if below(low) <= QUANTILE:
        return 0.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) > QUANTILE else (low, middle)
    return low
