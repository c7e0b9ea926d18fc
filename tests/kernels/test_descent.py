"""Descent is one loop over the batch size: reproducible, complete, and never silent about divergence."""

import itertools

import numpy as np
import pytest

import kernels
from kernels import Diverged, Fit, Network, Variant

ROWS = 7
EPOCHS = 4
NETWORK = Network.mlp(3, 4, 2)


@pytest.fixture
def problem(problem_of, dtype):
    return problem_of(NETWORK, n=ROWS).astype(dtype)


def _fit(problem, name: str, **changes: object) -> Fit:
    settings = {"variant": name, "batch_size": 3, "learning_rate": 0.5, "epochs": EPOCHS, **changes}
    return kernels.fit(problem.network, problem.X, problem.Y, **settings)


def _update(theta: np.ndarray, X: np.ndarray, Y: np.ndarray, rate: float) -> np.ndarray:
    """One update of linear regression, from the formula alone: theta is d weights and an intercept."""
    residual = X @ theta[:-1] + theta[-1] - Y[:, 0]
    return theta - rate * np.append(X.T @ residual, residual.sum()) / len(X)


@pytest.mark.parametrize(
    ("batch_size", "n", "name"),
    [(1, 7, "stochastic"), (2, 7, "minibatch"), (6, 7, "minibatch"), (7, 7, "batch"), (1, 1, "batch")],
)
def test_the_batch_size_names_the_descent(batch_size: int, n: int, name: str) -> None:
    assert kernels.descent_name(batch_size, n) == name
    result = kernels.fit(
        Network.linear(1), np.ones((n, 1)), np.ones((n, 1)), batch_size=batch_size, learning_rate=0.1, epochs=1
    )
    assert (result.descent, result.batch_size, result.epochs) == (name, batch_size, 1)


@pytest.mark.parametrize("batch_size", [1, 3, ROWS])
def test_every_descent_lowers_the_loss(variant: Variant, problem, batch_size: int) -> None:
    result = _fit(problem, variant.name, batch_size=batch_size, epochs=50)
    assert result.losses[-1] < 0.9 * result.losses[0]


@pytest.mark.parametrize("batch_size", [1, 2, 3, ROWS])
def test_an_epoch_follows_the_order_and_averages_each_batch_over_its_own_rows(
    variant: Variant, dtype: type, problem_of, batch_size: int
) -> None:
    problem = problem_of(Network.linear(3), n=ROWS)  # 7 rows: batches of 2 and 3 end with a batch of one
    order = np.array([4, 2, 6, 0, 5, 1, 3])
    expected = problem.theta
    for start in range(0, ROWS, batch_size):
        batch = order[start : start + batch_size]
        expected = _update(expected, problem.X[batch], problem.Y[batch], 0.25)
    single = problem.astype(dtype)
    found = variant.epoch(single.network, single.theta, single.X, single.Y, order, batch_size, 0.25)
    # Seven updates at most, each a dozen roundings of values below 10.
    np.testing.assert_allclose(found, expected, rtol=0, atol=7 * 12 * 10 * np.finfo(dtype).eps)


def test_batch_descent_is_a_step_along_the_full_gradient(variant: Variant, problem) -> None:
    result = _fit(problem, variant.name, batch_size=ROWS, epochs=1, theta=problem.theta)
    step = 0.5 * kernels.get("reference").gradient(NETWORK, problem.theta, problem.X, problem.Y)
    # The rows arrive shuffled, so the sums over them round differently: 7 terms below 10.
    tolerance = 7 * 10 * np.finfo(problem.X.dtype).eps
    np.testing.assert_allclose(result.theta, problem.theta - step, rtol=0, atol=tolerance)


def test_losses_are_those_before_the_first_epoch_and_after_each(variant: Variant, problem) -> None:
    seen = []
    result = _fit(problem, variant.name, theta=problem.theta, callback=lambda *call: seen.append(call))
    assert [epoch for epoch, _, _ in seen] == list(range(EPOCHS + 1))
    assert result.losses == tuple(loss for _, _, loss in seen)
    assert result.losses == tuple(variant.loss(NETWORK, theta, problem.X, problem.Y) for _, theta, _ in seen)
    np.testing.assert_array_equal(seen[0][1], problem.theta)
    np.testing.assert_array_equal(seen[-1][1], result.theta)
    assert result.epochs == EPOCHS


