"""The oracles that picks are judged on: their closed forms, what they draw, and their steps."""

import math
import pickle
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from gdbench.pick.steps.crossing import hit
from gdbench.pick.steps.trials import Trial, look_grid, run_trial
from selftest.picks.exact import Powers, best_rate, crossing, exact_steps, expected_losses
from selftest.picks.family import FAMILY, Instance, gaussian, quadratic, rows_of
from selftest.picks.oracles import Gaussian, Oracle, Quadratic, Rows

SLOW = {"digits"}  # its moments are matrices of 1953 rows: seconds for each rate
LIGHT = [name for name in FAMILY if name not in SLOW]


@cache
def instance(name: str) -> Instance:
    return FAMILY[name]()


def small_rows() -> Rows:
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.standard_normal((12, 3)) * [1, 2, 0.5], np.ones(12)])
    return Rows(X, X @ [1.0, -1.0, 2.0, 0.5] + rng.standard_normal(12), entropy=5)


def small_gaussian() -> Gaussian:
    return Gaussian(np.array([2.0, 1.0, 0.1]), np.array([1.0, -2.0, 3.0]), 0.7, entropy=5)


def small_quadratic() -> Quadratic:
    return Quadratic(np.array([2.0, 1.0, 0.1]), np.array([0.5, 2.0, 0.1]), np.array([1.0, -2.0, 3.0]), entropy=5)


SMALL: list[Callable[[], Oracle]] = [small_rows, small_gaussian, small_quadratic]


def plain_rows(oracle: Rows, batch_size: int, rate: float, count: int) -> np.ndarray:
    """Mean and second moment of the error, as full matrices in the columns of the data."""
    X, y, n = oracle.X, oracle.y, len(oracle.X)
    H, w = X.T @ X / n, np.linalg.lstsq(X, y, rcond=None)[0]
    e, mu, losses = y - X @ w, -w, []
    M, c = np.outer(mu, mu), (n - batch_size) / (batch_size * (n - 1))
    for _ in range(count):
        losses.append(np.sum(H * M) / 2)
        squares = ((X @ M) * X).sum(axis=1) - 2 * e * (X @ mu) + e**2
        spread = X.T @ (squares[:, None] * X) / n - H @ M @ H
        M = M - rate * (H @ M + M @ H) + rate**2 * (H @ M @ H + c * spread)
        mu = mu - rate * H @ mu
    return np.array(losses)


def plain_gaussian(oracle: Gaussian, batch_size: int, rate: float, count: int) -> np.ndarray:
    """Second moment as a full matrix, the fourth moments of a Gaussian row by Isserlis."""
    H, M, losses = np.diag(oracle.h), np.outer(oracle.optimum, oracle.optimum), []
    for _ in range(count):
        losses.append(np.sum(H * M) / 2)
        spread = H @ M @ H + H * (np.sum(H * M) + oracle.label_variance)
        M = M - rate * (H @ M + M @ H) + rate**2 * (H @ M @ H + spread / batch_size)
    return np.array(losses)


def plain_quadratic(oracle: Quadratic, batch_size: int, rate: float, count: int) -> np.ndarray:
    m, losses = oracle.first**2, []
    for _ in range(count):
        losses.append(oracle.h @ m / 2)
        m = (1 - rate * oracle.h) ** 2 * m + rate**2 * oracle.c / batch_size
    return np.array(losses)


PLAIN = {Rows: plain_rows, Gaussian: plain_gaussian, Quadratic: plain_quadratic}


@pytest.mark.parametrize("name", ["wine", "diabetes", "gaussian-100-0.1", "gaussian-10-0", "quadratic-1"])
@pytest.mark.parametrize("share", [0.97, 0.1, 0.003])
def test_the_closed_form_is_the_recursion_of_moments(name: str, share: float) -> None:
    oracle = instance(name).oracle
    for size in (1, 16, (oracle.n_rows or 1000) - 1, oracle.n_rows or 4096):
        rate = share * oracle.stable_rate(size)
        plain = PLAIN[type(oracle)](oracle, size, rate, 200)
        np.testing.assert_allclose(expected_losses(oracle, size, rate, np.arange(200)), plain, rtol=1e-8)


