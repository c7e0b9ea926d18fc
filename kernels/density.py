"""How much of the data is not zero: what decides between dense products and those that skip zeros."""

from __future__ import annotations

import numpy as np

from kernels.contract import Array

MAX_DENSITY = 0.4
"""Share of nonzeros above which dense products are faster: a listed nonzero costs more than a dense one."""
SAMPLED_ROWS = 64
"""Rows from which the share is estimated, at most: enough to tell 0.2 from 0.5, and soon read."""


def share_of_nonzeros(X: Array) -> float:
    """Share of X (n, d) that is not zero, 0 to 1, estimated from rows spread evenly: data may be sorted by class."""
    sample = X[:: -(-len(X) // SAMPLED_ROWS)]
    return float(np.count_nonzero(sample) / sample.size)
