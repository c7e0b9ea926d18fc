"""Controls of a comparison: canaries, the same code on both sides, and a spike-in, a little more work on one side.

They belong to the instrument, not to either side, and are measured like cases in every block. A canary that is
found changed says that this run finds what is not there; a spike-in that is not found, that it misses what is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

CANARIES = ("canary: small calls", "canary: matrix product", "canary: memory")
MIN_STEPS, MAX_STEPS = 20, 1000
"""Equal pieces of work in a call of the spike-in: no fewer, and no more."""


@dataclass(frozen=True)
class SpikeIn:
    """Real extra work of a known size: one side does more equal pieces of work in a call than the other."""

    steps: int
    extra_steps: int

    @property
    def name(self) -> str:
        """Name of the control, which tells its size."""
        return f"spike-in: {100 * self.extra_steps / self.steps:.6g} % more work"

    @property
    def ratio(self) -> float:
        """Work of one side relative to the other."""
        return 1 + self.extra_steps / self.steps

    def steps_of(self, *, spiked: bool) -> int:
        """Return the pieces of work of the side that does more, or of the other."""
        return self.steps + self.extra_steps * spiked


def spike_in(effect: float) -> SpikeIn:
    """Return the spike-in of a tier: as much more work as the slowdown that the tier is made to find."""
    share = Fraction(effect).limit_denominator(MAX_STEPS)
    times = math.ceil(MIN_STEPS / share.denominator)
    return SpikeIn(times * share.denominator, times * share.numerator)


def control_names(effect: float) -> tuple[str, ...]:
    """Names of all controls of a tier that is made to find slowdowns of ``effect``."""
    return (*CANARIES, spike_in(effect).name)


def build(name: str, steps: int) -> Callable[[], object]:
    """Return the call of a control; a spike-in does so many pieces of work, a canary always the same."""
    rng = np.random.default_rng(0)
    if name == CANARIES[0]:
        return _small_calls(rng)
    if name == CANARIES[1]:
        left, right = rng.random((256, 784), np.float32), rng.random((784, 128), np.float32)
        product = np.empty((256, 128), np.float32)
        return lambda: np.dot(left, right, product)
    if name == CANARIES[2]:
        values, sums = rng.random(1 << 18), np.empty(1 << 18)
        return lambda: np.add(values, 1.0, sums)
    return _steps(rng, steps)


def _steps(rng: np.random.Generator, number: int) -> Callable[[], object]:
    """So many equal pieces of work."""
    left, right, product = rng.random((64, 64)), rng.random((64, 64)), np.empty((64, 64))

    def work() -> None:
        for _ in range(number):
            np.dot(left, right, product)

    return work


def _small_calls(rng: np.random.Generator) -> Callable[[], object]:
    """One update of a tiny network: the cost is that of NumPy's calls."""
    X, W, Y = rng.random((8, 10)), rng.random((10, 3)), rng.random((8, 3))

    def update() -> object:
        A = 1 / (1 + np.exp(-(X @ W)))
        return W - 0.1 * X.T @ (A - Y)

    return update
