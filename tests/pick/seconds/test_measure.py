"""The measurement as a whole, in processes of its own: complete, in spite of losses, and refused where it must be."""

import json
import os
import signal
from dataclasses import asdict
from typing import Any

import psutil
import pytest

from gdbench.pick.seconds import measure
from gdbench.pick.seconds.fleet import NotTimed
from gdbench.pick.seconds.measure import measure_step_time
from gdbench.pick.seconds.times import Times
from gdbench.pick.steps.candidates import candidates
from kernels import InputError, Network
from kernels.contract import Array

Problem = tuple[Network, Array, Array]
MANY_SECONDS = 1e6
"""Given to a measurement that ends by its samples."""


@pytest.fixture(scope="module")
def measured(digits: Problem) -> Times:
    """A measurement in which one process of three was killed by its id, once there were samples."""
    known = set(psutil.Process().children())
    killed: list[int] = []

    def report(words: str, share: float) -> None:
        ours = sorted(set(psutil.Process().children()) - known, key=lambda process: process.pid)
        if words == "timing steps" and not killed and ours:
            killed.append(ours[0].pid)
            os.kill(ours[0].pid, signal.SIGKILL)

    options: dict[str, Any] = {"processes": 3, "most_seconds": MANY_SECONDS, "report": report}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "enough", lambda values: len(values) > 1)  # however noisy the machine
        found = measure_step_time(*digits, candidates(len(digits[1])), variant="vectorized", **options)
    assert set(psutil.Process().children()) == known
    return found


def test_every_batch_size_is_timed_and_the_interval_holds_the_seconds(measured: Times, digits: Problem) -> None:
    assert [row.batch_size for row in measured.rows] == list(candidates(len(digits[1])))
    assert {row.variant for row in measured.rows} == {"vectorized"}
    for row in measured.rows:
        assert 0 < row.low <= row.seconds <= row.high
        assert row.samples > 0
    assert (measured.variant, measured.reason, measured.dtype, measured.threads) == ("vectorized", "", "float64", 1)
    assert json.loads(json.dumps(asdict(measured), allow_nan=False))["processes"] == measured.processes


def test_a_killed_process_is_told_and_costs_no_batch_size(measured: Times) -> None:
    (loss,) = [warning for warning in measured.warnings if "ended with code" in warning]
    assert "ended with code -9" in loss
    assert "its samples so far are kept" in loss
    assert measured.processes in (2, 3)  # the one that was killed may not have had its turn


def test_without_any_process_there_is_no_answer(digits: Problem) -> None:
    known = set(psutil.Process().children())

    def report(words: str, share: float) -> None:
        if words == "timing steps":
            for process in set(psutil.Process().children()) - known:
                process.kill()

    with pytest.raises(NotTimed, match=r"^no process that timed steps is left: the process of worker \d of 2 ended"):
        measure_step_time(*digits, [1, 8], variant="vectorized", processes=2, report=report)
    assert set(psutil.Process().children()) == known


def test_a_process_that_says_nothing_is_stopped(digits: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GDBENCH_PATIENCE_SECONDS", "0.01")
    with pytest.raises(NotTimed, match=r"said nothing for 0\.01 s and was stopped"):
        measure_step_time(*digits, [1], variant="vectorized", processes=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"candidates": [0]}, "the batch size must be a whole number from 1 to 1797"),
        ({"candidates": []}, "there is no batch size to time"),
        ({"variant": "fastest"}, "there is no variant 'fastest'"),
        ({"processes": 0}, "at least one process"),
        ({"threads": 4096}, "4096 threads are asked for"),
    ],
)
def test_bad_input_is_one_sentence_before_any_process_starts(
    digits: Problem, options: dict[str, Any], message: str
) -> None:
    network, X, Y = digits
    arguments: dict[str, Any] = {"candidates": [1], **options}
    with pytest.raises(InputError, match=f"^{message}"):
        measure_step_time(network, X, Y, **arguments)
