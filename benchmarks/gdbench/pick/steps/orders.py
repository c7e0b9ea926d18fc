"""Which rows a run sees: an endless stream of permutations of all rows, the same for every batch size and rate."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from kernels.contract import Order

SHUFFLED_ROWS = 1 << 16
"""Rows up to which each pass is a permutation drawn anew. Of more rows a run sees a small share as a rule, and drawing
a permutation of all would take longer than the run."""


BLOCK_ROWS = 2048
"""Data of at most so many rows: whole passes of about so many rows are drawn at a time, and kept, so that runs with the
same number see the same rows at every learning rate and batch size."""
KEPT_BLOCKS = 2048


class RowStream:
    """Rows that one run draws, pass after pass, each row once a pass.

    Beyond ``SHUFFLED_ROWS`` a pass walks one permutation that all runs share, from a random row by a random stride
    that has no factor in common with n: each row once, in an order that differs from run to run.

    Parameters
    ----------
    n : int
        Rows.
    rng : Generator
        Randomness of the run.
    shared : int
        Seed of the permutation that runs share.
    """

    def __init__(self, n: int, rng: np.random.Generator, *, shared: int) -> None:
        self.n, self.rng, self.shared = n, rng, shared
        self.used = n
        """Rows of the pass that have been drawn."""
        self.order = np.empty(0, np.int64)

    def take(self, count: int) -> Order:
        """Return the next rows (count,); they may go over the end of a pass."""
        parts = []
        while count > 0:
            if self.used == self.n:
                self._begin_pass()
            part = self._part(min(count, self.n - self.used))
            parts.append(part)
            self.used += len(part)
            count -= len(part)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _begin_pass(self) -> None:
        self.used = 0
        if self.n <= SHUFFLED_ROWS:
            self.order = self.rng.permutation(self.n)
            return
        self.start = int(self.rng.integers(self.n))
        self.stride = int(self.rng.integers(1, self.n))
        while math.gcd(self.stride, self.n) > 1:
            self.stride = int(self.rng.integers(1, self.n))

    def _part(self, count: int) -> Order:
        if self.n <= SHUFFLED_ROWS:
            return self.order[self.used : self.used + count]
        places = (self.start + self.stride * np.arange(self.used, self.used + count)) % self.n
        return _permutation(self.n, self.shared)[places]


class KeptStream:
    """The same of few rows, from blocks that other streams of the same run have drawn already.

    Parameters
    ----------
    n : int
        Rows.
    entropy, seed : int
        Of the problem, and number of the run.
    """

    def __init__(self, n: int, entropy: int, seed: int) -> None:
        self.n, self.entropy, self.seed = n, entropy, seed
        self.used = 0
        """Rows that have been drawn."""
        self.size = n * max(BLOCK_ROWS // n, 1)

    def take(self, count: int) -> Order:
        """Return the next rows (count,)."""
        first, last = self.used // self.size, (self.used + max(count, 1) - 1) // self.size
        blocks = [_block(self.n, self.size, self.entropy, self.seed, index) for index in range(first, last + 1)]
        begin = self.used - first * self.size
        self.used += count
        return (blocks[0] if len(blocks) == 1 else np.concatenate(blocks))[begin : begin + count]


def stream_of(n: int, entropy: int, seed: int) -> RowStream | KeptStream:
    """Return the rows that a run draws of n."""
    if n <= BLOCK_ROWS:
        return KeptStream(n, entropy, seed)
    return RowStream(n, np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(1, seed))), shared=entropy)


@lru_cache(maxsize=KEPT_BLOCKS)
def _block(n: int, size: int, entropy: int, seed: int, index: int) -> Order:
    """A number of passes (size,), which is not to be written to."""
    rng = np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(1, seed, index)))
    found = rng.permuted(np.tile(np.arange(n), (size // n, 1)), axis=1).ravel()
    found.setflags(write=False)
    return found


@lru_cache(maxsize=1)
def _permutation(n: int, seed: int) -> Order:
    return np.random.default_rng(seed).permutation(n)
