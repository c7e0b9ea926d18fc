"""Several runs in one call are what as many calls compute, whether a variant has an entry for them or not."""

import numpy as np
import pytest

from kernels import Network, get
from kernels.variants import tiled

NETWORKS = {
    "linear": Network.linear(5, 1),
    "logistic": Network.logistic(5),
    "one sigmoid of squares": Network((5, 1), "sigmoid", "sigmoid", "squared_error"),
    "softmax": Network.softmax(5, 3),
    "three sigmoids": Network((5, 3), "sigmoid", "sigmoid", "cross_entropy"),
    "mlp": Network.mlp(5, (9, 4), 3),
    "linear outputs of a hidden layer": Network((5, 6, 2), "tanh", "identity", "squared_error"),
}
N, RUNS, ROWS, RATE = 150, 3, 140, 0.3
VARIANTS = ("tiled", "jit", "vectorized")
"""The first has entries of its own; a forward pass takes its rows in more than one chunk."""


def problem(network: Network, dtype: type):
    rng = np.random.default_rng(1)
    thetas = rng.normal(size=(RUNS, network.n_parameters))
    X, Y = rng.normal(size=(N, 5)), np.eye(3)[rng.integers(0, 3, N)][:, : network.n_outputs]
    rows = np.stack([rng.permutation(N)[:ROWS] for _ in range(RUNS)])
    return thetas.astype(dtype), X.astype(dtype), np.ascontiguousarray(Y, dtype), rows


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_epochs_and_losses_are_those_of_single_calls(dtype: type, variant: str, name: str) -> None:
    network, kernel = NETWORKS[name], get(variant)
    thetas, X, Y, rows = problem(network, dtype)
    before = thetas.copy()
    close = {"rtol": 1e-12, "atol": 1e-12} if dtype is np.float64 else {"rtol": 2e-4, "atol": 2e-5}
    for batch_size in (1, 8, ROWS):
        found = kernel.epochs(network, thetas, X, Y, rows, batch_size, RATE)
        one = [
            kernel.epoch(network, theta, X, Y, own, batch_size, RATE) for theta, own in zip(thetas, rows, strict=True)
        ]
        assert found.dtype == dtype
        np.testing.assert_allclose(found, one, **close)
        assert abs(found - thetas).max() > 1e-3
    losses = kernel.losses(network, thetas, X, Y, rows)
    one = [kernel.loss(network, theta, X[own], Y[own]) for theta, own in zip(thetas, rows, strict=True)]
    assert losses.dtype == dtype
    np.testing.assert_allclose(losses, one, rtol=close["rtol"])
    one = [kernel.loss(network, theta, X, Y) for theta in thetas]
    np.testing.assert_allclose(kernel.losses(network, thetas, X, Y, None), one, rtol=close["rtol"])
    assert (thetas == before).all()


def test_large_networks_go_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    network = NETWORKS["mlp"]
    thetas, X, Y, rows = problem(network, np.float64)
    expected = tiled.epochs(network, thetas, X, Y, rows, 8, RATE)
    monkeypatch.setattr(tiled, "MAX_PARAMETERS", 10)
    monkeypatch.delattr(tiled, "_run_epochs")
    np.testing.assert_allclose(tiled.epochs(network, thetas, X, Y, rows, 8, RATE), expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["logistic", "softmax"])
def test_a_row_that_is_not_there_is_refused(name: str) -> None:
    thetas, X, Y, rows = problem(NETWORKS[name], np.float64)
    rows[1, 3] = N
    with pytest.raises(IndexError, match="a row that X does not have"):
        tiled.losses(NETWORKS[name], thetas, X, Y, rows)
    with pytest.raises(IndexError, match="a row that X does not have"):
        tiled.epochs(NETWORKS[name], thetas, X, Y, rows, 8, RATE)
