"""Processes of this machine give the curves of this process, also when they are killed, and leave nothing behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from gdbench.pick.runners import journal
from gdbench.pick.runners.journal import Journal, Journaled
from gdbench.pick.runners.pool import processes
from gdbench.pick.runners.serial import serial
from gdbench.pick.steps.problem import NetworkProblem
from gdbench.pick.steps.trials import Curves, Trial
from kernels import InputError

from ...helpers import LIMIT_SECONDS, have_ended
from .runner_cases import ENDLESS, TRIALS, Ear, alike, environment, make_problem, pool_workers, same

SEARCH = """
import sys
from math import inf
from pathlib import Path
import numpy as np
from gdbench.experiments import datasets
from gdbench.pick.runners import journal
from gdbench.pick.runners.pool import processes
from gdbench.pick.steps.problem import NetworkProblem
from gdbench.pick.steps.trials import Trial
from kernels import Network

if __name__ == "__main__":
    journal.MIN_SECONDS = 0.0
    digits, trials = datasets.load("digits"), eval(sys.argv[2])
    rows, variants = (digits.X, digits.Y), eval(sys.argv[3])
    problem = NetworkProblem(Network.softmax(64, 10), *rows, *rows, variants, 5, sample=np.arange(500))
    try:
        with processes(2) as runner:
            journal.Journaled(runner, journal.Journal(Path(sys.argv[1]), problem.key)).run(problem, trials)
    except KeyboardInterrupt:
        sys.exit(130)
"""


def test_processes_give_the_curves_of_this_process_in_the_order_of_the_trials(
    problem: NetworkProblem, expected: list[Curves], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And have one thread each, whatever the user wishes for this one, whose wishes stay."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    for name in names:
        monkeypatch.setenv(name, "2")
    ear, before = Ear(), dict(os.environ)
    with processes(2) as runner:
        assert runner.workers == 2
        found = runner.run(problem, TRIALS[::-1], on_done=ear)
        assert alike(found, expected[::-1])
        assert ear.agrees(found)
        first = pool_workers()
        assert [child.environ()[name] for child in first for name in names] == ["1"] * 4
        assert not alike(runner.run(make_problem(6), TRIALS[-1:]), expected[-1:])  # not taken for the one before
        assert pool_workers() == first  # the pool lives on
    assert have_ended(first)
    assert dict(os.environ) == before


def test_a_killed_process_costs_the_trials_in_flight_only(problem: NetworkProblem, expected: list[Curves]) -> None:
    victims: list[psutil.Process] = []

    def kill() -> None:
        victims.append(pool_workers()[0])
        victims[0].kill()

    ear = Ear(at_first=kill)
    with processes(1) as runner:
        found = runner.run(problem, TRIALS, on_done=ear)
        assert alike(found, expected)
        assert victims
        assert not victims[0].is_running()
        assert ear.agrees(found)  # each was heard of once: what was finished was not run again
        others = pool_workers()
        for child in others:  # and between two rounds
            child.kill()
        assert have_ended(others)
        assert alike(runner.run(problem, TRIALS[-2:]), expected[-2:])


def test_processes_that_are_killed_again_and_again_end_in_one_sentence(problem: NetworkProblem) -> None:
    over, pids = threading.Event(), set()

    def kill() -> None:
        while not over.wait(0.01):
            for child in pool_workers():
                pids.add(child.pid)
                with suppress(psutil.NoSuchProcess):  # killed in the round before, and gone just now
                    child.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with (
            pytest.raises(InputError, match=r"killed again and again.* use fewer workers"),
            processes(1) as runner,
        ):
            runner.run(problem, [ENDLESS])
    finally:
        over.set()
        killer.join()
    assert len(pids) == 4  # it was run again three times


def test_an_error_in_a_trial_is_told_and_ends_the_round(problem: NetworkProblem, expected: list[Curves]) -> None:
    wrong = replace(TRIALS[0], batch_size=5)  # for which no variant is named
    with processes(1) as runner:
        with pytest.raises(KeyError, match="5"):
            runner.run(problem, [wrong, *TRIALS])
        assert have_ended(pool_workers())
        assert alike(runner.run(problem, TRIALS[-1:]), expected[-1:])


def has_stored(folder: Path, _process: subprocess.Popen[str]) -> bool:
    """Whether the first trial is in the journal."""
    return bool(list(folder.glob("[0-9a-f]*.npz")))


def has_started(_folder: Path, process: subprocess.Popen[str]) -> bool:
    """Whether a worker is in the midst of its imports, where Ctrl-C would end in a traceback."""
    maps = [part.path for child in pool_workers(process.pid) for part in child.memory_maps()]
    return any("_multiarray_umath" in path for path in maps)


@contextmanager
def searching(
    folder: Path, trials: list[Trial], until: Callable[[Path, subprocess.Popen[str]], bool] = has_stored
) -> Iterator[subprocess.Popen[str]]:
    """A search in a process group of its own, which has come so far."""
    command = [sys.executable, "-c", SEARCH, str(folder), repr(trials), repr(make_problem().variants)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    variables = environment() | {"TMPDIR": str(folder)}  # what a killed search leaves there goes with it
    with subprocess.Popen(command, text=True, start_new_session=True, env=variables, **streams) as process:
        end = time.monotonic() + LIMIT_SECONDS
        while not until(folder, process):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.005)
        try:
            yield process
        finally:
            process.kill()


def test_a_search_that_is_killed_leaves_no_process_and_goes_on_to_the_same_curves(
    problem: NetworkProblem, expected: list[Curves], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with searching(tmp_path, [*TRIALS, ENDLESS]) as process:
        workers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.communicate()
    assert len(workers) >= 2
    assert have_ended(workers)
    there = {path: path.stat().st_mtime_ns for path in tmp_path.glob("[0-9a-f]*.npz")}
    assert 1 <= len(there) <= len(TRIALS)
    asked: list[Trial] = []

    class Counting:
        workers = 1

        def run(self, problem, trials, *, on_done=None):
            asked.extend(trials)
            with serial() as runner:
                return runner.run(problem, trials, on_done=on_done)

    ear = Ear()
    monkeypatch.setattr(journal, "MIN_SECONDS", 0.0)
    kept = Journaled(Counting(), Journal(tmp_path, problem.key))
    resumed = kept.run(problem, TRIALS, on_done=ear)
    assert alike(resumed, expected)
    assert ear.agrees(resumed)
    assert len(asked) == len(TRIALS) - len(there)
    assert {path: path.stat().st_mtime_ns for path in there} == there
    asked.clear()
    assert same(kept.run(problem, TRIALS), resumed)
    assert not asked


@pytest.mark.parametrize(("until", "trials"), [(has_started, [ENDLESS] * 2), (has_stored, [*TRIALS, ENDLESS])])
def test_ctrl_c_in_the_terminal_ends_the_workers_and_keeps_what_was_finished(
    problem: NetworkProblem,
    expected: list[Curves],
    tmp_path: Path,
    until: Callable[[Path, subprocess.Popen[str]], bool],
    trials: list[Trial],
) -> None:
    with searching(tmp_path, trials, until) as process:
        workers = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to every process of the group
        stdout, stderr = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, stdout, stderr) == (130, "", "")  # no worker printed a traceback
    assert have_ended(workers)
    found = [Journal(tmp_path, problem.key).load(trial) for trial in TRIALS]
    pairs = [(kept, curves) for kept, curves in zip(found, expected, strict=True) if kept is not None]
    assert bool(pairs) == (until is has_stored)
    assert all(alike([kept], [curves]) for kept, curves in pairs)
