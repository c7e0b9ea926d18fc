"""Processes of this machine give the values of this one, also when some are killed, and none of them outlives it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from gdbench.experiments import datasets
from gdbench.pick.runners.journal import Journal
from gdbench.pick.runners.pool import processes
from gdbench.pick.runners.serial import serial
from gdbench.pick.steps.problem import NetworkProblem
from gdbench.pick.steps.trials import Curves, Trial
from gdbench.processes.launch import thread_environment
from kernels import InputError, Network

from ...helpers import LIMIT_SECONDS, have_ended

SIZES = (4, 8, 16, 32, 64, 128)
TRIALS = [Trial(size, 0.05, (0, 1), (100, 400), 1e-6) for size in SIZES]
"""None reaches its goal."""
SAME = 1e-9
"""Relative difference that rounding explains."""
ENDLESS = replace(TRIALS[0], looks=(1_000_000_000,))
"""It takes days."""
PREPARED = """
from gdbench.experiments import datasets
from gdbench.pick.runners.pool import processes
from gdbench.pick.steps.problem import NetworkProblem
from gdbench.pick.steps.trials import Trial
from kernels import Network

digits = datasets.load("digits")
rows, variants = (digits.X, digits.Y), dict.fromkeys((4, 8, 16, 32, 64, 128), "vectorized")
problem = NetworkProblem(Network.softmax(64, 10), *rows, *rows, variants, entropy=5)
"""
SEARCH = (
    PREPARED
    + """
import sys
from math import inf
from pathlib import Path
from gdbench.pick.runners import journal

journal.MIN_SECONDS = 0.0
try:
    with processes(2) as runner:
        kept = journal.Journal(Path(sys.argv[1]), problem.key)
        journal.Journaled(runner, kept).run(problem, eval(sys.argv[2]))
except KeyboardInterrupt:
    sys.exit(130)
"""
)
SCRIPT = (
    PREPARED
    + """
print("beginning", __name__)
with processes(2) as runner:
    found = runner.run(problem, [Trial(4, 0.05, (0,), (10,), 1e-6)] * 2)
