"""What a trajectory may deviate is small beside its parameters, and beside what any one slip in it changes."""

from dataclasses import replace

import numpy as np
import pytest

import kernels
from gdbench.verify import trajectory
from gdbench.verify.trajectory import BATCH_SIZES, MAX_LEARNING_RATE, ROWS, UPDATES, Trajectory, trajectories
from kernels import Network
from kernels.epochs import batches, build_epoch
from kernels.network import DTYPES

from ..helpers import in_turns

SMALL = {"float32": 1e-3, "float64": 1e-12}
"""Far above the tolerances of ordinary networks, far below any fault: relative to the largest parameter."""
DIVERGING = Network((6, 32, 5), "relu", "identity", "squared_error")
NETWORKS = [Network.linear(4, 3), Network.softmax(4, 3), Network((5, 4, 3), "tanh"), Network((5, 4, 4, 2), "relu")]


def _skipping(skipped: int):
    """Reference epochs in which one update of the whole trajectory is left out."""
    made = iter(range(10 * UPDATES))

    def epoch(network, theta, X, Y, order, batch_size, learning_rate):
        for rows in batches(order, batch_size):
            if next(made) != skipped:
                theta = theta - learning_rate * kernels.get("reference").gradient(network, theta, X[rows], Y[rows])
        return theta

    return epoch


@pytest.fixture(scope="module", params=DTYPES)
def dtype(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module", params=in_turns(NETWORKS))
def paths(request: pytest.FixtureRequest) -> list[Trajectory]:
    return trajectories(*request.param)


def test_batch_sizes_are_stochastic_uneven_and_all_rows() -> None:
    assert BATCH_SIZES[0] == 1
    assert ROWS % BATCH_SIZES[1] > 0
    assert BATCH_SIZES[-1] == ROWS


def test_tolerance_is_small_beside_the_parameters(paths: list[Trajectory]) -> None:
    dtype = paths[0].situation.theta.dtype.name
    for path in paths:
        assert np.finfo(dtype).eps / 2 <= path.tolerance <= SMALL[dtype]


def test_the_reference_itself_deviates_less_than_it_may(paths: list[Trajectory]) -> None:
    deviations = [path.deviation(kernels.get("reference").epoch) for path in paths]
    assert all(found <= path.tolerance for found, path in zip(deviations, paths, strict=True))
    if paths[0].situation.theta.dtype == np.float32:
        assert max(deviations) > 0


def test_one_skipped_update_is_seen_wherever_it_is(paths: list[Trajectory]) -> None:
    """By one trajectory at least: in batch descent, a linear model has converged and an update more changes nothing."""
    for skipped in (0, UPDATES // 4, UPDATES // 2, UPDATES - 1):
        assert max(path.deviation(_skipping(skipped)) / path.tolerance for path in paths) > 2, skipped
    assert all(path.deviation(_skipping(-1)) <= path.tolerance for path in paths)  # none is skipped


def test_parameters_move_far_in_a_hundred_updates(paths: list[Trajectory]) -> None:
    for path in paths:
        moved = np.abs(path.truth - path.situation.wide()[0]).max()
        assert moved > 0.05 * np.abs(path.truth).max()


def test_rows_and_parameters_are_handed_out_as_copies(paths: list[Trajectory]) -> None:
    def spoil(network, theta, X, Y, order, batch_size, learning_rate):
        for values in (theta, X, Y):
            values[:] = 7
        return theta

    path = paths[0]
    before = [values.copy() for values in path.situation.wide()]
    path.deviation(spoil)
    for old, new in zip(before, path.situation.wide(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_learning_rate_is_halved_until_the_reference_descends(dtype: str) -> None:
    assert {path.learning_rate for path in trajectories(NETWORKS[1], dtype)} == {MAX_LEARNING_RATE}
    paths, loss = trajectories(DIVERGING, dtype), kernels.get("reference").loss
    assert min(path.learning_rate for path in paths) < MAX_LEARNING_RATE
    for path in paths:
        start, X, Y = path.situation.wide()
        assert loss(DIVERGING, path.truth, X, Y) <= loss(DIVERGING, start, X, Y)


def test_rates_are_tried_by_a_fast_variant_and_the_reference_makes_the_one_trajectory(dtype: str, monkeypatch) -> None:
    asked = []
    counted = {
        name: replace(kernels.get(name), epoch=lambda *a, name=name: asked.append(name) or kernels.get(name).epoch(*a))
        for name in ("reference", "vectorized")
    }
    monkeypatch.setattr(trajectory, "get", counted.__getitem__)
    paths = trajectories(DIVERGING, dtype)
    epochs = sum(-(-UPDATES // -(-ROWS // size)) for size in BATCH_SIZES)
    assert asked.count("reference") == epochs
    assert asked.count("vectorized") > epochs  # a rate was halved
    for path, usual in zip(paths, trajectories(DIVERGING, dtype), strict=True):
        np.testing.assert_array_equal(path.truth, usual.truth)


def test_a_wrong_variant_does_not_choose_the_rates(dtype: str, monkeypatch) -> None:
    """With its sign turned no rate would descend, until it is so small that nothing moves."""
    vectorized = kernels.get("vectorized")
    wrong = build_epoch(lambda *a: -vectorized.gradient(*a))
    turned = replace(vectorized, gradient=lambda *a: -vectorized.gradient(*a), epoch=wrong)
    usual = trajectories(NETWORKS[1], dtype)
    monkeypatch.setattr(trajectory, "get", lambda name: turned if name == "vectorized" else kernels.get(name))
    for path, other in zip(trajectories(NETWORKS[1], dtype), usual, strict=True):
        assert path.learning_rate == other.learning_rate
        np.testing.assert_array_equal(path.truth, other.truth)


@pytest.mark.parametrize("network", [DIVERGING, Network((64, 32, 32, 10), "relu", "softmax")], ids=str)
def test_rounding_is_not_amplified(network: Network, dtype: str) -> None:
    """A hundred updates, each off by u for each term of its longest sum; eight times that; u is half of epsilon."""
    for path in trajectories(network, dtype):
        assert path.tolerance <= 400 * np.finfo(dtype).eps * max(ROWS, *network.sizes)