def simulate(oracle: Oracle, size: int, rate: float, seeds: range, steps: int) -> np.ndarray:
    """(steps + 1, S) losses of runs."""
    runs = oracle.begin(size, rate, seeds)
    losses = [runs.losses()]
    for _ in range(steps):
        runs.advance(1)
        losses.append(runs.losses())
    return np.array(losses)


SIMULATED = [
    ("wine", 1, 0.3),
    ("wine", 16, 0.5),
    ("wine", 128, 0.8),
    ("diabetes", 8, 0.1),
    ("breast_cancer", 64, 0.3),
    ("gaussian-10-0", 1, 0.5),
    ("gaussian-10-0.1", 4, 0.3),
    ("gaussian-100-1", 256, 0.3),
    ("quadratic-1", 1, 0.1),
    ("quadratic-0.1", 64, 0.8),
]


@pytest.mark.parametrize(("name", "size", "share"), SIMULATED)
def test_simulated_losses_and_steps_are_the_exact_ones(name: str, size: int, share: float) -> None:
    problem = instance(name)
    oracle, rate, runs = problem.oracle, share * problem.oracle.stable_rate(size), 400
    found = simulate(oracle, size, rate, range(runs), 120)
    exact = expected_losses(oracle, size, rate, np.arange(121))
    for step in (1, 10, 120):
        error = found[step].std(ddof=1) / math.sqrt(runs)
        assert abs(found[step].mean() - exact[step]) < 3 * error
    goal = 0.5 * exact[0] + 0.5 * exact.min()
    without = (found.sum(axis=1, keepdims=True) - found) / (runs - 1)  # the mean curves of all runs but one
    left_out = np.array([first_crossing(curve, goal) for curve in without.T])
    error = math.sqrt((runs - 1) / runs * np.square(left_out - left_out.mean()).sum())
    steps = first_crossing(found.mean(axis=1), goal)
    assert 0 < error < 0.2 * steps
    assert abs(steps - exact_steps(oracle, size, rate, goal)) < 3 * error


def first_crossing(losses: np.ndarray, goal: float) -> float:
    first = int(np.flatnonzero(losses <= goal)[0])
    return float(np.interp(-math.log(goal), -np.log(losses[first - 1 : first + 1]), [first - 1, first]))


@pytest.mark.parametrize("name", ["wine", "diabetes"])
def test_all_rows_at_once_leave_nothing_to_chance(name: str) -> None:
    oracle = instance(name).oracle
    n, rate = oracle.n_rows, 0.7 * oracle.stable_rate(oracle.n_rows)
    found = simulate(oracle, n, rate, range(2), 50)
    exact = expected_losses(oracle, n, rate, np.arange(51))
    np.testing.assert_allclose(found, np.stack([exact, exact], axis=1), rtol=1e-7)


@pytest.mark.parametrize("name", LIGHT)
def test_no_rate_beyond_the_stable_ones_reaches_the_goal(name: str) -> None:
    problem = instance(name)
    oracle = problem.oracle
    top = 2 / (np.linalg.norm(oracle.H, 2) if isinstance(oracle, Rows) else oracle.h.max())
    for size in (1, 8, problem.candidates[-1]):
        assert exact_steps(oracle, size, 1.02 * top, problem.goal) == math.inf
    assert exact_steps(oracle, problem.candidates[-1], 0.9 * top, problem.goal) < math.inf
    assert expected_losses(oracle, 8, 5 * top, [10_000]) == math.inf


def test_the_stability_bound_of_gaussian_rows_is_sufficient_and_nearly_sharp() -> None:
    oracle = gaussian(10, 0)
    for size in (1, 4, 16, 64, 1024):
        bound = oracle.stable_rate(size)
        assert expected_losses(oracle, size, 0.999 * bound, [100_000])[0] < 1e-6
        assert expected_losses(oracle, size, 2.0 * bound, [100_000])[0] > 1e6


