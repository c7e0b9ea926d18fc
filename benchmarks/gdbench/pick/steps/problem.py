"""What descent is run on: the protocol of a problem, and a network on the rows of a data set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gdbench.pick.steps import lockstep
from gdbench.pick.steps.noise_scale import noise_scale
from gdbench.pick.steps.smoothness import rate_scale
from kernels import Network

Values = npt.NDArray[np.float64]
MAX_INDICES = 1 << 16
"""Row numbers drawn in advance for one run, so that an update at B = 1 costs no call of the generator."""
MAX_PASSES = 1000
"""Permutations drawn in advance, each of which costs a call: of few rows they would be many."""

MEMORY_ROWS, CACHED_PARAMETERS = 16.0, 50_000
"""Rows whose arithmetic takes as long as the traffic of all parameters, for networks of at least so many."""


class DescentProblem(Protocol):
    """Whatever descent can be run on; it can be pickled, and its runs depend on nothing but ``key``."""

    @property
    def key(self) -> str:
        """SHA-256 of all that the runs depend on."""

    @property
    def n_rows(self) -> int | None:
        """Rows n; None where rows are endless."""

    @property
    def step_rows(self) -> float:
        """What a step costs beyond its rows, in rows: parameters that no cache holds are read and written."""

    @property
    def floor(self) -> float:
        """A value that the loss does not go below, between which and the loss one interpolates."""

    def start(self, seed: int) -> Values:
        """Parameters (p,) that run number ``seed`` starts from."""

    def sampler(self, batch_size: int, seeds: Sequence[int]) -> Callable[[], Any]:
        """Return a function whose every call draws the next batch of every run."""

    def gradients(self, thetas: Values, batch: Any) -> Values:
        """Mean gradients (L, S, p) over the batch at thetas (L, S, p): L rates share the batches of S seeds."""

    def losses(self, thetas: Values) -> Values:
        """Losses (R,) at thetas (R, p), of all rows that are monitored."""

    def noise_scale(self, theta: Values) -> tuple[float, float]:
        """tr(Σ) of the gradients of single rows and |G|² of their mean, at theta (p,)."""

    def rate_scale(self, batch_size: int) -> float:
        """Learning rate around which the search begins: about the largest at which descent is stable."""


def generator(entropy: int, batch_size: int, seed: int) -> np.random.Generator:
    """Return the randomness of one run."""
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(batch_size, seed)))


@dataclass(frozen=True, eq=False)
class NetworkProblem:
    """A network on data: batches are consecutive slices of an endless stream of permutations, each of exactly B rows.

    ``V``, ``T`` (m, d), (m, k) are rows whose loss is monitored instead of that of X, Y, if there are any.
    """

    network: Network
    X: Values
    Y: Values
    entropy: int
    scheme: str = "normal"
    floor: float = 0.0
    V: Values | None = None
    T: Values | None = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take arrays into memory of our own: where they lie decides how products are rounded."""
        for name, value in state.items():
            object.__setattr__(self, name, value.copy() if isinstance(value, np.ndarray) else value)

    @cached_property
    def key(self) -> str:
        """SHA-256 of network, data, randomness and start."""
        words = f"{self.network!r} {self.entropy} {self.scheme} {self.floor.hex()} {self.X.shape} {self.Y.shape}"
        digest = hashlib.sha256(words.encode())
        for rows in (self.X, self.Y, self.V, self.T):
            if rows is not None:
                digest.update(np.ascontiguousarray(rows, "<f8").tobytes())
        return digest.hexdigest()

    @property
    def n_rows(self) -> int:
        """Rows n that descent draws from."""
        return len(self.X)

    @property
    def step_rows(self) -> float:
        """About what it costs to read and write the parameters of runs that do not fit into a cache, in rows."""
        return MEMORY_ROWS * min(self.network.n_parameters / CACHED_PARAMETERS, 1.0)

    def start(self, seed: int) -> Values:
        """Parameters (p,) that run number ``seed`` starts from."""
        rng = np.random.default_rng(np.random.SeedSequence(self.entropy, spawn_key=(0, seed)))
        return np.asarray(self.network.init(rng, np.float64, self.scheme))

    def sampler(self, batch_size: int, seeds: Sequence[int]) -> Callable[[], tuple[Values, Values]]:
        """Return a function whose every call gathers the next batch of every run: (S, B, d) and (S, B, k)."""
        streams = [_rows(self.n_rows, generator(self.entropy, batch_size, seed), batch_size) for seed in seeds]
        position, drawn = 0, np.empty((len(seeds), 0), np.int64)

        def draw() -> tuple[Values, Values]:
            nonlocal position, drawn
            if position == drawn.shape[1]:
                position, drawn = 0, np.stack([next(stream) for stream in streams])
            rows = drawn[:, position : position + batch_size]
            position += batch_size
            return self.X[rows], self.Y[rows]

        return draw

    def gradients(self, thetas: Values, batch: tuple[Values, Values]) -> Values:
        """Mean gradients (L, S, p) over the batch at thetas (L, S, p)."""
        return lockstep.gradients(self.network, thetas, *batch)

    def losses(self, thetas: Values) -> Values:
        """Losses (R,) of all rows, or of those set apart for validation, at thetas (R, p)."""
        X, Y = (self.X, self.Y) if self.V is None or self.T is None else (self.V, self.T)
        return lockstep.losses(self.network, thetas, X, Y)

    def noise_scale(self, theta: Values) -> tuple[float, float]:
        """tr(Σ) of the gradients of single rows and |G|² of their mean, at theta (p,)."""
        return noise_scale(self.network, theta, self.X, self.Y)

    def rate_scale(self, batch_size: int) -> float:
        """Learning rate around which the search begins."""
        return rate_scale(self.network, self.X, self.Y, batch_size, theta=self.start(0))


def _rows(n: int, rng: np.random.Generator, batch_size: int) -> Iterator[npt.NDArray[np.int64]]:
    """Yield row numbers of an endless stream of permutations, in pieces whose length is a multiple of the batch's."""
    left = np.empty(0, np.int64)
    wanted = max(min(MAX_INDICES, MAX_PASSES * n) // batch_size, 1) * batch_size
    while True:
        parts, length = [left], len(left)
        while length < wanted:
            parts.append(rng.permutation(n))
            length += n
        stream = np.concatenate(parts)
        yield stream[:wanted]
        left = stream[wanted:]
