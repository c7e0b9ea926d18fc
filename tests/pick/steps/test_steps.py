"""The statistical half from beginning to end: steps to a target against exact ones, and what goes wrong, told."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count, pairwise
from time import sleep
from typing import Any

import numpy as np
import pytest
from gdbench.pick.steps.blocks import Block, Curves, run_block
from gdbench.pick.steps.measure_steps import Progress, carry, measure_steps
from gdbench.pick.steps.races import CAP_EPOCHS, MIN_CAP_STEPS

from gdbench.pick.runners.rounds import run_limited
from gdbench.pick.runners.serial import serial
from gdbench.pick.steps.answer import BUDGET, CAPPED, DIVERGED, EXTRAPOLATED, MET, REACHED, UNRELIABLE, Steps, Target
from gdbench.pick.steps.candidates import candidates
from gdbench.pick.steps.optimum import find_optimum
from gdbench.pick.steps.problem import DescentProblem, NetworkProblem
from gdbench.pick.steps.targets import JUDGES, given_target, near_optimum, reference_target
from gdbench.pick.steps.tiers import QUICK, STANDARD
from kernels import InputError, Network
from selftest.picks.exact import exact_steps
from selftest.picks.family import FAMILY, Instance
from selftest.picks.oracles import Gaussian

INSTANCES = ("gaussian-10-0.1", "quadratic-0.1", "wine")
EASY = "gaussian-10-0.1"
SIZES = (32, 64, 128, 256, 512, 1024)
"""Of the easy one: their runs are short, and those of 1 to 16 rows would be most of a search."""
NORMAL_90 = 1.645


@cache
def instance(name: str = EASY) -> Instance:
    return FAMILY[name]()


def target_of(found: Instance, share: float = 1.0) -> Target:
    """The goal of an instance, or a share of it."""
    return Target(share * found.goal, found.start_loss, None, "training loss", "as given")


def search(problem: DescentProblem, sizes: Sequence[int], target: Target, **others: Any) -> Steps:
    with serial() as runner:
        return measure_steps(problem, sizes, **{"target": target, "tier": QUICK, "seed": 1, "runner": runner} | others)


@cache
def searched(name: str) -> Steps:
    """Steps at all batch sizes of an instance."""
    found = instance(name)
    return search(replace(found.oracle, entropy=1), found.candidates, target_of(found), tier=STANDARD)


@cache
def searched_easy(entropy: int = 1) -> Steps:
    return search(replace(instance().oracle, entropy=entropy), SIZES, target_of(instance()))


def without_numbers(found: Steps) -> bool:
    return found.curve is None and all(row.steps is row.low is None for row in found.rows)


# against what is exact


@pytest.mark.parametrize("name", INSTANCES)
def test_steps_are_the_exact_ones_within_three_standard_errors(name: str) -> None:
    found = searched(name)
    assert found.status == REACHED
    reached = [row for row in found.rows if row.status == REACHED]
    assert len(reached) >= 6
    for row in reached:
        exact = exact_steps(instance(name).oracle, row.batch_size, row.learning_rate, instance(name).goal)
        assert abs(math.log(row.steps / exact)) < 3 * row.log_error
        assert 0.02 < row.log_error < 0.2


@pytest.mark.parametrize("name", INSTANCES)
def test_rows_of_a_search_agree_with_each_other(name: str) -> None:
    found, sizes = searched(name), instance(name).candidates
    assert tuple(row.batch_size for row in found.rows) == sizes
    known = [row for row in found.rows if row.steps is not None]
    for row in known:
        assert row.low < row.steps < row.high
        assert math.log(row.high / row.low) == pytest.approx(2 * NORMAL_90 * row.log_error)
        assert row.learning_rate > 0
        assert row.status in (REACHED, EXTRAPOLATED)
        assert (row.runs > 0) == row.measured == (row.status == REACHED)
        assert isinstance(row.steps, int)
    steps = [row.steps for row in known]
    assert all(after <= 1.05 * before for before, after in pairwise(steps))
    assert found.curve.floor < min(steps) * 1.2
    assert found.runs > 50
    assert found.examples > 1000


def test_intervals_hold_the_exact_steps_in_most_searches() -> None:
    inside = []
    for entropy in range(4):
        for row in searched_easy(entropy).rows:
            if row.status == REACHED:
                exact = exact_steps(instance().oracle, row.batch_size, row.learning_rate, instance().goal)
                inside.append(row.low <= exact <= row.high)
    assert np.mean(inside) > 0.7


@dataclass
class Watching:
    """Runs blocks as they come, and says Ctrl-C before the round that is one too many."""

    rounds: float = math.inf
    done: int = 0
    blocks: list[Block] = field(default_factory=list)
    found: list[Curves] = field(default_factory=list)

    def run(self, problem: DescentProblem, blocks: Sequence[Block], **others: Any) -> list[Curves]:
        if self.done >= self.rounds:
            raise KeyboardInterrupt
        self.done += 1
        self.blocks += blocks
        self.found += (found := [run_limited(problem, block) for block in blocks])
        return found


@cache
def watched_easy(rounds: float) -> tuple[Steps, Watching, list[Progress]]:
    """Steps of the easy one, the runs that tell them, and what was said; Ctrl-C may end the search."""
    watching, heard = Watching(rounds), list[Progress]()
    problem = replace(instance().oracle, entropy=1)
    found = search(problem, SIZES, target_of(instance()), runner=watching, report=heard.append)
    return found, watching, heard


def test_the_same_seed_finds_the_same_and_another_one_something_else() -> None:
    again, _, _ = watched_easy(math.inf)
    assert again == searched_easy()
    assert searched_easy(2) != searched_easy()


def test_runs_that_choose_a_rate_never_tell_its_steps() -> None:
    found, watching, _ = watched_easy(math.inf)
    seeds = {seed for block in watching.blocks for seed in block.seeds}
    told = {(block.batch_size, seed) for block in watching.blocks if block.seeds[0] >= 1000 for seed in block.seeds}
    assert {seed for seed in seeds if seed < 1000}
    for row in found.rows:
        assert row.runs == sum(size == row.batch_size for size, _ in told)


def test_the_record_counts_all_runs_and_rows() -> None:
    found, watching, heard = watched_easy(math.inf)
    assert found.runs == sum(len(block.rates) * len(block.seeds) for block in watching.blocks)
    assert found.examples == pytest.approx(sum(curves.rows for curves in watching.found))
    assert 0 < heard[-1].rows < found.examples
    assert [progress.rounds for progress in heard] == list(range(len(heard)))
    assert len({progress.words for progress in heard}) == 2


# few batch sizes, few rows


@pytest.mark.parametrize("sizes", [(1,), (4096,), (64, 128), (1, 4096)])
def test_one_or_two_batch_sizes_are_enough(sizes: tuple[int, ...]) -> None:
    found = search(replace(instance().oracle, entropy=3), sizes, target_of(instance()))
    assert found.status == REACHED
    assert [row.status for row in found.rows] == [REACHED] * len(sizes)
    for row in found.rows:
        exact = exact_steps(instance().oracle, row.batch_size, row.learning_rate, instance().goal)
        assert row.steps == pytest.approx(exact, rel=0.4)
    assert len(sizes) > 1 or not found.curve.identified
    assert not (found.warnings and len(sizes) == 1 and "the runs decide" in " ".join(found.warnings))


@pytest.mark.parametrize("sizes", [(178,), (177, 178), (1, 178)])
def test_all_rows_at_once_need_one_run(sizes: tuple[int, ...]) -> None:
    wine = instance("wine")
    found = search(replace(wine.oracle, entropy=3), sizes, target_of(wine))
    last = found.rows[-1]
    assert last.status == REACHED
    assert last.steps == pytest.approx(exact_steps(wine.oracle, 178, last.learning_rate, wine.goal), rel=0.03)
    assert last.runs == 1


def small(n: int, network: Network) -> NetworkProblem:
    rng = np.random.default_rng(n)
    return NetworkProblem(network, rng.normal(size=(n, 2)), rng.random((n, network.n_outputs)), entropy=3)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_rows_are_data_too(n: int) -> None:
    problem = small(n, Network.linear(2))
    optimum = find_optimum(problem.network, problem.X, problem.Y)
    assert optimum is not None
    found = search(problem, candidates(n), near_optimum(problem, optimum, metric="training loss"))
    assert found.status == REACHED
    assert all(row.status in (REACHED, EXTRAPOLATED) for row in found.rows)


# what goes wrong


def test_a_target_that_is_met_at_the_start_is_told_and_nothing_is_run() -> None:
    found = search(instance().oracle, instance().candidates, replace(target_of(instance()), value=5.1))
    assert (found.status, found.runs) == (MET, 0)
    assert "before the first step" in found.reason
    assert without_numbers(found)


@pytest.mark.parametrize("value", [0.1, 0.2])
def test_a_target_below_the_least_loss_is_told_and_nothing_is_run(value: float) -> None:
    target = replace(target_of(instance()), value=value, optimum=0.2)
    found = search(instance().oracle, instance().candidates, target)
    assert (found.status, found.runs) == (CAPPED, 0)
    assert "0.2" in found.reason
    assert without_numbers(found)


def test_a_target_that_some_runs_start_below_is_no_error() -> None:
    problem = small(2, Network.linear(2))
    optimum = find_optimum(problem.network, problem.X, problem.Y)
    assert optimum is not None
    target = near_optimum(problem, optimum, metric="training loss")
    found = search(problem, (1, 2), replace(target, value=0.7 * optimum.value + 0.3 * target.start))
    assert found.status == REACHED
    assert all((row.steps is None) == (row.status == CAPPED) for row in found.rows)


def test_an_unreachable_target_is_capped_after_bounded_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a tenth of the usual steps: 20,000, or 1000 passes over the rows if they are more."""
    monkeypatch.setattr("gdbench.pick.steps.races.MIN_CAP_STEPS", MIN_CAP_STEPS // 10)
    monkeypatch.setattr("gdbench.pick.steps.races.CAP_EPOCHS", CAP_EPOCHS // 10)
    problem = small(60, Network.linear(2))
    found = search(problem, candidates(60), given_target(problem, 1e-9, metric="training loss"))
    least = find_optimum(problem.network, problem.X, problem.Y)
    assert least is not None
    assert least.value > 1e-9  # but the search was not told
    assert found.status == CAPPED
    assert f"{MIN_CAP_STEPS // 10:,} steps" in found.reason
    assert without_numbers(found)
    assert found.runs < 300
    assert found.examples < 2e6


class TooHigh(Gaussian):
    """Whose scale of rates is so much too high that the lowest rate of a race is."""

    def rate_scale(self, batch_size: float) -> float:
        return 1e12 * super().rate_scale(batch_size)


class BadRuns(Gaussian):
    """Some of whose runs start at a value that is no number."""

    def is_bad(self, seed: int) -> bool:
        return seed == 1003

    def start(self, seed: int) -> np.ndarray:
        return super().start(seed) + (np.nan if self.is_bad(seed) else 0.0)


class BadFresh(BadRuns):
    """One of four fresh runs fails."""

    def is_bad(self, seed: int) -> bool:
        return seed >= 1000 and seed % 4 == 1


class AllFreshBad(BadRuns):
    """All fresh runs fail."""

    def is_bad(self, seed: int) -> bool:
        return seed >= 1000


def searched_as(kind: type[Gaussian], sizes: Sequence[int] = SIZES, **others: Any) -> Steps:
    oracle = instance().oracle
    problem = kind(oracle.h, oracle.optimum, oracle.label_variance, entropy=1)
    return search(problem, sizes, target_of(instance()), **others)


def test_rates_that_are_too_high_everywhere_are_told() -> None:
    found = searched_as(TooHigh)
    assert found.status == DIVERGED
    assert found.reason.startswith("every learning rate from ")
    assert without_numbers(found)
    assert found.examples < 1e6


def test_features_of_any_scale_have_a_rate() -> None:
    plain = small(40, Network.linear(2))
    for scale in (1e-6, 1e6):
        problem = replace(plain, X=scale * plain.X - scale, scheme="zeros")
        optimum = find_optimum(problem.network, problem.X, problem.Y)
        assert optimum is not None
        half = 0.5 * float(problem.losses(problem.start(0)[None])[0]) + 0.5 * optimum.value
        found = search(problem, (8, 40), given_target(problem, half, metric="training loss"))
        assert found.status == REACHED
    with pytest.raises(InputError, match="standardise"):
        search(replace(plain, X=1e200 * plain.X), (8, 40), target_of(instance()))


def test_one_failing_run_of_ten_is_counted_and_costs_nothing_else() -> None:
    found, plain = searched_as(BadRuns, instance().candidates, tier=STANDARD), searched(EASY)
    failed = [row for row in found.rows if row.failed]
    assert failed
    assert all((row.status, row.failed) == (REACHED, 1) and row.runs >= 10 for row in failed)
    for row, other in zip(found.rows, plain.rows, strict=True):
        assert row.steps == pytest.approx(other.steps, rel=0.15)


def test_a_batch_size_whose_runs_often_fail_has_no_number() -> None:
    found = searched_as(BadFresh)
    tried = [row for row in found.rows if row.runs]
    assert UNRELIABLE in {row.status for row in tried}
    for row in tried:
        assert (row.status == REACHED) == (row.failed <= row.runs / 10)
        assert (row.steps is None) == (row.status != REACHED)
        assert (row.reason != "") == (row.steps is None)


def test_runs_that_all_fail_where_others_did_not_are_no_answer() -> None:
    found = searched_as(AllFreshBad)
    assert found.status == CAPPED
    assert "not by fresh ones" in found.reason
    assert without_numbers(found)
    assert {row.status for row in found.rows if row.runs} == {DIVERGED}


def test_a_target_that_is_too_easy_is_warned_of() -> None:
    easy = search(instance().oracle, SIZES, target_of(instance(), 40.0))
    assert any("easy" in warning for warning in easy.warnings)
    assert not any("easy" in warning for warning in searched("wine").warnings)


# ended early


@dataclass
class Clock(Watching):
    """A pretended clock, which goes on only when a round is run, by so many seconds."""

    now: float = 0.0
    round_seconds: float = 0.0

    def run(self, problem: DescentProblem, blocks: Sequence[Block], **others: Any) -> list[Curves]:
        self.now += self.round_seconds
        return super().run(problem, blocks, **others)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr("gdbench.pick.steps.measure_steps.monotonic", lambda: found.now)
    return found


def searched_by(clock: Clock, most_seconds: float) -> Steps:
    problem = replace(instance().oracle, entropy=1)
    return search(problem, SIZES, target_of(instance()), runner=clock, most_seconds=most_seconds)


def test_without_time_there_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gdbench.pick.steps.measure_steps.monotonic", count().__next__)
    found = searched_by(Clock(), 0.0)
    assert (found.status, found.runs) == (BUDGET, 0)
    assert "budget" in found.reason
    assert without_numbers(found)


def test_time_that_is_spent_ends_the_search_with_what_is_known(clock: Clock) -> None:
    """A round is begun if half of one like the last would fit: the seventh is, at 6000 s, and the eighth is not."""
    clock.round_seconds = 1000.0  # in hours, so that the real alarm never rings
    found = searched_by(clock, 7000.0)
    assert found.status == BUDGET
    assert clock.now == 7000.0
    assert 0 < found.runs < searched_easy().runs
    assert found.examples == pytest.approx(sum(each.rows for each in clock.found))


def test_a_round_that_takes_too_long_is_broken_off(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "run", lambda problem, blocks: sleep(120))
    found = searched_by(clock, 0.05)
    assert (found.status, found.runs) == (BUDGET, 0)
    assert clock.now == 0


def ends() -> tuple[float, ...]:
    """Every third number of rounds, up to all of them."""
    _, watching, _ = watched_easy(math.inf)
    assert watching.done >= 6
    return (*range(0, watching.done, 3), math.inf)


def test_ctrl_c_gives_what_is_known_until_then() -> None:
    for rounds in ends():
        found, watching, _ = watched_easy(rounds)
        if rounds == math.inf:
            assert found.status == REACHED
            continue
        assert watching.done == rounds
        assert (found.status, found.reason) == (BUDGET, "the search was stopped")
        assert (found.runs == 0) == (rounds == 0)
        for row in found.rows:
            if row.status == REACHED:
                exact = exact_steps(instance().oracle, row.batch_size, row.learning_rate, instance().goal)
                assert row.steps == pytest.approx(exact, rel=0.5)
            else:
                assert row.status in (BUDGET, EXTRAPOLATED)
                assert (row.steps is None) == (row.status == BUDGET)


def test_nothing_that_was_told_is_lost_when_a_search_goes_on() -> None:
    tables = [watched_easy(rounds)[0].rows for rounds in ends()]
    reached = [sum(row.status == REACHED for row in rows) for rows in tables]
    assert reached[0] == 0
    assert reached == sorted(reached)
    runs = [sum(row.runs for row in rows) for rows in tables]
    assert runs[0] == 0 < runs[-1]


# targets


def test_a_target_near_the_optimum_leaves_a_hundredth_of_what_can_be_gained() -> None:
    problem = small(40, Network.linear(2))
    optimum = find_optimum(problem.network, problem.X, problem.Y)
    assert optimum is not None
    found = near_optimum(problem, optimum, metric="training loss")
    starts = [float(problem.losses(problem.start(seed)[None])[0]) for seed in range(10)]
    assert found.start == pytest.approx(np.mean(starts))
    assert found.value - optimum.value == pytest.approx(0.01 * (np.mean(starts) - optimum.value))
    assert found.optimum == optimum.value


def test_a_given_target_knows_the_least_loss_only_where_it_is_attained() -> None:
    problem = small(40, Network.linear(2))
    optimum = find_optimum(problem.network, problem.X, problem.Y)
    assert optimum is not None
    assert given_target(problem, 0.3, metric="training loss", optimum=optimum).optimum == optimum.value
    infimum = replace(optimum, attained=False)
    assert given_target(problem, 0.3, metric="training loss", optimum=infimum).optimum is None


@cache
def reference_descent() -> tuple[NetworkProblem, Target, Watching]:
    problem = small(64, Network.mlp(2, 4, 1, output="identity", loss="squared_error"))
    watching = Watching()
    return problem, carry(reference_target(problem, 16, metric="training loss"), problem, watching), watching


def test_most_fresh_runs_of_the_reference_descent_reach_its_target() -> None:
    problem, target, watching = reference_descent()
    assert target.value < target.start
    judged = [block for block in watching.blocks if set(block.seeds) <= set(JUDGES)]
    assert len({(block.rates, block.most_steps) for block in judged}) == 1
    assert sum(len(block.seeds) for block in judged) == len(JUDGES)
    fresh = run_block(problem, replace(judged[0], seeds=tuple(range(100))))
    share = (fresh.losses[:, 0].min(axis=0) <= target.value).mean()
    assert 0.6 < share < 0.98


def test_the_rate_of_the_reference_descent_is_the_best_of_those_tried() -> None:
    _, _, watching = reference_descent()
    (rate,) = watching.blocks[-1].rates
    lowest: dict[float, float] = {}
    for block, curves in zip(watching.blocks, watching.found, strict=True):
        if not set(block.seeds) <= set(JUDGES):
            lowest |= dict(zip(block.rates, curves.losses.mean(axis=2).min(axis=0).tolist(), strict=True))
    assert rate == min(lowest, key=lowest.__getitem__)
    assert min(lowest) < rate < max(lowest)
