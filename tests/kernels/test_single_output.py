"""Networks of one weight for each input are updated rightly, however many inputs and rows fill vectors and chunks."""

import numpy as np
import pytest

from gdbench.verify.bounds import SAFETY, bounds
from kernels import Network, get
from kernels.variants._tiled.emitter import AVX2, WIDE
from kernels.variants._tiled.far_rows import FAR_DATA_BYTES
from kernels.variants._tiled.single_output import LEAST_ROWS, MOST_ROWS

from ..helpers import run_held_to

INPUTS = (1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 65, 130, 300)
"""On both sides of one vector of each width, and of the columns that are summed at once."""
ROWS = (
    1,
    2,
    3,
    4,
    5,
    8,
    9,
    LEAST_ROWS - 1,
    LEAST_ROWS,
    LEAST_ROWS + 1,
    MOST_ROWS - 1,
    MOST_ROWS,
    MOST_ROWS + 1,
    2 * MOST_ROWS + 3,
)
OUTPUTS = (("sigmoid", "cross_entropy"), ("sigmoid", "squared_error"), ("identity", "squared_error"))


def problem(n: int, d: int, dtype: type) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(d)
    theta, X = rng.normal(size=d + 1) / np.sqrt(d), rng.normal(size=(n, d))
    return theta.astype(dtype), X.astype(dtype), rng.random((n, 1)).astype(dtype)


def check_update(network: Network, theta: np.ndarray, X: np.ndarray, Y: np.ndarray, rows: np.ndarray) -> None:
    """One update by these rows, named by their numbers, against the truth in float64 and what rounding may do to it."""
    found = get("tiled").epoch(network, theta, X, Y, rows, len(rows), 0.25)
    allowed = bounds(network, theta.astype(float), X[rows].astype(float), Y[rows].astype(float), theta.dtype)
    allowed = allowed.update(0.25)
    strain = np.abs(found - allowed.value) / (SAFETY * allowed.error)
    assert strain.max() <= 1, f"{network}, {len(rows)} rows: {strain.max():.3g} at {strain.argmax()} of {strain.size}"


@pytest.mark.parametrize(("output", "loss"), OUTPUTS)
def test_every_number_of_inputs_and_rows_is_updated_rightly(dtype: type, output: str, loss: str) -> None:
    for d in INPUTS:
        theta, X, Y = problem(max(ROWS) + 7, d, dtype)
        network, order = Network((d, 1), "relu", output, loss), np.random.default_rng(1).permutation(len(X))
        for n in ROWS:
            check_update(network, theta, X, Y, order[:n])


def test_rows_that_are_asked_for_are_those_that_come(dtype: type) -> None:
    """Data beyond the second cache, up to the last row of the order, and with the last rows of the data in front."""
    network, d = Network.logistic(784), 784
    theta, X, Y = problem(FAR_DATA_BYTES // (d * np.dtype(dtype).itemsize) + 40, d, dtype)
    for order in (np.arange(len(X)), np.arange(len(X))[::-1].copy()):
        for n in (1, 2, 40, len(X)):
            check_update(network, theta, X, Y, order[:n])


def test_a_batch_does_not_see_what_the_one_before_it_left(dtype: type) -> None:
    """A diverged call is no reason for NaN in the next, and batches of one epoch follow one another."""
    network, d = Network.linear(21), 21
    theta, X, Y = problem(100, d, dtype)
    order = np.arange(100)
    with np.errstate(all="ignore"):
        lost = get("tiled").epoch(network, np.full_like(theta, np.inf), X, Y, order, 10, 0.1)
    assert np.isnan(lost).any()
    check_update(network, theta, X, Y, order)
    followed = theta
    for start in range(0, 100, 30):
        rows = order[start : start + 30]
        followed = get("tiled").epoch(network, followed, X, Y, rows, len(rows), 0.1)
    at_once = get("tiled").epoch(network, theta, X, Y, order, 30, 0.1)
    np.testing.assert_allclose(at_once, followed, rtol=1e-5 if dtype == np.float32 else 1e-13)


@pytest.mark.skipif(not (WIDE or AVX2), reason="this processor has no AVX2 to be held to")
@pytest.mark.parametrize("level", ["avx2", "sse4"])
def test_all_of_this_holds_held_to_older_processors(level: str) -> None:
    said = run_held_to(level, __file__, "not held_to")
    assert "10 passed" in said, said
