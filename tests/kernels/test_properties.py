"""What holds for any shape and for extreme values: finite results, agreement, composition, purity."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given, settings
from scipy import special

from kernels import Network, Variant, get, variants
from kernels.network import HIDDEN, OUTPUT_LOSSES

# Compilation and loading of compiled code break any deadline; the same examples every time, so that a
# failure belongs to a change of the code and not to the day.
moderate = settings(max_examples=40)

networks = st.builds(
    lambda sizes, hidden, pair: Network(tuple(sizes), hidden, *pair),
    st.lists(st.integers(1, 9), min_size=2, max_size=5),
    st.sampled_from(HIDDEN),
    st.sampled_from(OUTPUT_LOSSES),
)
rows = st.integers(1, 17)
seeds = st.integers(0, 2**32 - 1)
pre_activations = st.one_of(st.sampled_from([-1e4, -100.0, 0.0, 100.0, 1e4]), st.floats(-1e4, 1e4, width=32))
RATE = 0.25
RECOMPILED = {"sparse": pytest.mark.slow}
"""Numba compiles large functions anew for arrays that are read-only."""
VARIANTS = tuple(get(name) for name in variants())
"""All of them, the reference first, on the same examples."""


def _tolerance(network: Network, X: np.ndarray, dtype: type, *, updates: int = 1) -> float:
    """Bound on the distance of two orders of summation, relative to the size of the values.

    A sum of m products is off by at most m epsilon times the sum of their magnitudes. The sums here are those
    of each layer, there and back, and of the rows; the factor 8 is for magnitudes above 1 (|x| up to some 4)
    and for the roundings of activations. Each update adds as much again.
    """
    return 8 * (2 * sum(network.sizes) + len(X)) * float(np.finfo(dtype).eps) * updates


def _assert_near(found: object, expected: object, tolerance: float, variant: Variant) -> None:
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale, err_msg=variant.name)


@moderate
@given(network=networks, n=rows, seed=seeds)
def test_every_variant_agrees_with_the_reference(
    dtype: type, problem_of, kink_distance, network: Network, n: int, seed: int
) -> None:
    problem = problem_of(network, n=n, seed=seed).astype(dtype)
    arrays = problem.theta, problem.X, problem.Y
    tolerance = _tolerance(network, problem.X, dtype)
    assume(kink_distance(problem) > 10 * tolerance)  # nearer than that, rounding decides which side a relu is on
    reference, *others = VARIANTS
    outputs, loss = reference.forward(network, *arrays[:2]), reference.loss(network, *arrays)
    gradient = reference.gradient(network, *arrays)
    for variant in others:
        _assert_near(variant.forward(network, *arrays[:2]), outputs, tolerance, variant)
        _assert_near(variant.loss(network, *arrays), loss, tolerance, variant)
        _assert_near(variant.gradient(network, *arrays), gradient, tolerance, variant)


@moderate
@given(network=networks, n=rows, seed=seeds, data=st.data())
def test_results_have_the_right_shape_and_dtype_and_inputs_are_unchanged(
    dtype: type, problem_of, network: Network, n: int, seed: int, data: st.DataObject
) -> None:
    batch_size = data.draw(st.integers(1, n))
    problem = problem_of(network, n=n, seed=seed).astype(dtype)
    theta, X, Y, order = arrays = (*problem.copies(), np.random.default_rng(seed).permutation(n))
    before = [array.tobytes() for array in arrays]
    for variant in VARIANTS:
        outputs = variant.forward(network, theta, X)
        gradient = variant.gradient(network, theta, X, Y)
        after = variant.epoch(network, theta, X, Y, order, batch_size, RATE)
        assert outputs.shape == (n, network.n_outputs), variant.name
        assert gradient.shape == after.shape == (network.n_parameters,), variant.name
        assert outputs.dtype == gradient.dtype == after.dtype == dtype, variant.name
        assert type(variant.loss(network, theta, X, Y)) is float, variant.name
        assert [array.tobytes() for array in arrays] == before, variant.name


@pytest.mark.parametrize("name", [pytest.param(name, marks=RECOMPILED.get(name, ())) for name in variants()])
def test_inputs_may_be_read_only(name: str, problem_of) -> None:
    # Memory-mapped files and pandas hand out such arrays; an order is made, not handed out. One dtype is enough.
    network, variant = Network((4, 3, 2)), get(name)
    problem = problem_of(network, n=5)
    arrays, order = problem.copies(), np.arange(5)
    expected = variant.gradient(network, *arrays), variant.epoch(network, *arrays, order, 2, RATE)
    for array in arrays:
        array.flags.writeable = False
    found = variant.gradient(network, *arrays), variant.epoch(network, *arrays, order, 2, RATE)
    tolerance = _tolerance(network, problem.X, np.float64, updates=3)
    _assert_near(np.stack(found), np.stack(expected), tolerance, variant)


@moderate
@given(network=networks, n=rows, seed=seeds, data=st.data())
def test_results_belong_to_the_caller(
    dtype: type, problem_of, network: Network, n: int, seed: int, data: st.DataObject
) -> None:
    batch_size = data.draw(st.integers(1, n))
    problem = problem_of(network, n=n, seed=seed).astype(dtype)
    theta, X, Y, order = problem.theta, problem.X, problem.Y, np.arange(n)

    def results(variant: Variant) -> list[np.ndarray]:
        epoch = variant.epoch(network, theta, X, Y, order, batch_size, RATE)
        return [variant.forward(network, theta, X), variant.gradient(network, theta, X, Y), epoch]

    for variant in VARIANTS:
        first = results(variant)
        kept = [result.tobytes() for result in first]
        second = results(variant)
        assert [result.tobytes() for result in second] == kept, variant.name  # same inputs, same output
        for result in second:
            assert not any(np.shares_memory(result, array) for array in (theta, X, Y, *first)), variant.name
            result.fill(np.nan)
        assert [result.tobytes() for result in first] == kept, variant.name


@moderate
@given(network=networks, n=rows, seed=seeds, data=st.data())
def test_an_epoch_is_the_chain_of_its_updates(
    dtype: type, problem_of, kink_distance, network: Network, n: int, seed: int, data: st.DataObject
) -> None:
    batch_size = data.draw(st.integers(1, n))
    problem = problem_of(network, n=n, seed=seed).astype(dtype)
    order = np.random.default_rng(seed).permutation(n)
    tolerance = _tolerance(network, problem.X, dtype, updates=-(-n // batch_size))
    for variant in VARIANTS:
        by_epochs = by_gradients = problem.theta
        for start in range(0, n, batch_size):
            batch = order[start : start + batch_size]
            X, Y = problem.X[batch], problem.Y[batch]
            by_epochs = variant.epoch(network, by_epochs, X, Y, np.arange(len(batch)), len(batch), RATE)
            by_gradients = by_gradients - RATE * variant.gradient(network, by_gradients, X, Y)
            assume(kink_distance(type(problem)(network, by_gradients, problem.X, Y)) > 10 * tolerance)
        found = variant.epoch(network, problem.theta, problem.X, problem.Y, order, batch_size, RATE)
        _assert_near(found, by_epochs, tolerance, variant)
        _assert_near(found, by_gradients, tolerance, variant)


@moderate
@given(
    z=st.lists(pre_activations, min_size=1, max_size=4), pair=st.sampled_from(OUTPUT_LOSSES), which=st.integers(0, 3)
)
def test_extreme_pre_activations_of_the_last_layer_stay_finite(
    dtype: type, z: list[float], pair: tuple[str, str], which: int
) -> None:
    network = Network((1, len(z)), "sigmoid", *pair)
    theta, X = np.array([0.0] * len(z) + z, dtype), np.zeros((1, 1), dtype)
    Y = np.eye(len(z), dtype=dtype)[[which % len(z)]]
    scale = max(1.0, *map(abs, z)) ** (2 if pair[1] == "squared_error" else 1)
    tolerance = 64 * np.finfo(dtype).eps * len(z)  # some ten roundings of each of at most 4 terms
    outputs, loss = _exact_outputs(z, pair[0]), _exact_loss(z, Y[0].astype(float), pair)
    for variant in VARIANTS:
        with np.errstate(all="raise", under="ignore"):  # a value too small to hold is a proper zero
            found = variant.forward(network, theta, X), variant.loss(network, theta, X, Y)
            gradient = variant.gradient(network, theta, X, Y)
        np.testing.assert_allclose(found[0][0], outputs, rtol=tolerance, atol=tolerance, err_msg=variant.name)
        np.testing.assert_allclose(found[1], loss, rtol=0, atol=tolerance * scale, err_msg=variant.name)
        assert np.isfinite(gradient).all(), variant.name


def _exact_outputs(z: list[float], output: str) -> np.ndarray:
    """Outputs in float64, by SciPy's stable functions."""
    return {"identity": np.array, "softmax": special.softmax, "sigmoid": special.expit}[output](np.array(z))


