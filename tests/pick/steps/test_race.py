"""Races of learning rates: they find the best one wherever they begin, on problems whose steps are exact."""

import math
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from gdbench.pick.steps.blocks import Block, Curves, run_block
from gdbench.pick.steps.hitting import Hit
from gdbench.pick.steps.measure_steps import carry
from gdbench.pick.steps.race import CURVATURE, FINEST, MAX_EXTENSIONS, STEP, Plan, Race, together
from gdbench.pick.steps.runner import Runner

from gdbench.pick.runners.serial import serial
from gdbench.pick.steps.problem import DescentProblem
from selftest.picks.exact import best_rate, exact_steps
from selftest.picks.family import gaussian
from selftest.picks.oracles import Gaussian, Quadratic

CAP = 4000
CLIFF = Quadratic(np.array([1.0, 0.1]), np.zeros(2), np.ones(2), entropy=5)
"""No noise: steps fall with the rate up to 2 / 1.1 = 1.82, and at 2 / h = 2 it diverges."""
CLIFF_GOAL = 1e-4 * 0.55


@cache
def valley() -> tuple[Gaussian, float]:
    """Noise of the gradient and of the labels: too high a rate does not get there, too low a one is slow."""
    oracle = gaussian(10, 0.1)
    return oracle, 0.01 * float(oracle.losses(oracle.start(0)[None])[0])


@pytest.fixture
def runner() -> Iterator[Runner]:
    with serial() as found:
        yield found


def cliff_race() -> Race:
    return Race(1, (0,), CLIFF_GOAL, 0.0, CAP)


def valley_race(runs: int, *, size: int = 8, first: int = 0) -> Race:
    return Race(size, tuple(range(first, first + runs)), valley()[1], 0.0, CAP)


def grid(centre: float) -> list[float]:
    return [centre * STEP**power for power in (-1, 0, 1)]


def excess(problem: Quadratic | Gaussian, race: Race, rate: float) -> float:
    """Share by which a rate needs more steps than the best one, exactly."""
    best = best_rate(problem, race.batch_size, race.goal)[1]
    return exact_steps(problem, race.batch_size, rate, race.goal) / best - 1


@pytest.mark.parametrize("begin", [1.8, 1.0, 0.3, 0.11, 30.0])
def test_the_best_rate_beside_a_cliff_is_found_wherever_the_race_begins(begin: float, runner: Runner) -> None:
    race = cliff_race()
    carry(race.run(grid(begin)), CLIFF, runner)
    assert race.best is not None
    assert race.best < 2.0
    assert excess(CLIFF, race, race.best) < 0.15
    rate, error = race.optimum() or (math.nan, math.nan)
    assert rate < 2.0  # never over the cliff
    assert excess(CLIFF, race, rate) < 0.2
    assert 0 < error < 0.2


@pytest.mark.parametrize("begin", [0.25, 0.05, 2.0])
def test_the_best_rate_of_a_valley_is_found_wherever_the_race_begins(begin: float, runner: Runner) -> None:
    oracle, _ = valley()
    race = valley_race(60)
    carry(race.run(grid(begin)), oracle, runner)
    rate, error = race.optimum() or (math.nan, math.nan)
    assert excess(oracle, race, rate) < 0.05
    exact = best_rate(oracle, 8, race.goal)[0]
    assert abs(math.log(rate / exact)) < 3 * error
    assert race.best is not None
    assert excess(oracle, race, race.best) < 0.08


def test_steps_of_a_race_are_the_exact_ones_within_their_errors(runner: Runner) -> None:
    oracle, goal = valley()
    race = valley_race(100)
    carry(race.run(grid(0.2)), oracle, runner)
    told = {rate: found for rate, found in race.hits.items() if math.isfinite(found.steps)}
    assert len(told) >= 3
    for rate, found in told.items():
        exact = exact_steps(oracle, 8, rate, goal)
        assert abs(math.log(found.steps / exact)) < 3 * found.spread + 0.02


def test_rates_to_both_sides_of_the_best_are_tried(runner: Runner) -> None:
    race = cliff_race()
    carry(race.run(grid(0.5)), CLIFF, runner)
    assert race.best is not None
    near = [rate for rate in race.hits if rate != race.best and abs(math.log(rate / race.best)) < 1.05 * math.log(STEP)]
    assert min(near) < race.best < max(near)


