"""An order of rows may have any type of integers, and name a row several times or not at all."""

import numpy as np
import pytest

import kernels
from kernels import Network

NETWORKS = (Network.logistic(20), Network.softmax(20, 3), Network.mlp(20, 9, 1, output="sigmoid"))


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.uint32, np.uint64])
@pytest.mark.parametrize("variant", ["vectorized", "jit", "tiled", "sparse"])
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_orders_of_other_integers_are_followed(variant: str, network: Network, kind: type) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 20)) * (rng.random((30, 20)) < 0.3)
    Y = np.eye(network.n_outputs)[rng.integers(0, network.n_outputs, 30)]
    theta, order = network.init(rng), rng.integers(0, 30, 41)
    for batch_size in (1, 7):
        epoch = kernels.get(variant).epoch
        expected = epoch(network, theta, X, Y, order, batch_size, 0.1)
        found = epoch(network, theta, X, Y, order.astype(kind), batch_size, 0.1)
        np.testing.assert_array_equal(found, expected)
