"""Other libraries, by other routes, reach the same gradients, trajectories and optimum."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import optimize
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier, SGDRegressor
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.neural_network import MLPClassifier, MLPRegressor

import kernels
from kernels import Network, Variant

RATE = 0.05
SOLVED = 1e-7
"""Largest slope at which scikit-learn's solver stops: far enough above rounding for its line search on any BLAS."""


@dataclass(frozen=True)
class Solved:
    """A convex problem, and its optimum according to scikit-learn."""

    network: Network
    X: np.ndarray
    Y: np.ndarray
    theta: np.ndarray


def _standardised(X: np.ndarray) -> np.ndarray:
    return (X - X.mean(axis=0)) / X.std(axis=0)


def _solve_linear() -> Solved:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    Y = X @ rng.normal(size=(4, 2)) + 1 + 0.5 * rng.normal(size=(60, 2))
    model = LinearRegression().fit(X, Y)
    return Solved(Network.linear(4, 2), X, Y, np.concatenate([model.coef_.T.ravel(), model.intercept_]))


def _solve_classes(network: Network, X: np.ndarray, labels: np.ndarray, Y: np.ndarray) -> Solved:
    model = LogisticRegression(C=np.inf, solver="newton-cg", tol=SOLVED, max_iter=1000).fit(X, labels)
    theta = np.concatenate([model.coef_.T.ravel(), model.intercept_])
    np.testing.assert_allclose(model.predict_proba(X)[:, -1], _last_probability(network, theta, X), atol=1e-12)
    return Solved(network, X, Y, theta)


def _last_probability(network: Network, theta: np.ndarray, X: np.ndarray) -> np.ndarray:
    return kernels.get("reference").forward(network, theta, X)[:, -1]


def _solve_logistic() -> Solved:
    # Three of the thirty columns (texture, smoothness, symmetry): with all of them a plane separates
    # the classes, and the loss has no minimum.
    X, labels = load_breast_cancer(return_X_y=True)
    return _solve_classes(Network.logistic(3), _standardised(X[:, [1, 4, 8]]), labels, labels[:, None].astype(float))


def _solve_softmax() -> Solved:
    # Three columns of thirteen (alcohol, ash, nonflavanoid phenols), for the same reason.
    X, labels = load_wine(return_X_y=True)
    return _solve_classes(Network.softmax(3, 3), _standardised(X[:, [0, 2, 7]]), labels, np.eye(3)[labels])


SOLVERS = {"linear": _solve_linear, "logistic": _solve_logistic, "softmax": _solve_softmax}


@pytest.fixture(scope="module", params=SOLVERS.values(), ids=SOLVERS.keys())
def solved(request: pytest.FixtureRequest) -> Solved:
    return request.param()


def test_the_gradient_is_zero_at_the_optimum_of_scikit_learn(variant: Variant, solved: Solved) -> None:
    at_optimum = variant.gradient(solved.network, solved.theta, solved.X, solved.Y)
    at_zero = variant.gradient(solved.network, 0 * solved.theta, solved.X, solved.Y)
    assert np.abs(at_optimum).max() < 2 * SOLVED
    assert np.abs(at_zero).max() > 1e-2


def test_the_loss_equals_that_of_scikit_learn(variant: Variant, solved: Solved) -> None:
    for theta in (solved.theta, 0.5 * solved.theta):
        outputs = variant.forward(solved.network, theta, solved.X)
        if solved.network.loss == "squared_error":
            expected = mean_squared_error(solved.Y, outputs) * solved.network.n_outputs / 2
        else:
            labels = solved.Y.argmax(axis=1) if solved.network.n_outputs > 1 else solved.Y[:, 0]
            expected = log_loss(labels, outputs if outputs.shape[1] > 1 else outputs[:, 0])
        np.testing.assert_allclose(variant.loss(solved.network, theta, solved.X, solved.Y), expected, rtol=1e-12)


