"""The search as a whole: the range, the race, the clock, and what an early end leaves."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pytest

from gdbench.experiments import datasets
from gdbench.pick.runners.serial import serial
from gdbench.pick.steps.answer import EXTRAPOLATED, REACHED, Steps, Target
from gdbench.pick.steps.cell import SizeCell
from gdbench.pick.steps.measure import Countdown, carry, measure_steps
from gdbench.pick.steps.optimum import find_optimum
from gdbench.pick.steps.problem import NetworkProblem
from gdbench.pick.steps.search import Search
from gdbench.pick.steps.tiers import QUICK
from gdbench.pick.steps.trials import Curves, OnDone, Trial, run_trial
from kernels import Network
from selftest.picks.exact import exact_steps

from .exact_problems import as_problem, start_loss, valley

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
FLAT = dict.fromkeys(SIZES, 1e-3)
"""A machine on which a step takes as long whatever its rows: the largest batch is best."""
LINEAR = {size: 1e-6 * size for size in SIZES}
"""One on which each row takes its time: the smallest is as good as any."""
GOAL = 0.02 * start_loss(valley())


@dataclass
class Slowed:
    """Runs trials one after another, after a pause; ends with an exception after so many rounds, if it has one."""

    seconds: float = 0.0
    rounds: float = math.inf
    workers = 1

    def run(self, problem, trials: Sequence[Trial], *, on_done: OnDone | None = None) -> list[Curves]:
        time.sleep(self.seconds)
        self.rounds -= 1
        if self.rounds < 0:
            raise KeyboardInterrupt
        with serial() as runner:
            return runner.run(problem, trials, on_done=on_done)


def search(step_seconds, *, runner=None, seconds: float = 60.0, more=None, asked=(), oracle=None) -> Steps:
    oracle = oracle or valley()
    target = Target(GOAL, start_loss(oracle), 0.0, "training loss", "a share of the loss at the start")
    return measure_steps(
        as_problem(oracle),
        step_seconds,
        target=target,
        tier=replace(QUICK, racing_runs=32),
        seed=5,
        runner=runner or Slowed(),
        most_seconds=seconds,
        more=more,
        asked=asked,
    )


@pytest.fixture(scope="module")
def found() -> Steps:
    return search(LINEAR, asked={1024})


def test_steps_are_whole_and_near_the_truth(found: Steps) -> None:
    measured = [row for row in found.rows if row.measured]
    assert len(measured) >= 4
    for row in measured:
        assert isinstance(row.steps, int)
        assert row.steps >= 1
        assert row.low <= row.steps <= row.high
        true = exact_steps(valley(), row.batch_size, row.learning_rate, GOAL)
        assert row.steps == pytest.approx(true, rel=0.12, abs=1)


def test_what_was_not_measured_says_so(found: Steps) -> None:
    for row in found.rows:
        assert row.measured == (row.status == REACHED) == (row.runs > 0)
        if row.status == EXTRAPOLATED:
            assert row.learning_rate is None
            assert row.low is None
            assert row.steps >= 1
    assert [row.batch_size for row in found.rows] == list(SIZES)


def test_the_range_goes_where_a_batch_size_may_win() -> None:
    sizes = {
        name: {row.batch_size for row in search(seconds).rows if row.measured}
        for name, seconds in (("flat", FLAT), ("linear", LINEAR))
    }
    assert max(SIZES) in sizes["flat"]
    assert 1 not in sizes["flat"]
    assert 1 in sizes["linear"]
    assert 512 not in sizes["linear"]


def test_a_batch_size_that_is_asked_for_is_measured_though_it_cannot_win(found: Steps) -> None:
    assert next(row for row in found.rows if row.batch_size == 1024).measured


@dataclass
class Recording(Slowed):
    """Keeps the trials."""

    trials: list[Trial] = field(default_factory=list)

    def run(self, problem, trials: Sequence[Trial], *, on_done: OnDone | None = None) -> list[Curves]:
        self.trials += trials
        return super().run(problem, trials, on_done=on_done)


def test_below_all_batch_sizes_that_were_looked_at_rates_are_tried_down_to_those_in_proportion() -> None:
    runner = Recording()
    rows = {row.batch_size: row for row in search(FLAT, runner=runner, asked={1}).rows if row.measured}
    least = min(rows.keys() - {1})
    first = next(trial for trial in runner.trials if trial.batch_size == 1)
    assert least >= 8
    assert first.learning_rate <= 1.5 * rows[least].learning_rate / least
    assert rows[1].learning_rate < rows[least].learning_rate


def test_the_same_seed_gives_the_same_answer(found: Steps) -> None:
    again = search(LINEAR, asked={1024})
    assert [(row.steps, row.learning_rate) for row in again.rows] == [
        (row.steps, row.learning_rate) for row in found.rows
    ]


@dataclass
class Busy(Slowed):
    """Runs that take longer and shorter from time to time, as on a machine with other work."""

    noise: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def run(self, problem, trials: Sequence[Trial], *, on_done: OnDone | None = None) -> list[Curves]:
        found = super().run(problem, trials, on_done=on_done)
        return [replace(curves, seconds=curves.seconds * self.noise.uniform(0.6, 1.7)) for curves in found]


def test_the_same_seed_gives_the_same_answer_however_busy_the_machine_is() -> None:
    first, again = (
        {row.batch_size: (row.steps, row.runs) for row in search(LINEAR, runner=runner).rows}
        for runner in (Busy(), Busy(noise=np.random.default_rng(1)))
    )
    assert first == again


def test_runs_of_a_small_problem_are_made_however_sure_the_choice_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with_them = search(LINEAR)
    monkeypatch.setattr("gdbench.pick.steps.search.CHEAP_SHARE", 0.0)
    without = search(LINEAR)
    most, fewer = (max(row.runs for row in found.rows) for found in (with_them, without))
    assert most >= 2 * fewer


def test_a_best_batch_size_that_is_not_confirmed_has_more_runs_however_sure_the_choice_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gdbench.pick.steps.search.CHEAP_SHARE", 0.0)
    usual = max(row.runs for row in search(LINEAR).rows)
    enough = 4 * usual
    monkeypatch.setattr(SizeCell, "confirmed", property(lambda cell: cell.runs >= enough))
    assert max(row.runs for row in search(LINEAR).rows) >= enough


def test_a_search_without_an_answer_goes_on_beyond_its_budget_once() -> None:
    granted = [20.0, 0.0]
    late = search(FLAT, runner=Slowed(0.05), seconds=0.1, more=lambda: granted.pop(0))
    assert any(row.measured for row in late.rows)
    assert granted in ([0.0], [])
    assert not any(row.measured for row in search(FLAT, runner=Slowed(0.05), seconds=0.1).rows)


def test_a_search_with_an_answer_asks_for_no_more_time() -> None:
    def more() -> float:
        raise AssertionError("it has an answer")

    assert any(row.measured for row in search(FLAT, runner=Slowed(0.15), seconds=4.0, more=more).rows)


def test_it_ends_in_time_with_what_it_has() -> None:
    begun = time.monotonic()
    late = search(FLAT, runner=Slowed(0.15), seconds=4.0)
    assert time.monotonic() - begun < 4.4
    assert any(row.measured for row in late.rows)


def test_ctrl_c_keeps_what_there_is() -> None:
    stopped = search(FLAT, runner=Slowed(rounds=14))
    assert stopped.interrupted
    assert "stopped" in stopped.reason
    assert any(row.measured for row in stopped.rows)
    nothing = search(FLAT, runner=Slowed(rounds=1))
    assert nothing.interrupted
    assert not any(row.measured for row in nothing.rows)


def test_what_runs_have_confirmed_stands_whenever_the_search_ends() -> None:
    problem, told = as_problem(valley()), list[set[int]]()
    found = Search(problem, GOAL, LINEAR, {}, Countdown(60.0), QUICK)

    def remember() -> None:
        told.append({size for size, cell in found.cells.items() if cell.confirmed})

    carry(found.run(), problem, Slowed(), tell=remember)
    assert told[-1]
    for before, after in pairwise(told):
        assert before <= after


# passes


def test_a_search_on_real_rows_tells_the_steps_of_many_independent_runs() -> None:
    """Diabetes gets there in about five passes, within each of which the expected loss rises and falls."""
    data = datasets.load("diabetes")
    network, n = Network.linear(10), data.n_rows
    least = find_optimum(network, data.X, data.Y).value
    rows = (data.X, data.Y, data.X, data.Y)
    step_seconds = {size: 2e-6 + 1e-7 * size for size in (4, 8, 16, 32, 64, 128, 256, n)}
    problem = NetworkProblem(network, *rows, dict.fromkeys(step_seconds, "tiled"), 3, "zeros", least)
    start = problem.start_loss()
    target = Target(least + 0.01 * (start - least), start, least, "training loss", "a share of the loss at the start")
    with serial() as runner:
        found = measure_steps(
            problem, step_seconds, target=target, tier=QUICK, seed=3, runner=runner, most_seconds=20.0
        )
    told = [row for row in found.rows if row.measured and row.runs >= 64 and row.batch_size < n]
    assert len(told) >= 2
    fresh = NetworkProblem(network, *rows, dict.fromkeys(step_seconds, "tiled"), 4, "zeros", least)
    for row in told:
        every = tuple(range(int(0.5 * row.steps), int(1.2 * row.steps)))
        trial = Trial(row.batch_size, row.learning_rate, tuple(range(600)), every, -math.inf)
        gaps = (run_trial(fresh, trial).losses.mean(axis=1) - least) / (target.value - least)
        told_at = every.index(row.steps)
        assert gaps[told_at] < 1.06, row  # the expected loss is at the target there
        assert gaps[: int(0.95 * told_at)].min() > 0.94, row  # and was not much before
