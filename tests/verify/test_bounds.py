"""The bounds of rounding errors hold what computations in float32 and float64 do, without being loose."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kernels
from gdbench.verify.bounds import Bounded, Bounds, bounds
from gdbench.verify.inputs import random_situation, random_targets
from kernels import Network
from kernels.network import DTYPES, HIDDEN, OUTPUT_LOSSES

UNITS = {"float32": 2.0**-24, "float64": 2.0**-53}
LOOSENESS = 1000
"""Ordinary errors are this many times below their bound at most: bounds are for the worst case, and for any order."""
ORDERS = (lambda terms: terms, lambda terms: terms[::-1], np.sort, lambda terms: np.sort(terms)[::-1])


def _networks() -> st.SearchStrategy[Network]:
    sizes = st.lists(st.integers(1, 6), min_size=2, max_size=5).map(tuple)
    return st.builds(
        lambda sizes, hidden, pair: Network(sizes, hidden, *pair),
        sizes,
        st.sampled_from(HIDDEN),
        st.sampled_from(OUTPUT_LOSSES),
    )


def _answers(name: str, network: Network, theta, X, Y) -> dict[str, np.ndarray]:
    kernel = kernels.get(name)
    return {
        "forward": kernel.forward(network, theta, X),
        "loss": np.asarray(kernel.loss(network, theta, X, Y)),
        "gradient": kernel.gradient(network, theta, X, Y),
    }


def _situation_bounds(situation, network: Network, dtype: str) -> tuple[dict[str, np.ndarray], Bounds]:
    arguments = situation.wide()
    return _answers("reference", network, *arguments), bounds(network, *arguments, dtype)


@settings(max_examples=150)
@given(
    network=_networks(),
    rows=st.integers(1, 20),
    seed=st.integers(0, 2**32 - 1),
    weights=st.floats(-6, 4),
    inputs=st.floats(-4, 3),
    ends=st.booleans(),
)
def test_bounds_hold_the_errors_of_float32(network, rows, seed, weights, inputs, ends) -> None:
    """Weights and inputs of very different scale; targets at the ends of their range or between."""
    situation = random_situation(network, "float32", rows=rows, seed=seed)
    theta = situation.theta * np.float32(10.0**weights)
    X = situation.X * np.float32(10.0**inputs)
    Y = random_targets(network, rows, np.random.default_rng(seed)).astype("float32") if ends else situation.Y
    wide = theta.astype(float), X.astype(float), Y.astype(float)
    truth, limits = _answers("reference", network, *wide), bounds(network, *wide, "float32")
    for name in ("reference", "vectorized"):
        with np.errstate(over="ignore", invalid="ignore"):  # a product of four weights of 1e4 may leave float32
            found = _answers(name, network, theta, X, Y)
        for answer, values in found.items():
            error, allowed = np.abs(values - truth[answer]), getattr(limits, answer).error
            inside = np.abs(truth[answer]) < 1e30
            assert (error <= allowed)[inside].all(), (name, answer, np.max((error / allowed)[inside]))


@pytest.mark.parametrize("pair", OUTPUT_LOSSES, ids=str)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_bounds_of_stacked_parameters_are_those_of_each(hidden: str, pair: tuple[str, str]) -> None:
    network = Network((5, 4, 3, 2), hidden, *pair)
    theta, X, Y = random_situation(network, "float64", rows=7, seed=0).wide()
    thetas = np.stack([theta, -theta, 2 * theta])
    together = bounds(network, thetas, X, Y, "float32")
    for i, one in enumerate(bounds(network, theta, X, Y, "float32") for theta in thetas):
        pairs = [(getattr(together, of), getattr(one, of)) for of in ("forward", "loss", "gradient")]
        for stacked, single in [*pairs, (together.update(0.5), one.update(0.5))]:
            np.testing.assert_allclose(stacked.value[i], single.value, rtol=1e-12, atol=1e-15)
            np.testing.assert_allclose(stacked.error[i], single.error, rtol=1e-12)


@settings(max_examples=200)
@given(
    seed=st.integers(0, 2**32 - 1),
    m=st.integers(1, 400),
    spread=st.floats(0, 12),
    order=st.sampled_from(range(len(ORDERS))),
)
def test_bound_of_a_sum_holds_for_any_order_and_cancellation(seed, m, spread, order) -> None:
    rng = np.random.default_rng(seed)
    terms = (rng.normal(size=m) * 10 ** rng.uniform(-spread, spread, m)).astype("float32")
    terms = np.concatenate([terms, -terms])  # the true sum is 0
    one_by_one = np.cumsum(ORDERS[order](terms), dtype="float32")[-1]
    bounded = Bounded.exact(terms, "float32").sum(0)
    assert abs(float(one_by_one) - float(np.sum(terms, dtype=float))) <= bounded.error
    assert bounded.error <= 1.01 * 2 * m * UNITS["float32"] * np.abs(terms.astype(float)).sum()


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32 - 1), m=st.integers(1, 400), size=st.floats(-3, 6), place=st.floats(0, 1))
def test_bound_of_products_added_to_a_value_holds_wherever_the_value_stands_among_them(seed, m, size, place) -> None:
    """A parameter much larger than its step loses bits of every product that is summed onto it."""
    rng = np.random.default_rng(seed)
    a, b = (rng.normal(size=values).astype("float32") for values in ((1, m), (m, 1)))
    start = np.array([[rng.normal() * 10**size]], dtype="float32")
    products = (Bounded.exact(a, "float32") @ Bounded.exact(b, "float32")).added_to(
        Bounded.exact(start, "float32"), m=m
    )
    terms = np.insert(a[0] * b[:, 0], round(place * m), start)
    one_by_one = np.cumsum(terms, dtype="float32")[-1]
    assert abs(float(one_by_one) - products.value[0, 0]) <= products.error[0, 0]
    magnitude = np.abs(a.astype(float)) @ np.abs(b) + np.abs(start)
    assert products.error[0, 0] <= 1.01 * (m + 2) * UNITS["float32"] * magnitude[0, 0]


def test_bound_of_an_update_grows_with_its_rows_where_the_parameters_are_large() -> None:
    network, relative = Network.linear(1), []
    for n in (10, 100, 1000):
        theta = np.array([1e6, 0.0])
        update = bounds(network, theta, np.full((n, 1), 1e-6), np.ones((n, 1)), "float32").update(0.5)
        relative.append(float(update.error[0] / theta[0]) / UNITS["float32"])
    np.testing.assert_allclose(relative, [11, 101, 1001], rtol=0.01)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("operation", ["add", "subtract", "multiply", "matmul"])
def test_bounds_of_single_operations_hold_and_are_within_one_rounding_a_step(operation: str, dtype: str) -> None:
    rng = np.random.default_rng(1)
    a, b = (rng.normal(size=(8, 8)).astype(dtype) for _ in range(2))
    exact = getattr(np, operation)(a.astype("longdouble"), b.astype("longdouble"))
    left, right = Bounded.exact(a, dtype), Bounded.exact(b, dtype)
    chosen = {"add": "__add__", "subtract": "__sub__", "multiply": "__mul__", "matmul": "__matmul__"}[operation]
    limit = getattr(left, chosen)(right).error
    error = np.abs(getattr(np, operation)(a, b) - exact)
    assert (error <= limit).all()
    assert error.max() > 0  # otherwise nothing was rounded and the bound not tried
    steps = 8 if operation == "matmul" else 1
    scale = np.abs(a) @ np.abs(b) if operation == "matmul" else np.abs(getattr(np, operation)(a, b))
    assert (limit <= 1.01 * steps * UNITS[dtype] * scale + 1e-30).all()


@pytest.mark.parametrize("pair", OUTPUT_LOSSES, ids="+".join)
@pytest.mark.parametrize("sizes", [(4, 3), (20, 10, 5), (5, 4, 3, 2), (6, 5, 4, 3, 2)], ids=str)
def test_bounds_are_not_loose_for_ordinary_inputs(sizes: tuple[int, ...], pair: tuple[str, str]) -> None:
    network = Network(sizes, "tanh", *pair)
    situation = random_situation(network, "float32", rows=32, seed=0)
    truth, limits = _situation_bounds(situation, network, "float32")
    found = _answers("vectorized", network, situation.theta, situation.X, situation.Y)
    for answer in ("forward", "gradient"):  # of a single number, such as the loss, the error may happen to be 0
        error = np.abs(found[answer] - truth[answer]).max()
        assert error <= getattr(limits, answer).error.max() <= LOOSENESS * error, answer
    assert limits.loss.error <= 1e-4 * truth["loss"]


@pytest.mark.parametrize("pair", OUTPUT_LOSSES, ids="+".join)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_bounds_scale_with_epsilon(hidden: str, pair: tuple[str, str]) -> None:
    network = Network((5, 4, 3), hidden, *pair)
    situation = random_situation(network, "float32", rows=13, seed=0)
    single, double = (bounds(network, *situation.wide(), dtype) for dtype in DTYPES)
    for answer in ("forward", "loss", "gradient"):
        wide, narrow = getattr(single, answer).error, getattr(double, answer).error
        ordinary = narrow > 1e-300  # not the smallest number alone, which is another one in float32
        assert ordinary.any()
        np.testing.assert_allclose(wide[ordinary] / narrow[ordinary], 2.0**29, rtol=1e-3)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bound_of_a_weighted_sum_grows_with_its_length(dtype: str) -> None:
    relative = []
    for m in (10, 100, 1000):
        network = Network.linear(m)
        ones = np.ones(network.n_parameters), np.ones((1, m)), np.ones((1, 1))
        forward = bounds(network, *ones, dtype).forward
        relative.append(float((forward.error / forward.value)[0, 0]) / UNITS[dtype])
    np.testing.assert_allclose(relative, [10, 100, 1000], rtol=0.15)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bound_of_a_gradient_grows_with_its_rows(dtype: str) -> None:
    network = Network.linear(1)
    errors = []
    for n in (100, 400, 1600):
        arguments = np.array([1.0, 0.0]), np.ones((n, 1)), np.zeros((n, 1))
        errors.append(float(bounds(network, *arguments, dtype).gradient.error[0]) / UNITS[dtype])
    np.testing.assert_allclose(errors, [100, 400, 1600], rtol=0.1)


def test_relu_is_open_only_where_rounding_may_move_its_argument_across_0() -> None:
    network = Network((1, 1, 1), "relu", "identity", "squared_error")
    theta, Y = np.array([1.0, -1.0, 1.0, 0.0]), np.array([[5.0]])
    at_the_kink, beside_it, below = (
        bounds(network, theta, np.array([[x]]), Y, "float32").gradient.error[0] for x in (1.0, 1.01, 0.9)
    )
    assert at_the_kink >= 5  # the whole derivative is open
    assert beside_it < 1e-4
    assert below < 1e-4


@pytest.mark.parametrize("pair", OUTPUT_LOSSES, ids="+".join)
def test_what_cancellation_costs_a_weighted_sum_reaches_every_answer(pair: tuple[str, str]) -> None:
    """4097 x 4097 - 4096 x 4098 is 1, but in float32 the first product is a multiple of 2 and the sum is 0."""
    network = Network((2, 2), "sigmoid", *pair)
    theta, X, Y = np.array([4097.0, 0, -4098, 0, 0, 0]), np.array([[4097.0, 4096.0]]), np.array([[0.0, 1.0]])
    of_one, limits = _answers("reference", network, theta, X, Y), bounds(network, theta, X, Y, "float32")
    of_zero = _answers("reference", network, 0 * theta, X, Y)
    for answer in ("forward", "loss", "gradient"):
        difference = np.abs(of_one[answer] - of_zero[answer])
        assert difference.max() > 0.05
        assert (difference <= getattr(limits, answer).error).all(), answer
