"""Simulated problems: what is stored is whole and agrees with fresh runs, and picks are judged by it rightly."""

import json
import math
import shutil
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from gdbench.pick.steps.answer import REACHED, StepsRow
from gdbench.pick.steps.crossing import whole
from kernels import InputError
from selftest import run
from selftest.picks.clocks import line
from selftest.picks.judging import against
from selftest.picks.simulated_truths import simulated_truth
from selftest.simulated.cells import MIN_RUNS, looks_between
from selftest.simulated.crossings import crossings, redrawn, spread
from selftest.simulated.descent import Descent
from selftest.simulated.losses import goal_of, losses
from selftest.simulated.problems import FAMILIES, NETWORK, PROBLEMS, Problem
from selftest.simulated.simulation import starts
from selftest.simulated.stored import FOLDER, Simulated, path_of, read, write

CONVEX = [name for name in PROBLEMS if PROBLEMS[name]().family != NETWORK]
SIZE, RUNS = 32, 100
"""Batch size that is simulated afresh, and runs of it."""
CLOSE = pytest.approx
ROW = StepsRow(1, REACHED, "", None, None, None, None, 0.03, measured=True, runs=50, failed=0)


@cache
def problem(name: str) -> Problem:
    return PROBLEMS[name]()


@cache
def stored(name: str) -> Simulated:
    return read(name)


def fresh_steps(name: str, rate: float, runs: int = RUNS) -> tuple[float, float]:
    """Steps at a batch size and learning rate by runs that are not those of what is stored, and their log's error."""
    goal, guess = stored(name).goal, stored(name).steps(SIZE, rate)[0]
    looks = looks_between(guess / 2, 2 * guess)
    found = Descent(problem(name), SIZE, seed=1).losses({rate: looks}, range(runs))[rate]
    steps = crossings(looks, found.mean(axis=0)[None], goal)
    return float(steps[0]), spread(crossings(looks, redrawn(runs, 0) @ found, goal))


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_batch_size_is_stored_with_runs_enough_and_small_errors(name: str) -> None:
    known = stored(name)
    assert known.candidates == problem(name).candidates
    assert known.family in FAMILIES
    assert known.made
    for cell in known.cells:
        assert cell.runs >= (1 if problem(name).is_certain(cell.batch_size) else MIN_RUNS)
        assert cell.log_error <= 0.035
        rates = [one.learning_rate for one in cell.rates]
        assert rates == sorted(rates)
        assert rates[0] <= cell.learning_rate / 3.5
        assert max(rates) >= 1.8 * cell.learning_rate
        for one in cell.rates:
            assert cell.steps <= one.steps * math.exp(4 * one.log_error) * 1.001


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_stored_goal_is_that_of_the_problem(name: str) -> None:
    goal, known = goal_of(problem(name), starts(problem(name), stored(name).seed)), stored(name).goal
    assert goal.target == CLOSE(known.target, rel=1e-6)
    assert goal.start == CLOSE(known.start, rel=1e-6)
    assert goal.floor == CLOSE(known.floor, rel=1e-6)
    assert known.floor < known.target < known.start


@pytest.mark.parametrize("name", PROBLEMS)
def test_more_rows_a_step_never_need_more_steps(name: str) -> None:
    for small, large in pairwise(map(stored(name).cell, stored(name).candidates)):
        assert math.log(large.steps / small.steps) <= 4 * math.hypot(small.log_error, large.log_error) + 0.005


@pytest.mark.parametrize("name", ["wine-softmax", "unbalanced-softmax", "iris-4-16-3"])
@pytest.mark.parametrize("factor", [1.0, 0.55], ids=["best", "between"])
def test_fresh_runs_agree_with_what_is_stored(name: str, factor: float) -> None:
    rate = factor * stored(name).cell(SIZE).learning_rate
    told, error = stored(name).steps(SIZE, rate)
    steps, own = fresh_steps(name, rate)
    assert abs(math.log(told / steps)) <= 4 * math.hypot(error, own)
    assert told > 1.1 * stored(name).best(SIZE)[0] or factor == 1


