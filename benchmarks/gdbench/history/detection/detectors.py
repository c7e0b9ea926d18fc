"""Three ways to find where the level of a series steps; each is wrong in its own way, so none decides alone.

All take values on the scale of their series, without gaps, and return positions: the index of the first value of
each new level.
"""

from __future__ import annotations

from itertools import pairwise

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
ARC_THRESHOLD = 4.0
"""The same of a stretch within a part against the rest of it: there are many more of them than splits."""
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
    """Circular binary segmentation by rank sums, their variance inflated for autocorrelation; an outlier is any rank.

    Where no split of a part in two stands out, a stretch within it may: a level that comes and goes moves the ranks on
    both of its sides alike (Olshen, Venkatraman, Lucito and Wigler 2004, Circular binary segmentation).
    """
    found: list[int] = []
    parts = [(0, len(values))]
    while parts:
        start, stop = parts.pop()
        edges = _edges(values[start:stop], noise.inflation)
        if edges:
            found += [start + edge for edge in edges]
            parts += pairwise([start, *found[-len(edges) :], stop])
    return sorted(found)


def _edges(values: Series, inflation: float) -> list[int]:
    """Return the best split of a part in two, or the ends of the best stretch within it; nothing if none stands out."""
    n = len(values)
    if n < 2 * RANK_SIDE:
        return []
    excess = np.append(0.0, np.cumsum(stats.rankdata(values)) - np.arange(1, n + 1) * (n + 1) / 2)
    deviations = np.sqrt(np.arange(n + 1) * np.arange(n, -1, -1) * (n + 1) / 12 * inflation)
    splits = np.abs(excess / np.maximum(deviations, 1))[RANK_SIDE : n - RANK_SIDE + 1]
    if splits.max() >= RANK_THRESHOLD:
        return [int(splits.argmax()) + RANK_SIDE]
    best, edges = ARC_THRESHOLD, list[int]()
    for length in range(RANK_SIDE, n - 2 * RANK_SIDE + 1):
        inside = np.abs(excess[RANK_SIDE + length : n - RANK_SIDE + 1] - excess[RANK_SIDE : n - RANK_SIDE - length + 1])
        at = int(inside.argmax())
        if inside[at] / deviations[length] > best:
            best, edges = inside[at] / deviations[length], [RANK_SIDE + at, RANK_SIDE + at + length]
    return edges


def asv_steps(values: Series) -> list[int]:
    """Weighted least absolute errors with asv's own penalty; quiet where the noise is large, and blind to small steps.

    asv's function is no promised interface: a test holds it to what is used here.
    """
    return [int(start) for start, *_ in detect_steps(values.tolist())[1:]]
