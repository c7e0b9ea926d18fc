"""The gradient is the derivative of the loss: central differences in float64, for every variant and network."""

import numpy as np

from kernels import Network, Variant

ROWS = 5
STEP = np.finfo(float).eps ** (1 / 3)
"""Balances truncation (step squared) and cancellation (epsilon over step): 6e-6."""

KINK_MARGIN = 1e-3
"""A step of 6e-6 in one parameter moves no pre-activation of these small networks this far."""

SEEDS = 20


def _problem_away_from_kinks(network: Network, problem_of, kink_distance):
    """Take the first problem whose relus are not near their kink, where the loss has no derivative."""
    problems = (problem_of(network, n=ROWS, seed=seed) for seed in range(SEEDS))
    return next(problem for problem in problems if kink_distance(problem) > KINK_MARGIN)


def _differences(variant: Variant, network: Network, theta, X, Y) -> np.ndarray:
    derivatives = np.empty_like(theta)
    for i, step in enumerate(STEP * np.eye(len(theta))):
        above, below = (variant.loss(network, theta + sign * step, X, Y) for sign in (1, -1))
        derivatives[i] = (above - below) / (2 * STEP)
    return derivatives


def test_gradient_equals_central_differences(variant: Variant, network: Network, problem_of, kink_distance) -> None:
    problem = _problem_away_from_kinks(network, problem_of, kink_distance)
    arrays = problem.theta, problem.X, problem.Y
    found, expected = variant.gradient(network, *arrays), _differences(variant, network, *arrays)
    # Truncation: step^2 / 6 times a third derivative, which for inputs up to 3 and at most four layers stays
    # below 100: 6e-10. Cancellation: some 50 roundings of a loss near 1, over the step: 50 * 2e-16 / 6e-6 = 2e-9.
    np.testing.assert_allclose(found, expected, rtol=0, atol=5e-9)
    assert np.abs(found).max() > 1e-3  # a gradient of zeros would prove little


def test_gradient_of_relu_at_its_kink_is_that_of_the_flat_side(variant: Variant, dtype: type) -> None:
    network = Network((1, 1, 1), "relu", "identity", "squared_error")
    theta, X, Y = np.array([1, 0, 1, 0], dtype), np.zeros((1, 1), dtype), np.ones((1, 1), dtype)
    np.testing.assert_array_equal(variant.gradient(network, theta, X, Y), [0, 0, 0, -1])


def test_gradient_is_the_mean_of_the_gradients_of_the_rows(variant: Variant, network: Network, problem_of) -> None:
    problem = problem_of(network, n=7, seed=1)
    theta, X, Y = problem.theta, problem.X, problem.Y
    one_by_one = [variant.gradient(network, theta, X[[i]], Y[[i]]) for i in range(7)]
    for rows in (2, 7):
        found, expected = variant.gradient(network, theta, X[:rows], Y[:rows]), np.mean(one_by_one[:rows], axis=0)
        # Sums of at most 7 values below 10, in another order, after layers of at most 4 units.
        np.testing.assert_allclose(found, expected, rtol=0, atol=100 * np.finfo(float).eps)
