"""Operations, bytes and least times are those that a reader can count by hand; limits are measured and finite."""

import math
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

from gdbench.experiments.cases import Case
from gdbench.machine import limits as machine_limits
from gdbench.machine.limits import PRODUCTS, _bytes, _mapping, cache_bytes, measure_limits
from gdbench.machine.roofline import limit_sentences, limits_of, roofs
from gdbench.machine.work import BEYOND, Limits, limit_seconds, work_of
from kernels import Network
from kernels.variants._tiled.emitter import VECTOR_BYTES
from kernels.variants._tiled.peak import SUMS, elements_of
from kernels.variants._tiled.tiles import MAX_VECTORS

TINY = Network((3, 4, 2))
"""W of 12 and 8 values, b of 4 and 2: 26 parameters; 5 values of input and target in a row."""
N_ROWS = 5
ROUND = Limits(
    cache_bytes={"L1": 100, "L2": 1000},
    flops_per_second={"float32": 10.0, "float64": 5.0},
    read_bytes_per_second={"L1": 8.0, "L2": 4.0, BEYOND: 2.0},
    update_bytes_per_second={"L1": 16.0, "L2": 8.0, BEYOND: 1.0},
)


def _case(task: str, batch_size: int, dtype: str = "float32") -> Case:
    return Case("tiny", "made", N_ROWS, task, "jit", batch_size, dtype)


@pytest.mark.parametrize(
    ("task", "batch_size", "flops", "weight_values", "row_values"),
    [
        # a row: 2 (12 + 8) = 40 forward, 40 for both dW, 2 * 8 = 16 for the error of the hidden layer
        ("forward", 2, 2 * 40, 26, 2 * 5),
        ("loss", 2, 2 * 40, 26, 2 * 5),
        ("gradient", 2, 2 * (40 + 40 + 16), 2 * 26, 2 * 5),
        # three updates (2, 2 and 1 rows), each of 26 values read and written, inside the products for dW
        ("epoch", 2, 5 * 96, 3 * 2 * 26, 5 * 5),
        ("epoch", 1, 5 * 96, 5 * 2 * 26, 5 * 5),
        ("epoch", 5, 5 * 96, 2 * 26, 5 * 5),
    ],
)
@pytest.mark.parametrize(("dtype", "itemsize"), [("float32", 4), ("float64", 8)])
def test_work_is_what_one_counts_by_hand(task, batch_size, flops, weight_values, row_values, dtype, itemsize) -> None:
    work = work_of(TINY, _case(task, batch_size, dtype))
    assert work.flops == flops
    assert work.weights.moved == weight_values * itemsize
    assert work.data.moved == row_values * itemsize
    assert work.moved == work.weights.moved + work.data.moved
    assert work.weights.size == 26 * itemsize


def test_a_network_without_hidden_layer_passes_no_error_down() -> None:
    assert work_of(Network.softmax(7, 3), _case("gradient", 4)).flops == 4 * 2 * (2 * 7 * 3)


def test_the_limit_is_the_slowest_of_arithmetic_weights_and_rows() -> None:
    # float32, 26 parameters: 104 bytes live in L2 of the round machine, 100 bytes of rows in L1
    epoch = work_of(TINY, _case("epoch", 5))
    assert limit_seconds(epoch, ROUND, "float32") == 480 / 10.0
    slow_updates = Limits(ROUND.cache_bytes, {"float32": 1e9}, ROUND.read_bytes_per_second, {"L2": 0.5})
    assert limit_seconds(epoch, slow_updates, "float32") == 208 / 0.5
    slow_reading = Limits(ROUND.cache_bytes, {"float32": 1e9}, {"L1": 0.1}, ROUND.update_bytes_per_second)
    assert limit_seconds(epoch, slow_reading, "float32") == 100 / 0.1


