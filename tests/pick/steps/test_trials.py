"""Trials: the same curves whenever they run, ended where they may end, looked at where they are to be looked at."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdbench.pick.steps.trials import (
    BLOW_UP,
    Curves,
    Trial,
    joined,
    look_grid,
    mean_losses,
    run_trial,
)

from .test_problem import N, make_problem

NEVER = -math.inf
LOOKS = tuple(range(1, 51))


@dataclass(frozen=True, eq=False)
class Bowl:
    """Half of the square of two parameters, beginning at 1; the fourth step of some runs is a blow."""

    blows: dict[int, float] = field(default_factory=dict)
    """Factor by seed with which the parameters are multiplied then."""
    sampled_rows: int | None = None
    floor: float = 0.0
    n_rows: int | None = None
    pass_rows: float = math.inf
    row_seconds: float = 1e-7
    alike: bool = True
    key: str = "bowl"

    def begin(self, batch_size: int, learning_rate: float, seeds: Sequence[int], *, look_rows: int = 0) -> "Rolling":
        return Rolling(self, learning_rate, tuple(seeds))

    def start_loss(self) -> float:
        return 1.0

    def stable_rate(self, batch_size: int) -> float:
        return 2.0


class Rolling:
    """Runs in a bowl; the loss of all rows is twice that of those that are monitored."""

    def __init__(self, bowl: Bowl, rate: float, seeds: tuple[int, ...]) -> None:
        self.bowl, self.rate, self.made = bowl, rate, 0
        self.seeds, self.thetas = seeds, np.ones(len(seeds))

    def advance(self, steps: int) -> None:
        for _ in range(steps):
            self.made += 1
            blow = [self.bowl.blows.get(seed, 1.0) if self.made == 4 else 1.0 for seed in self.seeds]
            self.thetas = self.thetas * (1 - self.rate) * blow

    def losses(self) -> np.ndarray:
        return np.square(self.thetas)

    def all_losses(self) -> np.ndarray:
        return 2 * self.losses()


def trial(rate: float = 0.5, seeds: tuple[int, ...] = (0, 1), **others: object) -> Trial:
    return replace(Trial(4, rate, seeds, LOOKS, NEVER), **others)


@pytest.mark.parametrize("size", [1, 8, N])
@pytest.mark.parametrize("variant", ["vectorized", "tiled"])
def test_the_same_trial_gives_the_same_curves_bit_for_bit(size: int, variant: str) -> None:
    one = Trial(size, 1.0, (0, 4, 9), LOOKS, NEVER, check=20)
    first, again = (run_trial(replace(make_problem(variant=variant), sample=np.arange(9)), one) for _ in range(2))
    for name in ("looks", "losses", "rows", "shifts"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert len({*first.losses[-1]}) == 3


def test_looks_in_between_change_nothing() -> None:
    often, once = (run_trial(make_problem(), Trial(8, 1.0, (0, 1), looks, NEVER)) for looks in (LOOKS, (50,)))
    assert often.losses[-1] == pytest.approx(once.losses[-1], rel=1e-12)


def test_a_trial_goes_on_to_its_last_look_where_nothing_ends_it() -> None:
    curves = run_trial(Bowl(), trial())
    assert tuple(curves.looks) == LOOKS
    assert curves.rows == 50 * 4 * 2
    assert curves.losses[:, 0] == pytest.approx(0.25 ** np.array(LOOKS))


@pytest.mark.parametrize(("slack", "last"), [(1.0, 7), (1.2, 9), (2.0, 14), (math.inf, 50)])
def test_a_trial_ends_at_the_slack_of_where_its_mean_reached_the_goal(slack: float, last: int) -> None:
    curves = run_trial(Bowl(), trial(goal=0.25**6.5, slack=slack))
    assert curves.looks[-1] == last
    assert curves.rows == last * 4 * 2


def test_a_mean_that_rises_again_does_not_move_the_end() -> None:
    curves = run_trial(Bowl({0: 10.0}), trial(seeds=(0,), goal=0.25**2.5, slack=2.0))
    assert curves.losses[3, 0] > 0.25**2.5 > curves.losses[2, 0]
    assert curves.looks[-1] == 6


def test_a_trial_ends_when_its_runs_have_diverged() -> None:
    curves = run_trial(Bowl(), trial(rate=3.5))
    assert 2.5 ** (2 * curves.looks[-1]) > BLOW_UP >= 2.5 ** (2 * (curves.looks[-1] - 1))
    assert np.isinf(curves.losses[-1]).all()


def test_a_run_that_came_back_after_it_had_diverged_counts_as_diverged() -> None:
    curves = run_trial(Bowl({3: 400.0}), trial(seeds=tuple(range(10))))
    assert np.isinf(curves.losses[3:, 3]).all()
    assert np.isfinite(np.delete(curves.losses, 3, axis=1)).all()


@pytest.mark.parametrize(("runs", "bad", "last"), [(10, 1, 50), (10, 2, 4), (9, 1, 4), (1, 1, 4)])
def test_more_than_one_diverged_run_of_ten_ends_a_trial(runs: int, bad: int, last: int) -> None:
    curves = run_trial(Bowl(dict.fromkeys(range(bad), 400.0)), trial(seeds=tuple(range(runs))))
    assert curves.looks[-1] == last


def test_what_is_no_number_is_infinite() -> None:
    curves = run_trial(Bowl({0: math.nan}), trial(seeds=tuple(range(10))))
    assert np.isinf(curves.losses[3:, 0]).all()
    assert not np.isnan(curves.losses).any()


def test_all_rows_are_told_at_the_look_that_was_asked_for() -> None:
    curves = run_trial(Bowl(sampled_rows=5), trial(check=3))
    assert curves.shifts == pytest.approx([0.25**3] * 2)


@pytest.mark.parametrize("check", [0, 51, 99])
def test_all_rows_are_not_told_at_any_other(check: int) -> None:
    assert run_trial(Bowl(sampled_rows=5), trial(check=check)).shifts.shape == (0,)


def test_where_all_rows_are_monitored_nothing_shifts() -> None:
    assert run_trial(Bowl(), trial(check=3)).shifts.shape == (0,)


def test_the_shift_is_that_of_a_network() -> None:
    sampled = replace(make_problem(), sample=np.arange(9))
    curves = run_trial(sampled, Trial(8, 1.0, (0, 1), LOOKS, NEVER, check=30))
    whole = run_trial(make_problem(), Trial(8, 1.0, (0, 1), LOOKS, NEVER))
    assert curves.shifts == pytest.approx(whole.losses[29] - curves.losses[29], rel=1e-9)


@pytest.mark.parametrize("blow", [400.0, math.inf, math.nan])
def test_a_run_that_has_diverged_tells_no_shift(blow: float) -> None:
    curves = run_trial(Bowl({3: blow}, sampled_rows=5), trial(seeds=tuple(range(10)), check=6))
    assert curves.shifts == pytest.approx([0.25**6] * 9)


def test_seconds_are_those_of_the_processor_and_looking_is_part_of_them() -> None:
    curves = run_trial(make_problem(), Trial(8, 1.0, (0, 1), tuple(range(1, 500)), NEVER))
    assert 0 < curves.look_seconds < curves.seconds


# looks


@given(first=st.floats(0, 1e4), more=st.floats(0, 1e4), ratio=st.floats(1, 3))
def test_looks_are_whole_numbers_in_a_geometric_progression(first: float, more: float, ratio: float) -> None:
    last = first + min(more, 1e3 if ratio < 1.01 else more)
    looks = look_grid(first, last, ratio)
    assert all(isinstance(look, int) for look in looks)
    assert looks[0] == max(math.floor(first), 1)
    assert looks[-1] == max(math.ceil(last), 1) or last <= looks[0] == looks[-1]
    for before, after in pairwise(looks):
        assert before < after <= max(before + 1, ratio * before)


@given(first=st.integers(1, 1000), count=st.integers(0, 100))
def test_a_ratio_of_one_looks_at_every_step(first: int, count: int) -> None:
    assert look_grid(first, first + count, 1.0) == tuple(range(first, first + count + 1))


def test_the_ends_of_passes_are_looked_at_where_they_are_few() -> None:
    assert {27, 55, 82} <= set(look_grid(20, 100, 1.3, pass_steps=442 / 16))
    assert look_grid(20, 100, 1.3, pass_steps=1.0) == look_grid(20, 100, 1.3)


def curves_at(looks: Sequence[int], losses: np.ndarray) -> Curves:
    return Curves(np.array(looks), losses, 0.0, 0.0, 0.0, np.empty(0))


def test_parts_are_joined_at_the_looks_that_all_of_them_have() -> None:
    first = curves_at([1, 2, 4, 8], np.arange(8.0).reshape(4, 2))
    second = curves_at([2, 3, 8, 16], 100 + np.arange(4.0).reshape(4, 1))
    looks, losses = joined([first, second])
    assert looks.tolist() == [2, 8]
    assert losses.tolist() == [[2, 3, 100], [6, 7, 102]]


def test_one_part_is_joined_to_itself() -> None:
    only = curves_at([1, 5], np.arange(4.0).reshape(2, 2))
    looks, losses = joined([only])
    assert looks.tolist() == [1, 5]
    assert (losses == only.losses).all()


# means


@pytest.mark.parametrize(("runs", "bad"), [(10, 0), (10, 1), (25, 2), (1, 0)])
def test_a_mean_is_that_of_the_runs_that_have_not_diverged(runs: int, bad: int) -> None:
    losses = np.arange(3.0 * runs).reshape(3, runs)
    losses[:, :bad] = np.inf
    assert mean_losses(losses) == pytest.approx(losses[:, bad:].mean(axis=1))


@pytest.mark.parametrize(("runs", "bad"), [(10, 2), (9, 1), (1, 1), (25, 3)])
def test_with_more_than_one_diverged_run_of_ten_there_is_no_mean(runs: int, bad: int) -> None:
    losses = np.ones((3, runs))
    losses[1:, :bad] = np.inf
    assert mean_losses(losses).tolist() == [1.0, math.inf, math.inf]