def test_steps_between_rates_are_smooth_and_those_too_high_never_get_there() -> None:
    known = stored("wine-softmax")
    cell = known.cell(SIZE)
    low, high = cell.rates[0], cell.rates[-1]
    assert known.steps(SIZE, low.learning_rate / 3)[0] == CLOSE(3 * low.steps, rel=0.01)
    assert known.steps(SIZE, 1.01 * high.learning_rate)[0] == math.inf
    assert known.steps(SIZE, cell.learning_rate)[0] == CLOSE(known.best(SIZE)[0])
    assert known.best(SIZE)[0] == CLOSE(cell.steps)
    for one in cell.rates:
        if math.isfinite(one.steps) and one.learning_rate <= cell.learning_rate:
            assert known.steps(SIZE, one.learning_rate) == (CLOSE(one.steps), CLOSE(one.log_error))
    for rate in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InputError, match="positive and finite"):
            known.steps(SIZE, rate)


def test_a_rate_that_never_gets_there_ends_what_is_known() -> None:
    known = stored("wine-softmax")
    cell = known.cell(SIZE)
    rates = tuple(
        replace(one, steps=math.inf) if one.learning_rate > 1.5 * cell.learning_rate else one for one in cell.rates
    )
    cut = replace(known, cells=(replace(cell, rates=rates),))
    last = max(one.learning_rate for one in rates if math.isfinite(one.steps))
    assert cut.steps(SIZE, last)[0] == known.steps(SIZE, last)[0]
    assert cut.steps(SIZE, 1.02 * last)[0] == math.inf


def test_an_unknown_batch_size_and_a_problem_not_simulated_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not simulated at batch size 3: choose one of 1, 2, 4"):
        stored("wine-softmax").best(3)
    with pytest.raises(InputError, match="simulation --only wine-softmax"):
        read("wine-softmax", tmp_path)


def test_what_is_stored_comes_back_as_it_was(tmp_path: Path) -> None:
    for name in PROBLEMS:
        copy = write(stored(name), tmp_path)
        assert copy.read_text(encoding="utf-8") == path_of(name, FOLDER).read_text(encoding="utf-8")
        assert read(name, tmp_path) == stored(name)


def test_picks_on_a_simulated_problem_are_judged_by_what_is_stored() -> None:
    truth, clock = simulated_truth("wine-softmax"), line(16)
    known = stored("wine-softmax")
    times = {size: known.best(size)[0] * clock.seconds(size) for size in known.candidates}
    best = min(times, key=lambda size: times[size])
    rate, steps = known.cell(best).learning_rate, known.best(best)[0]
    row = replace(ROW, batch_size=best, learning_rate=rate, steps=whole(steps), low=0.9 * steps, high=1.1 * steps)
    assert against(truth, row)["covered"]
    assert against(truth, replace(row, learning_rate=rate / 2))["exact"] == whole(known.steps(best, rate / 2)[0])
    assert not against(truth, replace(row, learning_rate=rate / 2))["covered"]
    assert (truth.family, truth.n_rows, truth.target.value) == ("softmax", 178, known.goal.target)


def test_what_is_searched_begins_where_the_simulation_did_and_has_its_loss() -> None:
    for name in ("wine-softmax", "iris-4-16-3"):
        searched, one = simulated_truth(name).problem(3), problem(name)
        runs = searched.begin(SIZE, 0.1, range(3))
        starting = losses(one.network, runs.thetas, one.X, one.Y)
        assert runs.losses() == CLOSE(starting)
        assert starting.mean() == CLOSE(stored(name).goal.start, rel=0.5)
        assert (searched.floor, searched.n_rows) == (stored(name).goal.floor, one.n_rows)


def test_the_command_goes_on_from_what_is_stored(tmp_path: Path) -> None:
    shutil.copyfile(path_of("iris-4-16-3"), path_of("iris-4-16-3", tmp_path))
    done = CliRunner().invoke(run.main, ["simulation", "--only", "iris-4-16-3", "--folder", str(tmp_path)])
    assert (done.exit_code, done.output) == (0, "")
    assert json.loads(path_of("iris-4-16-3", tmp_path).read_text(encoding="utf-8"))["seed"] == 0
