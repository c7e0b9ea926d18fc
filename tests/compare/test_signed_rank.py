"""The signed-rank test and its intervals agree with brute force over all signs."""

import math
from itertools import product

import numpy as np
import pytest

from gdbench.compare import signed_rank
from gdbench.compare.signed_rank import common_shift

from .simulated_pairs import enumerated_p


@pytest.mark.parametrize("n", [1, 2, 5, 8, 11])
def test_the_null_distribution_is_that_of_all_signs(n: int) -> None:
    sums = np.array(list(product([0, 1], repeat=n))) @ np.arange(1, n + 1)
    expected = [np.mean(sums <= t) for t in range(n * (n + 1) // 2 + 1)]
    np.testing.assert_allclose(signed_rank.null_cdf(n), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("n", [6, 8, 10])
def test_p_values_are_those_of_all_signs(n: int) -> None:
    d = np.random.default_rng(n).normal(0.01, 0.02, (n, 20))
    above, below = signed_rank.p_values(d, margins=np.full(20, 0.004))
    np.testing.assert_allclose(above, [enumerated_p(column - 0.004) for column in d.T], rtol=1e-12)
    np.testing.assert_allclose(below, [enumerated_p(-column - 0.004) for column in d.T], rtol=1e-12)


def test_p_values_of_many_blocks_stay_positive() -> None:
    above, below = signed_rank.p_values(np.linspace(0.1, 0.2, 60)[:, None], margins=np.zeros(1))
    assert above == pytest.approx(2.0**-60)
    assert below == pytest.approx(1.0)


def test_values_at_the_margin_speak_against_a_change() -> None:
    values = np.concatenate([np.full(3, 0.004), np.linspace(0.01, 0.02, 8)])
    above, below = signed_rank.p_values(values[:, None], margins=np.array([0.004]))
    assert above == pytest.approx(enumerated_p(np.concatenate([[-1e-9, -2e-9, -3e-9], values[3:] - 0.004])))
    assert above > 2.0**-8  # as sure as the other eight would be alone
    assert below == 1
    above, below = signed_rank.p_values(np.zeros((8, 1)), margins=np.zeros(1))
    assert (above, below) == (1, 1)


def test_a_tail_of_just_the_chance_is_within_it() -> None:
    assert [signed_rank.count_outcomes(5, 2.0**-5 * chances) for chances in (0.99, 1, 1.99, 2)] == [0, 1, 1, 2]


@pytest.mark.parametrize("n", [6, 8, 9])
def test_an_interval_holds_the_centres_that_the_test_does_not_reject(n: int) -> None:
    values = np.random.default_rng(n).normal(0.01, 0.02, n)
    ends = signed_rank.intervals(values[:, None], confidence=0.95)
    for centre in np.linspace(values.min() - 0.01, values.max() + 0.01, 101):
        p = 2 * min(enumerated_p(values - centre), enumerated_p(centre - values))
        assert (ends.low[0] <= centre <= ends.high[0]) == (p > 0.05)


def test_the_joint_test_is_that_of_all_signs() -> None:
    d = np.random.default_rng(11).normal(0.01, 0.02, (8, 5))
    scaled = d / np.linalg.norm(d, axis=0)
    signs = np.array(list(product([-1, 1], repeat=8)))
    exact = np.mean(np.abs(signs @ scaled).max(axis=1) >= np.abs(scaled.sum(axis=0)).max() - 1e-12)
    assert 0.01 < exact < 0.9
    assert common_shift(d) == pytest.approx(exact, abs=4 * math.sqrt(exact / signed_rank.SHIFT_FLIPS))
    assert common_shift(-d) == common_shift(d)


def test_the_joint_test_bears_lost_blocks_and_cases() -> None:
    d = np.random.default_rng(12).normal(0.2, 0.02, (12, 4))
    d[:, 0], d[3, 1] = np.nan, np.nan
    assert common_shift(d) < 0.01
    assert common_shift(np.full((12, 4), np.nan)) == common_shift(np.zeros((12, 4))) == 1
