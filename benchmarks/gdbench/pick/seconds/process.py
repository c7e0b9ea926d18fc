"""A process that times the steps of a fit: ``DESCRIPTOR`` names the connection over which it is asked.

What a user pays for a step is a share of an epoch: ``kernels.fit`` makes a permutation, then one call of the variant's
``epoch``, which gathers, computes and updates batch after batch. A call also costs something of its own, whatever its
steps: parameters are copied or packed, work space is taken. So a sample is

* whole calls of as many steps as an epoch has, where one is short (``WHOLE_SECONDS``) or has few steps, or else
* one call of many steps and one of a single step: their difference is that of the steps alone, what remains of the
  single one is the call's own cost, and an epoch's steps share it;

and to both is added the step's share of the permutation. Each call takes the next rows of an endless stream of
permutations, exactly B a step, and goes on from the parameters that the last one left.

With one thread the clock is that of the CPU's time of this process, wherever it is fine enough and shows less than the
wall's: what other programs take away is not the variant's, and would fall on long samples more than on short ones. How
much was taken is reported beside. With several threads, whose CPU times add up, it is the wall's clock.
"""

from __future__ import annotations

import gc
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from time import get_clock_info, perf_counter, process_time

import numpy as np

from gdbench.basics.arrays import aligned
from gdbench.experiments.variants import get
from gdbench.processes.answers import serve
from gdbench.verify.gate import call_runs_first, first_call_seconds
from gdbench.verify.stages import Certificate, certify, certify_quickly
from kernels import Network
from kernels.contract import Array, Order

SAMPLE_SECONDS = 2e-3
"""Least length of a sample that is aimed at, so that it lasts 1 ms in any case: far above the clock's steps."""
WHOLE_SECONDS = 5e-3
"""An epoch up to this length is timed as a whole."""
WHOLE_STEPS = 4
"""So is one of up to so many steps: a long and a short call would make as many."""
CERTIFIED_ROWS = 512
"""Rows of the data on which a variant is certified: more than any variant works through at once."""
VISIT_SAMPLES, VISIT_SECONDS = 5, 0.05
"""A batch size is sampled so often at a time, or for so long."""
GROWTH = 1e3
"""Parameters this many times as large as at the start begin anew: time may depend on values that are out of range."""
SLOW_SECONDS = 0.05
"""A step that may take so long is not repeated to learn how it is to be timed."""
SHUFFLES = 7
"""Permutations timed at the start."""
FINEST_SECONDS = 1e-6
"""Resolution from which on the clock of the CPU's time can be used; it is coarser on some systems."""


