"""What a process tells of a step: its share of what an epoch costs, without what other programs took."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kernels
from gdbench.pick.seconds import process as step_process
from kernels import Network
from kernels.contract import Array

Problem = tuple[Network, Array, Array]


@dataclass
class Clock:
    """The two clocks of ``step_process``, which move as they are told."""

    wall: float = 0.0
    used: float = 0.0

    def spend(self, seconds: float, others: float = 0.0) -> None:
        """Let a process work, and other programs work meanwhile."""
        self.used += seconds
        self.wall += seconds + others


class Shuffling:
    """A generator of permutations that cost time."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.rng = clock, np.random.default_rng(0)

    def permutation(self, n: int) -> Array:
        self.clock.spend(SHUFFLE)
        return self.rng.permutation(n)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(step_process, "perf_counter", lambda: found.wall)
    monkeypatch.setattr(step_process, "process_time", lambda: found.used)
    return found


Epoch = Callable[..., Array]
MakeWorker = Callable[..., step_process.Worker]


@pytest.fixture
def make_worker(digits: Problem, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeWorker:
    """Return a function that makes a worker whose variants all have a given epoch."""

    def make(epoch: Epoch, threads: int = 1) -> step_process.Worker:
        network, X, Y = digits
        np.save(tmp_path / "X.npy", X)
        np.save(tmp_path / "Y.npy", Y)
        variant = replace(kernels.get("vectorized"), epoch=epoch)
        monkeypatch.setattr(step_process, "get", lambda name: variant)
        worker = step_process.Worker()
        worker.load(str(tmp_path), network, 0, threads)
        worker.stream = step_process.Stream(len(X), Shuffling(clock))  # type: ignore[arg-type]
        return worker

    return make


SHUFFLE, STEP, ROW = 3e-5, 5e-5, 1e-7
"""Seconds of a permutation, of a step, and of each of its rows."""


def _costing(clock: Clock, call: float, others: float = 0.0) -> Epoch:
    """Return an epoch that takes seconds a call, a step and a row; other programs take more for each of its own."""

    def epoch(network: Network, theta: Array, X: Array, Y: Array, order: Any, batch_size: int, rate: float) -> Array:
        own = call + math.ceil(len(order) / batch_size) * STEP + len(order) * ROW
        clock.spend(own, others * own)
        return theta

    return epoch


@pytest.mark.parametrize(
    ("call", "batch_size", "calls"),
    [
        *((10e-3, 1, 0), (10e-3, 256, 0), (10e-3, 512, 1), (10e-3, 1797, 1)),
        *((1e-5, 1, 0), (1e-5, 16, 0), (1e-5, 256, 4), (1e-5, 1797, 9)),
    ],
)
def test_the_steps_of_an_epoch_take_what_an_epoch_takes(
    call: float, batch_size: int, calls: int, digits: Problem, clock: Clock, make_worker: MakeWorker
) -> None:
    """Its permutation and its call too, whether timed as a whole or by the difference of two calls (0 whole ones)."""
    worker = make_worker(_costing(clock, call))
    worker.prepare(batch_size, "costing", 0.01)
    values, share = worker.sample(batch_size)
    assert worker.samplers[batch_size].calls == calls
    steps = math.ceil(len(digits[1]) / batch_size)
    own = STEP + batch_size * ROW + call / steps
    assert values == pytest.approx([own + SHUFFLE * batch_size / len(digits[1])] * len(values))
    assert share == pytest.approx(1)


@pytest.mark.parametrize(("threads", "factor"), [(1, 1), (2, 4)])
@pytest.mark.parametrize("batch_size", [1, 1797])
def test_what_other_programs_take_is_left_out_as_far_as_it_can_be_known(
    threads: int, factor: int, batch_size: int, digits: Problem, clock: Clock, make_worker: MakeWorker
) -> None:
    """Others have the cores for three quarters of the time; the CPU times of several threads would add up."""
    worker = make_worker(_costing(clock, 0.0, others=3.0), threads)
    worker.prepare(batch_size, "costing", 0.01)
    values, share = worker.sample(batch_size)
    shuffle = SHUFFLE * batch_size / len(digits[1])
    assert values == pytest.approx([factor * (STEP + batch_size * ROW) + shuffle] * len(values))
    assert share == pytest.approx(0.25)


def test_every_call_takes_fresh_rows_and_whole_batches_of_them(
    digits: Problem, clock: Clock, make_worker: MakeWorker
) -> None:
    costing, orders = _costing(clock, 0.0), []

    def epoch(network: Network, theta: Array, X: Array, Y: Array, order: Any, *rest: Any) -> Array:
        orders.append(order.copy())
        return costing(network, theta, X, Y, order, *rest)

    worker = make_worker(epoch)
    worker.prepare(100, "watched", 0.01)
    worker.sample(100)
    assert all(len(order) % 100 == 0 for order in orders)
    stream = np.concatenate(orders)
    n = len(digits[1])
    assert len(stream) > 3 * n
    for begin in range(0, len(stream) - n, n):
        assert len(np.unique(stream[begin : begin + n])) == n


def test_parameters_that_leave_their_range_begin_anew(clock: Clock, make_worker: MakeWorker) -> None:
    costing, starts = _costing(clock, 0.0), []

    def epoch(network: Network, theta: Array, *rest: Any) -> Array:
        starts.append(theta)
        costing(network, theta, *rest)
        return np.full_like(theta, np.nan) if len(starts) % 5 == 0 else theta + 1

    worker = make_worker(epoch)
    worker.prepare(64, "odd", 0.01)
    worker.sample(64)
    assert sum(start is worker.start for start in starts) > 2
    assert np.isfinite(worker.samplers[64].theta).all()
