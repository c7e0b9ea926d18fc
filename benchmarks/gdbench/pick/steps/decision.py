"""Whether a choice is made: which batch sizes may still take the least time, and what a wrong choice may cost.

All times are logarithms, each with a standard error that is independent of the others'.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

CONTENDER = 2.5
"""Standard errors by which a batch size may be behind the best one and still be looked at more closely."""
DRAWS = 4000


def contenders(logs: Mapping[int, float], errors: Mapping[int, float]) -> list[int]:
    """Batch sizes whose time may be the least.

    Examples
    --------
    >>> contenders({8: 0.0, 16: 0.1, 32: 0.5}, {8: 0.05, 16: 0.05, 32: 0.05})
    [8, 16]
    """
    best = min(logs, key=lambda size: logs[size], default=None)
    if best is None:
        return []
    reach = {size: CONTENDER * math.hypot(errors[size], errors[best]) for size in logs}
    return [size for size in logs if size == best or logs[size] - logs[best] <= reach[size]]


def expected_regret(logs: Mapping[int, float], errors: Mapping[int, float]) -> float:
    """How much longer than the best the batch size with the least time is expected to take, as a share.

    Examples
    --------
    >>> expected_regret({8: 0.0, 16: 1.0}, {8: 0.05, 16: 0.05}) < 1e-6
    True
    """
    means = np.array([*logs.values()])
    spreads = np.array([errors[size] for size in logs])
    drawn = means + np.random.default_rng(0).standard_normal((DRAWS, len(means))) * spreads
    return float(np.mean(np.exp(drawn[:, means.argmin()] - drawn.min(axis=1)) - 1))
