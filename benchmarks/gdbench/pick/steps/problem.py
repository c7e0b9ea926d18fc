"""What descent is run on: the protocol of a problem, and a network on the rows of a data set."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

import kernels
from gdbench.pick.steps.curvature import largest_curvature
from gdbench.pick.steps.orders import KeptStream, RowStream, stream_of
from gdbench.pick.steps.parts import Parts, split
from kernels import Network
from kernels.contract import Array, Order

Values = npt.NDArray[np.float64]
MAX_INDICES = 1 << 20
"""Rows that one call of a kernel is given at most."""
KEPT_VALUES = 1 << 22
"""Numbers of starting parameters that are kept at most, besides those of the last one."""
ROW_SECONDS, PARAMETER_SECONDS = 5e-8, 1e-10
"""Nominal time of a row in an update, and more for each parameter, about that of compiled variants in float32."""
STARTS, MIN_STARTS, START_PRODUCTS = 10, 3, 2e10
"""Starting parameters whose mean loss is the loss before the first step; and the fewest, where rows times parameters
times starts would be more than so many."""


class Runs(Protocol):
    """Some runs of one batch size and one learning rate, which go on together."""

    def advance(self, steps: int) -> None:
        """Make so many updates in each run."""

    def losses(self) -> Values:
        """Loss (S,) of each run now, of the rows that are monitored; infinite where it has diverged."""

    def all_losses(self) -> Values:
        """Loss (S,) of each run now, of all rows that it is to be told of."""


class DescentProblem(Protocol):
    """Whatever descent can be run on. It can be pickled, and its runs depend on ``key`` and on the machine only."""

    @property
    def key(self) -> str:
        """SHA-256 of all that the runs depend on."""

    @property
    def n_rows(self) -> int | None:
        """Rows n; None where rows are endless."""

    @property
    def pass_rows(self) -> float:
        """Rows of a pass, in which each comes once; infinite where those of each step are drawn anew."""

    @property
    def floor(self) -> float:
        """A value that the loss does not go below, between which and the loss one interpolates."""

    @property
    def row_seconds(self) -> float:
        """Nominal time of a row in an update: for numbers of runs that shall not depend on the machine."""

    @property
    def alike(self) -> bool:
        """Whether all runs start from the same parameters."""

    @property
    def sampled_rows(self) -> int | None:
        """Rows of the sample whose loss is monitored in place of that of all; None if all are."""

    def begin(self, batch_size: int, learning_rate: float, seeds: Sequence[int], *, look_rows: int = 0) -> Runs:
        """Begin the runs with these numbers; the rows of a run depend on its number alone.

        Where there is a number of ``look_rows``, the losses of the runs may be those of parts of about so many rows,
        of each run its own, which are right on average; 0: of all rows that are monitored.
        """

    def start_loss(self) -> float:
        """Mean loss before the first step."""

    def stable_rate(self, batch_size: int) -> float:
        """Learning rate about which the search begins: near the largest at which descent is stable."""


@dataclass(frozen=True, eq=False)
class NetworkProblem:
    """A network on data, trained by the compiled variants that are also timed.

    Parameters
    ----------
    X, Y : array, (n, d) and (n, k), float32 or float64
        Rows to train on; all arithmetic is in their dtype.
    V, T : array, (m, d) and (m, k)
        Rows whose loss counts: the same, or rows held out.
    sample : array, (s,), optional
        Numbers of those of them that are monitored; all if not given.
    anchor : array, (p,), optional
        Parameters near which descent ends, such as those of the least loss. There the loss and the gradient of the
        sample are corrected to those of all rows, so that only curvatures differ (control variates, as in SVRG, Johnson
        and Zhang 2013).
    variants : dict
        Name of the certified variant by batch size.
    entropy : int
        Seed of starts and orders.
    """

    network: Network
    X: Array
    Y: Array
    V: Array
    T: Array
    variants: Mapping[int, str]
    entropy: int
    scheme: str = "normal"
    floor: float = 0.0
    sample: Order | None = None
    anchor: Array | None = None
    _parts: dict[int, Parts] = field(default_factory=dict, init=False, repr=False)
    """Those that were made, by their number."""
    _starts: dict[int, Array] = field(default_factory=dict, init=False, repr=False)
    """Where runs start, by their number: they are asked for at every rate and batch size."""

    @cached_property
    def key(self) -> str:
        """SHA-256 of network, variants, data, randomness and start."""
        words = f"{self.network!r} {sorted(self.variants.items())} {self.entropy} {self.scheme} {self.floor.hex()}"
        digest = hashlib.sha256(words.encode())
        for rows in (self.X, self.Y, self.V, self.T, *([] if self.sample is None else [self.sample])):
            digest.update(f"{rows.shape} {rows.dtype}".encode())
            digest.update(np.ascontiguousarray(rows).data)
        if self.anchor is not None:
            digest.update(self.anchor.tobytes())
        return digest.hexdigest()

    @property
    def n_rows(self) -> int:
        """Rows n that descent draws from."""
        return len(self.X)

    @property
    def pass_rows(self) -> int:
        """Rows of a pass: all."""
        return len(self.X)

    @property
    def row_seconds(self) -> float:
        """Nominal time of a row in an update."""
        return ROW_SECONDS + PARAMETER_SECONDS * self.network.n_parameters

    @cached_property
    def alike(self) -> bool:
        """Whether all runs start from the same parameters."""
        return np.array_equal(self.start(0), self.start(1))

    @property
    def sampled_rows(self) -> int | None:
        """Rows of the sample whose loss is monitored in place of that of all; None if all are."""
        return None if self.sample is None else len(self.sample)

    @cached_property
    def monitored(self) -> tuple[Array, Array]:
        """Rows whose loss is told at each look."""
        return (self.V, self.T) if self.sample is None else (self.V[self.sample], self.T[self.sample])

    @cached_property
    def correction(self) -> tuple[float, Values] | None:
        """Constant and slope (p,) that are added to the loss of the sample; None where there is nothing to correct."""
        if self.sample is None or self.anchor is None:
            return None
        kernel, anchor = kernels.get("vectorized"), self.anchor.astype(self.X.dtype)
        (loss, slope), (sample_loss, sample_slope) = (
            (kernel.loss(self.network, anchor, *rows), kernel.gradient(self.network, anchor, *rows).astype(float))
            for rows in ((self.V, self.T), self.monitored)
        )
        slope = slope - sample_slope
        return loss - sample_loss - float(slope @ anchor), slope

    def parts(self, look_rows: int) -> Parts | None:
        """Parts of the rows that count, each of about so many; None where they are all looked at, or a sample is."""
        n_parts = len(self.V) // look_rows if look_rows and self.sample is None else 1
        if n_parts > 1 and n_parts not in self._parts:
            self._parts[n_parts] = split(self.network, (self.V, self.T), n_parts, self.anchor, self._rng(2, 0))
        return self._parts.get(n_parts)

    def start(self, seed: int) -> Array:
        """Parameters (p,) that run number ``seed`` starts from."""
        found = self._starts.get(seed)
        if found is None:
            if len(self._starts) * self.network.n_parameters > KEPT_VALUES:
                self._starts.clear()
            found = self._starts[seed] = self.network.init(self._rng(0, seed), self.X.dtype, self.scheme)
        return found

    def begin(self, batch_size: int, learning_rate: float, seeds: Sequence[int], *, look_rows: int = 0) -> Runs:
        """Begin the runs with these numbers; all rows are looked at where all runs are the same."""
        streams = [stream_of(self.n_rows, self.entropy, seed) for seed in seeds]
        thetas = np.stack([self.start(seed) for seed in seeds])
        parts = None if self.alike and batch_size == self.n_rows else self.parts(look_rows)
        return _NetworkRuns(self, batch_size, learning_rate, thetas, streams, parts and parts.of(seeds))

    def start_loss(self) -> float:
        """Mean of the loss of the rows that count over ten starts, or fewer where that takes long."""
        return self._start_loss

    @cached_property
    def _start_loss(self) -> float:
        loss = kernels.get("vectorized").loss
        most = round(START_PRODUCTS / (len(self.V) * self.network.n_parameters))
        seeds = range(1 if self.alike else min(max(most, MIN_STARTS), STARTS))
        return float(np.mean([loss(self.network, self.start(seed), self.V, self.T) for seed in seeds]))

    def stable_rate(self, batch_size: int) -> float:
        """Twice the inverse of the loss's largest curvature at the start."""
        return 2 / largest_curvature(self.network, self.start(0), self.X, self.Y)

    def _rng(self, use: int, seed: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.entropy, spawn_key=(use, seed)))


