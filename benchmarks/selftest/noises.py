"""Noise as machines show it, of standard deviation 1, for simulated comparisons and histories."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]
SPIKED, SPIKE_MEAN = 0.1, 3.0
"""Share of the blocks that have a spike, and its mean in standard deviations of the others."""


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Draw well-behaved noise of standard deviation 1, (blocks, cases)."""
    return rng.standard_normal(shape)


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Draw Student's t with 3 degrees of freedom, of standard deviation 1."""
    return np.asarray(rng.standard_t(3, shape) / np.sqrt(3))


def spikes(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Draw normal noise to which one block of ten adds an exponential spike on one side; standard deviation 1."""
    spike = np.where(rng.random(shape) < SPIKED, rng.exponential(SPIKE_MEAN, shape), 0.0)
    variance = 1 + 2 * SPIKED * SPIKE_MEAN**2 - (SPIKED * SPIKE_MEAN) ** 2
    return np.asarray((rng.standard_normal(shape) + spike) / np.sqrt(variance))


def autocorrelated(coefficient: float) -> Draw:
    """Return noise in which each block resembles the one before: an AR(1) process of standard deviation 1."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
        values = rng.standard_normal(shape)
        for i in range(1, shape[0]):
            values[i] = coefficient * values[i - 1] + np.sqrt(1 - coefficient**2) * values[i]
        return values

    return draw


def shared(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Draw noise of which all cases of a block share half of the variance."""
    return np.asarray((rng.standard_normal(shape) + rng.standard_normal((shape[0], 1))) / np.sqrt(2))


NOISES: dict[str, Draw] = {
    "normal": normal,
    "t, 3 degrees": heavy,
    "one-sided spikes": spikes,
    "AR(1), 0.3": autocorrelated(0.3),
    "AR(1), 0.5": autocorrelated(0.5),
    "half shared": shared,
}
