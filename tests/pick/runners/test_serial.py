"""The runner in this process: what every other one is held to."""

from dataclasses import replace

import pytest

from gdbench.pick.runners.serial import serial
from gdbench.pick.steps.problem import NetworkProblem
from gdbench.pick.steps.trials import Curves, run_trial

from .runner_cases import TRIALS, Ear, alike, same


def test_curves_come_in_the_order_of_the_trials_each_heard_of_once(problem: NetworkProblem) -> None:
    ear = Ear()
    with serial() as runner:
        assert runner.workers == 1
        found = runner.run(problem, TRIALS[::-1], on_done=ear)
    assert alike(found, [run_trial(problem, trial) for trial in TRIALS[::-1]])
    assert ear.agrees(found)


def test_trials_that_differ_have_curves_that_differ(expected: list[Curves]) -> None:
    assert not alike(expected[:1], expected[1:2])
    assert not same(expected[:1], [replace(expected[0], rows=expected[0].rows + 1)])


def test_an_error_in_a_trial_ends_the_round_after_those_before(problem: NetworkProblem) -> None:
    ear = Ear()
    with serial() as runner, pytest.raises(KeyError):
        runner.run(problem, [TRIALS[0], replace(TRIALS[0], batch_size=5), TRIALS[1]], on_done=ear)
    assert list(ear.heard) == [0]
