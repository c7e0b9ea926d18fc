"""Controls of a comparison: canaries, the same code on both sides, and a spike-in, a tenth more work on one side.

They belong to the instrument, not to either side, and are measured like cases in every block. A canary that is
found changed says that this run finds what is not there; a spike-in that is not found, that it misses what is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

CANARIES = ("canary: small calls", "canary: matrix product", "canary: memory")
SPIKE = "spike-in: a tenth more work"
CONTROLS = (*CANARIES, SPIKE)
STEPS = 20
"""Equal pieces of work in a call of the spike-in; two more are a tenth."""
EXTRA_STEPS = 2
SPIKE_SIZE = 1 + EXTRA_STEPS / STEPS


def build(name: str, *, spiked: bool) -> Callable[[], object]:
    """Return the call of a control; ``spiked`` adds the work to the spike-in, and nothing to a canary."""
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
    return _steps(rng, STEPS + EXTRA_STEPS * spiked)


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
