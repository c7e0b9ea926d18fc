"""The scale on which a series is judged: logarithms, so that a step is a ratio, or one that has zero."""

from __future__ import annotations

import numpy as np

from gdbench.history.detection.noise import Series

MIN_NOT_POSITIVE = 3
"""Values of zero or less from which on they belong to a series; fewer are failures, and left out."""


MAX = float(np.finfo(float).max)
NEAR, FAR = 1e-12, 1e300
"""Multiples of the usual magnitude that are as good as zero, and beyond which numbers would end."""


def by_difference(values: Series) -> bool:
    """Whether a series has values of zero or less, so that no ratio tells its steps."""
    return bool((values <= 0).any())


def scaled(values: Series) -> Series:
    """Return a whole series on its scale; gaps stay NaN.

    With values of zero or less it is the inverse hyperbolic sine of multiples of the usual magnitude: linear about
    zero, logarithmic far from it.
    """
    if not by_difference(values):
        return np.log(values)
    magnitudes = np.abs(values[np.isfinite(values) & (values != 0)])
    with np.errstate(over="ignore"):  # an outlier may be any multiple
        multiples = values / middle(magnitudes) if len(magnitudes) else values
    multiples = np.where(np.abs(multiples) < NEAR, 0.0, multiples)
    return np.arcsinh(np.clip(multiples, -FAR, FAR))


def there(values: Series) -> Series:
    """Return the values without gaps."""
    return values[np.isfinite(values)]


def middle(values: Series) -> float:
    """Median of values in their own unit, such as those of a level; NaN where there is none."""
    ordered = np.sort(there(values))
    if not len(ordered):
        return float("nan")
    low, high = float(ordered[(len(ordered) - 1) // 2]), float(ordered[len(ordered) // 2])
    return (low + high) / 2 if abs(low + high) <= MAX else low / 2 + high / 2
