"""The compiled products are right at every shape their panels, tiles and chunks can meet, dense or sparse.

Panels are padded to whole vectors and tiles have rests, so faults hide at widths and row counts next to powers of two.
The truth is computed in float64; ``gdbench.verify.bounds`` says how far from it a result may be.
"""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdbench.verify.bounds import SAFETY, Bounded, bounds
from gdbench.verify.stages import certify
from kernels import Network, get
from kernels.network import HIDDEN
from kernels.variants import sparse, tiled
from kernels.variants._tiled.emitter import WIDE
from kernels.variants._tiled.layout import chunk_rows

from ..helpers import run_held_to

WIDTHS = (1, 7, 9, 15, 16, 17, 63, 64, 65, 130, 200)
"""On both sides of a vector and of a panel, whether vectors have 4, 8 or 16 elements and panels 2 or 4 vectors."""
INPUTS = (1, 3, 784)
BATCH_SIZES = (1, 2, 5, 7, 11, 12, 13, 127, 253)
"""The same for tiles of 6 or 12 rows, and chunks of 126."""
RATE = 0.25
KERNELS = (get("tiled"), get("sparse"))
DENSITIES = {"dense": 1.0, "sparse": 0.2, "empty": 0.0}

fast = settings(max_examples=30)


@pytest.fixture(params=KERNELS, ids=lambda kernel: kernel.name)
def kernel(request: pytest.FixtureRequest):
    return request.param


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


def _assert_within(found: np.ndarray, truth: Bounded, what: str) -> None:
    strain = np.abs(found - truth.value) / (SAFETY * truth.error)
    assert np.isfinite(found).all(), what
    assert strain.max() <= 1, f"{what}: {strain.max():.3g} times the tolerance at {strain.argmax()} of {strain.size}"


def _check_one_update(network: Network, theta: np.ndarray, X: np.ndarray, Y: np.ndarray, *, kernels=KERNELS) -> None:
    """One update by all rows, in a mixed order, against the gradient in float64 and what rounding may do to it."""
    allowed = bounds(network, theta.astype(float), X.astype(float), Y.astype(float), theta.dtype)
    order = np.random.default_rng(1).permutation(len(X))
    for kernel in kernels:
        what = f"{kernel.name}, {network}, {len(X)} rows"
        _assert_within(kernel.epoch(network, theta, X, Y, order, len(X), RATE), allowed.update(RATE), what)
        _assert_within(kernel.gradient(network, theta, X, Y), allowed.gradient, what)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_hidden_layer_of_every_width_is_updated_rightly(dtype: type, width: int) -> None:
    for number, batch_size in enumerate(BATCH_SIZES, start=WIDTHS.index(width)):
        network = Network((INPUTS[number % len(INPUTS)], width, 3), "tanh", "softmax", "cross_entropy")
        _check_one_update(network, *_problem(network, dtype, batch_size, density=0.3))


