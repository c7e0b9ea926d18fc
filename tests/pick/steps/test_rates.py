"""The best learning rate of one batch size, on problems whose expected steps are known at every rate."""

import math

import numpy as np
import pytest

from gdbench.pick.steps.rates import RACE_PASSES, RateSearch
from gdbench.pick.steps.trials import Curves, Trial, run_trial
from selftest.picks.exact import best_rate, exact_steps

from .exact_problems import CLIFF, as_problem, heavy_tails, start_loss, valley

SHARE = 0.01
"""Share of the loss at the start, which is the goal."""


def searched(
    oracle, size: int, begin: float, *, share: float = SHARE, runs: int = 64, expected: float = 3000.0
) -> RateSearch:
    """Explore from a rate and its neighbours, then race."""
    problem, goal = as_problem(oracle), share * start_loss(oracle)
    found = RateSearch(size, goal, problem.floor)
    for plan in (
        found.explore([begin / 2, begin, 2 * begin], lambda steps: 8, expected, raises=4),
        found.race(runs, 0.01, exact=runs == 1),
    ):
        trials = next(plan, None)
        while trials is not None:
            try:
                trials = plan.send([run_trial(problem, trial) for trial in trials])
            except StopIteration:
                trials = None
    return found


@pytest.mark.parametrize("factor", [1 / 16, 1.0, 16.0], ids=["from far below", "from near", "from far above"])
@pytest.mark.parametrize(("oracle", "size"), [(CLIFF, 1), (valley(), 8)], ids=["no noise", "noise"])
def test_the_best_rate_is_found_from_anywhere(oracle, size: int, factor: float) -> None:
    goal = SHARE * start_loss(oracle)
    rate, least = best_rate(oracle, size, goal)
    found = searched(oracle, size, rate * factor)
    assert exact_steps(oracle, size, found.vertex(), goal) <= 1.1 * least


@pytest.mark.parametrize("share", [1 / 30, 1 / 10])
@pytest.mark.parametrize("factor", [1 / 4, 1.0, 4.0])
def test_steps_that_were_expected_far_too_few_are_no_reason_to_give_up(factor: float, share: float) -> None:
    """As two lucky runs of a pilot tell them."""
    oracle, size = valley(), 8
    goal = SHARE * start_loss(oracle)
    rate, least = best_rate(oracle, size, goal)
    found = searched(oracle, size, rate * factor, expected=share * least)
    assert exact_steps(oracle, size, found.vertex(), goal) <= 1.1 * least


@pytest.mark.parametrize("entropy", range(4))
def test_a_rate_at_which_only_most_runs_get_there_is_not_taken(entropy: int) -> None:
    oracle = heavy_tails(entropy)
    goal = SHARE * start_loss(oracle)
    found = searched(oracle, 1, 0.3, runs=128)
    assert exact_steps(oracle, 1, found.vertex(), goal) <= 3 * best_rate(oracle, 1, goal)[1]


def test_where_every_rate_diverges_there_is_no_best_one() -> None:
    found = searched(CLIFF, 1, 1e12)
    assert found.diverged
    assert found.best is None
    assert found.vertex() is None


# races


def raced(found: RateSearch, runs: int, carry, *, error: float = 1e-6, **options) -> list[Trial]:
    """Carry a race about a rate of 1 that was told 100 steps, by a function from trials to what came of them."""
    found.hits = {rate: found.told([falling(Trial(8, rate, (0, 1), (60, 100, 140), 1.0), 100.0)]) for rate in (1.0,)}
    plan, made = found.race(runs, error, exact=False, **options), list[Trial]()
    trials = next(plan, None)
    while trials is not None:
        made += trials
        try:
            trials = plan.send([carry(trial) for trial in trials])
        except StopIteration:
            trials = None
    return made


def falling(trial: Trial, steps: float) -> Curves:
    """Runs whose mean is at a goal of 1 after so many steps, and that differ a little."""
    looks = np.array(trial.looks)
    noise = np.random.default_rng(trial.seeds[0]).normal(1.0, 0.1, len(trial.seeds))
    return Curves(looks, (steps / looks)[:, None] * noise, 1.0, 1.0, 0.0, np.empty(0))


def test_a_race_that_is_not_worth_it_ends_after_its_first_round() -> None:
    most = {True: 0, False: 0}
    for worth in most:
        made = raced(RateSearch(8, 1.0, 0.0), 256, lambda trial: falling(trial, 100.0), worth=lambda _: worth)  # noqa: B023
        most[worth] = max(max(trial.seeds) for trial in made)
    assert most == {True: 355, False: 163}  # 256 and 64 runs, from number 100 on


def test_further_runs_of_a_race_look_about_the_crossing_and_a_pass_to_either_side() -> None:
    found = RateSearch(8, 1.0, 0.0, pass_steps=40.0)
    made = raced(found, 128, lambda trial: falling(trial, 100.0))
    first, further = ([trial for trial in made if (trial.seeds[0] < 164) == early] for early in (True, False))
    assert further
    for trial in further:
        assert trial.looks[-1] < first[0].looks[-1]
        assert trial.looks[0] <= 100 - RACE_PASSES * 40 + 5
        assert trial.looks[-1] >= 100 + RACE_PASSES * 40 - 15
    assert found.steps == pytest.approx(100.0, rel=0.03)


def test_a_crossing_before_the_looks_of_further_runs_is_told_by_the_first_ones() -> None:
    """The first 64 runs are at the goal after 100 steps, further ones after 2, where they are not looked at."""
    found = RateSearch(8, 1.0, 0.0)
    raced(found, 128, lambda trial: falling(trial, 100.0 if trial.seeds[0] < 164 else 2.0))
    assert found.steps == pytest.approx(100.0, rel=0.03)


def test_a_rate_at_which_further_runs_never_get_there_has_lost() -> None:
    found = RateSearch(8, 1.0, 0.0)
    raced(found, 128, lambda trial: falling(trial, 100.0 if trial.seeds[0] < 164 or trial.learning_rate < 1.1 else 1e3))
    lost = [rate for rate, hit in found.hits.items() if not hit.reached]
    assert lost
    assert min(lost) > 1.1
    assert found.best is not None
    assert found.best < 1.1


@pytest.mark.parametrize(("least", "last"), [(1, 163), (256, 355)])
def test_runs_that_cost_little_are_made_however_sure_the_steps_are(least: int, last: int) -> None:
    made = raced(RateSearch(8, 1.0, 0.0), 512, lambda trial: falling(trial, 100.0), error=1.0, least_runs=least)
    assert max(max(trial.seeds) for trial in made) == last


@pytest.mark.parametrize("factor", [1.05, 1.13])
def test_where_one_run_tells_all_the_best_rate_is_looked_for_closely(factor: float) -> None:
    goal = SHARE * start_loss(CLIFF)
    rate, least = best_rate(CLIFF, 1, goal)
    found = searched(CLIFF, 1, factor * rate, runs=1)
    assert exact_steps(CLIFF, 1, found.vertex(), goal) <= 1.002 * least


def test_runs_that_have_no_look_in_common_are_at_no_goal() -> None:
    """Some diverged before the looks of the others."""
    early, late = (falling(Trial(8, 1.0, (0, 1), looks, 1.0), 50.0) for looks in ((20,), (40, 50, 60)))
    found = RateSearch(8, 1.0, 0.0).told([early, late])
    assert not found.reached
    assert (found.runs, found.final) == (4, math.inf)