class _NetworkRuns:
    def __init__(
        self,
        problem: NetworkProblem,
        batch_size: int,
        rate: float,
        thetas: Array,
        streams: Sequence[RowStream | KeptStream],
        parts: Parts | None,
    ) -> None:
        self.problem, self.batch_size, self.rate = problem, batch_size, rate
        self.thetas, self.streams, self.parts = thetas, streams, parts
        self.variant = kernels.get(problem.variants[batch_size])
        self.together = max(min(MAX_INDICES // batch_size, len(streams)), 1)
        self.most = max(MAX_INDICES // (batch_size * self.together), 1)

    def advance(self, steps: int) -> None:
        while steps > 0:
            alive = np.flatnonzero(np.isfinite(self.thetas).all(axis=1)).tolist()
            if not alive:
                return
            made = min(steps, self.most)
            for begin in range(0, len(alive), self.together):
                self._advance(alive[begin : begin + self.together], made)
            steps -= made

    def _advance(self, runs: list[int], steps: int) -> None:
        problem = self.problem
        orders = np.stack([self.streams[run].take(steps * self.batch_size) for run in runs])
        self.thetas[runs] = self.variant.epochs(
            problem.network, self.thetas[runs], problem.X, problem.Y, orders, self.batch_size, self.rate
        )

    def losses(self) -> Values:
        problem = self.problem
        if self.parts is not None:
            found = self.variant.losses(problem.network, self.thetas, problem.V, problem.T, self.parts.rows)
            return _finite(self.parts.corrected(found.astype(float), self.thetas))
        found, correction = self._losses(problem.monitored), problem.correction
        if correction is None:
            return found
        constant, slope = correction
        return np.asarray(found + constant + self.thetas @ slope)

    def all_losses(self) -> Values:
        return self._losses((self.problem.V, self.problem.T))

    def _losses(self, rows: tuple[Array, Array]) -> Values:
        return _finite(self.variant.losses(self.problem.network, self.thetas, *rows, None).astype(float))


def _finite(losses: Values) -> Values:
    """Losses, infinite where they are no numbers."""
    return np.where(np.isfinite(losses), losses, np.inf)
