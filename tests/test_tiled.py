"""The compiled products are right at every shape their panels, tiles and chunks can meet, dense or sparse.

Panels are padded to whole vectors and tiles have rests, so faults hide at widths and row counts next to powers of two.
The truth is computed in float64; how far from it a result may be, ``gdbench.rounding`` says from the numbers at hand.
"""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdbench.ladder import certify
from gdbench.rounding import SAFETY, Bounded, bounds
from kernels import Network, get
from kernels.variants import sparse

WIDTHS = (1, 15, 16, 17, 63, 64, 65, 130, 200)
INPUTS = (1, 3, 784)
BATCH_SIZES = (1, 2, 11, 12, 13, 127, 253)
RATE = 0.25
DENSITIES = {"dense": 1.0, "sparse": 0.2, "empty": 0.0}

fast = settings(max_examples=30, deadline=None, derandomize=True)


@pytest.fixture(params=["tiled", "sparse"])
def kernel(request: pytest.FixtureRequest):
    return get(request.param)


def _rows(n: int, d: int, dtype: type, *, density: float, seed: int = 0) -> np.ndarray:
    """Rows of which that share is not zero; small enough that hundreds of inputs do not saturate a unit."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) * (rng.random((n, d)) < density)).astype(dtype)


def _problem(network: Network, dtype: type, n: int, *, density: float, seed: int = 0):
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=network.n_parameters) / np.sqrt(max(network.sizes))
    X = _rows(n, network.n_inputs, dtype, density=density, seed=seed)
    Y = np.eye(network.n_outputs)[rng.integers(0, network.n_outputs, n)]
    return theta.astype(dtype), X, Y.astype(dtype)


def _assert_within(found: np.ndarray, truth: np.ndarray, error: np.ndarray) -> None:
    strain = np.abs(found - truth) / (SAFETY * error)
    assert np.isfinite(found).all()
    assert strain.max() <= 1, f"{strain.max():.3g} times the tolerance at {strain.argmax()} of {strain.size}"


def _check_one_update(kernel, network: Network, theta: np.ndarray, X: np.ndarray, Y: np.ndarray) -> None:
    """One update by all rows, in a mixed order, against the gradient in float64 and what rounding may do to it."""
    dtype, wide = theta.dtype, theta.astype(float)
    allowed = bounds(network, wide, X.astype(float), Y.astype(float), dtype).gradient
    moved = Bounded.exact(wide, dtype) - allowed.scaled(RATE)
    order = np.random.default_rng(1).permutation(len(X))
    found = kernel.epoch(network, theta, X, Y, order, len(X), RATE)
    _assert_within(found, wide - RATE * allowed.value, moved.error)
    _assert_within(kernel.gradient(network, theta, X, Y), allowed.value, allowed.error)


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_hidden_layer_of_every_width_is_updated_rightly(kernel, dtype: type, width, inputs, batch_size) -> None:
    network = Network((inputs, width, 3), "tanh", "softmax", "cross_entropy")
    _check_one_update(kernel, network, *_problem(network, dtype, batch_size, density=0.3))


@pytest.mark.parametrize("outputs", WIDTHS)
def test_an_output_layer_of_every_width_is_updated_rightly(kernel, dtype: type, outputs: int) -> None:
    for pair in (("identity", "squared_error"), ("softmax", "cross_entropy")):
        for sizes in ((5, outputs), (5, 33, outputs)):
            network = Network(sizes, "sigmoid", *pair)
            for batch_size in (1, 13, 130):
                _check_one_update(kernel, network, *_problem(network, dtype, batch_size, density=0.3))


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one core: run this test where there are two")
@pytest.mark.parametrize("n", [127, 128, 129, 300])
def test_a_batch_that_threads_share_is_updated_rightly(dtype: type, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")
    network, before = Network((20, 65, 17, 3), "tanh", "softmax", "cross_entropy"), numba.get_num_threads()
    numba.set_num_threads(2)
    try:
        _check_one_update(get("tiled"), network, *_problem(network, dtype, n, density=1.0))
    finally:
        numba.set_num_threads(before)


@fast
@given(
    sizes=st.lists(st.integers(1, 140), min_size=2, max_size=5),
    hidden=st.sampled_from(["sigmoid", "tanh", "relu"]),
    pair=st.sampled_from([("identity", "squared_error"), ("sigmoid", "cross_entropy"), ("sigmoid", "squared_error")]),
    n=st.integers(1, 300),
    density=st.sampled_from(sorted(DENSITIES.values())),
    dtype=st.sampled_from([np.float32, np.float64]),
)
@pytest.mark.parametrize("name", ["tiled", "sparse"])
def test_networks_of_any_shape_are_updated_rightly(name, sizes, hidden, pair, n, density, dtype) -> None:
    network = Network(tuple(sizes), hidden, *pair)
    _check_one_update(get(name), network, *_problem(network, dtype, n, density=density))


@pytest.mark.parametrize("sizes", [(9, 16, 4), (20, 65, 17, 3), (3, 7, 130, 15, 2), (40, 1), (40, 33)])
def test_networks_across_the_edges_of_panels_are_certified(kernel, dtype: type, sizes: tuple[int, ...]) -> None:
    # A certificate has a short last batch, single rows in sequence, saturated units and a hundred updates.
    certificate = certify(kernel, Network(sizes, "tanh", "sigmoid", "cross_entropy"), dtype)
    assert certificate.certified, certificate


@pytest.mark.parametrize("batch_size", [1, 2, 11, 12, 127, 253, 300])
def test_an_epoch_with_a_short_last_batch_is_the_chain_of_its_updates(kernel, dtype: type, batch_size: int) -> None:
    network, n = Network((784, 65, 10), "sigmoid", "softmax", "cross_entropy"), 300
    theta, X, Y = _problem(network, dtype, n, density=0.2)
    order = np.random.default_rng(2).permutation(n)
    chained = theta
    for first in range(0, n, batch_size):
        rows = order[first : first + batch_size]
        chained = kernel.epoch(network, chained, X, Y, rows, len(rows), RATE)
    found = kernel.epoch(network, theta, X, Y, order, batch_size, RATE)
    # Only the sums of the last batch may be taken in other parts, when its chunks have another size.
    scale = np.abs(chained).max()
    np.testing.assert_allclose(found, chained, rtol=0, atol=batch_size * np.finfo(dtype).eps * scale)


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
@pytest.mark.parametrize("density", DENSITIES.values(), ids=DENSITIES)
def test_rows_with_all_some_or_no_nonzeros_are_worked_through(kernel, dtype: type, density, batch_size: int) -> None:
    network = Network((70, 33, 3), "relu", "softmax", "cross_entropy")
    theta, X, Y = _problem(network, dtype, batch_size, density=density)
    X[:: 2 if density else 1] = 0  # rows of zeros between the others
    _check_one_update(kernel, network, theta, X, Y)


def _of_share(share: float, dtype: type) -> np.ndarray:
    """A hundred rows of ten inputs of which exactly that share is not zero, the same in each row."""
    X = np.zeros((100, 10), dtype)
    X[:, : round(10 * share)] = _rows(100, round(10 * share), dtype, density=1.0) + 10
    return X


def test_data_exactly_at_the_threshold_take_either_path_to_the_same_place(dtype: type) -> None:
    network = Network((10, 17, 2))
    theta, _, Y = _problem(network, dtype, 100, density=1.0)
    for share in (sparse.MOST_DENSE - 0.1, sparse.MOST_DENSE, sparse.MOST_DENSE + 0.1):
        _check_one_update(get("sparse"), network, theta, _of_share(share, dtype) / 10, Y)


def test_dense_data_are_given_to_tiled_and_sparse_data_are_not(dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    network, given_to_tiled = Network((10, 17, 2)), []
    theta, _, Y = _problem(network, dtype, 100, density=1.0)
    tiled_epoch = sparse.tiled.epoch
    monkeypatch.setattr(sparse.tiled, "epoch", lambda *a: given_to_tiled.append(share) or tiled_epoch(*a))
    for share in (0.0, sparse.MOST_DENSE, sparse.MOST_DENSE + 0.1, 1.0):
        sparse.epoch(network, theta, _of_share(share, dtype), Y, np.arange(100), 20, RATE)
    assert given_to_tiled == [sparse.MOST_DENSE + 0.1, 1.0]


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("row", [-1, 6, 2**40])
def test_an_order_beyond_the_rows_is_refused_and_changes_nothing(
    kernel, dtype: type, row: int, batch_size: int, outputs: int
) -> None:
    network = Network((5, outputs), "sigmoid", "identity", "squared_error")
    theta, X, Y = _problem(network, dtype, 6, density=0.3)
    inputs = theta, X, Y, np.arange(6)
    expected = kernel.epoch(network, *inputs, batch_size, RATE)
    kept = [values.tobytes() for values in inputs]
    with pytest.raises(IndexError, match="order names a row that X does not have"):
        kernel.epoch(network, theta, X, Y, np.array([0, 1, 2, 3, 4, row]), batch_size, RATE)
    assert [values.tobytes() for values in inputs] == kept
    np.testing.assert_array_equal(kernel.epoch(network, *inputs, batch_size, RATE), expected)
