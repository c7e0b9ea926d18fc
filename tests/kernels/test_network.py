"""A network describes sizes, presets and pairs; theta has the documented layout; starts follow their formulas."""

import dataclasses

import numpy as np
import pytest

from kernels import Network
from kernels.network import OUTPUT_LOSSES, SCHEMES

WIDE = Network((400, 300, 200), hidden="tanh", output="identity", loss="squared_error")
WEIGHT_SCHEMES = tuple(scheme for scheme in SCHEMES if scheme != "zeros")


def test_the_default_is_the_tutorials_network() -> None:
    network = Network()
    assert (network.sizes, network.hidden) == ((784, 128, 10), "sigmoid")
    assert (network.output, network.loss) == ("sigmoid", "cross_entropy")
    assert network.n_parameters == 784 * 128 + 128 + 128 * 10 + 10


@pytest.mark.parametrize(
    ("preset", "same"),
    [
        (Network.linear(5), Network((5, 1), output="identity", loss="squared_error")),
        (Network.linear(5, 2), Network((5, 2), output="identity", loss="squared_error")),
        (Network.logistic(5), Network((5, 1), output="sigmoid", loss="cross_entropy")),
        (Network.logistic(5, k=3), Network((5, 3), output="sigmoid", loss="cross_entropy")),
        (Network.softmax(5, 3), Network((5, 3), output="softmax", loss="cross_entropy")),
        (Network.mlp(5, 4, 3), Network((5, 4, 3))),
        (Network.mlp(5, np.int64(4), 3), Network((5, 4, 3))),
        (Network.mlp(5, (4, 2), 3, hidden="relu", output="softmax"), Network((5, 4, 2, 3), "relu", "softmax")),
        (Network.mlp(5, (), 3), Network.logistic(5, 3)),
    ],
    ids=str,
)
def test_presets_are_short_for_networks(preset: Network, same: Network) -> None:
    assert preset == same
    assert hash(preset) == hash(same)


def test_a_network_is_frozen_and_takes_a_list_of_sizes() -> None:
    network = Network([3, 2])  # type: ignore[arg-type]
    assert network == Network((3, 2))
    assert hash(network) == hash(Network((3, 2)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        network.hidden = "relu"  # type: ignore[misc]


def test_sizes_and_activations_of_each_layer() -> None:
    network = Network((5, 4, 3, 2), "relu", "softmax", "cross_entropy")
    assert (network.n_inputs, network.n_outputs, network.n_layers) == (5, 2, 3)
    assert network.shapes == ((5, 4), (4, 3), (3, 2))
    assert network.activations == ("relu", "relu", "softmax")
    assert network.n_parameters == (5 + 1) * 4 + (4 + 1) * 3 + (3 + 1) * 2


@pytest.mark.parametrize("pair", OUTPUT_LOSSES, ids="+".join)
def test_the_label_names_what_the_network_is(pair: tuple[str, str]) -> None:
    assert str(Network((3, 2), "relu", *pair)) == f"3-2 {pair[0]}+{pair[1]}"
    assert str(Network((3, 4, 2), "relu", *pair)) == f"3-4-2 relu {pair[0]}+{pair[1]}"


def test_theta_holds_w_row_by_row_then_b_layer_by_layer() -> None:
    (W1, b1), (W2, b2) = Network((2, 3, 1)).unpack(np.arange(13.0))
    np.testing.assert_array_equal(W1, [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(b1, [6, 7, 8])
    np.testing.assert_array_equal(W2, [[9], [10], [11]])
    np.testing.assert_array_equal(b2, [12])


def test_unpack_gives_views(network: Network, dtype: type) -> None:
    theta = np.zeros(network.n_parameters, dtype)
    for number, (W, b) in enumerate(network.unpack(theta), start=1):
        assert W.dtype == b.dtype == dtype
        W += number
        b -= number
    expected = [
        sign * number
        for number, (fan_in, fan_out) in enumerate(network.shapes, start=1)
        for sign, size in ((1, fan_in * fan_out), (-1, fan_out))
        for _ in range(size)
    ]
    np.testing.assert_array_equal(theta, expected)


def _weights(scheme: str, *, seed: int = 0) -> list[np.ndarray]:
    return [W for W, _ in WIDE.unpack(WIDE.init(np.random.default_rng(seed), scheme=scheme))]


VARIANCES = {
    "normal": lambda fan_in, fan_out: 1 / fan_in,
    "glorot": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "he": lambda fan_in, fan_out: 2 / fan_in,
}


@pytest.mark.parametrize("scheme", WEIGHT_SCHEMES)
def test_weights_have_the_variance_of_their_scheme(scheme: str) -> None:
    for W, shape in zip(_weights(scheme), WIDE.shapes, strict=True):
        variance = VARIANCES[scheme](*shape)
        # Standard errors: sqrt(var / N) of the mean, at most var * sqrt(2 / N) of the variance; five of each.
        assert abs(W.mean()) < 5 * np.sqrt(variance / W.size)
        assert abs(W.var() / variance - 1) < 5 * np.sqrt(2 / W.size)


@pytest.mark.parametrize(("scheme", "kurtosis"), [("normal", 3.0), ("he", 3.0), ("glorot", 1.8)])
def test_weights_have_the_distribution_of_their_scheme(scheme: str, kurtosis: float) -> None:
    for W in _weights(scheme):
        standardised = (W - W.mean()) / W.std()
        # The fourth power of a normal value has variance 105 - 9 = 96, that of a uniform one less.
        assert abs(np.mean(standardised**4) - kurtosis) < 5 * np.sqrt(96 / W.size)


def test_glorot_fills_its_interval_and_stays_within() -> None:
    for W, (fan_in, fan_out) in zip(_weights("glorot"), WIDE.shapes, strict=True):
        bound = np.sqrt(6 / (fan_in + fan_out))
        assert 0.999 * bound < np.abs(W).max() <= bound


@pytest.mark.parametrize("scheme", SCHEMES)
def test_biases_start_at_zero(scheme: str) -> None:
    for W, b in WIDE.unpack(WIDE.init(np.random.default_rng(0), scheme=scheme)):
        assert not b.any()
        assert W.any() == (scheme != "zeros")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_both_dtypes_start_from_the_same_point(scheme: str) -> None:
    single, double = (WIDE.init(np.random.default_rng(3), dtype, scheme) for dtype in (np.float32, np.float64))
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    np.testing.assert_array_equal(single, double.astype(np.float32))


@pytest.mark.parametrize("scheme", WEIGHT_SCHEMES)
def test_the_generator_fixes_the_start(scheme: str) -> None:
    np.testing.assert_array_equal(_weights(scheme, seed=1)[0], _weights(scheme, seed=1)[0])
    assert not np.array_equal(_weights(scheme, seed=1)[0], _weights(scheme, seed=2)[0])
