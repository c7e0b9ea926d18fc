"""Intervals for medians cover as often as they say, and are those of the binomial distribution."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from gdbench.basics.statistics import CONFIDENCE, median_interval, ratio_interval

RUNS = 1000


def _tail(m: int, k: int) -> float:
    """Chance that fewer than k of m values fall below their median, from Pascal's triangle."""
    return sum(math.comb(m, i) for i in range(k)) / 2**m


@pytest.mark.parametrize("m", [6, 7, 8, 9, 12, 20, 35, 60])
def test_the_pair_is_the_narrowest_that_covers_95_percent(m: int) -> None:
    found = median_interval(range(1, m + 1))
    k = int(found.low)
    assert found.high == m + 1 - k
    assert found.coverage == pytest.approx(1 - 2 * _tail(m, k))
    assert found.coverage >= CONFIDENCE > 1 - 2 * _tail(m, k + 1)


@pytest.mark.parametrize("m", [6, 9, 20, 60])
def test_intervals_are_those_of_scipy(m: int) -> None:
    values = np.random.default_rng(m).exponential(size=m)
    expected = stats.quantile_test(values, p=0.5).confidence_interval(CONFIDENCE)
    found = median_interval(list(values))
    assert (found.low, found.high) == (expected.low, expected.high)
    assert found.median == np.median(values)


@pytest.mark.parametrize(("m", "coverage"), [(1, 0), (2, 0.5), (3, 0.75), (4, 0.875), (5, 0.9375)])
def test_few_values_give_their_whole_range_and_say_what_it_covers(m: int, coverage: float) -> None:
    values = np.random.default_rng(0).permutation(m) + 1.0
    assert median_interval(list(values)) == ((m + 1) / 2, 1.0, m, coverage)


@pytest.mark.parametrize("m", [3, 6, 8, 12, 15])
@pytest.mark.parametrize("shape", ["exponential", "standard_cauchy", "uniform"])
def test_intervals_cover_as_often_as_they_say(shape: str, m: int) -> None:
    rng = np.random.default_rng(20)
    median = {"exponential": math.log(2), "standard_cauchy": 0.0, "uniform": 0.5}[shape]
    found = [median_interval(list(sample)) for sample in getattr(rng, shape)(size=(RUNS, m))]
    covered = np.mean([interval.low <= median <= interval.high for interval in found])
    coverage = found[0].coverage
    assert covered == pytest.approx(coverage, abs=4 * math.sqrt(coverage * (1 - coverage) / RUNS))


def test_more_values_give_a_narrower_interval() -> None:
    values = np.random.default_rng(1).normal(size=200)
    widths = [high - low for _, low, high, _ in (median_interval(list(values[:m])) for m in (6, 20, 60, 200))]
    assert all(wide > narrow for wide, narrow in pairwise(widths))


def test_order_of_the_values_does_not_matter_and_they_stay_as_they_are() -> None:
    values = [3.0, 1.0, 2.0, 6.0, 5.0, 4.0]
    assert median_interval(values) == median_interval(sorted(values)) == (3.5, 1.0, 6.0, 1 - 2 / 64)
    assert values == [3.0, 1.0, 2.0, 6.0, 5.0, 4.0]


def test_noise_that_a_process_shares_cancels_in_a_ratio() -> None:
    rng = np.random.default_rng(2)
    process = rng.lognormal(sigma=0.5, size=12)
    own = rng.lognormal(sigma=0.01, size=(2, 12))
    found = ratio_interval(list(3 * process * own[0]), list(process * own[1]))
    assert found.low <= 3 <= found.high
    assert found.high / found.low < 1.05
    assert found.coverage >= CONFIDENCE


def test_a_ratio_is_that_of_the_medians_and_lies_in_its_interval() -> None:
    found = ratio_interval([10.0, 1.0, 4.0], [1.0, 2.0, 8.0])  # ratios 10, 0.5, 0.5; medians 4 and 2
    assert found == (2.0, 0.5, 10.0, 0.75)
    outside = ratio_interval([3.0, 1.0, 2.0], [1.0, 0.1, 4.0])  # ratios 3, 10, 0.5
    assert outside.low <= outside.median <= outside.high


def test_intervals_of_a_ratio_cover_at_least_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    found = []
    for _ in range(RUNS // 2):
        process, own = rng.lognormal(sigma=0.3, size=6), rng.lognormal(sigma=0.1, size=(2, 6))
        found.append(ratio_interval(list(2 * process * own[0]), list(process * own[1])))
    covered = np.mean([interval.low <= 2 <= interval.high for interval in found])
    coverage = found[0].coverage
    assert covered >= coverage - 4 * math.sqrt(coverage * (1 - coverage) / len(found))
