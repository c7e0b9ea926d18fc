"""The polynomials that stand for exp, tanh and sigmoid: a few units in the last place, at every size of argument.

The truth is NumPy's ``longdouble``; where that is no longer than float64, the limits leave room for its own rounding.
"""

from collections.abc import Callable

import numpy as np
import pytest
from numba import njit

import kernels
from kernels.variants._numba.arguments import SIGMOID, TANH
from kernels.variants._tiled import elementary
from kernels.variants._tiled.elementwise import TANH_LIMIT, activate, exponentials

SAMPLES = 1 << 17
HIGHEST_EXPM1 = 60.0
EXP_ULPS, EXPM1_ULPS, QUOTIENT_ULPS = 2, 3, 4
"""The first is what the docstring promises; the others add the roundings of a difference, and of a quotient."""
COMPILED = ("tiled", "sparse")


@njit
def _expm1(x):
    for i in range(len(x)):
        x[i] = elementary.expm1(x[i])


@njit
def _count_of_subnormals_seen(values):
    """What a loop sees of subnormal numbers while they are flushed, and the control register before and after."""
    before, seen = elementary.flush_subnormals(), 0
    for i in range(len(values)):
        seen += values[i] * 2 != 0
    elementary.restore(before)
    after = elementary.flush_subnormals()
    elementary.restore(after)
    return seen, before, after


def _lowest(dtype: type) -> float:
    return dtype(elementary.LOWEST[np.dtype(dtype).itemsize * 8])


def _negatives(dtype: type) -> np.ndarray:
    """Arguments of exp: evenly spread over its range, and evenly over the magnitudes down to the smallest normal."""
    rng, lowest, tiny = np.random.default_rng(0), _lowest(dtype), np.finfo(dtype).tiny
    even = rng.uniform(lowest, 0, SAMPLES)
    small = -np.exp(rng.uniform(np.log(float(tiny)), np.log(-float(lowest)), SAMPLES))
    x = np.concatenate([even, small]).astype(dtype)
    return np.append(x[x >= lowest], np.array([lowest, -tiny, 0], dtype))


def _applied(function: Callable[..., None], x: np.ndarray, *code: int) -> np.ndarray:
    found = x.copy()
    function(*code, found)
    return found


def _worst_ulps(found: np.ndarray, truth: np.ndarray) -> float:
    unit = np.spacing(np.abs(truth).astype(found.dtype)).astype(np.longdouble)
    return float(np.max(np.abs(found.astype(np.longdouble) - truth) / unit))


def test_exp_keeps_its_promise_over_its_whole_range(dtype: type) -> None:
    x = _negatives(dtype)
    assert _worst_ulps(_applied(exponentials, x), np.exp(x.astype(np.longdouble))) <= EXP_ULPS


def test_expm1_does_not_cancel_near_0(dtype: type) -> None:
    x = -_negatives(dtype)
    x = x[x <= HIGHEST_EXPM1]
    assert _worst_ulps(_applied(_expm1, x), np.expm1(x.astype(np.longdouble))) <= EXPM1_ULPS


def test_sigmoid_is_accurate_relative_to_its_value_however_small(dtype: type) -> None:
    z = np.concatenate([_negatives(dtype), -_negatives(dtype)])
    truth = 1 / (1 + np.exp(-z.astype(np.longdouble)))
    assert _worst_ulps(_applied(activate, z, SIGMOID), truth) <= QUOTIENT_ULPS


def test_tanh_is_accurate_relative_to_its_value_however_small(dtype: type) -> None:
    z = np.concatenate([_negatives(dtype), -_negatives(dtype)])
    truth = np.tanh(z.astype(np.longdouble))
    assert _worst_ulps(_applied(activate, z, TANH), truth) <= QUOTIENT_ULPS


def test_an_exponential_that_would_be_subnormal_is_zero_and_none_is_negative(dtype: type) -> None:
    lowest = _lowest(dtype)
    beyond = np.array([np.nextafter(lowest, dtype(-np.inf)), 1.1 * lowest, -1e4, np.finfo(dtype).min, -np.inf], dtype)
    np.testing.assert_array_equal(_applied(exponentials, beyond), 0)
    assert _applied(exponentials, np.array([lowest]))[0] >= np.finfo(dtype).tiny


def test_sigmoid_and_tanh_reach_their_limits_and_go_no_further(dtype: type) -> None:
    z = np.array([-np.inf, np.finfo(dtype).min, -1e4, 0, 1e4, np.finfo(dtype).max, np.inf], dtype)
    np.testing.assert_array_equal(_applied(activate, z, SIGMOID), [0, 0, 0, 0.5, 1, 1, 1])
    np.testing.assert_array_equal(_applied(activate, z, TANH), [-1, -1, -1, 0, 1, 1, 1])
    near = np.linspace(-2 * TANH_LIMIT, 2 * TANH_LIMIT, SAMPLES, dtype=dtype)
    assert np.abs(_applied(activate, near, TANH)).max() == 1
    assert _applied(activate, near, SIGMOID).max() == 1


@pytest.mark.parametrize("code", [SIGMOID, TANH], ids=["sigmoid", "tanh"])
def test_a_pre_activation_that_is_no_number_is_not_made_one(dtype: type, code: int) -> None:
    assert np.isnan(_applied(activate, np.array([np.nan, 1], dtype), code)).tolist() == [True, False]
    assert np.isnan(_applied(exponentials, np.array([np.nan], dtype))).all()


@pytest.mark.skipif(not elementary.X86, reason="subnormal numbers are flushed on x86 alone: run this test there")
def test_subnormal_numbers_are_flushed_in_between_and_the_mode_is_as_before_afterwards(dtype: type) -> None:
    values = np.full(40, np.finfo(dtype).smallest_subnormal)
    seen, before, after = _count_of_subnormals_seen(values)
    assert seen == 0
    assert before == after
    assert before & elementary.FLUSH_BITS == 0


def _assert_subnormals_work() -> None:
    for kind in (np.float32, np.float64):
        halves = np.full(40, np.finfo(kind).tiny) / 2
        assert (halves > 0).all()
        np.testing.assert_array_equal(halves + halves, np.finfo(kind).tiny)


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("name", COMPILED)
def test_numpy_has_its_subnormal_numbers_after_a_call_and_after_a_refused_one(
    problem_of, dtype: type, name: str, outputs: int
) -> None:
    variant = kernels.get(name)
    problem = problem_of(kernels.Network.logistic(3, outputs), n=6).astype(dtype)
    for batch_size in (1, 4):
        arguments = (problem.network, *problem.copies())
        variant.epoch(*arguments, np.arange(6), batch_size, 0.1)
        variant.gradient(*arguments)
        _assert_subnormals_work()
        with pytest.raises(IndexError, match="order names a row"):
            variant.epoch(*arguments, np.array([0, 1, 2, 3, 4, 6]), batch_size, 0.1)
        _assert_subnormals_work()
