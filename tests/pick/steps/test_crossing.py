"""Where the mean of runs crosses a goal: exact where it is known, with intervals that hold as often as they say."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gdbench.experiments import datasets
from gdbench.pick.steps.crossing import Hit, hit, slope, whole
from gdbench.pick.steps.optimum import find_optimum
from gdbench.pick.steps.problem import NetworkProblem
from gdbench.pick.steps.trials import Trial, look_grid, run_trial
from kernels import Network

GOAL = 0.01
NORMAL_90 = stats.norm.ppf(0.95)


def exponential(looks: np.ndarray, steps: float) -> np.ndarray:
    """A loss that falls from 1 to the goal in so many steps."""
    return GOAL ** (looks / steps)


def power_law(looks: np.ndarray, steps: float) -> np.ndarray:
    return GOAL * (looks / steps) ** -1.5


def about(steps: float, ratio: float = 1.13) -> np.ndarray:
    """Looks as those of runs that are counted."""
    return np.array(look_grid(0.65 * steps, 1.55 * steps, ratio))


def noise(kind: str, shape: tuple[int, int], seed: int) -> np.ndarray:
    """(T, S) factors that are 1 in the mean, alike at neighbouring looks."""
    rng, z = np.random.default_rng(seed), np.empty(shape)
    z[0] = rng.normal(size=shape[1])
    for look in range(1, shape[0]):
        z[look] = 0.9 * z[look - 1] + math.sqrt(1 - 0.81) * rng.normal(size=shape[1])
    if kind == "normal":
        return 1 + 0.3 * z
    if kind == "log-normal":
        return np.exp(0.5 * z - 0.125)
    return stats.expon.ppf(stats.norm.cdf(z))


def noisy_hit(kind: str, runs: int, seed: int, steps: float = 120.0) -> Hit:
    looks = about(steps)
    losses = power_law(looks, steps)[:, None] * noise(kind, (len(looks), runs), seed)
    return hit(looks, losses, goal=GOAL, floor=0.0)


# exact


@pytest.mark.parametrize("curve", [exponential, power_law])
@pytest.mark.parametrize("steps", [13.3, 130.0, 2222.2])
@pytest.mark.parametrize("floor", [0.0, 5.0, -3.0])
@pytest.mark.parametrize("runs", [1, 5])
def test_the_crossing_of_a_known_curve_is_exact(curve, steps: float, floor: float, runs: int) -> None:
    looks = about(steps)
    losses = floor + np.repeat(curve(looks, steps)[:, None], runs, axis=1)
    found = hit(looks, losses, goal=floor + GOAL, floor=floor)
    assert found.steps == pytest.approx(steps, rel=5e-3)
    assert found.log_error == pytest.approx(0.0, abs=1e-9)
    assert (found.runs, found.failed, found.last) == (runs, 0, looks[-1])
    assert found.reached


@pytest.mark.parametrize("ratio", [1.05, 1.13, 1.3])
def test_the_crossing_depends_little_on_the_looks(ratio: float) -> None:
    looks = about(130.0, ratio)
    losses = np.repeat(exponential(looks, 130.0)[:, None], 3, axis=1)
    assert hit(looks, losses, goal=GOAL, floor=0.0).steps == pytest.approx(130.0, rel=0.01)


def test_a_wrong_floor_bends_the_interpolation() -> None:
    looks = np.array([100, 200])
    losses = 5 + power_law(looks, 130.0)[:, None]
    right, wrong = (hit(looks, losses, goal=5 + GOAL, floor=floor).steps for floor in (5.0, 0.0))
    assert right == pytest.approx(130.0, rel=1e-9)
    assert wrong > 135.0


def test_noise_leaves_the_crossing_where_it_is_in_the_mean() -> None:
    """A single run dips under the goal long before."""
    found = [noisy_hit("log-normal", 16, seed).steps for seed in range(60)]
    assert np.mean(np.log(found)) == pytest.approx(math.log(120.0), abs=0.02)
    dips = []
    for seed in range(60):
        looks = np.arange(1, 200)
        run = power_law(looks, 120.0) * noise("log-normal", (len(looks), 1), seed)[:, 0]
        dips.append(looks[run <= GOAL][0])
    assert np.mean(np.log(dips)) < math.log(120.0) - 0.2


# few steps


@pytest.mark.parametrize("steps", [1, 2, 3, 8])
@pytest.mark.parametrize("runs", [1, 16])
def test_few_steps_are_whole_ones(steps: int, runs: int) -> None:
    """The goal lies just below the loss one step before, where a line crosses it: two are told."""
    looks = np.arange(1, 20)
    losses = exponential(looks, steps - 0.84)[:, None] * noise("normal", (len(looks), runs), 1) ** 0.01
    assert whole(hit(looks, losses, goal=GOAL, floor=0.0).steps) == steps


def test_of_few_steps_a_loss_that_is_further_below_the_goal_after_the_last_one_counts_as_fewer() -> None:
    """Both take 8 steps; where the second one is there just so, a little noise would make it 9."""
    looks = np.arange(1, 20)
    safe, just = (hit(looks, exponential(looks, steps)[:, None], goal=GOAL, floor=0.0) for steps in (7.1, 7.9))
    assert whole(safe.steps) == whole(just.steps) == 8
    assert safe.steps == pytest.approx(7.1, abs=0.1)
    assert just.steps == pytest.approx(7.9, abs=0.1)


def test_a_goal_that_is_met_at_the_first_look_takes_the_steps_of_that_look() -> None:
    looks = np.array([1, 2, 3])
    assert hit(looks, np.full((3, 4), 0.001), goal=GOAL, floor=0.0).steps == 1
    assert hit(looks + 4, np.full((3, 4), 0.001), goal=GOAL, floor=0.0).steps == 5


@given(steps=st.floats(0, 1e6))
def test_steps_are_told_as_the_least_whole_number_that_is_enough(steps: float) -> None:
    found = whole(steps)
    assert isinstance(found, int)
    assert found >= 1
    assert found - 1 < max(steps, 1.0) <= found * (1 + 2e-6)


def test_rounding_does_not_add_a_step() -> None:
    assert [whole(steps) for steps in (2.0 + 1e-9, 2.01, 1e-300, 1e6 + 0.1)] == [2, 3, 1, 1_000_000]


# never


def test_a_mean_that_never_gets_there_has_infinite_steps_and_a_final_loss() -> None:
    looks = about(100.0)
    losses = np.stack([0.2 + 0 * looks, 0.4 + 0 * looks], axis=1)
    found = hit(looks, losses, goal=GOAL, floor=0.0)
    assert (found.steps, found.log_error, found.reached) == (math.inf, math.inf, False)
    assert found.final == pytest.approx(0.3)


@pytest.mark.parametrize(("runs", "bad"), [(10, 2), (9, 1), (1, 1)])
def test_more_than_one_diverged_run_of_ten_makes_a_rate_diverge(runs: int, bad: int) -> None:
    looks = about(100.0)
    losses = np.repeat(exponential(looks, 100.0)[:, None], runs, axis=1)
    losses[-2:, :bad] = np.inf  # after the goal was reached
    found = hit(looks, losses, goal=GOAL, floor=0.0)
    assert (found.steps, found.final, found.failed) == (math.inf, math.inf, bad)


def test_one_diverged_run_of_ten_counts_and_does_not_spoil_the_mean() -> None:
    looks = about(100.0)
    losses = exponential(looks, 100.0)[:, None] * noise("normal", (len(looks), 10), 2)
    without = hit(looks, np.delete(losses, 7, axis=1), goal=GOAL, floor=0.0)
    losses[5:, 7] = np.inf
    found = hit(looks, losses, goal=GOAL, floor=0.0)
    assert found.failed == 1
    assert found.steps == pytest.approx(without.steps, rel=1e-9)


# how sure


@pytest.mark.parametrize("runs", [8, 32, 128])
@pytest.mark.parametrize("kind", ["normal", "log-normal", "exponential"])
def test_intervals_hold_the_true_steps_nine_times_in_ten(kind: str, runs: int) -> None:
    found = [noisy_hit(kind, runs, seed) for seed in range(200)]
    inside = [abs(math.log(one.steps / 120.0)) < NORMAL_90 * one.log_error for one in found]
    assert 0.85 <= np.mean(inside) <= 0.95


@pytest.mark.parametrize("runs", [8, 128])
def test_errors_are_those_of_repetitions(runs: int) -> None:
    found = [noisy_hit("normal", runs, seed) for seed in range(80)]
    spread = np.std([math.log(one.steps) for one in found], ddof=1)
    widening = math.sqrt(runs / (runs - 1)) * stats.t.ppf(0.95, runs - 1) / NORMAL_90
    assert math.sqrt(np.mean([one.log_error**2 for one in found])) == pytest.approx(widening * spread, rel=0.35)


def test_few_steps_that_differ_from_sample_to_sample_have_an_error() -> None:
    looks = np.arange(1, 20)
    losses = exponential(looks, 3.0)[:, None] * noise("log-normal", (len(looks), 16), 3)
    assert 0 < hit(looks, losses, goal=GOAL, floor=0.0).log_error < 0.5


# caution


@pytest.mark.parametrize("kind", ["normal", "log-normal", "exponential"])
def test_caution_never_finds_fewer_steps(kind: str) -> None:
    looks = about(120.0, 1.05)
    for seed in range(40):
        losses = power_law(looks, 120.0)[:, None] * np.maximum(noise(kind, (len(looks), 8), seed), 1e-6)
        plain, careful = (hit(looks, losses, goal=GOAL, floor=0.0, cautious=careful) for careful in (False, True))
        assert careful.steps >= plain.steps
        assert careful.final >= plain.final


def test_caution_sees_the_tail_that_few_runs_do_not_have() -> None:
    """With a log-normal loss of a heavy tail, whose mean is never at the goal, eight runs mostly say that it is."""
    looks, careless, careful = about(120.0), 0, 0
    for seed in range(60):
        z = np.random.default_rng(seed).normal(size=8)
        losses = np.tile(1.5 * GOAL * np.exp(2.5 * z - 3.125), (len(looks), 1))
        careless += hit(looks, losses, goal=GOAL, floor=0.0).reached
        careful += hit(looks, losses, goal=GOAL, floor=0.0, cautious=True).reached
    assert careful < 0.8 * careless


def test_caution_changes_nothing_where_runs_are_alike_or_too_few() -> None:
    looks = about(120.0)
    same = np.repeat(exponential(looks, 120.0)[:, None], 8, axis=1)
    few = power_law(looks, 120.0)[:, None] * noise("log-normal", (len(looks), 3), 1)
    for losses in (same, few):
        plain, careful = (hit(looks, losses, goal=GOAL, floor=0.0, cautious=careful) for careful in (False, True))
        assert careful.steps == pytest.approx(plain.steps, rel=1e-9)


# passes


@pytest.mark.parametrize("passes", [2.6, 4.3, 11.7])
@pytest.mark.parametrize("pass_steps", [7.3, 110.5])
def test_the_crossing_is_at_the_end_of_a_pass_where_the_loss_rises_within_each(
    passes: float, pass_steps: float
) -> None:
    steps = passes * pass_steps
    every = np.arange(1, 3 * steps)
    course = power_law(every, steps) * (1 + 0.8 * bridge(every, pass_steps))
    true = every[np.argmax(course <= GOAL)]
    looks = np.array(look_grid(0.65 * steps, 1.55 * steps, 1.07, pass_steps=pass_steps))
    losses = course[looks - 1, None] * noise("normal", (len(looks), 256), 1)
    found = hit(looks, losses, goal=GOAL, floor=0.0, pass_steps=pass_steps)
    assert found.steps == pytest.approx(true, rel=0.02, abs=1)


def test_where_passes_are_not_told_their_distance_from_the_parabola_is_an_error_of_it() -> None:
    """Ends of passes near the goal: which of them is first below it is not known from 96 runs."""
    every = np.arange(1, 400)
    course = GOAL * (every / 119) ** -0.5 * (1 + 0.2 * bridge(every, 20.0))
    looks = np.array(look_grid(78, 187, 1.07, pass_steps=20.0))
    of_runs, of_looks = (np.random.default_rng(seed).normal(size=(n, 96)) for seed, n in enumerate((1, len(looks))))
    losses = course[looks - 1, None] * (1 + 0.1 * of_runs + 0.03 * of_looks)
    found, plain = (hit(looks, losses, goal=GOAL, floor=0.0, pass_steps=steps) for steps in (20.0, math.inf))
    assert found.steps == plain.steps
    assert found.log_error > plain.log_error + 0.005


def test_noise_between_the_looks_does_not_bring_the_crossing_forward() -> None:
    """A flat curve through noisy means would be first below the goal where noise takes one of them there."""
    looks = np.array(look_grid(78, 187, 1.02, pass_steps=30.0))
    found, course = [], (GOAL * (looks / 120) ** -0.3)[:, None]
    for seed in range(40):
        factors = np.random.default_rng(seed).normal(1.0, 0.1, (len(looks), 64))
        found.append(hit(looks, course * factors, goal=GOAL, floor=0.0, pass_steps=30.0).steps)
    assert np.mean(np.log(np.array(found) / 120)) == pytest.approx(0.0, abs=0.01)


def bridge(steps: np.ndarray, pass_steps: float) -> np.ndarray:
    """Variance of a sum of numbers that are drawn without replacement, by the part that is drawn."""
    part = steps / pass_steps % 1
    return part * (1 - part)


@pytest.mark.parametrize(("batch_size", "rate"), [(16, 0.0223), (64, 0.1)])
def test_real_rows_are_told_where_the_mean_of_many_runs_is_first_at_the_goal(batch_size: int, rate: float) -> None:
    data = datasets.load("diabetes")
    network, n = Network.linear(10), data.n_rows
    optimum = find_optimum(network, data.X, data.Y)
    rows = (data.X, data.Y, data.X, data.Y)
    problem = NetworkProblem(network, *rows, {batch_size: "tiled"}, 7, "zeros", optimum.value)
    goal = optimum.value + 0.01 * (problem.start_loss() - optimum.value)
    every = tuple(range(3 * n // batch_size, 6 * n // batch_size))
    means = run_trial(problem, Trial(batch_size, rate, tuple(range(1000)), every, -math.inf)).losses.mean(axis=1)
    true = every[np.argmax(means <= goal)]
    looks = look_grid(0.65 * true, 1.55 * true, 1.07, pass_steps=n / batch_size)
    losses = run_trial(problem, Trial(batch_size, rate, tuple(range(2000, 2256)), looks, -math.inf)).losses
    found = hit(looks, losses, goal=goal, floor=problem.floor, pass_steps=n / batch_size)
    assert found.steps == pytest.approx(true, rel=0.02)
    assert hit(looks, losses, goal=goal, floor=problem.floor).steps > 1.04 * true  # as if there were no passes


# slope


@pytest.mark.parametrize("steps", [50.0, 120.0, 190.0])
def test_the_slope_is_the_change_by_the_logarithm_of_steps(steps: float) -> None:
    looks = np.array(look_grid(40, 200, 1.02))
    losses = np.repeat(power_law(looks, 120.0)[:, None], 2, axis=1)
    assert slope(looks, losses, steps) == pytest.approx(-1.5 * power_law(steps, 120.0), rel=0.05)


def test_the_slope_of_a_single_look_is_not_known() -> None:
    assert slope([5], np.ones((1, 2)), 5.0) == -math.inf