def test_noise_keeps_a_goal_out_of_reach_until_the_rate_falls() -> None:
    oracle, goal = quadratic(10), 0.01 * float(quadratic(10).losses(quadratic(10).first[None])[0])
    assert exact_steps(oracle, 1, 0.1, goal) == math.inf
    rate, steps = best_rate(oracle, 1, goal)
    assert rate < 0.01
    assert steps < exact_steps(oracle, 1, rate / 1.2, goal)
    assert steps < exact_steps(oracle, 1, rate * 1.2, goal)
    assert best_rate(small_quadratic(), 1, 0.0)[1] == math.inf


def test_a_crossing_is_the_first_and_lies_between_steps() -> None:
    halving = Powers(np.array([1.0]), np.array([0.5]))
    assert crossing(halving, 0.25) == pytest.approx(2)
    assert crossing(halving, 2**-3.25) == pytest.approx(3.25)
    assert crossing(halving, 1.5) == 0
    dip = Powers(np.array([1.0, 3.0, -3.0]), np.array([0.9995, 1.0, 0.99999]))  # falls to 0.2 in 2000 steps, rises to 3
    losses = dip.at(np.arange(10**6))
    assert losses[-1] > 2
    assert crossing(dip, 0.5) == pytest.approx(first_crossing(losses, 0.5), abs=1e-6)
    assert crossing(Powers(np.array([1.0, 0.1]), np.array([0.5, 1.0])), 0.0999) == math.inf


@pytest.mark.parametrize("near", [0.01, 100.0])
def test_the_best_rate_is_found_wherever_the_search_begins(near: float) -> None:
    problem = instance("gaussian-100-0.1")
    rate, steps = best_rate(problem.oracle, 8, problem.goal)
    again = best_rate(problem.oracle, 8, problem.goal, near=near * rate)
    assert again[1] == pytest.approx(steps, rel=1e-3)
    scan = [exact_steps(problem.oracle, 8, rate * 2**power, problem.goal) for power in np.linspace(-2, 2, 41)]
    assert steps <= min(scan) * 1.0005


def drawn(oracle: Oracle, theta: np.ndarray, size: int, count: int) -> np.ndarray:
    """(count, p) gradients of batches at one theta, from 40 runs: what a step at a learning rate of 1 goes."""
    runs, found = oracle.begin(size, 1.0, range(40)), []
    for _ in range(count // 40):
        runs.thetas[:] = theta
        runs.advance(1)
        found.append(theta - runs.thetas)
    return np.concatenate(found)


@pytest.mark.parametrize("make", SMALL)
def test_a_mean_gradient_is_the_slope_of_the_loss(make: Callable[[], Oracle]) -> None:
    oracle = make()
    theta = np.random.default_rng(1).standard_normal(len(oracle.start(0)))
    small = 1e-5 * np.eye(len(theta))
    slope = (oracle.losses(theta + small) - oracle.losses(theta - small)) / 2e-5
    found = drawn(oracle, theta, 2, 4000)
    error = found.std(axis=0, ddof=1) / math.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - slope) < 3.5 * error).all()
    assert oracle.noise_scale(theta)[1] == pytest.approx(slope @ slope, rel=1e-6)


@pytest.mark.parametrize("make", SMALL)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 9])
def test_the_spread_of_gradients_is_that_of_a_batch(make: Callable[[], Oracle], size: int) -> None:
    oracle = make()
    theta = np.random.default_rng(2).standard_normal(len(oracle.start(0)))
    found = drawn(oracle, theta, size, 6000)
    deviations = np.square(found - found.mean(axis=0)).sum(axis=1)
    n = oracle.n_rows
    share = 1 / size if n is None else (n - size) / (size * (n - 1))
    error = deviations.std() / math.sqrt(len(found))
    assert abs(deviations.mean() - share * oracle.noise_scale(theta)[0]) < 3.5 * error


