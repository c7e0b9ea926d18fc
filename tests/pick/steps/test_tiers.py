"""Tiers: each is surer than the one before and takes longer, and a wrong name is refused with the right ones."""

from dataclasses import astuple
from itertools import pairwise

import pytest

from gdbench.pick.steps.tiers import QUICK, STANDARD, THOROUGH, TIERS, get_tier
from kernels import InputError


def test_a_tier_is_found_by_its_name() -> None:
    assert [get_tier(name) for name in ("quick", "standard", "thorough")] == [QUICK, STANDARD, THOROUGH]
    assert [tier.name for tier in TIERS.values()] == list(TIERS)


def test_a_budget_is_ten_seconds_a_minute_or_five() -> None:
    assert [tier.budget_seconds for tier in (QUICK, STANDARD, THOROUGH)] == [10, 60, 300]


def test_a_slower_tier_is_surer_and_its_regret_is_no_larger() -> None:
    for faster, slower in pairwise(astuple(tier)[1:] for tier in (QUICK, STANDARD, THOROUGH)):
        (budget, times, regret, *errors, runs), (more_budget, more_times, less_regret, *less_errors, more_runs) = (
            faster,
            slower,
        )
        assert more_budget > budget
        assert more_times > times
        assert more_runs > runs
        assert less_regret <= regret
        assert all(less < error for less, error in zip(less_errors, errors, strict=True))


def test_no_tier_ends_by_itself_while_more_than_a_hundredth_is_expected_to_be_lost() -> None:
    assert all(tier.regret <= 0.01 for tier in TIERS.values())


def test_the_seconds_per_step_take_less_than_the_search() -> None:
    assert all(tier.times_seconds <= tier.budget_seconds / 4 for tier in TIERS.values())


def test_a_wrong_name_is_refused_with_the_right_ones() -> None:
    with pytest.raises(InputError, match=r"no tier 'slow'.*quick, standard"):
        get_tier("slow")