def certified_rows(X: Array, Y: Array) -> tuple[Array, Array]:
    """Rows on which a variant is certified, spread over the data."""
    rows = slice(None, None, -(-len(X) // CERTIFIED_ROWS))
    return X[rows], Y[rows]


class Stream:
    """Rows of an endless stream of permutations of n, and the seconds that each permutation took."""

    def __init__(self, n: int, rng: np.random.Generator) -> None:
        self.n, self.rng = n, rng
        self.seconds: list[float] = []
        for _ in range(SHUFFLES):
            self._shuffle()

    def _shuffle(self) -> None:
        begin = perf_counter()
        self.order, self.used = self.rng.permutation(self.n), 0
        self.seconds.append(perf_counter() - begin)

    def take(self, rows: int) -> Order:
        """Return the next rows (rows,); they may go over the end of a permutation."""
        parts = []
        while rows > 0:
            if self.used == self.n:
                self._shuffle()
            parts.append(self.order[self.used : self.used + rows])
            self.used += len(parts[-1])
            rows -= len(parts[-1])
        return np.concatenate(parts)


@dataclass
class Sampler:
    """How one batch size is sampled, and the parameters that it has reached."""

    batch_size: int
    variant: str
    rate: float
    theta: Array
    epoch_steps: int
    steps: int = 0
    """Steps of the long call, or of each whole one."""
    calls: int = 0
    """Whole calls in a sample; 0: a long and a short one."""


class Worker:
    """Holds the problem; every public method answers one kind of question."""

    def __init__(self) -> None:
        self.samplers: dict[int, Sampler] = {}
        self.wall = self.used = 0.0

    def load(self, folder: str, network: Network, seed: int, threads: int) -> None:
        """Take X (n, d) and Y (n, k) from a folder; ``seed`` fixes the parameters and the order of rows.

        They are copied from maps of the files, not computed on there: where pages are small, rows that are gathered at
        random from 120 MB take a third longer, and users' arrays are in huge ones.
        """
        self.alone = threads == 1 and get_clock_info("process_time").resolution <= FINEST_SECONDS
        self.network = network
        self.X, self.Y = (aligned(np.load(Path(folder, name), mmap_mode="r")) for name in ("X.npy", "Y.npy"))
        rng = np.random.default_rng(seed)
        self.start = self.network.init(rng, self.X.dtype)
        self.stream = Stream(len(self.X), rng)

    def prove(self, whole: list[str], quick: list[str]) -> dict[str, Certificate]:
        """Compile variants and return their certificates by name.

        Those of ``whole`` pass full verification, on rows spread over the data; those of ``quick``, which pass
        it elsewhere, show that this process computes the same.
        """
        found = {}
        for name in (*whole, *quick):
            first_call_seconds(name, self.network, self.X.dtype.name)
            call_runs_first(name, self.network, self.X.dtype.name)
            if name in whole:
                found[name] = certify(name, self.network, self.X.dtype, data=certified_rows(self.X, self.Y))
            else:
                found[name] = certify_quickly(name, self.network, self.X, self.Y)
        return found

    def begin(self) -> None:
        """Begin a turn: the data return to the cache, which other processes had to themselves meanwhile."""
        if gc.isenabled():
            gc.collect()
            gc.freeze()
            gc.disable()
        self.X.sum()
        self.Y.sum()

    def prepare(self, batch_size: int, variant: str, rate: float) -> None:
        """Decide how a batch size is sampled, from untimed calls of growing length."""
        found = Sampler(batch_size, variant, rate, self.start, -(-len(self.X) // batch_size))
        self.samplers[batch_size] = found
        single = self._seconds(found, 1)
        if single < WHOLE_SECONDS:  # the first call also touched new memory
            single = self._seconds(found, 1)
        step = self._step_seconds(found, single)
        epoch = single + (found.epoch_steps - 1) * step
        if epoch <= WHOLE_SECONDS or found.epoch_steps <= WHOLE_STEPS or get(variant).compiles_shapes:
            found.steps, found.calls = found.epoch_steps, math.ceil(SAMPLE_SECONDS / epoch)
        else:
            most = max(WHOLE_STEPS - 1, 1 + math.ceil(SAMPLE_SECONDS / step))
            found.steps, found.calls = min(most, found.epoch_steps), 0

    def _step_seconds(self, found: Sampler, single: float) -> float:
        """Estimate one step from calls of more steps, until they last measurably longer than one of a single step."""
        steps, longer = 1, 0.0
        while longer < SAMPLE_SECONDS / 2 and steps < found.epoch_steps and single < SLOW_SECONDS:
            steps = min(4 * steps, found.epoch_steps)
            longer = self._seconds(found, steps) - single
        return longer / (steps - 1) if longer > 0 else single

    def sample(self, batch_size: int) -> tuple[list[float], float]:
        """Return seconds of a step, once for each sample of a visit, and the share of the time that it had its cores.

        A call that is not timed comes first.
        """
        found, values = self.samplers[batch_size], list[float]()
        self.wall = self.used = 0.0
        begin = perf_counter()
        self._seconds(found, found.steps if get(found.variant).compiles_shapes else 1)
        while len(values) < VISIT_SAMPLES and (not values or perf_counter() - begin < VISIT_SECONDS):
            values.append(self._sample(found))
        shuffle = float(np.median(self.stream.seconds)) * batch_size / len(self.X)
        return [value + shuffle for value in values], self.used / self.wall

    def _sample(self, found: Sampler) -> float:
        """Return seconds of a step, the permutation left out."""
        if found.calls > 0:
            return self._seconds(found, found.steps, found.calls) / (found.calls * found.steps)
        long, short = self._seconds(found, found.steps), self._seconds(found, 1)
        step = (long - short) / (found.steps - 1)
        return step + max(short - step, 0.0) / found.epoch_steps

    def _seconds(self, found: Sampler, steps: int, calls: int = 1) -> float:
        """Make calls of so many steps; return their seconds together."""
        epoch, network, X, Y, theta = get(found.variant).epoch, self.network, self.X, self.Y, found.theta
        orders = [self.stream.take(steps * found.batch_size) for _ in range(calls)]
        with np.errstate(all="ignore"):
            used, begin = process_time(), perf_counter()
            for order in orders:
                theta = epoch(network, theta, X, Y, order, found.batch_size, found.rate)
            wall = perf_counter() - begin
            used = process_time() - used
            ordinary = np.abs(theta).max() <= GROWTH * max(1.0, float(np.abs(self.start).max()))  # false for NaN
        found.theta = theta if ordinary else self.start
        seconds = min(used, wall) if self.alone else wall
        self.wall, self.used = self.wall + wall, self.used + min(used, wall)
        return seconds


if __name__ == "__main__":
    serve(int(sys.argv[1]), Worker())
