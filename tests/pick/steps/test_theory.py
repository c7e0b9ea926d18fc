"""Where the picker's search begins: least loss, learning rate and noise scale agree with independent routes."""

import numpy as np
import pytest
from gdbench.pick.steps.smoothness import rate_scale
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.linear_model import LinearRegression, LogisticRegression

import kernels
from gdbench.experiments import datasets
from gdbench.pick.steps import noise_scale as noise
from gdbench.pick.steps import optimum, smoothness
from gdbench.pick.steps.optimum import find_optimum
from kernels import InputError, Network
from kernels.contract import Array

REFERENCE = kernels.get("reference")
ROWS = 12
DRAWS = 10_000
CONVEX = (Network.linear(3, 2), Network.logistic(3, 2), Network.softmax(3, 2))
REAL = (("diabetes", Network.linear(10)), ("breast_cancer", Network.logistic(30)), ("digits", Network.softmax(64, 10)))


def _row_gradients(network: Network, theta: Array, X: Array, Y: Array) -> Array:
    """Gradients (n, p) of single rows, one by one."""
    return np.stack([REFERENCE.gradient(network, theta, X[i : i + 1], Y[i : i + 1]) for i in range(len(X))])


def _jacobians(network: Network, theta: Array, X: Array) -> Array:
    """Derivatives (n, k, p) of the pre-activations of the last layer by theta, by central differences."""
    sums = Network(network.sizes, network.hidden, "identity", "squared_error")
    steps = 1e-6 * np.eye(theta.size)
    change = [REFERENCE.forward(sums, theta + s, X) - REFERENCE.forward(sums, theta - s, X) for s in steps]
    return np.stack(change, axis=-1) / 2e-6


def _hessian(network: Network, theta: Array, X: Array, Y: Array) -> Array:
    steps = 1e-5 * np.eye(theta.size)
    return np.stack(
        [(REFERENCE.gradient(network, theta + s, X, Y) - REFERENCE.gradient(network, theta - s, X, Y)) for s in steps]
    ) / (2e-5)


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


@pytest.mark.parametrize(("name", "network"), REAL, ids=[name for name, _ in REAL])
def test_smoothness_is_that_of_eigenvalues_and_largest_row(name: str, network: Network) -> None:
    data = datasets.load(name)
    kappa = {"identity": 1.0, "sigmoid": 0.25, "softmax": 0.5}[network.output]
    rows, n = np.column_stack([data.X, np.ones(data.n_rows)]), data.n_rows
    mean = kappa * np.linalg.eigvalsh(rows.T @ rows / n)[-1]
    most = kappa * max(row @ row for row in rows)
    for B in (1, 16, n):
        expected = (n * (B - 1) * mean + (n - B) * most) / (B * (n - 1))
        assert 2 / rate_scale(network, data.X, data.Y, B) == pytest.approx(expected, rel=1e-3)
    assert rate_scale(network, data.X, data.Y, 10 * n) == rate_scale(network, data.X, data.Y, n)


@pytest.mark.parametrize("network", CONVEX, ids=str)
def test_no_point_is_more_curved_than_the_bound_and_one_reaches_it(network: Network, problem_of) -> None:
    problem = problem_of(network, n=ROWS)
    bound = 2 / rate_scale(network, problem.X, problem.Y, ROWS)
    for theta in (problem.theta, 3 * problem.theta):
        assert np.linalg.eigvalsh(_hessian(network, theta, problem.X, problem.Y))[-1] <= bound * (1 + 1e-3)
    reached = np.linalg.eigvalsh(_hessian(network, 0 * problem.theta, problem.X, problem.Y))[-1]
    assert reached == pytest.approx(bound, rel=1e-3)


def test_kappa_of_sigmoid_with_squared_error_is_the_largest_second_derivative() -> None:
    network, x = Network((1, 1), output="sigmoid", loss="squared_error"), np.zeros((1, 1))
    curvature = [
        (
            REFERENCE.gradient(network, np.array([0, z + 1e-5]), x, x)
            - REFERENCE.gradient(network, np.array([0, z - 1e-5]), x, x)
        )[1]
        / 2e-5
        for z in np.linspace(-4, 4, 801)
    ]
    assert max(curvature) == pytest.approx(smoothness.CURVATURES["sigmoid", "squared_error"], rel=1e-3)


def test_curvature_of_any_network_is_that_of_its_derivatives(network: Network, problem_of, kink_distance) -> None:
    problem = problem_of(network, n=ROWS)
    assert kink_distance(problem) > 1e-5
    J = _jacobians(network, problem.theta, problem.X)
    mean = np.linalg.eigvalsh(np.einsum("nkp,nkq->pq", J, J) / ROWS)[-1]
    assert smoothness.mean_curvature(network, problem.theta, problem.X) == pytest.approx(mean, rel=0.1)
    a = REFERENCE.forward(network, problem.theta, problem.X)
    u = (a - problem.Y) / np.linalg.norm(a - problem.Y, axis=1, keepdims=True)
    along = np.square(np.einsum("nkp,nk->np", J, u)).sum(axis=1).max()
    largest = smoothness.largest_curvature(network, problem.theta, problem.X, problem.Y)
    assert largest == pytest.approx(along, rel=1e-6)
    assert largest <= max(np.linalg.eigvalsh(j @ j.T)[-1] for j in J) * (1 + 1e-6)


