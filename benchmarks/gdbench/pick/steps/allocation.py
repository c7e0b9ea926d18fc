"""How many runs a batch size is worth, given what an exhaustive sweep of batch sizes and rates would cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SWEEP_RUNS = 9 * 10 * 1.8
"""Cost of an exhaustive sweep at one batch size: nine rates times ten seeds, each stopped at three times the steps of
the best rate, after 1.8 times as many on average."""
MAX_RUNS = 32
"""Runs of one rate at one batch size and in one round."""
QUIET = 8.0
"""Multiple of the critical batch size beyond which runs hardly differ, and more rows hardly save steps."""


def runs_worth(size: int, candidates: Sequence[int], *, critical: float, share: float, least: int) -> int:
    """Runs at a batch size, such that those at all candidates process about a share of what a sweep would.

    The variance of log K goes as ``1 / (1 + B / Bn)`` and a run costs ``B + Bn`` rows, up to constants. The fewest rows
    for a given accuracy are those of a number of runs in proportion to the root of variance over cost, ``1 / (1 +
    B / Bn)`` again (Neyman's allocation).
    """
    sweep = sum(critical + other for other in candidates)
    usual = share * SWEEP_RUNS * sweep / (critical * len(candidates))
    return round(min(max(usual / (1 + size / critical), least), MAX_RUNS))


def sweep_rows(rows: npt.NDArray[np.float64]) -> float:
    """Rows that an exhaustive sweep would process, from those of one run at each batch size."""
    return SWEEP_RUNS * float(rows.sum())