def test_many_gaussian_rows_are_as_their_triangle_in_second_and_fourth_moments() -> None:
    oracle, size = small_gaussian(), 7
    rows, noise = oracle.draw(np.random.default_rng(1), size, 20_000)
    assert rows.shape[1:] == (3, 3)
    grams = rows.transpose(0, 2, 1) @ rows
    expected = np.diag(oracle.h)
    assert np.abs(grams.mean(axis=0) - expected).max() < 0.03
    variance = (np.outer(oracle.h, oracle.h) + np.diag(oracle.h**2)) / size  # of a Wishart matrix over its freedom
    np.testing.assert_allclose(grams.var(axis=0), variance, rtol=0.08)
    pulls = np.einsum("srp,sr->sp", rows, noise)
    np.testing.assert_allclose(pulls.var(axis=0), oracle.label_variance * oracle.h / size, rtol=0.05)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 7, 11, 12])
def test_a_batch_has_different_rows_each_as_often(size: int) -> None:
    (index,) = small_rows().draw(np.random.default_rng(1), size, 12_000)
    m = min(size, 12 - size)
    assert index.shape[1] == m
    member = np.zeros((len(index), 12))
    np.put_along_axis(member, index, 1, axis=1)
    assert (member.sum(axis=1) == m).all()
    share, error = m / 12, math.sqrt(0.25 / len(index))
    assert np.abs(member.mean(axis=0) - share).max() < 4 * error
    pairs = member.T @ member / len(member)
    together = m * (m - 1) / (12 * 11)
    assert np.abs(pairs[~np.eye(12, dtype=bool)] - together).max() < 4.5 * error


@pytest.mark.parametrize("size", [1, 2, 5, 7, 11, 12])
def test_a_step_goes_down_the_mean_gradient_of_its_rows(size: int) -> None:
    oracle = small_rows()
    runs = oracle.begin(size, 0.3, (0, 1))
    runs.thetas[:] = before = np.random.default_rng(4).standard_normal((2, 4))
    runs.advance(1)
    for run in range(2):
        named = runs.batches[0][run, 0]
        rows = named if len(named) == size else np.setdiff1d(np.arange(12), named)
        X, y = oracle.X[rows], oracle.y[rows]
        assert len(X) == size
        expected = before[run] - 0.3 * X.T @ (X @ before[run] - y) / size
        np.testing.assert_allclose(runs.thetas[run], expected, atol=1e-12)


@pytest.mark.parametrize("make", SMALL)
@pytest.mark.parametrize("size", [1, 3, 8])
def test_a_run_depends_on_its_own_seed_alone(make: Callable[[], Oracle], size: int) -> None:
    oracle = pickle.loads(pickle.dumps(make()))
    assert oracle.key == make().key
    together = simulate(make(), size, 0.01, range(5), 20)
    alone = np.concatenate([simulate(oracle, size, 0.01, range(seed, seed + 1), 20) for seed in range(5)], axis=1)
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    at_once, by_parts = oracle.begin(size, 0.01, range(5)), oracle.begin(size, 0.01, range(5))
    at_once.advance(20_000)  # more than is drawn at a time
    for _ in range(8):
        by_parts.advance(2500)
    np.testing.assert_allclose(at_once.losses(), by_parts.losses(), rtol=1e-12)
    assert len(set(together[-1])) == 5


def test_keys_differ_with_whatever_runs_depend_on() -> None:
    oracles = [*(make() for make in SMALL), gaussian(10, 0), gaussian(10, 0.1), gaussian(100, 0), rows_of("wine")]
    oracles.append(Rows(small_rows().X, small_rows().y, entropy=6))
    assert len({oracle.key for oracle in oracles}) == len(oracles)


def test_the_runs_of_a_trial_reach_the_goal_in_the_exact_steps() -> None:
    problem = instance("gaussian-10-0.1")
    rate, steps = best_rate(problem.oracle, 8, problem.goal)
    looks = look_grid(steps / 2, 2 * steps, 1.1)
    curves = run_trial(problem.oracle, Trial(8, rate, tuple(range(200)), looks, problem.goal))
    found = hit(curves.looks, curves.losses, goal=problem.goal, floor=problem.oracle.floor)
    assert abs(math.log(found.steps / steps)) < 3 * found.log_error
    assert found.log_error < 0.1
    assert np.isinf(run_trial(problem.oracle, Trial(8, 1e3, (0,), (10_000,), problem.goal)).losses).all()
