"""Steps of a batch size are told only where enough runs confirm them, however lucky those were that chose the rate."""

import math
from dataclasses import replace

import numpy as np
import pytest

from gdbench.pick.steps.cell import EDGE, MAX_TOLD_ERROR, MIN_TOLD_RUNS, SizeCell
from gdbench.pick.steps.crossing import CAUTIOUS_RUNS, Hit, whole
from gdbench.pick.steps.trials import Curves, run_trial
from selftest.picks.exact import best_rate, exact_steps

from .exact_problems import CLIFF, as_problem, heavy_tails, start_loss, valley

SHARE = 0.01


def cell_at(oracle, size: int, rate: float, steps: float, *, certain: bool = False) -> SizeCell:
    """A cell whose rate was chosen by runs that told so many steps."""
    cell = SizeCell(size, SHARE * start_loss(oracle), 0.0, certain=certain)
    cell.rates.hits = {rate: Hit(steps, 0.01, 8, 0, 0.0, round(steps))}
    cell.settle()
    return cell


def carried(cell: SizeCell, oracle, more: int, *, most: int = CAUTIOUS_RUNS) -> SizeCell:
    plan, problem = cell.count(more, most=most), as_problem(oracle)
    trials = next(plan, None)
    while trials is not None:
        try:
            trials = plan.send([run_trial(problem, trial) for trial in trials])
        except StopIteration:
            trials = None
    return cell


@pytest.mark.parametrize("entropy", range(6))
def test_a_rate_that_lucky_runs_chose_is_lowered_until_runs_confirm_it(entropy: int) -> None:
    """Batches of one row without noise of the labels: the mean diverges from 2/3 on, and hardly any run shows it."""
    oracle = heavy_tails(entropy)
    cell = carried(cell_at(oracle, 1, 0.8, 6.0), oracle, 16)
    assert cell.confirmed
    assert cell.learning_rate < 2 / 3
    true = exact_steps(oracle, 1, cell.learning_rate, SHARE * start_loss(oracle))
    assert abs(math.log(cell.expected / true)) <= 3 * cell.hit.log_error + 1 / true


def test_steps_before_the_first_look_are_looked_for_and_not_extrapolated() -> None:
    goal = SHARE * start_loss(CLIFF)
    rate, steps = best_rate(CLIFF, 1, goal)
    cell = carried(cell_at(CLIFF, 1, rate, 8 * steps, certain=True), CLIFF, 1)
    assert cell.confirmed
    assert cell.looks[0] < exact_steps(CLIFF, 1, rate, goal)
    assert whole(cell.expected) == whole(exact_steps(CLIFF, 1, rate, goal))
    early = falling(np.ones(20) / 3)
    assert early.measured
    assert not early.bracketed
    assert not early.confirmed


def test_a_good_rate_is_kept() -> None:
    oracle = valley()
    rate, steps = best_rate(oracle, 8, SHARE * start_loss(oracle))
    cell = carried(cell_at(oracle, 8, rate / 1.3, 1.3 * steps), oracle, 16)
    assert (cell.learning_rate, cell.lowered) == (rate / 1.3, 0)
    assert cell.confirmed


def with_losses(losses: np.ndarray, looks: tuple[int, ...]) -> SizeCell:
    cell = SizeCell(4, 0.5, 0.0)
    cell.learning_rate, cell.guess, cell.looks = 0.1, 100.0, looks
    cell.parts = [Curves(np.array(looks), losses, 0.0, 0.0, 0.0, np.empty(0))]
    return cell


def falling(factors: np.ndarray) -> SizeCell:
    """Runs whose loss falls through 0.5 at 100 steps, times a factor of each."""
    looks = tuple(range(60, 150, 10))
    return with_losses(0.5 * (100 / np.array(looks)[:, None]) * factors, looks)


def test_few_runs_and_unlike_runs_confirm_nothing() -> None:
    alike, unlike = np.linspace(0.98, 1.02, 40), np.geomspace(0.05, 12, 40)
    assert falling(alike).confirmed
    few = falling(alike[: MIN_TOLD_RUNS - 1])
    assert few.measured
    assert not few.confirmed
    assert not few.differing
    wide = falling(unlike / unlike.mean())
    assert wide.hit.log_error > MAX_TOLD_ERROR
    assert wide.differing
    assert not wide.confirmed


