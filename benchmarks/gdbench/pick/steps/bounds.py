"""What the steps at some batch sizes say of those at another: they do not rise with B, and rows do not fall."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np


def least_steps(known: Mapping[int, float], batch_size: int) -> float:
    """Fewest steps that a batch size can need, given those of others; 0 if there are none.

    Examples
    --------
    >>> least_steps({8: 100.0, 32: 50.0}, 16), least_steps({8: 100.0, 32: 50.0}, 4)
    (50.0, 100.0)
    """
    return max((steps * min(1.0, other / batch_size) for other, steps in known.items()), default=0.0)


def steps_near(known: Mapping[int, float], batch_size: int) -> float:
    """Steps at a batch size between those of others, ascending; below all of them as many rows as at the smallest.

    Examples
    --------
    >>> round(steps_near({8: 100.0, 32: 25.0}, 16), 6), steps_near({8: 100.0, 32: 25.0}, 4)
    (50.0, 200.0)
    """
    between = np.interp(math.log(batch_size), np.log([*known]), np.log([*known.values()]))
    return math.exp(float(between)) * max(min(known) / batch_size, 1.0)