@pytest.mark.parametrize("B", [1, 16, None])
@pytest.mark.parametrize(("name", "network"), REAL, ids=[name for name, _ in REAL])
def test_half_of_the_scale_never_diverges(name: str, network: Network, B: int | None) -> None:
    data = datasets.load(name)
    B = B or data.n_rows
    rate = rate_scale(network, data.X, data.Y, B) / 2
    epochs = 50 if data.n_rows == B else 3
    fit = kernels.fit(network, data.X, data.Y, variant="vectorized", batch_size=B, learning_rate=rate, epochs=epochs)
    assert max(fit.losses[1:]) < fit.losses[0]


@pytest.mark.parametrize(("share", "falls"), [(0.99, True), (1.05, False)])
def test_least_squares_is_stable_just_below_the_scale_and_not_above(share: float, falls: bool) -> None:
    data = datasets.load("diabetes")
    network, rows = Network.linear(10), data.n_rows
    rate = share * rate_scale(network, data.X, data.Y, rows)
    theta = find_optimum(network, data.X, data.Y).theta + 1
    losses = kernels.fit(
        *(network, data.X, data.Y), variant="vectorized", batch_size=rows, learning_rate=rate, epochs=40, theta=theta
    ).losses
    assert (losses[-1] < losses[-20]) == falls


@pytest.mark.parametrize("n", [1, ROWS])
def test_degenerate_rows_have_a_rate(network: Network, n: int, problem_of) -> None:
    problem = problem_of(network, n=n)
    one_class = np.zeros_like(problem.Y)
    one_class[:, 0] = 1
    fitted = REFERENCE.forward(network, problem.theta, problem.X)
    cases = [(problem.X, one_class), (problem.X, fitted), (0 * problem.X, problem.Y)]
    for X, Y in [*cases, (np.ones_like(problem.X), fitted), (1e6 * problem.X, one_class)]:
        assert 0 < rate_scale(network, X, Y, n, theta=problem.theta) < np.inf
        assert 0 < rate_scale(network, X, Y, 1) < np.inf


def test_rows_that_are_fitted_exactly_have_a_curvature(network: Network, problem_of) -> None:
    problem = problem_of(network, n=ROWS)
    fitted = noise.forward(network, problem.theta, problem.X)[-1]
    assert smoothness.largest_curvature(network, problem.theta, problem.X, fitted) >= 1 - 1e-9  # of the biases alone


@pytest.mark.parametrize("network", [*CONVEX, Network.mlp(3, 4, 2, hidden="relu")], ids=str)
def test_rows_too_large_for_a_rate_are_refused(network: Network, problem_of) -> None:
    problem = problem_of(network, n=ROWS)
    with pytest.raises(InputError, match="standardise"):
        rate_scale(network, 1e200 * problem.X, problem.Y, 1)


@pytest.mark.parametrize("chunk", [noise.CHUNK_VALUES, 25])
def test_noise_scale_is_that_of_explicit_gradients(
    network: Network, chunk: int, problem_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = problem_of(network, n=ROWS)
    monkeypatch.setattr(noise, "CHUNK_VALUES", chunk)  # 25 values: the last chunk is shorter, or each is one row
    rows = _row_gradients(network, problem.theta, problem.X, problem.Y)
    trace, signal = noise.noise_scale(network, problem.theta, problem.X, problem.Y)
    assert trace == pytest.approx(np.trace(np.cov(rows.T, bias=True)), rel=1e-9)
    assert signal == pytest.approx(float(np.square(rows.mean(axis=0)).sum()), rel=1e-9)


def test_equal_rows_have_no_noise(problem_of) -> None:
    problem = problem_of(Network.mlp(3, 4, 2), n=1)
    X, Y = np.repeat(problem.X, 7, axis=0), np.repeat(problem.Y, 7, axis=0)
    trace, signal = noise.noise_scale(Network.mlp(3, 4, 2), problem.theta, X, Y)
    assert 0 <= trace < 1e-12 * signal


def test_two_batches_estimate_the_exact_noise_scale_without_bias(problem_of) -> None:
    network, b, B = Network.mlp(3, 4, 2), 4, 64
    problem = problem_of(network, n=40)
    exact = noise.noise_scale(network, problem.theta, problem.X, problem.Y)
    rows, rng = _row_gradients(network, problem.theta, problem.X, problem.Y), np.random.default_rng(1)
    small, big = (rng.multinomial(size, np.full(40, 1 / 40), size=DRAWS) / size @ rows for size in (b, B))
    estimates = np.array([noise.two_batch_estimate(*pair, b, B) for pair in zip(small, big, strict=True)])
    error = estimates.std(axis=0) / np.sqrt(DRAWS)
    np.testing.assert_array_less(np.abs(estimates.mean(axis=0) - exact), 4 * error)
    np.testing.assert_allclose(estimates.mean(axis=0), exact, rtol=0.05)


@pytest.mark.parametrize(("b", "B"), [(0, 2), (2, 2), (3, 2)])
def test_two_batches_must_differ(b: int, B: int) -> None:
    with pytest.raises(InputError, match="take 1 and 2"):
        noise.two_batch_estimate(np.ones(3), np.ones(3), b, B)
