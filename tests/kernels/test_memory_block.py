"""The memory that compiled epochs work in: aligned, kept, one for each thread, and of no effect on any result."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numba.core.runtime import _nrt_python, rtsys

from kernels import Network, get
from kernels.variants._tiled import memory

COMPILED = ("tiled", "sparse")
NETWORKS = {
    "one_output": Network.logistic(20),
    "softmax": Network.softmax(20, 3),
    "two_hidden": Network((20, 17, 33, 3), "tanh", "softmax", "cross_entropy"),
}
N, RATE = 28, 0.1
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
THREADS, ROUNDS = 2, 8


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    return request.param


@pytest.fixture
def counted():
    """Let Numba's runtime count the allocations of compiled code."""
    before = _nrt_python.memsys_stats_enabled()
    _nrt_python.memsys_enable_stats()
    yield lambda: rtsys.get_allocation_stats().alloc
    if not before:
        _nrt_python.memsys_disable_stats()


def _problem(network: Network, dtype: type, *, n: int = N) -> tuple[np.ndarray, ...]:
    """Parameters, and rows a fifth of which is not zero, so that ``sparse`` does not leave them to ``tiled``."""
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, network.n_inputs)) * (rng.random((n, network.n_inputs)) < 0.2)
    Y = np.eye(network.n_outputs)[rng.integers(0, network.n_outputs, n)]
    return network.init(rng).astype(dtype), X.astype(dtype), Y.astype(dtype)


def _results(name: str, network: Network, dtype: type, batch_size: int) -> list[bytes]:
    variant, (theta, X, Y) = get(name), _problem(network, dtype)
    return [
        variant.forward(network, theta, X).tobytes(),
        np.float64(variant.loss(network, theta, X, Y)).tobytes(),
        variant.gradient(network, theta, X, Y).tobytes(),
        variant.epoch(network, theta, X, Y, np.arange(N)[::-1], batch_size, RATE).tobytes(),
    ]


def _poison(dtype: type) -> None:
    """Fill all memory that this thread keeps with NaN."""
    memory.memory(1, dtype)
    memory._kept.bytes.view(dtype)[:] = np.nan


@pytest.mark.parametrize("batch_size", [1, 5, N])
@pytest.mark.parametrize("name", COMPILED)
def test_what_the_block_held_before_changes_no_bit(name: str, network: Network, dtype: type, batch_size: int) -> None:
    expected = _results(name, network, dtype, batch_size)
    for other in (*NETWORKS.values(), Network((50, 64, 2)), network):
        _results(name, other, dtype, 4)
        assert _results(name, network, dtype, batch_size) == expected
    variant, (theta, X, Y) = get(name), _problem(network, dtype)
    calls: tuple[Callable[[], object], ...] = (
        lambda: variant.forward(network, theta, X).tobytes(),
        lambda: np.float64(variant.loss(network, theta, X, Y)).tobytes(),
        lambda: variant.gradient(network, theta, X, Y).tobytes(),
        lambda: variant.epoch(network, theta, X, Y, np.arange(N)[::-1], batch_size, RATE).tobytes(),
    )
    for call, right in zip(calls, expected, strict=True):
        _poison(dtype)
        assert call() == right


@pytest.mark.parametrize("batch_size", [1, 5, N])
@pytest.mark.parametrize("name", COMPILED)
def test_two_threads_at_once_get_what_one_gets(name: str, dtype: type, batch_size: int) -> None:
    network, found = NETWORKS["two_hidden"], {}
    expected = _results(name, network, dtype, batch_size)
    together = threading.Barrier(THREADS)

    def work(number: int) -> None:
        together.wait()
        found[number] = [_results(name, network, dtype, batch_size) for _ in range(ROUNDS)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [expected] * ROUNDS for number in range(THREADS)}


def test_each_thread_has_a_block_of_its_own() -> None:
    found: list[np.ndarray] = []
    thread = threading.Thread(target=lambda: found.append(memory.memory(100, np.float64)))
    thread.start()
    thread.join()
    assert not np.shares_memory(found[0], memory.memory(100, np.float64))


@pytest.mark.parametrize("batch_size", [1, 7])
@pytest.mark.parametrize("name", ["jit", *COMPILED])
def test_the_loop_over_batches_allocates_nothing(
    name: str, network: Network, dtype: type, batch_size: int, counted
) -> None:
    variant, taken = get(name), []
    for n in (N, N, 2 * N, 4 * N):  # the first call may compile
        arguments = (network, *_problem(network, dtype, n=n), np.arange(n), batch_size, RATE)
        before = counted()
        variant.epoch(*arguments)
        taken.append(counted() - before)
    assert taken[1] > 0  # it does count
    assert taken[1] == taken[2] == taken[3]


@pytest.mark.parametrize("elements", [1, 1000, 3 * 1024 * 1024])
def test_the_block_is_aligned_kept_and_large_enough(dtype: type, elements: int) -> None:
    found = memory.memory(elements, dtype)
    assert found.dtype == dtype
    assert len(found) >= elements
    assert found.ctypes.data % memory.HUGE_PAGE_BYTES == 0
    found[:] = 1  # to its end
    again = memory.memory(elements, dtype)
    assert again.ctypes.data == found.ctypes.data


def _flags(address: int) -> list[str]:
    """Linux' flags of the mapping that holds an address: ``hg`` asks for huge pages, ``sh`` shares it."""
    inside = False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        head, *words = line.split()
        if not head.endswith(":"):
            first, last = (int(part, 16) for part in head.split("-"))
            inside = first <= address < last
        elif inside and head == "VmFlags:":
            return words
    raise LookupError(f"nothing is mapped at {address:x}")


@pytest.mark.skipif(not HUGE_PAGES.exists(), reason=f"{sys.platform} has no huge pages to ask for: {HUGE_PAGES}")
def test_the_block_asks_for_huge_pages_from_its_first_byte_to_its_last() -> None:
    """Whether it gets them depends on the memory that is free at the moment."""
    block = memory.huge_pages(4 * memory.HUGE_PAGE_BYTES)
    for place in (0, -1):
        flags = _flags(block[place:].ctypes.data)
        assert "hg" in flags
        assert "sh" not in flags