@pytest.mark.parametrize("outputs", WIDTHS)
def test_an_output_layer_of_every_width_is_updated_rightly(dtype: type, outputs: int) -> None:
    for pair in (("identity", "squared_error"), ("softmax", "cross_entropy")):
        for sizes in ((5, outputs), (5, 33, outputs)):
            network = Network(sizes, "sigmoid", *pair)
            for batch_size in (1, 13, 130):
                _check_one_update(network, *_problem(network, dtype, batch_size, density=0.3))


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one core: run this test where there are two")
@pytest.mark.slow  # Numba compiles the form for several threads, which therefore CI alone holds
def test_a_batch_that_threads_share_is_updated_rightly(dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")
    network, before = Network((20, 65, 17, 3), "tanh", "softmax", "cross_entropy"), numba.get_num_threads()
    numba.set_num_threads(2)
    try:
        for n in (127, 128, 129, 300):  # the first is too small to be shared
            _check_one_update(network, *_problem(network, dtype, n, density=1.0), kernels=KERNELS[:1])
    finally:
        numba.set_num_threads(before)


@fast
@given(
    sizes=st.lists(st.integers(1, 140), min_size=2, max_size=5),
    hidden=st.sampled_from(HIDDEN),
    pair=st.sampled_from([("identity", "squared_error"), ("sigmoid", "cross_entropy"), ("sigmoid", "squared_error")]),
    n=st.integers(1, 300),
    density=st.sampled_from(sorted(DENSITIES.values())),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_networks_of_any_shape_are_updated_rightly(sizes, hidden, pair, n, density, dtype) -> None:
    network = Network(tuple(sizes), hidden, *pair)
    _check_one_update(network, *_problem(network, dtype, n, density=density))


@pytest.mark.parametrize(
    "sizes", [(9, 16, 4), (20, 65, 17, 3), (40, 1), (40, 33), pytest.param((3, 7, 130, 15, 2), marks=pytest.mark.slow)]
)
def test_networks_across_the_edges_of_panels_are_certified(dtype: type, sizes: tuple[int, ...]) -> None:
    # A certificate has a short last batch, single rows in sequence, saturated units and a hundred updates.
    for kernel in KERNELS:
        certificate = certify(kernel, Network(sizes, "tanh", "sigmoid", "cross_entropy"), dtype)
        assert certificate.certified, certificate


@pytest.mark.parametrize("batch_size", [1, 11, 12, 127, 253])
def test_an_epoch_with_a_short_last_batch_is_the_chain_of_its_updates(kernel, dtype: type, batch_size: int) -> None:
    network, n, rate = Network((784, 65, 10), "sigmoid", "softmax", "cross_entropy"), 300, 0.05
    theta, X, Y = _problem(network, dtype, n, density=0.2)
    order = np.random.default_rng(2).permutation(n)
    chained = theta
    for first in range(0, n, batch_size):
        rows = order[first : first + batch_size]
        chained = kernel.epoch(network, chained, X, Y, rows, len(rows), rate)
    found = kernel.epoch(network, theta, X, Y, order, batch_size, rate)
    # The sums over rows, n in all, may be taken in other parts. At this rate, below 2 over the curvature of the last
    # layer (half of 65 squares of a half, and of the bias), no update amplifies what was rounded before it.
    np.testing.assert_allclose(found, chained, rtol=0, atol=n * np.finfo(dtype).eps * np.abs(chained).max())


def test_a_single_output_sees_nothing_of_what_pads_its_units(dtype: type) -> None:
    """Padding of sigmoid units is 0.5: had their weights a step for it, the next update would."""
    network = Network((5, 9, 1), "sigmoid", "identity", "squared_error")
    theta, X, Y = _problem(network, dtype, 60, density=1)
    ours, truth = (get(name).epoch(network, theta, X, Y, np.arange(60), 7, 0.5) for name in ("tiled", "reference"))
    np.testing.assert_allclose(ours, truth, rtol=20 * np.finfo(dtype).eps * 60)


@pytest.mark.parametrize("sizes", [(5, 9, 1), (5, 9, 1, 1), (5, 70, 1, 1), (5, 1, 3), (4, 20, 9, 1), (3, 40, 2)])
def test_nothing_is_read_that_an_earlier_call_left_in_memory(sizes, kernel, dtype, monkeypatch) -> None:
    """The block is kept, and another network may have diverged in it."""
    for module in (tiled, sparse):
        monkeypatch.setattr(module, "memory", lambda elements, kind: np.full(elements, np.nan, kind))
    network = Network(sizes, "sigmoid", "identity", "squared_error")
    theta, X, Y = _problem(network, dtype, 40, density=0.2)
    truth, order, close = get("reference"), np.arange(40), {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(kernel.forward(network, theta, X), truth.forward(network, theta, X), **close)
    np.testing.assert_allclose(kernel.loss(network, theta, X, Y), truth.loss(network, theta, X, Y), **close)
    np.testing.assert_allclose(kernel.gradient(network, theta, X, Y), truth.gradient(network, theta, X, Y), **close)
    for batch_size in (1, 7):
        ours, theirs = (each.epoch(network, theta, X, Y, order, batch_size, 0.1) for each in (kernel, truth))
        np.testing.assert_allclose(ours, theirs, **close)


def test_an_infinite_input_saturates_units_and_is_no_reason_for_nan(kernel, dtype: type) -> None:
    network = Network((5, 9, 1), "sigmoid", "identity", "squared_error")
    theta, X, _ = _problem(network, dtype, 7, density=1)
    X[3, 2] = np.inf
    with np.errstate(invalid="ignore"):  # OpenBLAS multiplies its padding too on some processors
        truth = get("vectorized").forward(network, theta, X)
    assert np.isfinite(truth).all()
    np.testing.assert_allclose(kernel.forward(network, theta, X), truth, rtol=1e-5)


@pytest.mark.parametrize("density", DENSITIES.values(), ids=DENSITIES)
def test_rows_with_all_some_or_no_nonzeros_are_worked_through(dtype: type, density: float) -> None:
    network = Network((70, 33, 3), "relu", "softmax", "cross_entropy")
    for batch_size in BATCH_SIZES:
        theta, X, Y = _problem(network, dtype, batch_size, density=density)
        X[:: 2 if density else 1] = 0  # rows of zeros between the others
        _check_one_update(network, theta, X, Y)


def _of_share(share: float, dtype: type) -> np.ndarray:
    """A hundred rows of ten inputs of which exactly that share is not zero, the same in each row."""
    X = np.zeros((100, 10), dtype)
    X[:, : round(10 * share)] = _rows(100, round(10 * share), dtype, density=1.0) + 10
    return X


def test_data_exactly_at_the_threshold_take_either_path_to_the_same_place(dtype: type) -> None:
    network = Network((10, 17, 2))
    theta, _, Y = _problem(network, dtype, 100, density=1.0)
    for share in (sparse.MAX_DENSITY - 0.1, sparse.MAX_DENSITY, sparse.MAX_DENSITY + 0.1):
        _check_one_update(network, theta, _of_share(share, dtype) / 10, Y)


def test_dense_data_are_given_to_tiled_and_sparse_data_are_not(dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    network, given_to_tiled = Network((10, 17, 2)), []
    theta, _, Y = _problem(network, dtype, 100, density=1.0)
    tiled_epoch = sparse.tiled.epoch
    monkeypatch.setattr(sparse.tiled, "epoch", lambda *a: given_to_tiled.append(share) or tiled_epoch(*a))
    for share in (0.0, sparse.MAX_DENSITY, sparse.MAX_DENSITY + 0.1, 1.0):
        sparse.epoch(network, theta, _of_share(share, dtype), Y, np.arange(100), 20, RATE)
    assert given_to_tiled == [sparse.MAX_DENSITY + 0.1, 1.0]


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


@pytest.mark.parametrize(
    ("network", "itemsize", "rows"),
    [
        (Network.mlp(784, 512, 10), 8, 33),
        (Network.mlp(784, 256, 10), 8, 33),
        (Network.mlp(3072, 256, 100), 8, 384),
        (Network.softmax(40_000, 20), 8, 24),
    ],
)
def test_a_chunk_has_more_rows_where_parameters_are_large(network: Network, itemsize: int, rows: int) -> None:
    """From 6 MiB on, in networks with hidden layers."""
    assert chunk_rows(network, itemsize, 64 * 24) == rows


@pytest.mark.parametrize("sizes", [(130, 530, 270, 2), (1024, 600, 5)])
def test_large_layers_are_updated_rightly_part_by_part(dtype: type, sizes: tuple[int, ...]) -> None:
    """Left operands in parts, results that are asked for early, and rows a multiple of 4096 bytes apart."""
    network = Network(sizes, "tanh", "softmax", "cross_entropy")
    _check_one_update(network, *_problem(network, dtype, 515, density=1), kernels=(get("tiled"),))


@pytest.mark.skipif(not WIDE, reason="the tests above are of AVX2 here")
def test_large_layers_are_updated_rightly_held_to_avx2() -> None:
    said = run_held_to("avx2", __file__, "large_layers and part_by_part")
    assert "4 passed" in said, said


def test_chunks_of_large_parameters_and_a_short_last_one_give_the_gradient() -> None:
    network, rng = Network.mlp(3072, 256, 4, hidden="tanh", output="softmax"), np.random.default_rng(0)
    X, theta = rng.standard_normal((515, 3072)) / 50, network.init(rng, scheme="glorot")
    Y = np.eye(4)[rng.integers(4, size=515)]
    assert chunk_rows(network, X.itemsize, 515) < 515
    ours, other = (get(name).gradient(network, theta, X, Y) for name in ("tiled", "vectorized"))
    np.testing.assert_allclose(ours, other, rtol=1e-9, atol=1e-12)
