"""How many calls make a sample: told by a warm kernel, whatever its first call took."""

import time
from collections.abc import Callable

import pytest

from gdbench.compare.pair_process import Worker
from gdbench.compare.preparation import schedule
from gdbench.compare.tiers import DEEP, FEWEST_QUADS, QUICK, STANDARD, Tier

CALL_SECONDS = 0.0005
TIERS = pytest.mark.parametrize("tier", [QUICK, STANDARD, DEEP], ids=lambda tier: tier.name)


def kernel(first_seconds: float) -> Callable[[], None]:
    """A kernel whose first call takes longer, as one that compiles."""
    left = [first_seconds]

    def call() -> None:
        end = time.perf_counter() + CALL_SECONDS + (left.pop() if left else 0.0)
        while time.perf_counter() < end:
            pass

    return call


def warm_seconds(first_seconds: float) -> float:
    worker = Worker()
    worker.calls["case"] = kernel(first_seconds)
    return worker._warm("case")


@TIERS
def test_a_first_call_of_a_second_leaves_the_number_of_calls_as_it_is(tier: Tier) -> None:
    slow, quick = (schedule(warm_seconds(first), tier)[0] for first in (1.0, 0.0))
    assert abs(slow - quick) <= 0.1 * quick + 1


def test_compiling_never_reaches_a_sample() -> None:
    worker = Worker()
    worker.calls["case"] = kernel(1.0)
    worker._warm("case")
    samples = [worker.sample("case", 4, 1)[0] * 1e-9 / 4 for _ in range(5)]
    assert min(samples) < 2 * CALL_SECONDS  # the first call took two thousand times as long
    assert max(samples) < 0.5


@TIERS
def test_samples_of_short_calls_share_the_time_of_a_case(tier: Tier) -> None:
    calls, warm, quads = schedule(5e-6, tier)
    assert warm == 1
    assert quads == tier.quads
    assert 4 * quads * calls * 5e-6 == pytest.approx(tier.case_seconds, rel=0.02)


@TIERS
def test_a_long_call_is_sampled_in_the_fewest_quads_and_not_warmed_again(tier: Tier) -> None:
    assert schedule(1.0, tier) == (1, 0, FEWEST_QUADS)


def test_what_a_sample_tells_of_the_processor_is_plausible() -> None:
    worker = Worker()
    worker.calls["case"] = kernel(0.0)
    wall, used, switches = worker.sample("case", 10, 0)
    assert wall >= 10 * CALL_SECONDS * 1e9 * 0.99
    assert 0 < used <= 1.1 * wall
    assert switches >= 0
