"""The least loss of convex networks agrees with scikit-learn, and tells whether it is attained."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.linear_model import LinearRegression, LogisticRegression

import kernels
from gdbench.experiments import datasets
from gdbench.pick.steps import optimum
from gdbench.pick.steps.optimum import find_optimum
from kernels import Network
from kernels.contract import Array

REFERENCE = kernels.get("reference")
ROWS = 12
CONVEX = (Network.linear(3, 2), Network.logistic(3, 2), Network.softmax(3, 2))


def _classes(load, columns: list[int]) -> tuple[Array, Array]:
    X, labels = load(return_X_y=True)
    X = X[:, columns]
    return (X - X.mean(axis=0)) / X.std(axis=0), labels


def _by_scikit_learn(kind: str) -> tuple[Network, Array, Array, Array]:
    """Network, rows, targets and the optimum; of few columns, so that no plane separates the classes."""
    if kind == "linear":
        rng = np.random.default_rng(0)
        X, Y = rng.normal(size=(60, 4)), rng.normal(size=(60, 2))
        model, network = LinearRegression().fit(X, Y), Network.linear(4, 2)
    else:
        softmax = kind == "softmax"
        X, labels = _classes(load_wine, [0, 2, 7]) if softmax else _classes(load_breast_cancer, [1, 4, 8])
        model = LogisticRegression(C=np.inf, solver="newton-cg", tol=1e-10, max_iter=1000).fit(X, labels)
        Y = np.eye(3)[labels] if softmax else labels[:, None].astype(float)
        network = Network.softmax(3, 3) if softmax else Network.logistic(3)
    return network, X, Y, np.concatenate([model.coef_.T.ravel(), np.ravel(model.intercept_)])


@pytest.mark.parametrize("kind", ["linear", "logistic", "softmax"])
def test_least_loss_is_that_of_scikit_learn(kind: str) -> None:
    network, X, Y, theta = _by_scikit_learn(kind)
    found = find_optimum(network, X, Y)
    assert found is not None
    assert found.attained
    assert found.value == pytest.approx(REFERENCE.loss(network, theta, X, Y), rel=1e-9)
    assert found.value == pytest.approx(REFERENCE.loss(network, found.theta, X, Y), rel=1e-12)
    assert found.gradient_norm == pytest.approx(
        np.linalg.norm(REFERENCE.gradient(network, found.theta, X, Y)), abs=1e-12
    )
    assert found.gradient_norm < 1e-6


@pytest.mark.parametrize("kind", ["linear", "logistic", "softmax"])
def test_least_loss_does_not_depend_on_the_columns_units(kind: str) -> None:
    network, X, Y, _ = _by_scikit_learn(kind)
    raw = X * np.geomspace(1e-3, 1e5, X.shape[1]) + np.linspace(-50, 1e4, X.shape[1])
    found, expected = find_optimum(network, raw, Y), find_optimum(network, X, Y)
    assert found.attained
    assert found.value == pytest.approx(expected.value, rel=1e-9)


def test_only_convex_networks_have_a_known_least_loss(network: Network, problem_of) -> None:
    problem = problem_of(network, n=ROWS)
    convex = network.n_layers == 1 and (network.output, network.loss) != ("sigmoid", "squared_error")
    assert (find_optimum(network, problem.X, problem.Y) is not None) == convex


@pytest.mark.parametrize("name", ["breast_cancer", "wine", "digits"])
def test_separable_classes_have_their_least_loss_at_infinity(name: str) -> None:
    data = datasets.load(name)
    (_, d), k = data.X.shape, data.Y.shape[1]
    network = Network.softmax(d, k) if k > 1 else Network.logistic(d)
    found = find_optimum(network, data.X, data.Y)
    assert not found.attained
    assert 0 < found.value < 1e-5
    again = find_optimum(network, data.X, data.Y)
    assert np.array_equal(found.theta, again.theta), "not deterministic"


@pytest.mark.parametrize("softmax", [True, False], ids=["softmax", "logistic"])
def test_a_class_that_never_occurs_leaves_the_least_loss_of_the_others(softmax: bool) -> None:
    network, X, Y, _ = _by_scikit_learn("softmax" if softmax else "logistic")
    wider = Network((3, Y.shape[1] + 1), output=network.output, loss=network.loss)
    found, without = (
        find_optimum(wider, X, np.column_stack([Y, np.zeros(len(X))])),
        find_optimum(network, X, Y),
    )
    assert not found.attained
    assert without.value < found.value < without.value + 1e-5


@pytest.mark.parametrize("movement", [optimum.MAX_MOVEMENT, np.inf])
def test_spent_evaluations_leave_an_upper_bound(movement: float, monkeypatch: pytest.MonkeyPatch) -> None:
    network, X, Y, theta = _by_scikit_learn("softmax")
    monkeypatch.setattr(optimum, "MAX_EVALUATIONS", 4)
    monkeypatch.setattr(optimum, "MAX_MOVEMENT", movement)  # infinite: only the gradient can tell
    monkeypatch.setattr(optimum, "MIN_EVALUATIONS", 1)
    found = find_optimum(network, X, Y)
    assert not found.attained
    assert REFERENCE.loss(network, theta, X, Y) < found.value < REFERENCE.loss(network, 0 * theta, X, Y)


@pytest.mark.parametrize("n", [1, 2, 40])
@pytest.mark.parametrize("network", CONVEX, ids=str)
def test_columns_that_say_nothing(network: Network, n: int, problem_of) -> None:
    problem = problem_of(network, n=n)
    X = np.full_like(problem.X, 0.1)
    X[:, 1] = 0
    found, mean = find_optimum(network, X, problem.Y), problem.Y.mean(axis=0)
    a = REFERENCE.forward(network, found.theta, X)
    np.testing.assert_allclose(a, np.broadcast_to(mean, a.shape), atol=1e-6)
    assert found.attained


def test_columns_that_depend_on_each_other() -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(50, 3)), rng.normal(size=(50, 1))
    twice = find_optimum(Network.linear(6), np.column_stack([X, X @ rng.normal(size=(3, 3))]), Y)
    assert twice.attained
    assert twice.value == pytest.approx(find_optimum(Network.linear(3), X, Y).value, rel=1e-12)
    assert np.abs(twice.theta).max() < 10
