"""Three ways to find where the level of a series steps; each is wrong in its own way, so none decides alone.

All take values on the scale of their series, without gaps, and return positions: the index of the first value of
each new level.
"""

from __future__ import annotations

import numpy as np
import ruptures
from asv.step_detect import detect_steps
from scipy import stats

from gdbench.history.detection.noise import Noise, Series

PENALTY = 2.4
"""Cost of a step, in squared long-run standard deviations per log of the length: liberal, since another must agree."""
ROUGH_PENALTY = 1.6
"""Cost of a step in a first, finer segmentation, which serves only to estimate the noise about it."""
RANK_THRESHOLD = 2.6
"""Standardised rank sum from which on a split is proposed; liberal for the same reason."""
RANK_SIDE = 4
"""Values that a rank test needs on each side to say anything."""


def kernel_steps(values: Series, noise: Noise, penalty: float = PENALTY) -> list[int]:
    """Penalised least squares, solved exactly (ruptures' KernelCPD); sharp for steps of a few values, not robust."""
    if noise.sd == 0:
        return [int(i) + 1 for i in np.flatnonzero(np.diff(values))]
    signal = (values / noise.long_run_sd).reshape(-1, 1)
    found = ruptures.KernelCPD(kernel="linear", min_size=2).fit(signal).predict(pen=penalty * np.log(len(values)))
    return [int(position) for position in found[:-1]]


def rank_steps(values: Series, noise: Noise) -> list[int]:
    """Binary segmentation by rank sums, their variance inflated for autocorrelation; outliers count as any rank."""
    found: list[int] = []
    parts = [(0, len(values))]
    while parts:
        start, stop = parts.pop()
        if stop - start < 2 * RANK_SIDE:
            continue
        position, score = _best_split(values[start:stop], noise.inflation)
        if score >= RANK_THRESHOLD:
            found.append(start + position)
            parts += [(start, start + position), (start + position, stop)]
    return sorted(found)


def asv_steps(values: Series) -> list[int]:
    """Weighted least absolute errors with asv's own penalty; quiet where the noise is large, and blind to small steps.

    asv's function is no promised interface: a test holds it to what is used here.
    """
    return [int(start) for start, *_ in detect_steps(values.tolist())[1:]]


def _best_split(values: Series, inflation: float) -> tuple[int, float]:
    """Position of the greatest standardised rank sum (Mann and Whitney), and its size."""
    n = len(values)
    left = np.arange(1, n)
    excess = np.cumsum(stats.rankdata(values))[:-1] - left * (n + 1) / 2
    scores = np.abs(excess) / np.sqrt(left * (n - left) * (n + 1) / 12 * inflation)
    inner = scores[RANK_SIDE - 1 : n - RANK_SIDE]
    best = int(np.argmax(inner))
    return best + RANK_SIDE, float(inner[best])
