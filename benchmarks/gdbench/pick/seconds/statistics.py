"""From the samples of several processes to seconds with an interval: pure functions from numbers to numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy import special

from gdbench.pick.seconds.times import TimesRow

Values = Mapping[int, list[float]]
"""Seconds of a step, by process."""

PRECISION = 0.02
"""Half-width of the interval of the processes' medians at which a batch size has samples enough."""
MIN_SAMPLES = 30
"""Samples of a batch size, over all processes, where the seconds allow."""
CONFIDENCE = 0.9
COMMON_FREEDOM = 4
"""Weight, in degrees of freedom, of the spread between processes that all batch sizes have in common."""
NORMAL_DEVIATION = float(special.ndtri(0.75))
"""Median absolute deviation of a normal distribution of standard deviation 1."""
USUAL_SPREAD = 0.05
"""Spread of the medians of processes that run the same code, relative, where one process is all there is."""


def precision(values: Values) -> float:
    """Half-width, relative, of the 90 % interval of the mean of the processes' medians, from their samples alone.

    The error of a median of m samples is 1.25 sigma / sqrt(m); sigma is taken from the median absolute deviation.
    """
    errors = []
    for found in values.values():
        middle = float(np.median(found))
        sigma = float(np.median(np.abs(np.asarray(found) - middle))) / NORMAL_DEVIATION / abs(middle)
        errors.append(math.sqrt(math.pi / 2 / len(found)) * sigma)
    return float(special.ndtri((1 + CONFIDENCE) / 2)) * math.hypot(*errors) / len(errors)


def enough(values: Values) -> bool:
    """Whether a batch size has samples enough."""
    return sum(map(len, values.values())) >= MIN_SAMPLES and precision(values) <= PRECISION


def rows(samples: Mapping[int, Values], variants: Mapping[int, str]) -> tuple[TimesRow, ...]:
    """Sum up each batch size that has samples: median over processes of their medians, with a 90 % interval.

    The interval is that of Student's t for the logarithms of the medians. Three or four processes say little of their
    spread, so the variance of one batch size is moderated by what all have in common, which counts as four degrees of
    freedom (Smyth 2004, Statistical Applications in Genetics and Molecular Biology 3, article 3).
    """
    logs = {size: np.log(_medians(values)) for size, values in samples.items() if values}
    freedom = sum(len(found) - 1 for found in logs.values())
    squares = sum(float(np.square(found - found.mean()).sum()) for found in logs.values())
    common = squares / freedom if freedom > 0 else USUAL_SPREAD**2
    return tuple(_row(size, variants[size], samples[size], common) for size in sorted(logs))


def _medians(values: Values) -> list[float]:
    """Seconds of each process; by noise a difference of two calls may fall below 0, less than any step takes."""
    return [max(float(np.median(found)), np.finfo(float).tiny) for found in values.values()]


def _row(batch_size: int, variant: str, values: Values, common: float) -> TimesRow:
    logs = np.log(_medians(values))
    freedom = COMMON_FREEDOM + len(logs) - 1
    variance = (COMMON_FREEDOM * common + float(np.square(logs - logs.mean()).sum())) / freedom
    width = float(special.stdtrit(freedom, (1 + CONFIDENCE) / 2)) * math.sqrt(variance / len(logs))
    seconds = float(np.median(_medians(values)))
    low, high = math.exp(logs.mean() - width), math.exp(logs.mean() + width)
    return TimesRow(batch_size, variant, seconds, min(low, seconds), max(high, seconds), sum(map(len, values.values())))
