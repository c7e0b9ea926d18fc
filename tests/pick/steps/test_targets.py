"""Targets: where they lie, what the runs that set them tell, and that the search begins there."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

import numpy as np
import pytest

from gdbench.experiments import datasets
from gdbench.pick.runners.serial import serial
from gdbench.pick.steps.answer import Steps, Target
from gdbench.pick.steps.cell import FRESH
from gdbench.pick.steps.measure import OutOfTime, carry, measure_steps
from gdbench.pick.steps.problem import DescentProblem, NetworkProblem
from gdbench.pick.steps.rates import RateSearch
from gdbench.pick.steps.targets import JUDGES, Beginning, reference_target
from gdbench.pick.steps.tiers import QUICK
from gdbench.pick.steps.trials import Curves, OnDone, Trial, mean_losses, run_trial
from kernels import Network

from .exact_problems import as_problem, start_loss, valley

STEPS = 300
SEARCHED = set(range(FRESH))
"""Numbers of runs that choose learning rates."""
STEP_SECONDS = {size: 2e-6 + 2e-7 * size for size in (1, 2, 4, 8, 16, 32, 64, 128)}


def network_problem(sample: np.ndarray | None = None) -> NetworkProblem:
    data = datasets.load("wine")
    rows = (data.X, data.Y, data.X, data.Y)
    network = Network.mlp(13, 8, 3, hidden="tanh", output="softmax")
    return NetworkProblem(network, *rows, dict.fromkeys(STEP_SECONDS, "tiled"), 3, sample=sample)


def found(problem: NetworkProblem, start: float) -> tuple[Target, Beginning]:
    with serial() as runner:
        return carry(reference_target(problem, 32, STEPS, start, metric="training loss"), problem, runner)


@pytest.fixture(scope="module")
def reference() -> tuple[Target, Beginning]:
    problem = network_problem()
    return found(problem, problem.start_loss())


def test_a_target_leaves_two_per_cent_of_what_the_mean_of_fresh_runs_gains(
    reference: tuple[Target, Beginning],
) -> None:
    target, begin = reference
    problem, rates = network_problem(), sorted(begin.hits)
    ends = {}
    for rate in rates:
        every = run_trial(problem, Trial(32, rate, JUDGES, tuple(range(1, STEPS + 1)), -math.inf))
        ends[rate] = mean_losses(every.losses).min()
    best = min(ends, key=ends.__getitem__)
    gained = target.start - ends[best]
    assert target.value == pytest.approx(ends[best] + 0.02 * gained, abs=0.01 * gained)
    assert rates[0] < best < rates[-1]
    assert "leaves 2 % of what runs with batches of 32 gain" in target.words


def test_the_runs_that_set_it_tell_where_the_mean_of_many_is_at_the_target(
    reference: tuple[Target, Beginning],
) -> None:
    target, begin = reference
    rate = min(begin.hits, key=lambda rate: begin.hits[rate].steps)
    looks = tuple(range(1, STEPS + 1))
    curves = run_trial(network_problem(), Trial(32, rate, tuple(range(200)), looks, -math.inf))
    true = looks[int(np.argmax(mean_losses(curves.losses) <= target.value))]
    assert begin.hits[rate].steps == pytest.approx(true, rel=0.3)


def test_a_sample_sets_the_same_target_as_all_rows_do(reference: tuple[Target, Beginning]) -> None:
    """The loss of half of the rows is another one; the target is that of all."""
    sample = np.arange(0, 178, 2)
    problem = network_problem(sample)
    target, begin = found(problem, reference[0].start)
    assert begin.shift != 0
    assert target.value == pytest.approx(reference[0].value, rel=0.15)


@dataclass
class Dear:
    """A runner of trials that take so long by its own clock, and the clock."""

    step_seconds: dict[int, float]
    left: float
    trials: list[Trial] = field(default_factory=list)
    workers = 1

    @property
    def most_seconds(self) -> float:
        return 60.0

    def run(self, problem: DescentProblem, trials: Sequence[Trial], *, on_done: OnDone | None = None) -> list[Curves]:
        self.trials += trials
        with serial() as runner:
            made = runner.run(problem, trials, on_done=on_done)
        curves = [
            replace(each, seconds=self.step_seconds[trial.batch_size] * each.rows / trial.batch_size)
            for trial, each in zip(trials, made, strict=True)
        ]
        self.left -= sum(each.seconds for each in curves)
        if self.left < 0:
            raise OutOfTime
        return curves


def search(
    reference: tuple[Target, Beginning], begin: Beginning | None, seconds: float, *, share: float = 1.0
) -> tuple[Steps, list[Trial]]:
    """Search where a training takes a second, or the runs before it said that it takes a share of that."""
    step = 1.0 / min(hit.steps for hit in reference[1].hits.values())
    step_seconds = {size: step * (0.2 + size / 40) for size in STEP_SECONDS}
    runner = Dear(step_seconds, seconds)
    begin = replace(begin, seconds=share * step_seconds[32]) if begin is not None else None
    steps = measure_steps(
        network_problem(),
        step_seconds,
        target=reference[0],
        tier=QUICK,
        seed=3,
        runner=runner,
        begin=begin,
        clock=runner,
    )
    return steps, runner.trials


def test_a_search_begins_with_what_set_the_target(reference: tuple[Target, Beginning]) -> None:
    _, trials = search(reference, reference[1], 120.0)
    _, more = search(reference, None, 120.0)
    before = list(takewhile(lambda trial: trial.seeds[0] < FRESH, trials))
    known = set(reference[1].hits)
    assert len(before) <= 2  # neither a pilot nor its rates again: those between the best and its neighbours
    assert not known & {trial.learning_rate for trial in before}
    assert len(list(takewhile(lambda trial: trial.seeds[0] < FRESH, more))) > 6


def test_what_may_win_is_told_by_eight_runs_before_gaps_are_filled() -> None:
    step_seconds = {size: (1 + size / 32) / 60 for size in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)}
    runner, start = Dear(step_seconds, 100.0), start_loss(valley())
    target = Target(0.02 * start, start, 0.0, "training loss", "a share of the loss at the start")
    measure_steps(as_problem(valley()), step_seconds, target=target, tier=QUICK, seed=3, runner=runner, clock=runner)
    gap = next(at for at, trial in enumerate(runner.trials) if trial.batch_size in (4, 16, 64, 256))
    counted = {
        size: len(
            {seed for trial in runner.trials[:gap] if trial.batch_size == size for seed in trial.seeds} - SEARCHED
        )
        for size in (8, 128)
    }
    assert min(counted.values()) >= 8


def test_what_the_first_runs_cost_is_known_before_the_search(reference: tuple[Target, Beginning]) -> None:
    """Steps of a peer are timed, and counted with kernels that may take a fiftieth."""
    _, dear = search(reference, reference[1], 120.0)
    _, cheap = search(reference, reference[1], 120.0, share=0.02)
    assert len(dear[0].seeds) <= 4
    assert len(cheap[0].seeds) == 8


def test_runs_that_take_long_are_trials_of_their_own(reference: tuple[Target, Beginning]) -> None:
    _, trials = search(reference, reference[1], 120.0)
    assert {len(trial.seeds) for trial in trials if trial.seeds[0] >= FRESH and trial.batch_size == 32} == {1}
    assert sum(trial.seeds[0] >= FRESH and trial.check > 0 and trial.batch_size == 32 for trial in trials) >= 4


# rates that fail


@dataclass(frozen=True)
class Walks:
    """Losses that fall by one in a hundred steps at any rate, but for runs that diverge."""

    diverging: tuple[int, ...]
    last: int = 200
    """Steps at which they do."""
    safe: float = 0.0
    """Rate up to which they do not."""
    highest: float = math.inf
    """Rate above which all runs do."""
    sampled_rows = None
    n_rows, floor = 1000, 0.0

    def stable_rate(self, batch_size: int) -> float:
        return 1.0

    def start_loss(self) -> float:
        return 4.0

    def begin(self, batch_size: int, learning_rate: float, seeds: Sequence[int], *, look_rows: int = 0) -> "WalkRuns":
        return WalkRuns(self, learning_rate, seeds)


@dataclass
class WalkRuns:
    problem: Walks
    rate: float
    seeds: Sequence[int]
    made: int = 0

    def advance(self, steps: int) -> None:
        self.made += steps

    def losses(self) -> np.ndarray:
        problem, rate = self.problem, self.rate
        lost = [(seed in problem.diverging and rate > problem.safe) or rate > problem.highest for seed in self.seeds]
        usual = 4.0 - min(self.rate, 1.0) * self.made / 100
        return np.where(np.array(lost) & (self.made >= self.problem.last), np.inf, usual)


def target_of(problem: Walks, trials: list[Trial] | None = None) -> tuple[Target, Beginning]:
    class Noted:
        workers = 1

        def run(self, problem: Any, asked: Sequence[Trial], *, on_done: OnDone | None = None) -> list[Curves]:
            if trials is not None:
                trials.extend(asked)
            with serial() as runner:
                return runner.run(problem, asked, on_done=on_done)

    return carry(reference_target(problem, 32, STEPS, 4.0, metric="training loss"), problem, Noted())


def test_one_run_of_ten_that_diverges_changes_nothing() -> None:
    assert target_of(Walks((JUDGES[2],)))[0].value == pytest.approx(1.0 + 0.02 * 3.0)


def test_where_more_diverge_the_next_lower_rate_sets_the_target_and_is_where_the_search_begins() -> None:
    target, begin = target_of(Walks(JUDGES[:2], safe=0.3))
    assert target.value == pytest.approx(3.25 + 0.02 * 0.75)  # 4 - 0.25 * 3
    assert RateSearch(32, target.value, 0.0, hits=dict(begin.hits)).best == 0.25
    target, begin = target_of(Walks((), highest=0.5))
    assert target.value == pytest.approx(2.5 + 0.02 * 1.5)
    assert RateSearch(32, target.value, 0.0, hits=dict(begin.hits)).best == 0.5


def test_where_all_rates_diverge_the_target_is_the_loss_at_the_start() -> None:
    trials = list[Trial]()
    target, begin = target_of(Walks((), highest=0.0), trials)
    assert (target.value, begin.reached, begin.diverged) == (4.0, False, True)
    assert "which no learning rate lowers" in target.words
    assert not any(trial.seeds[0] in JUDGES for trial in trials)


def test_where_runs_differ_the_target_is_where_their_mean_may_be() -> None:
    class Two(Walks):
        """Two of ten runs stay where they are."""

        def begin(self, batch_size: int, learning_rate: float, seeds: Sequence[int], *, look_rows: int = 0) -> Any:
            class Runs(WalkRuns):
                def losses(self) -> np.ndarray:
                    return np.where(np.array(self.seeds) % 5 == 4, 4.0, super().losses())

            return Runs(self, learning_rate, seeds)

    target, _ = target_of(Two(()))
    error = 3.0 * math.sqrt(0.2 * 0.8 * 10 / 9) / math.sqrt(10)
    assert target.value == pytest.approx(1.6 + 2 * error)
    assert "leaves 33 %" in target.words