def test_weights_that_are_only_read_have_the_bandwidth_of_reading() -> None:
    fast = Limits(ROUND.cache_bytes, {"float32": 1e9}, ROUND.read_bytes_per_second, ROUND.update_bytes_per_second)
    assert limit_seconds(work_of(TINY, _case("forward", 1)), fast, "float32") == 104 / 4.0
    assert limit_seconds(work_of(TINY, _case("gradient", 1)), fast, "float32") == 208 / 8.0


def test_a_working_set_lives_in_the_smallest_level_that_holds_it() -> None:
    sizes = (1, 100, 101, 1000, 1001)
    assert [ROUND.level_of(size) for size in sizes] == ["L1", "L1", "L2", "L2", BEYOND]


def test_limits_of_a_run_are_medians_over_the_blocks_with_so_many_threads() -> None:
    def stored(speed: float) -> Limits:
        return Limits({"L1": 100}, {"float32": speed}, {"L1": 2 * speed}, {"L1": 2 * speed})

    found = limits_of([(1, stored(1.0)), (2, stored(50.0)), (1, stored(9.0)), (1, stored(3.0))])
    assert {threads: limits.flops_per_second["float32"] for threads, limits in found.items()} == {1: 3.0, 2: 50.0}
    assert found[1].read_bytes_per_second == {"L1": 6.0}
    assert limits_of([]) == {}


def test_roofs_rise_with_the_intensity_up_to_the_peak() -> None:
    assert roofs(ROUND, "float64", [0.25, 1.0, 10.0]) == {
        "L1": [4.0, 5.0, 5.0],
        "L2": [2.0, 5.0, 5.0],
        BEYOND: [0.25, 1.0, 5.0],
    }


@pytest.mark.parametrize("threads", [1, 2])
def test_every_limit_of_this_machine_is_measured(threads: int) -> None:
    limits = measure_limits(("float32", "float64"), threads)
    levels = {"L1", "L2", BEYOND}
    assert set(limits.flops_per_second) == {"float32", "float64"}
    assert set(limits.read_bytes_per_second) == set(limits.update_bytes_per_second) == levels
    assert set(limits.multiply_adds_per_second) == {"float32", "float64"}
    found = limits.flops_per_second, limits.read_bytes_per_second, limits.update_bytes_per_second
    assert limits.call_seconds > 0
    for speeds in (limits.multiply_adds_per_second, *found):
        assert all(math.isfinite(speed) and speed > 0 for speed in speeds.values())
    text = limit_sentences({threads: limits})[0]
    assert f"Limits on {threads} thread" in text
    assert all(word in text for word in ("float32", "float64", "in L1", "in L2", BEYOND))


