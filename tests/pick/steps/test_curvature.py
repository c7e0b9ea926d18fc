"""The largest curvature of a loss is the largest eigenvalue of its Hessian, however that is found."""

import numpy as np
import pytest

import kernels
from gdbench.pick.steps import curvature
from gdbench.pick.steps.curvature import ACCURACY, largest_curvature
from kernels import InputError, Network
from kernels.contract import Array

REFERENCE = kernels.get("reference")
ROWS = 12
REGRESSION = Network((3, 4, 2), "relu", "identity", "squared_error")


def hessian(network: Network, theta: Array, X: Array, Y: Array) -> Array:
    """All of it, by central differences of the reference's gradient."""
    steps = 1e-5 * np.eye(theta.size)
    found = [REFERENCE.gradient(network, theta + s, X, Y) - REFERENCE.gradient(network, theta - s, X, Y) for s in steps]
    return (np.array(found) + np.array(found).T) / 4e-5


def test_it_is_the_largest_eigenvalue_of_any_network(network: Network, problem_of, kink_distance) -> None:
    problem = problem_of(network, n=ROWS)
    assert kink_distance(problem) > 1e-3
    expected = np.abs(np.linalg.eigvalsh(hessian(network, problem.theta, problem.X, problem.Y))).max()
    found = largest_curvature(network, problem.theta, problem.X, problem.Y)
    assert found == pytest.approx(expected, rel=2 * ACCURACY)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_of_least_squares_it_is_that_of_the_moments_of_the_columns(d: int) -> None:
    rng = np.random.default_rng(d)
    X = rng.normal(size=(30, d)) * np.geomspace(1, 30, d)
    rows = np.column_stack([X, np.ones(30)])
    found = largest_curvature(Network.linear(d), np.zeros(d + 1), X, rng.normal(size=(30, 1)))
    assert found == pytest.approx(np.linalg.eigvalsh(rows.T @ rows / 30)[-1], rel=ACCURACY)


def test_single_precision_rows_are_probed_in_double_precision(problem_of) -> None:
    network = Network.mlp(3, 4, 2)
    problem = problem_of(network, n=ROWS)
    exact = largest_curvature(network, problem.theta, problem.X, problem.Y)
    single = problem.astype(np.float32)
    assert largest_curvature(network, single.theta, single.X, single.Y) == pytest.approx(exact, rel=1e-3)


def test_of_many_rows_an_even_choice_is_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    X, Y = np.sort(rng.normal(size=(1000, 1)), axis=0), np.zeros((1000, 1))  # the first rows are not like the others
    network, theta = Network.linear(1), np.zeros(2)
    exact = largest_curvature(network, theta, X, Y)
    monkeypatch.setattr(curvature, "PROBED_ROWS", 100)
    assert largest_curvature(network, theta, X, Y) == pytest.approx(exact, rel=0.15)
    assert largest_curvature(network, theta, X, Y) != exact


def test_the_same_question_has_the_same_answer(problem_of) -> None:
    problem = problem_of(Network.mlp(3, 4, 2), n=ROWS)
    arguments = Network.mlp(3, 4, 2), problem.theta, problem.X, problem.Y
    assert largest_curvature(*arguments) == largest_curvature(*arguments)


def test_a_start_that_was_drawn_from_a_small_seed_is_no_eigenvector_in_disguise() -> None:
    """ARPACK begins at a random vector: one orthogonal to the eigenvector that is sought would miss it."""
    network, rng = Network.linear(3), np.random.default_rng(0)
    theta, X = network.init(np.random.default_rng(0)), rng.normal(size=(50, 3))
    rows = np.column_stack([X, np.ones(50)])
    found = largest_curvature(network, theta, X, np.zeros((50, 1)))
    assert found == pytest.approx(np.linalg.eigvalsh(rows.T @ rows / 50)[-1], rel=ACCURACY)


@pytest.mark.parametrize("n", [1, ROWS])
def test_degenerate_rows_have_a_finite_positive_curvature(network: Network, n: int, problem_of) -> None:
    problem = problem_of(network, n=n)
    fitted = REFERENCE.forward(network, problem.theta, problem.X)
    for X, Y in [(0 * problem.X, problem.Y), (problem.X, fitted), (np.ones_like(problem.X), fitted)]:
        assert 0 < largest_curvature(network, problem.theta, X, Y) < np.inf


@pytest.mark.parametrize("network", [Network.linear(3, 2), REGRESSION], ids=str)
def test_rows_too_large_for_a_rate_are_refused(network: Network, problem_of) -> None:
    problem = problem_of(network, n=ROWS)
    with pytest.raises(InputError, match="standardise"):
        largest_curvature(network, problem.theta, 1e200 * problem.X, problem.Y)