def test_a_seed_fixes_the_fit(variant: Variant, problem) -> None:
    same, again, other = (_fit(problem, variant.name, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(same.theta, again.theta)
    assert same.losses == again.losses
    assert same.losses[0] != other.losses[0]


def test_a_seed_fixes_the_order_apart_from_the_start(problem) -> None:
    drawn = _fit(problem, "vectorized", seed=1, epochs=0).theta
    np.testing.assert_array_equal(
        _fit(problem, "vectorized", seed=1, theta=drawn).theta, _fit(problem, "vectorized", seed=1).theta
    )
    one, other = (_fit(problem, "vectorized", seed=seed, theta=drawn) for seed in (1, 2))
    assert one.losses[0] == other.losses[0]
    assert one.losses[1:] != other.losses[1:]


def test_every_epoch_takes_each_row_once_in_an_order_of_its_own(variant: Variant) -> None:
    network, X, Y = Network.linear(1), np.array([[1.0], [2.0], [-2.0]]), np.array([[1.0], [0.0], [3.0]])
    ends = []

    def keep(epoch: int, theta: np.ndarray, loss: float) -> None:
        ends.append(theta.copy())

    kernels.fit(network, X, Y, variant=variant.name, batch_size=1, learning_rate=0.1, epochs=12, callback=keep)
    orders = [
        [order for order in itertools.permutations(range(3)) if np.allclose(_walk(before, X, Y, order), after)]
        for before, after in itertools.pairwise(ends)
    ]
    assert all(len(found) == 1 for found in orders)  # exactly one order explains each epoch
    assert len({found[0] for found in orders}) > 3  # 12 draws of the 6 orders: fewer has a chance of 2 in 100,000


def _walk(theta: np.ndarray, X: np.ndarray, Y: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    for row in order:
        theta = _update(theta, X[[row]], Y[[row]], 0.1)
    return theta


def test_a_fit_leaves_global_random_state_and_inputs_alone(variant: Variant, problem) -> None:
    before = [array.tobytes() for array in problem.copies()]
    state = np.random.get_state()[1].tolist()  # noqa: NPY002 - the state that must stay
    result = _fit(problem, variant.name, theta=problem.theta)
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002
    assert [array.tobytes() for array in (problem.theta, problem.X, problem.Y)] == before
    assert not np.shares_memory(result.theta, problem.theta)


def test_no_epochs_give_a_copy_of_the_start(variant: Variant, problem) -> None:
    result = _fit(problem, variant.name, theta=problem.theta, epochs=0)
    np.testing.assert_array_equal(result.theta, problem.theta)
    assert not np.shares_memory(result.theta, problem.theta)
    assert result.losses == (variant.loss(NETWORK, problem.theta, problem.X, problem.Y),)


@pytest.mark.parametrize("last", [0, 2])
def test_a_callback_that_returns_true_ends_the_fit(variant: Variant, problem, last: int) -> None:
    full = _fit(problem, variant.name, callback=lambda epoch, theta, loss: None)
    short = _fit(problem, variant.name, callback=lambda epoch, theta, loss: epoch == last)
    assert short.epochs == last
    assert short.losses == full.losses[: last + 1]
    np.testing.assert_array_equal(short.theta, _fit(problem, variant.name, epochs=last).theta)


def test_numpy_scalars_do_not_change_the_dtype(variant: Variant, problem) -> None:
    plain = _fit(problem, variant.name, batch_size=2)
    for rate, batch_size in (
        (np.float64(0.5), 2),
        (np.float32(0.5), 2),
        (0.5, np.int64(2)),
        (np.float32(0.5), np.int64(2)),
    ):
        result = _fit(problem, variant.name, learning_rate=rate, batch_size=batch_size)
        assert result.theta.dtype == problem.X.dtype
        np.testing.assert_array_equal(result.theta, plain.theta)


def test_inputs_need_not_be_contiguous(variant: Variant, problem) -> None:
    plain = _fit(problem, variant.name)
    wide = np.repeat(problem.X, 2, axis=1)[:, ::2], np.asfortranarray(problem.Y)
    assert not wide[0].flags.c_contiguous
    found = kernels.fit(NETWORK, *wide, variant=variant.name, batch_size=3, learning_rate=0.5, epochs=EPOCHS)
    # The copies begin elsewhere, and a BLAS may sum by alignment: twelve updates, each a dozen roundings below 10.
    tolerance = 12 * 12 * 10 * np.finfo(problem.X.dtype).eps
    np.testing.assert_allclose(found.theta, plain.theta, rtol=0, atol=tolerance)


def _diverging(variant: Variant, dtype: type, rate: float, epochs: int, losses: list[float]) -> Fit:
    """Fit y = 1 at x = 1 from zero: the residual is 1 at first, and 1 - 2 rate times the last one after an update."""
    network, ones = Network.linear(1), np.ones((2, 1), dtype)
    return kernels.fit(
        network,
        ones,
        ones,
        variant=variant.name,
        batch_size=2,
        learning_rate=rate,
        epochs=epochs,
        theta=np.zeros(2, dtype),
        callback=lambda epoch, theta, loss: losses.append(loss),
    )


def test_a_diverging_fit_stops_and_says_in_which_epoch(variant: Variant, dtype: type) -> None:
    losses: list[float] = []
    with pytest.raises(Diverged, match=r"^the fit diverged in epoch 3 at learning rate 3: try a smaller one") as caught:
        _diverging(variant, dtype, 3.0, 100, losses)
    # The residual grows by -5 an update, the loss by 25: 15,625 times after three, beyond the 10,000 allowed.
    assert caught.value.epoch == 3
    assert caught.value.losses == tuple(losses)
    np.testing.assert_allclose(losses, [0.5, 0.5 * 25, 0.5 * 625], rtol=1e-6)
    assert _diverging(variant, dtype, 3.0, 2, losses).epochs == 2
    assert _diverging(variant, dtype, float(str(caught.value).split()[-1]), 9, losses).epochs == 9


def test_a_fit_never_returns_values_that_are_not_finite(
    variant: Variant, dtype: type, problem_of, network: Network
) -> None:
    problem = problem_of(network, n=ROWS).astype(dtype)
    sizes = np.roll([1, 3, ROWS], network.n_layers).tolist()  # every rate meets every batch size in some depth
    for rate, batch_size in zip((1e10, 1e30, 1e300), sizes, strict=True):
        try:
            result = _fit(problem, variant.name, learning_rate=rate, batch_size=batch_size)
        except Diverged as error:
            losses, epochs, theta = error.losses, error.epoch - 1, np.zeros(1)
        else:
            losses, epochs, theta = result.losses, EPOCHS, result.theta
        assert len(losses) == epochs + 1
        assert np.isfinite(losses).all()
        assert np.isfinite(theta).all()


def test_linear_regression_at_an_absurd_rate_diverges(variant: Variant, dtype: type, problem_of) -> None:
    problem = problem_of(Network.linear(3), n=ROWS).astype(dtype)
    for rate in (1e10, 1e30, 1e300):
        with pytest.raises(Diverged, match="in epoch 1 at"):
            _fit(problem, variant.name, learning_rate=rate)


def test_a_start_that_is_already_out_of_range_diverges_in_epoch_0_whatever_the_rate(variant: Variant) -> None:
    huge = np.full(2, 1e30, np.float32)
    remedy = "^the loss of the starting parameters is not finite: scale X and Y, or start from smaller parameters$"
    with pytest.raises(Diverged, match=remedy) as caught:
        kernels.fit(
            Network.linear(1),
            np.ones((2, 1), np.float32),
            np.ones((2, 1), np.float32),
            variant=variant.name,
            batch_size=1,
            learning_rate=0.1,
            epochs=1,
            theta=huge,
        )
    assert (caught.value.epoch, caught.value.losses) == (0, ())