class _Stopwatch:
    """Stands for ``_best``: makes the call once, copies what it returned, and says that it took half a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: list = []
        monkeypatch.setattr(machine_limits, "_best", lambda call, repeats: self.found.append(deepcopy(call())) or 0.5)


@pytest.mark.parametrize(("dtype", "threads"), [("float32", 1), ("float64", 2)])
def test_the_limit_of_products_counts_those_that_are_done(dtype: str, threads: int, monkeypatch) -> None:
    watch = _Stopwatch(monkeypatch)
    with _mapping(machine_limits._product_bytes()) as memory:
        by_blas, by_tiles = machine_limits._products(memory, dtype, threads)
    # by NumPy, by SciPy and by tiles; those run on one thread, and count for each
    for number, (m, k, n) in enumerate(PRODUCTS):
        for found in watch.found[3 * number : 3 * number + 2]:
            assert sorted(found.shape) == sorted((m, n))
            assert (found == k).all()  # ones times ones
    most = 2 * max(map(math.prod, PRODUCTS)) / 0.5
    assert (by_blas, by_tiles) == (most, threads * most)


@pytest.mark.parametrize(("dtype", "threads"), [("float32", 1), ("float64", 2)])
def test_the_peak_counts_the_multiply_adds_that_are_done(dtype: str, threads: int, monkeypatch) -> None:
    _Stopwatch(monkeypatch)
    with _mapping(1 << 12) as memory:
        peak = machine_limits._peak(memory, dtype, threads)
        values = memory.view(dtype)[: elements_of(np.dtype(dtype).itemsize)].copy()
    changed = values != 1
    assert (values[changed] == 1 + machine_limits.PEAK_STEPS).all()  # one was added to one so many times
    assert changed.sum() == SUMS * VECTOR_BYTES // values.itemsize == len(values) - 2 * VECTOR_BYTES // values.itemsize
    assert peak == threads * 2 * changed.sum() * machine_limits.PEAK_STEPS / 0.5


def test_the_peak_stands_beside_the_limit_of_products_in_words_and_fractions() -> None:
    known = replace(ROUND, multiply_adds_per_second={"float32": 25e9, "float64": 12.5e9})
    (text,) = limit_sentences({1: known})
    assert "(multiply-adds in registers 25.0 GFLOP/s in float32, 12.5 GFLOP/s in float64); updates" in text
    assert "multiply-adds" not in limit_sentences({1: ROUND})[0]  # a record from before it was measured
    assert limits_of([(1, known), (1, ROUND)])[1].multiply_adds_per_second == known.multiply_adds_per_second


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tiles_do_the_product_that_is_counted(dtype: str) -> None:
    m, k, width = 5, 7, MAX_VECTORS * VECTOR_BYTES // np.dtype(dtype).itemsize
    values = np.ones(m * k + 2 * (k + m) * width + 1, dtype)
    machine_limits._tiled(values, m, k, width + 1)
    sums = slice(m * k + 2 * k * width, -1)
    assert (values[sums] == 1 + k).all()  # what was there, and ones times ones
    values[sums] = 1
    assert (values == 1).all()


@pytest.mark.parametrize("threads", [1, 3])
def test_a_bandwidth_counts_each_value_that_its_loop_goes_over(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = _Stopwatch(monkeypatch)
    with _mapping(threads * 12_800) as memory:
        speed = machine_limits._bandwidth(memory, machine_limits._read, threads)
    (sums,) = watch.found  # of ones
    assert len(sums) == threads
    assert speed == 8 * sum(sums) / 0.5
    assert 8 * sums[0] > 0.99 * machine_limits.PASS_BYTES
    values = np.ones((machine_limits.STREAMS, 5))
    machine_limits._update(values, 3, 2.0)
    assert (values == 8).all()


def test_an_update_counts_twice_since_it_reads_and_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_limits, "_products", lambda *_: (1.0, 3.0))
    monkeypatch.setattr(machine_limits, "_peak", lambda *_: 1.0)
    monkeypatch.setattr(machine_limits, "_bandwidth", lambda memory, loop, threads: float(len(memory)))
    limits = measure_limits(("float32",))
    assert limits.flops_per_second == limits.tiles_flops_per_second == {"float32": 3.0}
    assert limits.read_bytes_per_second["L1"] == limits.cache_bytes["L1"] // 2
    assert limits.update_bytes_per_second == {level: 2 * size for level, size in limits.read_bytes_per_second.items()}


def test_a_time_is_the_least_of_its_repeats_after_one_that_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, calls = iter([0.0, 3.0, 10.0, 12.0, 20.0, 25.0]), []
    monkeypatch.setattr(machine_limits, "perf_counter", lambda: next(clock))
    assert machine_limits._best(lambda: calls.append(1), 3) == 2.0
    assert len(calls) == 4


def test_cache_sizes_are_read_as_the_system_writes_them() -> None:
    assert [_bytes(text) for text in ("48K", "2M", "512", "", "unknown")] == [49152, 2097152, 512, 0, 0]
    assert all(size > 0 for size in cache_bytes().values())


def test_memory_of_the_limits_begins_on_a_huge_page_and_is_written() -> None:
    with _mapping(1 << 16) as memory:
        assert memory.ctypes.data % (1 << 21) == 0
        assert len(memory) == 1 << 16
        assert (memory.view(np.float64) == 1).all()
