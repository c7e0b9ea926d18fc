"""Rounds of trials: what had finished when a round ends early is kept, and sums are rounded as by one thread."""

import threading
from concurrent.futures import Future

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from gdbench.pick.runners.rounds import MAX_RERUNS, EngineRunner, one_thread
from gdbench.pick.steps.problem import NetworkProblem
from gdbench.pick.steps.trials import Curves, Trial
from kernels import InputError

from ...helpers import LIMIT_SECONDS
from .runner_cases import TRIALS, Ear, same


class Lost(Exception):
    """Workers were lost."""


class Finished:
    """An engine whose trials have all finished, but for the last one, which fails."""

    lost = (Lost,)
    remedy = "start again"
    workers = 3

    def __init__(self, results: list[Curves], failure: BaseException, failures: int = 1) -> None:
        self.results, self.failure, self.failures = results, failure, failures
        self.abandoned = self.submitted = self.prepared = 0

    def prepare(self, _problem: NetworkProblem) -> None:
        self.prepared += 1

    def submit(self, _problem: NetworkProblem, trial: Trial) -> Future[Curves]:
        future: Future[Curves] = Future()
        self.submitted += 1
        if trial == TRIALS[-1] and self.failures > 0:
            self.failures -= 1
            future.set_exception(self.failure)
        else:
            future.set_result(self.results[TRIALS.index(trial)])
        return future

    def abandon(self) -> None:
        self.abandoned += 1


def test_trials_that_had_finished_when_a_round_ends_early_are_kept(
    problem: NetworkProblem, expected: list[Curves]
) -> None:
    engine, ear = Finished(expected, KeyboardInterrupt()), Ear()
    with pytest.raises(KeyboardInterrupt):
        EngineRunner(engine).run(problem, [TRIALS[-1], *TRIALS[:-1] * 4], on_done=ear)
    assert engine.abandoned == 1
    assert sorted(ear.heard) == [*range(1, 1 + 4 * len(TRIALS[:-1]))]
    assert ear.calls == len(ear.heard)


def test_only_what_was_lost_is_run_again(problem: NetworkProblem, expected: list[Curves]) -> None:
    engine, ear = Finished(expected, Lost()), Ear()
    found = EngineRunner(engine).run(problem, TRIALS, on_done=ear)
    assert same(found, expected)
    assert ear.agrees(found)
    assert engine.submitted == len(TRIALS) + 1


def test_workers_that_are_lost_again_and_again_end_in_the_remedy(
    problem: NetworkProblem, expected: list[Curves]
) -> None:
    engine = Finished(expected, Lost(), MAX_RERUNS + 1)
    with pytest.raises(InputError, match="start again"):
        EngineRunner(engine).run(problem, TRIALS)
    assert engine.submitted == len(TRIALS) + MAX_RERUNS


def test_a_round_without_trials_prepares_the_workers(problem: NetworkProblem) -> None:
    engine = Finished([], Lost())
    assert EngineRunner(engine).run(problem, []) == []
    assert (engine.prepared, engine.submitted) == (1, 0)


def test_a_runner_has_the_workers_of_its_engine(expected: list[Curves]) -> None:
    assert EngineRunner(Finished(expected, Lost())).workers == 3


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_blas_has_one_thread_until_the_last_of_overlapping_trials_has_ended() -> None:
    with threadpool_limits(limits=2, user_api="blas"):
        assert blas_threads() == {2}
        inside, leave = threading.Event(), threading.Event()

        def run() -> None:
            with one_thread():
                inside.set()
                leave.wait(LIMIT_SECONDS)

        other = threading.Thread(target=run)
        other.start()
        assert inside.wait(LIMIT_SECONDS)
        with one_thread():
            leave.set()
            other.join()  # the one that came first goes first
            assert blas_threads() == {1}
        assert blas_threads() == {2}
