"""Forward pass, loss, gradient and one update equal values worked out by hand.

Weights are multiples of ln 2 or ln 3, for which the activations are fractions:
sigmoid(ln 3) = 3/4, sigmoid(2 ln 3) = 9/10, tanh(ln 2) = 3/5, tanh(ln 3) = 4/5, softmax(0, ln 3) = (1/4, 3/4).
Every case has two rows and targets that differ between them, so a missing 1/n or a factor k shows.
"""

from dataclasses import dataclass
from math import log

import numpy as np
import pytest

from kernels import Network, Variant

L2, L3 = log(2), log(3)
RATE = 0.5


@dataclass(frozen=True)
class Case:
    """Inputs and the results that follow from them; theta and gradient are written W, b, W, b."""

    network: Network
    theta: list[float]
    X: list[list[float]]
    Y: list[list[float]]
    forward: list[list[float]]
    loss: float
    gradient: list[float]


CASES = {
    # z: (2-2+1/2, 1+0+1), (6+0+1/2, 3+0+1); a - y: (-1/2, 2), (3/2, 0)
    "linear": Case(
        network=Network.linear(2, 2),
        theta=[2, 1, -1, 0, 0.5, 1],
        X=[[1, 2], [3, 0]],
        Y=[[1, 0], [5, 4]],
        forward=[[0.5, 2], [6.5, 4]],
        loss=(1 / 4 + 4 + 9 / 4 + 0) / (2 * 2),
        gradient=[(-1 / 2 + 9 / 2) / 2, (2 + 0) / 2, (-1 + 0) / 2, (4 + 0) / 2, (-1 / 2 + 3 / 2) / 2, (2 + 0) / 2],
    ),
    # z: (ln 3, 0), (2 ln 3, -ln 3); a - y: (-1/4, 1/2), (9/10, -3/4)
    "logistic": Case(
        network=Network.logistic(1, 2),
        theta=[L3, -L3, 0, L3],
        X=[[1], [2]],
        Y=[[1, 0], [0, 1]],
        forward=[[3 / 4, 1 / 2], [9 / 10, 1 / 4]],
        loss=(log(4 / 3) + log(2) + log(10) + log(4)) / 2,
        gradient=[(-1 / 4 + 2 * 9 / 10) / 2, (1 / 2 - 2 * 3 / 4) / 2, (-1 / 4 + 9 / 10) / 2, (1 / 2 - 3 / 4) / 2],
    ),
    # as above; (a - y) a (1 - a): (-3/64, 1/8), (81/1000, -9/64)
    "sigmoid squared": Case(
        network=Network((1, 2), output="sigmoid", loss="squared_error"),
        theta=[L3, -L3, 0, L3],
        X=[[1], [2]],
        Y=[[1, 0], [0, 1]],
        forward=[[3 / 4, 1 / 2], [9 / 10, 1 / 4]],
        loss=(1 / 16 + 1 / 4 + 81 / 100 + 9 / 16) / (2 * 2),
        gradient=[
            (-3 / 64 + 2 * 81 / 1000) / 2,
            (1 / 8 - 2 * 9 / 64) / 2,
            (-3 / 64 + 81 / 1000) / 2,
            (1 / 8 - 9 / 64) / 2,
        ],
    ),
    # exp z: (1, 3, 2), (1, 1/3, 2); a - y: (1/6, -1/2, 1/3), (-7/10, 1/10, 6/10)
    "softmax": Case(
        network=Network.softmax(1, 3),
        theta=[0, L3, 0, 0, 0, L2],
        X=[[1], [-1]],
        Y=[[0, 1, 0], [1, 0, 0]],
        forward=[[1 / 6, 1 / 2, 1 / 3], [3 / 10, 1 / 10, 6 / 10]],
        loss=(log(2) + log(10 / 3)) / 2,
        gradient=[
            (1 / 6 + 7 / 10) / 2,
            (-1 / 2 - 1 / 10) / 2,
            (1 / 3 - 6 / 10) / 2,
            (1 / 6 - 7 / 10) / 2,
            (-1 / 2 + 1 / 10) / 2,
            (1 / 3 + 6 / 10) / 2,
        ],
    ),
    # hidden a: (3/5, 0), (0, -4/5); a - y: 7/10, 3/10; hidden delta: (7/10 2 16/25, -7/10), (3/10 2, -3/10 9/25)
    "tanh, linear": Case(
        network=Network((1, 2, 1), "tanh", "identity", "squared_error"),
        theta=[L2, L3, L2, 0, 2, -1, 0.5],
        X=[[0], [-1]],
        Y=[[1], [1]],
        forward=[[1.7], [1.3]],
        loss=(0.49 + 0.09) / (2 * 2),
        gradient=[-0.6 / 2, 0.108 / 2, (0.896 + 0.6) / 2, (-0.7 - 0.108) / 2, 0.42 / 2, -0.24 / 2, (0.7 + 0.3) / 2],
    ),
    # hidden a: (3/4, 1/2), (1/2, 3/4); z: ln 3, -ln 3; a - y: -1/4, -3/4;
    # hidden delta: -1/4 (4 ln 3 3/16, -4 ln 3 1/4), -3/4 (4 ln 3 1/4, -4 ln 3 3/16)
    "sigmoid, logistic": Case(
        network=Network((1, 2, 1), "sigmoid", "sigmoid", "cross_entropy"),
        theta=[L3, -L3, 0, L3, 4 * L3, -4 * L3, 0],
        X=[[1], [0]],
        Y=[[1], [1]],
        forward=[[3 / 4], [1 / 4]],
        loss=(log(4 / 3) + log(4)) / 2,
        gradient=[
            (-3 / 16 * L3) / 2,
            (1 / 4 * L3) / 2,
            (-3 / 16 - 3 / 4) * L3 / 2,
            (1 / 4 + 9 / 16) * L3 / 2,
            (-3 / 16 - 3 / 8) / 2,
            (-1 / 8 - 9 / 16) / 2,
            (-1 / 4 - 3 / 4) / 2,
        ],
    ),
    # hidden z: (3, 2), (1, -2), so a: (3, 2), (1, 0); z: (4, 4) ln 3, (0, 2) ln 3; a - y: (-1/2, 1/2), (1/10, -1/10);
    # hidden delta: (1/2 ln 3, -1/2 2 ln 3), (-1/10 ln 3, 0 because its z is negative)
    "relu, softmax": Case(
        network=Network((2, 2, 2), "relu", "softmax", "cross_entropy"),
        theta=[1, -1, 1, 1, 0, 1, 0, L3, 2 * L3, 0, 0, L3],
        X=[[1, 2], [2, -1]],
        Y=[[1, 0], [0, 1]],
        forward=[[1 / 2, 1 / 2], [1 / 10, 9 / 10]],
        loss=(log(2) + log(10 / 9)) / 2,
        gradient=[
            (1 / 2 - 2 / 10) * L3 / 2,
            -L3 / 2,
            (2 / 2 + 1 / 10) * L3 / 2,
            -2 * L3 / 2,
            (1 / 2 - 1 / 10) * L3 / 2,
            -L3 / 2,
            (-3 / 2 + 1 / 10) / 2,
            (3 / 2 - 1 / 10) / 2,
            -2 / 2 / 2,
            2 / 2 / 2,
            (-1 / 2 + 1 / 10) / 2,
            (1 / 2 - 1 / 10) / 2,
        ],
    ),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


def _arrays(case: Case, dtype: type) -> tuple[np.ndarray, ...]:
    return tuple(np.array(values, dtype) for values in (case.theta, case.X, case.Y))


def _assert_close(found: object, expected: object, dtype: type) -> None:
    # Some twenty roundings on the way, none of them on a value above 10.
    tolerance = 32 * np.finfo(dtype).eps
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def test_forward(variant: Variant, case: Case, dtype: type) -> None:
    theta, X, _ = _arrays(case, dtype)
    found = variant.forward(case.network, theta, X)
    assert found.dtype == dtype
    _assert_close(found, case.forward, dtype)


def test_loss(variant: Variant, case: Case, dtype: type) -> None:
    found = variant.loss(case.network, *_arrays(case, dtype))
    assert type(found) is float
    _assert_close(found, case.loss, dtype)


def test_gradient(variant: Variant, case: Case, dtype: type) -> None:
    found = variant.gradient(case.network, *_arrays(case, dtype))
    assert found.dtype == dtype
    _assert_close(found, case.gradient, dtype)


def test_one_update(variant: Variant, case: Case, dtype: type) -> None:
    theta, X, Y = _arrays(case, dtype)
    found = variant.epoch(case.network, theta, X, Y, np.array([1, 0]), 2, RATE)
    expected = [value - RATE * derivative for value, derivative in zip(case.theta, case.gradient, strict=True)]
    assert found.dtype == dtype
    _assert_close(found, expected, dtype)


def test_two_updates_of_one_row_each(variant: Variant, dtype: type) -> None:
    # y = w x + b from w = b = 0 at rate 1/2. Row (2, 2): residual -2, so w = 2, b = 1.
    # Row (1, 1): residual 2, so w = 1, b = 0. In the other order the end would differ.
    X, Y, theta = (np.array(values, dtype) for values in ([[1], [2]], [[1], [2]], [0, 0]))
    found = variant.epoch(Network.linear(1), theta, X, Y, np.array([1, 0]), 1, RATE)
    np.testing.assert_array_equal(found, np.array([1, 0], dtype))