def test_the_mean_of_few_skewed_runs_is_taken_with_care() -> None:
    """The logarithms of the runs say that the mean is higher than that of those that happened to be there."""
    logs = np.array([-1.0, -0.9, -0.8, -0.7, -0.6, 0.2, 0.4, 0.6, 0.8, 1.0])
    plain = np.exp(logs) / np.exp(logs).mean()
    few, many = falling(plain), falling(np.tile(plain, 1 + CAUTIOUS_RUNS // len(plain)))
    assert few.expected > 1.02 * many.expected
    assert many.expected == pytest.approx(100, rel=0.01)


def test_looks_are_moved_about_a_crossing_near_their_end() -> None:
    oracle = valley()
    rate, steps = best_rate(oracle, 8, SHARE * start_loss(oracle))
    cell = carried(cell_at(oracle, 8, rate / 1.3, 1.3 * steps / 1.45), oracle, 64)
    assert cell.moves == 1
    assert EDGE * cell.looks[0] < cell.expected < cell.looks[-1] / EDGE


def test_runs_that_diverged_before_the_looks_of_others_leave_nothing_told() -> None:
    cell = falling(np.ones(8))
    early = Curves(np.array([7]), np.full((1, 4), np.inf), 0.0, 0.0, 0.0, np.empty(0))
    cell.parts.append(early)
    cell._hit = None
    assert not cell.measured
    assert not cell.confirmed


def test_where_all_runs_are_the_same_one_is_enough() -> None:
    goal = SHARE * start_loss(CLIFF)
    rate, steps = best_rate(CLIFF, 1, goal)
    assert carried(cell_at(CLIFF, 1, rate, steps, certain=True), CLIFF, 1).confirmed
    assert not carried(cell_at(CLIFF, 1, rate, steps), CLIFF, 1).confirmed


# runs that take seconds each


def test_eight_runs_that_hardly_differ_are_enough() -> None:
    alike, unlike = (falling(np.exp(sd * np.random.default_rng(1).normal(size=8))) for sd in (0.05, 0.7))
    assert alike.confirmed
    assert unlike.differing


def test_where_time_allows_no_more_runs_the_rate_is_not_lowered() -> None:
    oracle = heavy_tails(0)
    cell = carried(cell_at(oracle, 1, 0.4, 20.0), oracle, 8, most=8)
    assert cell.differing
    assert (cell.learning_rate, cell.lowered, cell.runs) == (0.4, 0, 8)


def test_a_doubtful_sample_makes_the_interval_wide_and_no_rate_bad() -> None:
    cell = falling(np.ones(16))
    cell.parts = [replace(cell.parts[0], shifts=np.array([0.2, -0.2, 0.1, -0.1]))]
    assert cell.hit.log_error > MAX_TOLD_ERROR
    assert cell.confirmed
    assert not cell.differing


def test_what_runs_told_of_the_sample_still_holds_when_they_are_counted_anew() -> None:
    cell = falling(np.ones(16))
    cell.parts = [replace(cell.parts[0], shifts=np.array([0.03, 0.01]))]
    goal = cell.own_goal
    cell.lower()
    assert cell.runs == 0
    assert cell.own_goal == goal


def test_what_the_same_runs_told_twice_counts_once() -> None:
    cell, told = falling(np.ones(16)), np.array([0.03, 0.01, 0.02, -0.02])
    cell.parts = [replace(cell.parts[0], shifts=told)]
    once = cell.shift_error
    cell.earlier = told
    assert cell.shift_error == pytest.approx(once, rel=0.1)


def test_shifts_far_from_the_goal_are_forgotten() -> None:
    cell = falling(np.full(16, 3.0))
    cell.parts = [replace(cell.parts[0], shifts=np.array([0.03, 0.01]))]
    assert not cell.measured
    cell.lower()
    assert cell.own_goal == cell.goal


def test_looks_that_are_moved_to_and_fro_hold_all_places_in_the_end() -> None:
    """The loss of all rows is above that of the sample, then below it, whenever runs are counted anew."""
    cell = SizeCell(4, 0.5, 0.0)
    cell.rates.hits = {0.1: Hit(100.0, 0.01, 8, 0, 0.0, 100)}
    cell.settle()
    plan, places = cell.count(16), list[tuple[int, int]]()
    trials = next(plan, None)
    while trials is not None:
        looks = np.array(trials[0].looks)
        places.append((int(looks[0]), int(looks[-1])))
        shifts = np.full(4, 0.25 * (-1) ** len(places))
        losses = 0.5 * (100 / looks)[:, None] * np.ones((1, 4))
        made = [Curves(looks, np.repeat(losses[:, :1], len(t.seeds), 1), 0.0, 0.0, 0.0, shifts) for t in trials]
        try:
            trials = plan.send(made)
        except StopIteration:
            trials = None
    firsts, lasts = zip(*places, strict=True)
    assert len(places) >= 3
    assert (firsts[-1], lasts[-1]) == (min(firsts[1:]), max(lasts[1:]))