def test_minimising_with_scipy_reaches_the_optimum_of_scikit_learn(variant: Variant, solved: Solved) -> None:
    network, X, Y = solved.network, solved.X, solved.Y
    found = optimize.minimize(
        lambda theta: variant.loss(network, theta, X, Y),
        np.zeros(network.n_parameters),
        jac=lambda theta: variant.gradient(network, theta, X, Y),
        method="BFGS",
        options={"gtol": 1e-6},
    )
    assert found.success, found.message
    # A gradient of 1e-6 leaves the loss some 1e-6 squared above its minimum, and the outputs some 1e-5 away.
    np.testing.assert_allclose(found.fun, variant.loss(network, solved.theta, X, Y), rtol=0, atol=1e-10)
    # Adding the same number to all scores of a softmax changes nothing, so outputs are compared, not theta.
    expected = variant.forward(network, solved.theta, X)
    np.testing.assert_allclose(variant.forward(network, found.x, X), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("batch_size", [1, 16, None], ids=["stochastic", "minibatch", "batch"])
def test_descent_approaches_the_optimum_of_scikit_learn(solved: Solved, batch_size: int | None) -> None:
    network, X, Y = solved.network, solved.X, solved.Y
    best = kernels.get("jit").loss(network, solved.theta, X, Y)
    batch_size, rate = batch_size or len(X), 0.002 if batch_size == 1 else 0.02 if batch_size else 0.5
    found = kernels.fit(network, X, Y, batch_size=batch_size, learning_rate=rate, epochs=1000)
    # A constant rate ends in a cloud around the optimum, whose size follows the rate; full batches end in it.
    allowed = 1e-6 if batch_size == len(X) else 0.002
    assert -1e-12 < found.losses[-1] - best < allowed * (found.losses[0] - best)


def _mixed_rows(d: int, n: int = 23) -> tuple[np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(4)
    return rng.normal(size=(n, d)), rng


def _epochs(variant: Variant, network: Network, theta, X, Y, *, batch_size: int, epochs: int) -> np.ndarray:
    for _ in range(epochs):
        theta = variant.epoch(network, theta, X, Y, np.arange(len(X)), batch_size, RATE)
    return theta


SGD = {"penalty": None, "learning_rate": "constant", "eta0": RATE, "shuffle": False, "tol": None}


def test_stochastic_linear_regression_walks_the_path_of_sgd_regressor(variant: Variant) -> None:
    X, rng = _mixed_rows(3)
    Y = rng.normal(size=(len(X), 1))
    for epochs in (1, 2, 5):
        model = SGDRegressor(loss="squared_error", max_iter=epochs, **SGD).fit(X, Y[:, 0])
        found = _epochs(variant, Network.linear(3), np.zeros(4), X, Y, batch_size=1, epochs=epochs)
        np.testing.assert_allclose(found, np.append(model.coef_, model.intercept_), rtol=0, atol=1e-12)


def test_stochastic_logistic_regression_walks_the_path_of_sgd_classifier(variant: Variant) -> None:
    X, rng = _mixed_rows(3)
    labels = rng.integers(2, size=len(X))
    Y = labels[:, None].astype(float)
    for epochs in (1, 2, 5):
        model = SGDClassifier(loss="log_loss", max_iter=epochs, **SGD).fit(X, labels)
        found = _epochs(variant, Network.logistic(3), np.zeros(4), X, Y, batch_size=1, epochs=epochs)
        np.testing.assert_allclose(found, np.append(model.coef_, model.intercept_), rtol=0, atol=1e-12)


ACTIVATIONS = {"sigmoid": "logistic", "tanh": "tanh", "relu": "relu"}


SIZES = ((4,), (4, 3), (5, 4, 3))
OUTPUTS = ("identity", "sigmoid", "softmax")
BATCH_SIZES = (1, 5, 23)
"""Batch size for 23 rows: the last batch of 5 has 3."""


@cache
def _perceptron(i: int, j: int) -> dict[str, Any]:
    """Arguments of a walk, and where scikit-learn ends it; every pair of two choices is among the nine of i and j."""
    output = OUTPUTS[(i + j) % 3]
    X, rng = _mixed_rows(3)
    labels = np.arange(len(X)) % (3 if output == "softmax" else 2)
    targets = rng.normal(size=len(X)) if output == "identity" else labels
    Y = np.eye(3)[labels] if output == "softmax" else targets[:, None].astype(float)
    loss = "squared_error" if output == "identity" else "cross_entropy"
    network = Network.mlp(3, SIZES[i], Y.shape[1], hidden=[*ACTIVATIONS][j], output=output, loss=loss)
    walk = {"network": network, "theta": network.init(rng), "X": X, "batch_size": BATCH_SIZES[(i + 2 * j) % 3]}
    walk["theta"] += 0.3 * rng.normal(size=network.n_parameters)
    return {**walk, "Y": Y, "expected": _perceptron_path(**walk, targets=targets, epochs=3)}


@pytest.mark.parametrize("i", range(3))
@pytest.mark.parametrize("j", range(3))
def test_networks_walk_the_path_of_the_perceptrons_of_scikit_learn(variant: Variant, i: int, j: int) -> None:
    walk = dict(_perceptron(i, j))
    expected = walk.pop("expected")
    np.testing.assert_allclose(_epochs(variant, **walk, epochs=3), expected, rtol=0, atol=1e-11)


def _perceptron_path(network: Network, theta, X, targets, *, batch_size: int, epochs: int) -> np.ndarray:
    """Parameters after epochs of scikit-learn's plain gradient descent from theta."""
    classes = {} if network.output == "identity" else {"classes": np.unique(targets)}
    model = (MLPRegressor if network.output == "identity" else MLPClassifier)(
        hidden_layer_sizes=network.sizes[1:-1],
        activation=ACTIVATIONS[network.hidden],
        solver="sgd",
        alpha=0,
        batch_size=batch_size,
        learning_rate_init=RATE,
        momentum=0,
        nesterovs_momentum=False,
        shuffle=False,
    )
    model.partial_fit(X, targets, **classes)  # only makes the arrays, which are then overwritten
    for W, b, (W_start, b_start) in zip(model.coefs_, model.intercepts_, network.unpack(theta), strict=True):
        W[:], b[:] = W_start, b_start
    for _ in range(epochs):
        model.partial_fit(X, targets)
    return np.concatenate(
        [part.ravel() for layer in zip(model.coefs_, model.intercepts_, strict=True) for part in layer]
    )


def test_scipy_finds_no_fault_in_the_gradient(variant: Variant, network: Network, problem_of, kink_distance) -> None:
    problems = (problem_of(network, n=6, seed=seed) for seed in range(20))
    problem = next(problem for problem in problems if kink_distance(problem) > 1e-3)
    error = optimize.check_grad(
        lambda theta: variant.loss(network, theta, problem.X, problem.Y),
        lambda theta: variant.gradient(network, theta, problem.X, problem.Y),
        problem.theta,
    )
    # Forward differences with a step of 1.5e-8: 50 roundings of a loss near 1, of 1e-16 each, make 4e-7 in each of up
    # to 50 parameters; half a step of a second derivative below 10 makes 8e-8.
    assert error < np.sqrt(50) * 5e-7
