"""Steps to a goal, from the losses of several runs."""

import math

import numpy as np
import pytest
from gdbench.pick.steps.blocks import step_grid
from gdbench.pick.steps.hitting import MIN_SPREAD, first_crossing, hit, mean_curve, mean_losses

from kernels.contract import Array

STEPS = np.array([0, *step_grid(3000)], float)
GOAL = 0.01


def exponential(steps_to_goal: float, *, floor: float = 0.0) -> Array:
    """Losses that fall from 1 above the floor to GOAL above it in so many steps, exactly."""
    return floor + GOAL ** (STEPS / steps_to_goal)


def power_law(steps_to_goal: float) -> Array:
    return np.minimum((np.maximum(STEPS, 1e-3) / steps_to_goal) ** -1.5 * GOAL, 1.0)


def noisy(curve: Array, runs: int, *, noise: float, seed: int, floor: float = 0.0) -> Array:
    """(T, S) curves whose gap from the floor has a noise that is 1 in the mean and forgotten within a few looks."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(len(curve), runs))
    for look in range(1, len(curve)):
        z[look] = 0.6 * z[look - 1] + 0.8 * z[look]
    return floor + (curve - floor)[:, None] * np.exp(noise * z - noise**2 / 2)


@pytest.mark.parametrize("steps", [0.4, 3.7, 29.3, 130.0, 2222.2])
@pytest.mark.parametrize("floor", [0.0, 5.0, -3.0])
def test_the_crossing_of_one_exponential_curve_is_exact(steps: float, floor: float) -> None:
    found = hit(STEPS, exponential(steps, floor=floor)[:, None], goal=floor + GOAL, floor=floor)
    assert found.steps == pytest.approx(steps, rel=1e-9)
    assert found.first == pytest.approx(steps, rel=1e-9)
    assert found.spread == MIN_SPREAD
    assert (found.failed, found.last) == (0, 3000)


def test_a_wrong_floor_bends_the_interpolation() -> None:
    losses = exponential(29.3, floor=5.0)[:, None]
    assert hit(STEPS, losses, goal=5.0 + GOAL, floor=0.0).steps != pytest.approx(29.3, rel=1e-4)


def test_interpolation_is_linear_in_the_logarithm_and_at_the_floor_in_the_loss() -> None:
    two = np.array([10.0, 30.0])
    assert first_crossing(two, np.array([1.0, 0.01]), goal=0.1, floor=0.0) == pytest.approx(20.0)
    assert first_crossing(two, np.array([1.0, 0.0]), goal=0.25, floor=0.0) == pytest.approx(25.0)
    assert first_crossing(two, np.array([np.inf, 0.0]), goal=0.25, floor=0.0) == 30.0
    assert first_crossing(two, np.array([0.25, 0.0]), goal=0.25, floor=0.0) == 0.0
    assert first_crossing(two, np.array([1.0, 0.25]), goal=0.25, floor=0.0) == pytest.approx(30.0)
    assert first_crossing(two, np.array([1.0, 0.26]), goal=0.25, floor=0.0) == math.inf


def test_a_dip_counts_even_if_the_curve_rises_again() -> None:
    assert first_crossing(np.arange(4.0), np.array([1.0, 0.1, 5.0, 0.1]), goal=0.1, floor=0.0) == pytest.approx(1.0)


@pytest.mark.parametrize("steps", [60.0, 900.0])
def test_smoothing_leaves_a_power_law_as_it_is(steps: float) -> None:
    losses = np.stack([power_law(steps)] * 2, axis=1)
    smooth = mean_curve(STEPS, losses, floor=0.0)
    straight = power_law(steps) < 0.5
    np.testing.assert_allclose(smooth[20:][straight[20:]], losses[20:, 0][straight[20:]], rtol=1e-3)
    assert hit(STEPS, losses, goal=GOAL, floor=0.0).steps == pytest.approx(steps, rel=1e-3)


@pytest.mark.parametrize("steps", [5.5, 60.0, 900.0])
def test_smoothing_shifts_an_exponential_curve_by_little(steps: float) -> None:
    losses = np.stack([exponential(steps)] * 3, axis=1)
    assert hit(STEPS, losses, goal=GOAL, floor=0.0).steps == pytest.approx(steps, rel=0.015)


def test_noise_makes_first_dips_early_but_not_the_smoothed_mean() -> None:
    exact, found, first, dips = 900.0, [], [], []
    for seed in range(120):
        losses = noisy(power_law(exact), 4, noise=0.7, seed=seed)
        one = hit(STEPS, losses, goal=GOAL, floor=0.0)
        found.append(one.steps)
        first.append(one.first)
        dips.append(first_crossing(STEPS, mean_losses(losses), goal=GOAL, floor=0.0))
    assert np.median(first) < 0.8 * exact
    assert np.mean(np.log(dips)) < math.log(exact) - 0.1
    assert abs(np.mean(np.log(found)) - math.log(exact)) < 0.06


@pytest.mark.parametrize("runs", [3, 10])
def test_the_stated_spread_is_that_of_repetitions(runs: int) -> None:
    found = [
        hit(STEPS, noisy(power_law(600.0), runs, noise=0.3, seed=seed), goal=GOAL, floor=0.0) for seed in range(150)
    ]
    observed = np.log([one.steps for one in found]).std()
    stated = math.sqrt(np.mean([one.spread**2 for one in found]))
    assert 0.7 * observed < stated < 1.5 * observed


def test_runs_that_agree_leave_the_error_of_interpolation() -> None:
    assert hit(STEPS, np.stack([exponential(60.0)] * 5, axis=1), goal=GOAL, floor=0.0).spread == MIN_SPREAD


def test_one_diverged_run_of_ten_counts_and_does_not_spoil_the_mean() -> None:
    losses = noisy(power_law(600.0), 10, noise=0.1, seed=1)
    losses[STEPS > 40, 7] = np.inf
    found, without = (hit(STEPS, each, goal=GOAL, floor=0.0) for each in (losses, np.delete(losses, 7, axis=1)))
    assert found.failed == 1
    assert found.steps == pytest.approx(without.steps, rel=1e-9)
    assert found.spread == pytest.approx(without.spread, rel=1e-9)
    assert found.first == pytest.approx(without.first, rel=0.05)


@pytest.mark.parametrize(("runs", "bad"), [(10, 2), (9, 1), (1, 1), (25, 3)])
def test_more_than_one_diverged_run_of_ten_makes_the_rate_diverge(runs: int, bad: int) -> None:
    losses = noisy(power_law(600.0), runs, noise=0.1, seed=1)
    losses[STEPS > 1000, :bad] = np.inf  # after the goal was reached
    found = hit(STEPS, losses, goal=GOAL, floor=0.0)
    assert found.failed == bad
    assert (found.steps, found.spread, found.final) == (math.inf, math.inf, math.inf)


def test_a_curve_that_never_gets_there_has_no_steps_but_a_final_loss() -> None:
    losses = np.stack([exponential(60.0, floor=0.2), exponential(50.0, floor=0.4)], axis=1)
    found = hit(STEPS, losses, goal=GOAL, floor=0.0)
    assert (found.steps, found.spread, found.first) == (math.inf, math.inf, math.inf)
    assert found.final == pytest.approx(0.3)


def test_the_median_of_first_crossings_counts_runs_that_never_cross() -> None:
    curves = [exponential(steps) for steps in (30.0, 50.0, 70.0)]
    never = exponential(60.0, floor=2 * GOAL)
    assert hit(STEPS, np.stack([*curves, never, never], axis=1), goal=GOAL, floor=0.0).first == pytest.approx(70.0)
    assert hit(STEPS, np.stack([*curves[:2], never, never], axis=1), goal=GOAL, floor=0.0).first == math.inf


def test_a_goal_that_is_met_at_the_start_takes_no_steps() -> None:
    assert hit(STEPS, np.stack([exponential(60.0)] * 2, axis=1), goal=1.0, floor=0.0).steps == 0.0


def test_a_mean_at_or_below_its_floor_is_taken_as_it_is() -> None:
    losses = np.stack([np.maximum(exponential(60.0) - 0.002, 0.0)] * 2, axis=1)
    np.testing.assert_array_equal(mean_curve(STEPS, losses, floor=0.0), losses[:, 0])
    assert math.isfinite(hit(STEPS, losses, goal=GOAL, floor=0.0).steps)
