"""The journal gives back what was stored and nothing else, and never stops a search."""

import os
import resource
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from gdbench.pick.runners import journal
from gdbench.pick.runners.journal import KEPT_DAYS, Journal, Journaled
from gdbench.pick.runners.serial import serial
from gdbench.pick.steps.problem import NetworkProblem
from gdbench.pick.steps.trials import Curves, Trial

from .runner_cases import TRIALS, Ear, alike, environment_of, make_problem, same

CHANGES = {
    "batch_size": 5,
    "learning_rate": float(np.nextafter(0.1, 1)),
    "seeds": (0, 2),
    "looks": (50, 100, 201),
    "goal": float(np.nextafter(1e-6, 1)),
    "slack": 2.0,
    "check": 100,
    "look_rows": 64,
}


@pytest.fixture(autouse=True)
def _keep_short_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MIN_SECONDS", 0.0)


@pytest.fixture
def kept(problem: NetworkProblem, expected: list[Curves], tmp_path: Path) -> Journal:
    """A journal with the first trial."""
    found = Journal(tmp_path, problem.key)
    found.store(TRIALS[0], expected[0])
    return found


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.npz"))


def test_what_was_stored_comes_back_whole(kept: Journal, expected: list[Curves]) -> None:
    found = kept.load(TRIALS[0])
    assert found is not None
    assert same([found], expected[:1])
    assert {field.name: type(getattr(found, field.name)) for field in fields(Curves)} == {
        field.name: type(getattr(expected[0], field.name)) for field in fields(Curves)
    }


def test_what_was_not_stored_is_absent(kept: Journal, tmp_path: Path) -> None:
    assert kept.load(TRIALS[1]) is None
    assert Journal(tmp_path, make_problem(6).key).load(TRIALS[0]) is None
    assert len(entries(tmp_path)) == 1


def test_every_field_of_a_trial_is_changed_here() -> None:
    assert set(CHANGES) == {field.name for field in fields(Trial)}


@pytest.mark.parametrize("name", CHANGES)
def test_a_trial_that_differs_in_one_bit_is_another_one(kept: Journal, name: str) -> None:
    assert kept.load(replace(TRIALS[0])) is not None
    assert kept.load(replace(TRIALS[0], **{name: CHANGES[name]})) is None


def test_trials_that_are_run_sooner_than_read_are_not_kept(
    problem: NetworkProblem, expected: list[Curves], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    found = Journal(tmp_path, problem.key)
    found.store(TRIALS[0], replace(expected[0], seconds=0.99 * journal.MIN_SECONDS))
    found.store(TRIALS[1], replace(expected[1], seconds=1.01 * journal.MIN_SECONDS))
    assert [found.load(trial) is not None for trial in TRIALS[:2]] == [False, True]


def test_a_damaged_entry_counts_as_absent(kept: Journal, expected: list[Curves], tmp_path: Path) -> None:
    (path,) = entries(tmp_path)
    whole, rng, absent = path.read_bytes(), np.random.default_rng(0), 0
    for place in rng.choice(len(whole), 150, replace=False):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        found = kept.load(TRIALS[0])
        assert found is None or same([found], expected[:1])  # a date in it may be damaged without harm
        absent += found is None
    assert absent > 75
    for damaged in (b"", b"no archive", whole[:-1], whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        assert kept.load(TRIALS[0]) is None
    kept.store(TRIALS[0], expected[0])
    assert same([kept.load(TRIALS[0])], expected[:1])


ASK = """
import shutil, sys
from math import inf
from pathlib import Path
from gdbench.pick.steps import problem
from gdbench.pick.steps.trials import Trial
from gdbench.pick.runners.fingerprint import fingerprint
from gdbench.pick.runners.journal import Journal

kept, trial = Journal(Path(sys.argv[1]), sys.argv[2]), eval(sys.argv[3])
print(kept.load(trial) is not None)
changed = Path(problem.__file__)
text = changed.read_bytes()
shutil.copy(sys.argv[4], changed)
fingerprint.cache_clear()
print(kept.load(trial) is not None)
changed.write_bytes(text)
"""


@pytest.mark.usefixtures("kept")
def test_entries_of_other_sources_are_not_used(problem: NetworkProblem, tmp_path: Path, other_sources: Path) -> None:
    """Unless the same sources lie elsewhere: so it is once the remark has gone."""
    ours = str(Path(journal.__file__).parents[1] / "steps" / "problem.py")
    command = [sys.executable, "-c", ASK, str(tmp_path), problem.key, repr(TRIALS[0]), ours]
    done = subprocess.run(command, env=environment_of(other_sources), text=True, capture_output=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_old_entries_are_removed_when_a_journal_is_opened(
    kept: Journal, expected: list[Curves], tmp_path: Path, problem: NetworkProblem
) -> None:
    (old,) = entries(tmp_path)
    kept.store(TRIALS[1], expected[1])
    left_over, other = tmp_path / f".{old.name}.x1y2", tmp_path / "notes.txt"
    left_over.touch()
    other.touch()
    for path in (old, left_over, other):
        os.utime(path, times=(time.time() - (KEPT_DAYS + 1) * 86_400,) * 2)
    found = Journal(tmp_path, problem.key)
    assert (found.load(TRIALS[0]), found.load(TRIALS[1]) is None) == (None, False)
    assert not left_over.exists()
    assert other.exists()  # not one of ours


def test_without_a_place_for_a_journal_the_search_goes_on_and_says_so(
    problem: NetworkProblem, expected: list[Curves], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    found = Journal(tmp_path / "file" / "picks", problem.key)
    assert found.warning == ""
    with serial() as runner:
        assert alike(Journaled(runner, found).run(problem, TRIALS[-2:]), expected[-2:])
    assert "cannot be kept" in found.warning
    assert "set GDBENCH_CACHE" in found.warning


def test_a_disk_that_is_full_leaves_no_half_an_entry(kept: Journal, expected: list[Curves], tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))  # bytes; writing more fails as on a full disk
    try:
        kept.store(TRIALS[1], expected[1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "File too large" in kept.warning
    assert len(list(tmp_path.iterdir())) == 1
    kept.store(TRIALS[1], expected[1])
    assert kept.load(TRIALS[1]) is None  # it has given up
    assert same([kept.load(TRIALS[0])], expected[:1])  # but still tells what it has


def test_a_runner_with_a_journal_runs_what_is_missing_and_tells_of_all(
    kept: Journal, problem: NetworkProblem, expected: list[Curves], tmp_path: Path
) -> None:
    ear = Ear()
    with serial() as runner:
        journaled = Journaled(runner, kept)
        assert journaled.workers == runner.workers
        found = journaled.run(problem, TRIALS, on_done=ear)
    assert alike(found, expected)
    assert same(found[:1], expected[:1])  # not run again: even its seconds are those that were stored
    assert ear.agrees(found)
    assert len(entries(tmp_path)) == len(TRIALS)


def test_it_lies_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GDBENCH_CACHE", str(tmp_path))
    assert journal.default_folder() == tmp_path / "picks"
    monkeypatch.delenv("GDBENCH_CACHE")
    assert journal.default_folder().parent.name == "gdbench"


def test_a_journal_of_another_problem_is_refused(problem: NetworkProblem, tmp_path: Path) -> None:
    with serial() as runner, pytest.raises(ValueError, match="another problem"):
        Journaled(runner, Journal(tmp_path, "0" * 64)).run(problem, TRIALS)
