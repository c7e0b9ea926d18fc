"""A pick that is killed or stopped goes on where it was, tells what it knows, and leaves no process behind."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from gdbench.basics.folders import scratch_folder
from gdbench.machine.environment import describe
from gdbench.pick import session
from gdbench.pick.runners import journal, opening
from gdbench.pick.runners.serial import serial
from gdbench.pick.steps.trials import Runner

from ..helpers import finish, have_ended, invoke, wait_for
from .pick_records import make_times
from .test_command import NEAR, SHORT, be_short, close_to, without_times

PICK = """
import sys, threading
from dataclasses import replace
from functools import partial
from gdbench.machine import environment
from gdbench.cli import main
from gdbench.pick import session
from gdbench.pick.runners import journal
from gdbench.pick.runners.journal import Journal
from gdbench.pick.seconds.times import TimeModel, Times, TimesRow
from gdbench.pick.steps import tiers

few, times, short = int(sys.argv.pop(1)), sys.argv.pop(1) == "times", eval(sys.argv.pop(1))
store, stored = Journal.store, []

def hold(self, trial, curves):
    store(self, trial, curves)
    stored.append(trial)
    if len(stored) == few:
        threading.Event().wait()

def known_times(network, X, Y, sizes, **options):
    rows = [TimesRow(size, "vectorized", t, t, t, 60) for size in sizes for t in [64e-6 + 1e-6 * size]]
    return Times("vectorized", "", "float64", 1, tuple(rows), TimeModel(64e-6, 1e-6, (), 64.0, 0.03), 4, 0.01, ())

Journal.store = hold
journal.MIN_SECONDS = 0.0
session.observe = lambda threads: environment.describe()
session.measure_step_time = partial(session.measure_step_time, processes=1) if times else known_times
for tier in (tiers.QUICK, tiers.THOROUGH):
    tiers.TIERS[tier.name] = replace(tier, **short)
main()
"""
"""The command, which waits for ever once it has stored a few trials, and is quick about what belongs to the machine."""
COMMON = ("pick", "--variant", "vectorized", "--budget", "9h")
SMALL = (*COMMON, "--dataset", "diabetes", "--network", "linear", "--tier", "quick", *NEAR)
LONG = (*COMMON, "--dataset", "digits", "--network", "softmax", "--tier", "thorough")
FEW = 3
"""Trials after which a search is killed: some of them."""


def begin(*options: str, folder: Path, few: int = 0, times: str = "no times", **streams: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PICK, str(few), times, repr(SHORT), *options]
    temporary = folder / "temporary"  # where a killed search leaves its problem
    temporary.mkdir()
    environment = {**os.environ, "GDBENCH_CACHE": str(folder / "cache"), "TMPDIR": str(temporary)}
    streams |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    return subprocess.Popen(command, cwd=folder, env=environment, **streams)


def stored(cache: Path) -> list[Path]:
    return list((cache / "picks").glob("*.npz"))


def children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def test_a_killed_search_goes_on_to_the_same_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = begin(*SMALL, "--output", "killed", "--workers", "2", folder=tmp_path, few=FEW)
    wait_for(lambda: len(stored(tmp_path / "cache")) == FEW, process)
    workers = children(process)
    process.kill()
    process.communicate()
    assert workers
    assert have_ended(workers)
    assert not (tmp_path / "killed" / "pick.json").exists()
    assert list((tmp_path / "temporary").glob("gdbench-pick-*"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))

    be_short(monkeypatch)
    monkeypatch.setattr(journal, "MIN_SECONDS", 0.0)
    monkeypatch.setattr(opening, "processes", serial_in_scratch)
    monkeypatch.setattr(session, "observe", lambda threads: describe())
    monkeypatch.setattr(session, "measure_step_time", lambda network, X, Y, sizes, **options: make_times(sizes))
    again, whole = (
        invoke(*SMALL, "--output", folder, "--json", "-", cwd=tmp_path, GDBENCH_CACHE=str(tmp_path / folder))
        for folder in ("cache", "undisturbed")
    )
    assert (again.returncode, whole.returncode) == (0, 0), (again.stderr, whole.stderr)
    assert not list((tmp_path / "temporary").iterdir())  # what the killed one left is cleared away
    record = json.loads(again.stdout)
    assert without_times(record["steps"]) == close_to(without_times(json.loads(whole.stdout)["steps"]))
    assert f"going on where an earlier search ended: {FEW} trials are known already" in again.stderr
    assert "known already" not in whole.stderr
    assert f"{FEW} of them known before" in record["progress"]
    assert len(stored(tmp_path / "cache")) == len(stored(tmp_path / "undisturbed")) > FEW


@contextmanager
def serial_in_scratch(workers: int | None) -> Iterator[Runner]:
    with scratch_folder("gdbench-pick-"), serial() as runner:
        yield runner


def stop(
    folder: Path, *more: str, number: int = signal.SIGINT, **options: Any
) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """Send Ctrl-C, or another signal, to a search that takes long, as soon as it has finished a trial."""
    process = begin(*LONG, "--output", "out", "--workers", "1", *more, folder=folder, **options)
    wait_for(lambda: stored(folder / "cache"), process)
    workers = children(process)
    assert workers
    process.send_signal(number)
    return process, workers


@pytest.mark.parametrize(("name", "words"), [("SIGINT", "Ctrl-C"), ("SIGTERM", "SIGTERM")])
def test_a_signal_leaves_an_answer_or_a_status_and_no_process(tmp_path: Path, name: str, words: str) -> None:
    number = signal.Signals[name]
    process, workers = stop(tmp_path, number=number, times="times")
    done = finish(process)
    assert done.returncode == 128 + number, done.stderr
    assert "Traceback" not in done.stderr
    assert "Ctrl-C again ends at once" in done.stderr
    assert have_ended(workers)
    found = json.loads((tmp_path / "out" / "pick.json").read_text(encoding="utf-8"))
    assert (found["complete"], found["exit_code"]) == (False, 128 + number)
    assert found["progress"].startswith(f"stopped by {words}; last stage: ")
    assert not list((tmp_path / "temporary").iterdir())
    assert found["sentences"][0 if found["choice"] is None else 1].startswith("Stopped")
    assert found["sentences"][0] in done.stdout
    assert found["times"]["rows"]  # these come first: whatever is known of the steps can be joined to them


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    process, workers = stop(tmp_path, "--json", "-", pipesize=4096)  # too small for an answer that nobody reads
    assert process.stderr is not None
    for line in process.stderr:
        if "Ctrl-C again" in line:
            break
    process.send_signal(signal.SIGINT)
    done = finish(process)
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    assert have_ended(workers)
    assert not (tmp_path / "out" / "pick.html").exists()
