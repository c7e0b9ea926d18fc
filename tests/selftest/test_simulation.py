"""Exhaustive runs of simulated problems: rows, losses, crossings and their errors, each by a second route."""

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.linear_model import LogisticRegression

import kernels
from gdbench.pick.steps.crossing import whole
from kernels import InputError, Network
from selftest import run
from selftest.simulated.cells import find_cell, looks_between, settle
from selftest.simulated.crossings import crossings, redrawn, spread, vertex
from selftest.simulated.descent import Descent, stream
from selftest.simulated.losses import Goal, goal_of, least_loss, losses
from selftest.simulated.problems import PROBLEMS, Problem
from selftest.simulated.simulation import simulate
from selftest.simulated.stored import read

CLOSE = pytest.approx


@cache
def problem(name: str) -> Problem:
    return PROBLEMS[name]()


def line_of_rows() -> Problem:
    """Least squares on rows of unlike columns: descent with all rows is known in closed form."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((64, 3)) * (1.0, 0.5, 0.2)
    Y = X @ np.ones((3, 1)) + 0.1 * rng.standard_normal((64, 1))
    return Problem("line", "linear", 99, Network.linear(3), X, Y, loss=0.02)


@pytest.mark.parametrize("name", PROBLEMS)
def test_losses_are_those_of_the_reference_kernel(name: str) -> None:
    one, rng = problem(name), np.random.default_rng(3)
    thetas = np.stack([one.network.init(rng, scheme="normal") for _ in range(3)])
    reference = kernels.get("reference")
    expected = [reference.loss(one.network, theta, one.X[:50], one.Y[:50]) for theta in thetas]
    np.testing.assert_allclose(losses(one.network, thetas, one.X[:50], one.Y[:50]), expected, rtol=1e-10)
    assert np.isinf(losses(one.network, thetas * np.nan, one.X[:50], one.Y[:50])).all()


def test_rows_come_from_an_endless_stream_of_permutations() -> None:
    rows = stream(np.random.default_rng(0), 7, 40)
    assert len(rows) == 40
    for first in range(0, 35, 7):
        assert sorted(rows[first : first + 7]) == list(range(7))
    assert (rows[:7] != rows[7:14]).any()
    np.testing.assert_array_equal(stream(np.random.default_rng(0), 7, 10), rows[:10])


def test_runs_see_the_same_rows_at_every_rate_and_however_long_they_are() -> None:
    descent = Descent(problem("iris-4-16-3"), 8, seed=5)
    few, many = np.array([0, 3, 9]), np.array([9, 40])
    both = descent.losses({0.1: few, 0.05: many}, range(4))
    np.testing.assert_allclose(both[0.1], descent.losses({0.1: few}, range(4))[0.1], rtol=1e-12)
    np.testing.assert_allclose(both[0.05][2:], descent.losses({0.05: many}, range(2, 4))[0.05], rtol=1e-12)
    starting = losses(descent.problem.network, descent.start(2)[None], descent.problem.X, descent.problem.Y)
    assert both[0.1][2, 0] == CLOSE(starting[0])
    assert len(set(both[0.1][:, 0])) == 4


def test_a_run_is_descent_by_the_reference_on_exactly_b_rows_a_step() -> None:
    one = problem("wine-softmax")
    descent = Descent(one, 100, seed=5)
    _, rng = descent._begin(3)
    rows, theta = stream(rng, 178, 500), np.zeros(one.network.n_parameters)
    for step in range(5):  # 500 rows: the second and the fourth step reach into the next permutation
        some = rows[100 * step : 100 * step + 100]
        theta = theta - 0.5 * kernels.get("reference").gradient(one.network, theta, one.X[some], one.Y[some])
    expected = kernels.get("reference").loss(one.network, theta, one.X, one.Y)
    assert descent.losses({0.5: np.array([5])}, range(3, 4))[0.5][0, 0] == CLOSE(expected, rel=1e-10)


def test_crossings_of_exponential_curves_are_exact_between_looks_and_beyond() -> None:
    goal, steps = Goal(target=1.5, floor=1.0, start=2.0), np.array([3, 6, 9, 12])
    halves = np.array([5.0, 7.5, 11.0, 2.0, 14.0])
    means = 1 + 0.5 ** (steps / halves[:, None])
    np.testing.assert_allclose(crossings(steps, means, goal), halves, rtol=1e-9)


def test_the_error_of_the_steps_is_that_of_repeated_simulations() -> None:
    goal, steps, rng = Goal(1.5, 1.0, 2.0), np.arange(20, 60), np.random.default_rng(0)

    def simulated() -> np.ndarray:
        return 1 + np.exp(-steps / rng.normal(50, 10, 200)[:, None])

    found = [float(crossings(steps, simulated().mean(axis=0)[None], goal)[0]) for _ in range(200)]
    told = spread(crossings(steps, redrawn(200, 0) @ simulated(), goal))
    assert told == CLOSE(np.std(np.log(found)), rel=0.3)


def test_the_vertex_is_that_of_the_parabola() -> None:
    rates = [0.5, 1.0, 1.5]
    steps = np.exp(2 + 0.3 * (np.log(rates) - 0.1) ** 2)
    rate, least = vertex(rates, np.column_stack([steps, 2 * steps]))
    assert rate == CLOSE(math.exp(0.1))
    np.testing.assert_allclose(least, [math.exp(2), 2 * math.exp(2)])


def test_settling_goes_to_the_least_and_looks_hold_the_crossing() -> None:
    assert settle(0, 8, lambda place: abs(place - 50)) == 48
    assert looks_between(40.2, 50.1).tolist() == list(range(40, 52))
    assert looks_between(0.3, 2).tolist() == [0, 1, 2]
    looks = looks_between(1000.5, 4000)
    assert (looks[0], looks[-1], len(looks)) == (1000, 4000, 9)
    assert (np.diff(np.log(looks)) < 0.2).all()


def test_all_rows_at_once_give_the_closed_form() -> None:
    """Errors along eigenvectors shrink by ``1 - rate * curvature``: steps and the best rate follow without any run."""
    one = line_of_rows()
    X = np.column_stack([one.X, np.ones(64)])
    curvature, vectors = np.linalg.eigh(X.T @ X / 64)
    best = np.linalg.lstsq(X, one.Y, rcond=None)[0]
    wrong, floor = vectors.T @ best[:, 0], np.square(X @ best - one.Y).mean() / 2

    def expected(rate: float) -> float:
        if rate * curvature[-1] >= 2:
            return math.inf
        curve = floor + (wrong**2 * curvature * (1 - rate * curvature) ** (2 * np.arange(2000)[:, None])).sum(1) / 2
        return float(np.argmax(curve <= 0.02)) if (curve <= 0.02).any() else math.inf

    found = find_cell(Descent(one, 64, 0), goal_of(one, np.zeros((1, 4))), rate=0.3)
    assert found.log_error == 0
    for rate in found.rates:
        assert (whole(rate.steps) if math.isfinite(rate.steps) else math.inf) == expected(rate.learning_rate)
    assert whole(found.steps) == min(expected(rate) for rate in np.geomspace(0.05, 5, 2000))


def test_a_simulation_goes_on_where_it_was_and_refuses_another_problem(tmp_path: Path) -> None:
    said = list[str]()
    first = simulate(line_of_rows(), tmp_path, 0, said.append, [64])
    assert [cell.batch_size for cell in first.cells] == [64]
    both = simulate(line_of_rows(), tmp_path, 0, said.append, [64, 32])
    assert [line.split(":")[1] for line in said] == [" B = 64", " B = 32"]
    assert both.cell(64) == read("line", tmp_path).cell(64)
    assert both.cell(32).steps == CLOSE(both.cell(64).steps, rel=0.5)
    with pytest.raises(InputError, match="another problem, seed or goal"):
        simulate(line_of_rows(), tmp_path, 1, said.append, [64])


def test_the_command_names_the_problems_it_knows(tmp_path: Path) -> None:
    done = CliRunner().invoke(run.main, ["simulation", "--only", "nothing", "--folder", str(tmp_path)])
    assert done.exit_code == 2
    assert "simulation has no nothing: choose wine-softmax" in done.output


@pytest.mark.parametrize("name", ["unbalanced-softmax"])
def test_the_least_loss_is_that_of_scikit_learn(name: str) -> None:
    one = problem(name)
    labels = one.Y[:, 0] if one.Y.shape[1] == 1 else one.Y.argmax(axis=1)
    model = LogisticRegression(C=1e12, tol=1e-10, max_iter=10_000).fit(one.X, labels)
    W, b = model.coef_.T, model.intercept_
    theta = np.concatenate([W.ravel(), b])
    assert least_loss(one) == CLOSE(float(losses(one.network, theta[None], one.X, one.Y)[0]), rel=1e-6)