def test_a_race_extends_its_rates_step_by_step_and_gives_up(runner: Runner) -> None:
    race = cliff_race()
    carry(race.run([1e-9]), CLIFF, runner)
    assert race.best is None
    assert not race.diverged
    assert max(race.hits) / 1e-9 == pytest.approx(4.0**MAX_EXTENSIONS)
    above = cliff_race()
    carry(above.run([1e40]), CLIFF, runner)
    assert above.best is None
    assert above.diverged
    assert above.optimum() is None
    assert above.rows < 1000


def test_runs_that_are_slower_than_the_best_are_stopped(runner: Runner) -> None:
    race = cliff_race()
    carry(race.run(grid(0.1)), CLIFF, runner)
    slow = race.hits[min(race.hits)]
    assert slow.steps == math.inf
    assert slow.failed == 0
    assert slow.last < 3 * race.hits[0.1 * STEP].steps


def test_no_rate_is_run_twice(runner: Runner) -> None:
    rates: list[float] = []

    def watched(plan: Plan) -> Plan:
        found: list[Curves] | None = None
        while True:
            try:
                blocks = next(plan) if found is None else plan.send(found)
            except StopIteration:
                return
            rates.extend(rate for block in blocks for rate in block.rates)
            found = yield blocks

    race = valley_race(12)
    carry(watched(race.run([0.2, 0.1, 0.14])), valley()[0], runner)
    logs = np.log(sorted(rates))
    assert np.diff(logs).min() > 0.5 * math.log(FINEST)
    assert race.runs == 12 * len(rates)
    assert sorted(race.hits) == sorted(rates)


def run_rounds(plan: Plan, problem: DescentProblem) -> list[list[Block]]:
    """Carry out a plan and return its rounds."""
    rounds: list[list[Block]] = []
    found: list[Curves] | None = None
    while True:
        try:
            rounds.append(next(plan) if found is None else plan.send(found))
        except StopIteration:
            return rounds
        found = [run_block(problem, block) for block in rounds[-1]]


def test_once_the_steps_of_a_rate_are_known_others_are_not_given_many_more() -> None:
    race = cliff_race()
    rounds = run_rounds(race.run(grid(0.3)), CLIFF)
    assert rounds[0][0].most_steps == CAP
    assert len(rounds) > 2
    assert all(blocks[0].most_steps < CAP / 10 for blocks in rounds[1:])


@pytest.mark.parametrize("vertex", [-0.05, 0.0, 0.06])
def test_between_the_rates_tried_the_best_is_the_vertex_of_a_parabola(vertex: float) -> None:
    race = cliff_race()
    for place in (-2, -1, 0, 1, 2):
        steps = 100.0 * math.exp(CURVATURE * (place * math.log(FINEST) - vertex) ** 2)
        race.hits[0.5 * FINEST**place] = Hit(steps, 0.01, steps, 0, 1000, 0.0)
    rate, _ = race.optimum() or (math.nan, math.nan)
    assert math.log(rate / 0.5) == pytest.approx(vertex, abs=1e-3)


def test_races_that_go_on_together_find_what_each_finds_alone() -> None:
    oracle, _ = valley()
    cases = [(16, 0.4), (4, 0.01), (64, 1.0)]
    alone = [valley_race(6, size=size) for size, _ in cases]
    rounds = [run_rounds(race.run(grid(begin)), oracle) for race, (_, begin) in zip(alone, cases, strict=True)]
    joined = [valley_race(6, size=size) for size, _ in cases]
    plans = [race.run(grid(begin)) for race, (_, begin) in zip(joined, cases, strict=True)]
    found = run_rounds(together(plans), oracle)
    assert [race.hits for race in joined] == [race.hits for race in alone]
    lengths = [len(each) for each in rounds]
    assert len(set(lengths)) > 1  # some go on after others have ended
    assert [len(blocks) for blocks in found] == [
        sum(length > place for length in lengths) for place in range(max(lengths))
    ]


def test_nothing_to_join_is_no_round() -> None:
    assert list(together([])) == []
