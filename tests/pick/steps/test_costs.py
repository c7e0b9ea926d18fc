"""What trials cost, and how much of the time that is left the next ones may take."""

import numpy as np
import pytest

from gdbench.pick.steps.costs import OTHERS_OF_SPENT, OTHERS_SHARE, Allowance, Costs
from gdbench.pick.steps.trials import Curves, Trial
from selftest.picks.virtual import VirtualClock

STEP_SECONDS = {8: 1e-3, 16: 3e-3}


def spent(seconds: float, *, looking: float = 0.0) -> Costs:
    """Account of a trial of ten runs of 100 steps at a batch size of 8."""
    costs = Costs(STEP_SECONDS)
    trial = Trial(8, 0.1, tuple(range(10)), (100,), 0.0)
    costs.add(trial, Curves(np.array([100]), np.zeros((1, 10)), 8000.0, seconds, looking, np.empty(0)))
    return costs


def test_a_step_costs_what_the_nearest_one_did_in_proportion_to_its_seconds() -> None:
    costs = spent(5.0)
    assert costs.step(8) == pytest.approx(5e-3)
    assert costs.step(16) == pytest.approx(15e-3)
    assert costs.run(16, 200) == pytest.approx(3.0)


def test_looks_are_told_as_a_share_of_all_cpu_seconds() -> None:
    assert spent(5.0, looking=1.0).look_share == pytest.approx(0.2)


def test_batch_sizes_that_cannot_win_have_a_share_of_the_whole_time_or_of_what_the_choice_took() -> None:
    clock = VirtualClock(100.0)
    clock.spent = 50.0
    assert Allowance(clock, spent(5.0), 2).for_others == pytest.approx(OTHERS_SHARE * 200)
    assert Allowance(clock, spent(100.0), 2).for_others == pytest.approx(OTHERS_OF_SPENT * 100)


def test_runs_are_a_power_of_two_that_the_time_left_allows() -> None:
    costs, clock = spent(5.0), VirtualClock(100.0)
    allowance = Allowance(clock, costs, 2)
    found = allowance.runs(8, 100, 1000)
    assert found & (found - 1) == 0
    assert found * costs.run(8, 100) <= allowance.left
    clock.spent = 90.0
    assert 1 <= allowance.runs(8, 100, 1000) < found
    assert allowance.runs(8, 100, 1000, share=0.2) > allowance.runs(8, 100, 1000)


def test_no_trial_may_take_more_than_half_of_what_is_left() -> None:
    allowance = Allowance(VirtualClock(10.0), spent(5.0), 2)
    assert allowance.permits(9.0, 100.0)
    assert not allowance.permits(11.0, 100.0)
    assert not allowance.permits(9.0, 8.0)
