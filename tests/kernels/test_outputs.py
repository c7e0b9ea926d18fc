"""The last layer's softmax and deltas are right for every number of outputs, also where a row holds NaN or infinity."""

import numpy as np
import pytest

from gdbench.verify.bounds import SAFETY, bounds
from kernels import Network, get
from kernels.variants._tiled.emitter import AVX2, WIDE

from ..helpers import run_held_to

OUTPUTS = (2, 3, 4, 5, 8, 9, 15, 16, 17, 31, 33, 63, 65, 100, 130)
"""On both sides of a vector of each width, and of one panel and several."""
ENDS = (
    ("softmax", "cross_entropy"),
    ("sigmoid", "cross_entropy"),
    ("sigmoid", "squared_error"),
    ("identity", "squared_error"),
)


@pytest.mark.parametrize(("output", "loss"), ENDS)
def test_an_update_is_right_for_every_number_of_outputs(dtype: type, output: str, loss: str) -> None:
    rng = np.random.default_rng(0)
    for k in OUTPUTS:
        network = Network((5, k), "relu", output, loss)
        theta, X, Y = rng.normal(size=6 * k) - 3, rng.normal(size=(29, 5)), rng.dirichlet(np.ones(k), size=29)
        theta, X, Y = (values.astype(dtype) for values in (theta, X, Y))
        order = rng.permutation(29)[:19]
        wide = theta.astype(float), X[order].astype(float), Y[order].astype(float)
        allowed = bounds(network, *wide, theta.dtype).update(0.5)
        found = get("tiled").epoch(network, theta, X, Y, order, 19, 0.5)
        strain = np.abs(found - allowed.value) / (SAFETY * allowed.error)
        assert strain.max() <= 1, f"{network}: {strain.max():.3g} times the tolerance"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_row_that_is_no_number_spoils_its_own_outputs_alone(dtype: type, bad: float) -> None:
    network, rng = Network.softmax(4, 37), np.random.default_rng(0)
    theta, X = network.init(rng, dtype), rng.normal(size=(9, 4)).astype(dtype)
    right = get("tiled").forward(network, theta, X)
    X[3, 2] = bad
    found = get("tiled").forward(network, theta, X)
    assert np.isnan(found[3]).all()
    np.testing.assert_array_equal(np.delete(found, 3, axis=0), np.delete(right, 3, axis=0))


@pytest.mark.skipif(not (WIDE or AVX2), reason="this processor has no AVX2 to be held to")
@pytest.mark.parametrize("level", ["avx2", "sse4"])
def test_all_of_this_holds_held_to_older_processors(level: str) -> None:
    said = run_held_to(level, __file__, "not held_to")
    assert "12 passed" in said, said
