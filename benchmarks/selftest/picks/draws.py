"""Randomness of the oracles' runs: drawn run by run for many steps at once, handed out step by step for all runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
DRAWS_AT_ONCE = 8192
"""Numbers drawn for one run at a time. Must not depend on the seeds drawn beside it, or results would."""


def generators(entropy: int, batch_size: int, seeds: Sequence[int]) -> list[np.random.Generator]:
    """Randomness of each run, of nothing but the problem's entropy, the batch size and its seed."""
    return [np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(batch_size, seed))) for seed in seeds]


def steps_at_once(draws: int) -> int:
    """Return the number of steps to draw for in advance, given the numbers that each takes."""
    return max(1, DRAWS_AT_ONCE // draws)


def buffered(
    draw: Callable[[np.random.Generator], tuple[Values, ...]], generators: list[np.random.Generator]
) -> Callable[[], tuple[Values, ...]]:
    """Hand out step by step, for all runs at once, what is drawn run by run for many steps."""
    waiting: list[tuple[Values, ...]] = []

    def following() -> tuple[Values, ...]:
        if not waiting:
            parts = zip(*(draw(rng) for rng in generators), strict=True)
            stacked = [np.stack(part, axis=1) for part in parts]  # steps first, then runs
            waiting.extend(zip(*(part[::-1] for part in stacked), strict=True))
        return waiting.pop()

    return following


def subsets(rng: np.random.Generator, n: int, m: int, count: int) -> npt.NDArray[np.int64]:
    """(count, m) row numbers, each line m different ones of n, uniform over subsets.

    Few of many: a repetition is drawn again until there is none, so the set is that of the first m different numbers
    of an endless sequence of independent ones. Otherwise the head of a permutation, which is then three times as fast.
    """
    if 4 * m > n:
        return rng.permuted(np.broadcast_to(np.arange(n), (count, n)), axis=1)[:, :m]
    chosen = np.sort(rng.integers(n, size=(count, m)), axis=1)
    while True:
        again = np.nonzero(chosen[:, 1:] == chosen[:, :-1])
        if not len(again[0]):
            return chosen
        chosen[again] = rng.integers(n, size=len(again[0]))
        chosen.sort(axis=1)