print(len(found), "trials")
"""
)
"""It has no ``if __name__ == "__main__"``."""


def make_problem() -> NetworkProblem:
    digits = datasets.load("digits")
    rows = (digits.X, digits.Y)
    return NetworkProblem(Network.softmax(64, 10), *rows, *rows, dict.fromkeys(SIZES, "vectorized"), entropy=5)


@pytest.fixture(scope="module")
def problem() -> NetworkProblem:
    return make_problem()


@pytest.fixture(scope="module")
def expected(problem: NetworkProblem) -> list[Curves]:
    with serial() as runner:
        return runner.run(problem, TRIALS)


def alike(one: Sequence[Curves], other: Sequence[Curves]) -> bool:
    """Whether what two processes computed is equal but for rounding, and for the time it took."""
    assert len(one) == len(other)
    names = [each.name for each in fields(Curves) if "seconds" not in each.name]
    pairs = [
        (np.asarray(getattr(a, n)), np.asarray(getattr(b, n))) for a, b in zip(one, other, strict=True) for n in names
    ]
    return all(a.shape == b.shape and np.allclose(a, b, rtol=SAME, atol=0) for a, b in pairs)


@dataclass
class Ear:
    """Hears of finished trials, and does something at the first."""

    at_first: Callable[[], None] = lambda: None
    heard: dict[int, Curves] = field(default_factory=dict)
    calls: int = 0

    def __call__(self, place: int, curves: Curves) -> None:
        self.calls += 1
        self.heard[place] = curves
        if self.calls == 1:
            self.at_first()

    def agrees(self, results: list[Curves]) -> bool:
        """Whether it heard of each trial once, in its place, and of what was returned."""
        return self.calls == len(results) and all(self.heard[i] is curves for i, curves in enumerate(results))


def workers_of(parent: int | None = None) -> list[psutil.Process]:
    """Processes that run trials, for us or for another process."""
    found = []
    for child in psutil.Process(parent).children():
        with suppress(psutil.NoSuchProcess):
            if "gdbench.pick.runners.process" in child.cmdline():
                found.append(child)
    return found


def test_trials_are_not_all_alike(expected: list[Curves]) -> None:
    assert not alike(expected[:1], expected[1:2])


def test_processes_give_the_values_of_this_process_in_the_order_of_the_trials(
    problem: NetworkProblem, expected: list[Curves], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And have one thread each, whatever the user wishes for this one, whose wishes stay."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    for name in names:
        monkeypatch.setenv(name, "2")
    ear, before = Ear(), dict(os.environ)
    with processes(2) as runner:
        found = runner.run(problem, TRIALS[::-1], on_done=ear)
        assert alike(found, expected[::-1])
        assert ear.agrees(found)
        first = workers_of()
        assert [child.environ()[name] for child in first for name in names] == ["1"] * 4
        other = replace(problem, entropy=6)
        assert not alike(runner.run(other, TRIALS[-1:]), expected[-1:])  # not taken for the problem before
        assert workers_of() == first  # they live on
    assert have_ended(first)
    assert dict(os.environ) == before


def test_a_script_need_not_say_that_it_is_the_main_one(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, str(script)]
    done = subprocess.run(command, env=thread_environment(1), text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "beginning __main__\n2 trials\n", "")


def test_a_killed_process_costs_the_trials_in_flight_only(problem: NetworkProblem, expected: list[Curves]) -> None:
    victims: list[psutil.Process] = []

    def kill() -> None:
        victims.append(workers_of()[0])
        victims[0].kill()

    ear = Ear(at_first=kill)
    with processes(1) as runner:
        found = runner.run(problem, TRIALS, on_done=ear)
        assert alike(found, expected)
        assert victims
        assert not victims[0].is_running()
        assert ear.agrees(found)  # each was heard of once: what was finished was not run again
        others = workers_of()
        for child in others:  # and between two rounds
            child.kill()
        assert have_ended(others)
        assert alike(runner.run(problem, TRIALS[-2:]), expected[-2:])


def test_processes_that_are_killed_again_and_again_end_in_one_sentence(problem: NetworkProblem) -> None:
    over, pids = threading.Event(), set()

    def kill() -> None:
        while not over.wait(0.01):
            for child in workers_of():
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


def test_an_error_in_a_trial_is_told_with_its_place_and_ends_the_round(
    problem: NetworkProblem, expected: list[Curves]
) -> None:
    wrong = replace(TRIALS[0], seeds=(-1,))
    with processes(1) as runner:
        with pytest.raises(ValueError, match="non-negative") as raised:
            runner.run(problem, [wrong, *TRIALS])
        assert "in begin\n" in raised.value.__notes__[0]
        assert have_ended(workers_of())
        assert alike(runner.run(problem, TRIALS[-1:]), expected[-1:])


# --- a search that is stopped ---


def has_stored(folder: Path, _process: subprocess.Popen[str]) -> bool:
    """Whether the first trial is in the journal."""
    return bool(list(folder.glob("[0-9a-f]*.npz")))


def has_started(_folder: Path, process: subprocess.Popen[str]) -> bool:
    """Whether a worker is in the midst of its imports, where Ctrl-C would end in a traceback."""
    maps = [part.path for child in workers_of(process.pid) for part in child.memory_maps()]
    return any("_multiarray_umath" in path for path in maps)


@contextmanager
def searching(
    folder: Path, trials: list[Trial], until: Callable[[Path, subprocess.Popen[str]], bool] = has_stored
) -> Iterator[subprocess.Popen[str]]:
    """A search in a process group of its own, which has come so far."""
    command = [sys.executable, "-c", SEARCH, str(folder), repr(trials)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = thread_environment(1) | {"TMPDIR": str(folder)}  # what a killed search leaves there goes with it
    del environment["NUMBA_NUM_THREADS"]  # the journal tells apart what Numba is told, and nobody tells us
    with subprocess.Popen(command, text=True, start_new_session=True, env=environment, **streams) as process:
        end = time.monotonic() + LIMIT_SECONDS
        while not until(folder, process):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.005)
        try:
            yield process
        finally:
            process.kill()


def test_a_search_that_is_killed_leaves_no_process_and_keeps_what_was_finished(
    problem: NetworkProblem, expected: list[Curves], tmp_path: Path
) -> None:
    with searching(tmp_path, [*TRIALS, ENDLESS]) as process:
        workers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.communicate()
    assert len(workers) >= 2
    assert have_ended(workers)
    assert kept_are_right(problem, expected, tmp_path)


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
    assert kept_are_right(problem, expected, tmp_path) == (until is has_stored)


def kept_are_right(problem: NetworkProblem, expected: list[Curves], folder: Path) -> bool:
    """Whether a journal has some trials; all that it has are as expected."""
    found = [Journal(folder, problem.key).load(trial) for trial in TRIALS]
    pairs = [(kept, curves) for kept, curves in zip(found, expected, strict=True) if kept is not None]
    assert all(alike([kept], [curves]) for kept, curves in pairs)
    return bool(pairs)