def _exact_loss(z: list[float], y: np.ndarray, pair: tuple[str, str]) -> float:
    """Loss of one row in float64, by SciPy's stable functions."""
    values = np.array(z)
    if pair[1] == "squared_error":
        return float(np.sum((_exact_outputs(z, pair[0]) - y) ** 2) / 2)
    if pair[0] == "softmax":
        return float(-np.sum(y * special.log_softmax(values)))
    return float(-np.sum(y * special.log_expit(values) + (1 - y) * special.log_expit(-values)))


@moderate
@given(
    z=st.lists(pre_activations, min_size=1, max_size=4),
    hidden=st.sampled_from(HIDDEN),
    pair=st.sampled_from(OUTPUT_LOSSES),
    sign=st.sampled_from([-1.0, 1.0]),
)
def test_extreme_pre_activations_of_hidden_layers_stay_finite(
    dtype: type, z: list[float], hidden: str, pair: tuple[str, str], sign: float
) -> None:
    network = Network((1, len(z), 2), hidden, *pair)
    (W1, b1), (W2, b2) = network.unpack(theta := np.zeros(network.n_parameters, dtype))
    W1[:], b1[:], W2[:], b2[:] = z, 0, sign / len(z), [0, 1]  # so that the last sums are within 1e4 as well
    X, Y = np.array([[1], [-1]], dtype), np.eye(2, dtype=dtype)
    for variant in VARIANTS:
        with np.errstate(all="raise", under="ignore"):
            results = variant.forward(network, theta, X), variant.gradient(network, theta, X, Y)
            loss = variant.loss(network, theta, X, Y)
        assert np.isfinite(loss), variant.name
        assert all(np.isfinite(result).all() for result in results), variant.name
