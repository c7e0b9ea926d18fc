"""How the best learning rate changes with the batch size."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.interpolate import PchipInterpolator


def guess_rate(rates: Mapping[int, float], batch_size: int, *, batch: float) -> float:
    """Rate to begin with at a batch size, from the best at others; ``batch`` is that of the law, as far as known.

    From one known batch size the law ``largest / (1 + batch / B)`` is followed; from two or more, the slope in
    log(rate) over log B between the nearest two, which is neither below 0 nor above 1.
    """
    known = sorted(rates, key=lambda other: abs(math.log(other / batch_size)))
    near = known[0]
    if len(known) == 1:
        return rates[near] * (1 + batch / near) / (1 + batch / batch_size)
    slope = math.log(rates[near] / rates[known[1]]) / math.log(near / known[1])
    return float(rates[near] * (batch_size / near) ** min(max(slope, 0.0), 1.0))


def rate_at(rates: Mapping[int, float], batch_size: int) -> float:
    """Rate between the batch sizes with known ones, monotone in log-log; the nearest beyond them."""
    sizes = sorted(rates)
    if len(sizes) == 1:
        return rates[sizes[0]]
    place = min(max(batch_size, sizes[0]), sizes[-1])
    curve = PchipInterpolator(np.log(sizes), np.log([rates[size] for size in sizes]))
    return float(math.exp(curve(math.log(place))))
