"""Which batch sizes may still win, and when the choice is safe."""

import numpy as np
import pytest

from gdbench.pick.steps.cell import SizeCell
from gdbench.pick.steps.decision import Standing
from gdbench.pick.steps.trials import Curves

LOOKS = tuple(range(60, 150, 10))


FEW = tuple(range(1, 21))


def cell(batch_size: int, steps: float, *, runs: int, refined: bool = True, looks: tuple[int, ...] = LOOKS) -> SizeCell:
    """A batch size whose mean loss is inverse to the steps and crosses the goal after so many of them."""
    made = SizeCell(batch_size, 0.5, 0.0)
    made.learning_rate, made.guess, made.looks, made.refined = 0.1, steps, looks, refined
    factors = np.exp(0.1 * np.random.default_rng(batch_size).normal(size=runs))
    losses = 0.5 * (steps / np.array(looks)[:, None]) * factors / factors.mean()
    made.parts = [Curves(np.array(looks), losses, 0.0, 0.0, 0.0, np.empty(0))]
    return made


def test_only_batch_sizes_between_which_steps_may_decide_are_contenders() -> None:
    cells = {8: cell(8, 100, runs=64), 16: cell(16, 95, runs=64), 32: cell(32, 90, runs=64)}
    standing = Standing(cells, {8: 1.0, 16: 1.06, 32: 1.5}, {})
    assert standing.contenders() == [8, 16]
    cells[32] = cell(32, 75, runs=64, refined=False)  # its rate may be far from the best one
    assert standing.contenders() == [8, 16, 32]


def test_batch_sizes_are_compared_by_whole_steps() -> None:
    """No training has 100.2 steps: it needs 101, more than the 0.5 % by which a step at 16 rows takes longer."""
    cells = {8: cell(8, 100.2, runs=1), 16: cell(16, 100.0, runs=1)}
    for one in cells.values():
        one.certain = True
    standing = Standing(cells, {8: 1.0, 16: 1.005}, {})
    assert standing.known[8] < 1.005 * standing.known[16]
    assert standing.contenders() == [16]
    assert standing.expected_regret() == 0
    assert not standing.may_be_best(8, cells[8].hit)
    assert standing.may_be_best(16, cells[16].hit)


@pytest.mark.parametrize(("steps", "looks"), [(1, FEW), (2.9, FEW), (98, LOOKS)])
def test_uncertain_seconds_keep_a_batch_size_in_the_race(steps: float, looks: tuple[int, ...]) -> None:
    """Whole steps do not swallow them, however few there are."""
    cells = {size: cell(size, steps, runs=64, looks=looks) for size in (8, 16)}
    for one in cells.values():
        one.certain = True
    seconds = {8: 1.0, 16: 1.3}
    for errors, wanted in (({}, [8]), ({16: 0.2}, [8, 16])):
        standing = Standing(cells, seconds, errors)
        assert standing.contenders() == wanted
        assert standing.may_be_best(16, cells[16].hit) is (16 in wanted)
    cells[16].refined = False  # so that its rate may be far from the best one
    assert Standing(cells, {8: 1.0, 16: 1.1}, {}).contenders() == [8, 16]


def test_a_batch_size_stays_in_the_race_where_the_best_one_may_need_a_step_more() -> None:
    cells = {8: cell(8, 9.95, runs=100, looks=FEW), 16: cell(16, 5.7, runs=100, looks=FEW)}
    standing = Standing(cells, {8: 1.0, 16: 1.7}, {})
    assert standing.expected_regret() > 0.01
    assert standing.contenders() == [8, 16]
    assert standing.may_be_best(16, cells[16].hit)


def test_more_runs_make_the_choice_safer() -> None:
    regrets = []
    for runs in (8, 64, 512):
        cells = {8: cell(8, 100, runs=runs), 16: cell(16, 95, runs=runs)}
        regrets.append(Standing(cells, {8: 1.0, 16: 1.06}, {}).expected_regret())
    assert regrets == sorted(regrets, reverse=True)
    assert regrets[-1] < 0.006


def test_runs_that_are_confirmed_are_told_before_the_others() -> None:
    cells = {8: cell(8, 100, runs=64), 16: cell(16, 95, runs=4)}
    standing = Standing(cells, {8: 1.0, 16: 1.06}, {})
    assert standing.answered
    assert list(standing.told) == [8]
    del cells[8]
    assert not standing.answered
    assert list(standing.told) == [16]


def test_steps_that_few_runs_told_bound_no_other_batch_size_by_more_than_they_are_sure_of() -> None:
    """At 16 rows no fewer than half the steps of 8 are needed; by few runs those may be fewer than they told."""
    few, many = ({8: cell(8, 100, runs=runs)} for runs in (8, 1000))
    seconds = {8: 1.0, 16: 3.1}
    assert few[8].hit.log_error > 3 * many[8].hit.log_error
    assert Standing(few, seconds, {}).may_win(16)
    assert not Standing(many, seconds, {}).may_win(16)
