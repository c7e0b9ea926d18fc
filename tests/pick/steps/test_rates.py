"""The best learning rate of one batch size, on problems whose expected steps are known at every rate."""

import pytest

from gdbench.pick.steps.rates import RateSearch
from gdbench.pick.steps.trials import run_trial
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
        found.race(runs, 0.01, exact=False),
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
