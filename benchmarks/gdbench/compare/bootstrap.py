"""A second interval of the ratio, by another route: the bias-corrected and accelerated bootstrap over blocks."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import stats

from gdbench.compare.signed_rank import Floats, pseudomedian, same_length

RESAMPLES = 999
BATCH_VALUES = 200_000
"""Walsh averages that are held at once: 1.6 MB, which a cache holds, whatever the number of cases."""


def bca_intervals(
    d: Floats, *, confidence: float, min_blocks: int, resamples: int = RESAMPLES
) -> tuple[Floats, Floats]:
    """Return the ends of the BCa interval of the pseudomedian of each column of d (blocks, cases); NaN: none.

    Blocks are resampled, the same ones for all cases. Columns of fewer than ``min_blocks`` blocks have none, nor have
    those whose values are nearly all equal. The seed is fixed, and each column is first sorted and turned to be
    positive, so that the order of blocks and the order of the two sides do not matter (Efron 1987, Better bootstrap
    confidence intervals, JASA 82).
    """
    low, high = np.full((2, d.shape[1]), np.nan)
    for cases, values in same_length(d):
        n = values.shape[1]
        if n >= min_blocks and resamples:
            sign = np.where(pseudomedian(values) < 0, -1.0, 1.0)
            ends = _bca(np.sort(sign[:, None] * values, axis=1), confidence=confidence, resamples=resamples)
            low[cases], high[cases] = np.sort(sign * ends, axis=0)
    return low, high


def _bca(values: Floats, *, confidence: float, resamples: int) -> Floats:
    """Return low and high ends, (2, cases), for values (cases, n)."""
    cases, n = values.shape
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # equal values: NaN says it
        interval = stats.bootstrap(
            (values,),
            pseudomedian,
            n_resamples=resamples,
            batch=max(1, BATCH_VALUES // (cases * n * (n + 1) // 2)),
            vectorized=True,
            axis=-1,
            confidence_level=confidence,
            method="BCa",
            random_state=np.random.default_rng(0),
        ).confidence_interval
    return np.stack([interval.low, interval.high])
