"""A pick that is killed or stopped goes on where it was, tells what it knows, and leaves no process behind."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from .helpers import finish, gdbench, start, wait_for

SMALL = ("pick", "--dataset", "diabetes", "--network", "linear", "--tier", "quick", "--workers", "2", "--budget", "20s")
FEW = 3
"""Blocks after which a search is killed: about a tenth of them."""
GONE_SECONDS = 20


def pick(folder: Path, *, cache: Path, output: str) -> Any:
    return gdbench(*SMALL, "--output", output, cwd=folder, GDBENCH_CACHE=str(cache))


def stored(cache: Path) -> list[Path]:
    return list((cache / "picks").glob("*.npz"))


def record_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "pick.json").read_text(encoding="utf-8"))
    return found


def children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def still_there(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended by themselves; a zombie has, though nobody has looked at it."""
    left = psutil.wait_procs(processes, timeout=GONE_SECONDS)[1]
    return [process for process in left if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("picks")


@pytest.fixture(scope="module")
def whole(folder: Path) -> dict[str, Any]:
    """The record of a search that nobody disturbed."""
    done = pick(folder, cache=folder / "undisturbed", output="whole")
    assert done.returncode == 0, done.stderr
    assert "known already" not in done.stderr
    return record_of(folder / "whole")


def test_a_killed_search_goes_on_to_the_same_steps(whole: dict[str, Any], folder: Path) -> None:
    cache = folder / "cache"
    process = start(*SMALL, "--output", "killed", cwd=folder, GDBENCH_CACHE=str(cache))
    wait_for(lambda: len(stored(cache)) >= FEW, process)
    workers = children(process)
    process.kill()
    process.communicate()
    assert workers
    assert not still_there(workers)
    assert not (folder / "killed").exists()
    kept = len(stored(cache))

    done = pick(folder, cache=cache, output="again")
    assert done.returncode == 0, done.stderr
    again = record_of(folder / "again")
    assert again["steps"] == whole["steps"]
    assert f"going on where an earlier search ended: {kept} blocks are known already" in done.stderr
    assert f"{kept} of them known before" in again["progress"]
    assert len(stored(cache)) == len(stored(folder / "undisturbed"))


def stop(folder: Path) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """Send Ctrl-C to a search that takes a while longer, as soon as it has finished a block."""
    options = ("pick", "--dataset", "digits", "--network", "mlp", "--tier", "quick", "--output", "out")
    process = start(*options, cwd=folder, GDBENCH_CACHE=str(folder / "cache"))
    wait_for(lambda: stored(folder / "cache"), process)
    workers = children(process)
    assert workers
    process.send_signal(signal.SIGINT)
    return process, workers


def test_ctrl_c_leaves_an_answer_or_a_status_and_no_process(tmp_path: Path) -> None:
    process, workers = stop(tmp_path)
    done = finish(process)
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    assert "Ctrl-C again ends at once" in done.stderr
    assert not still_there(workers)
    found = record_of(tmp_path / "out")
    assert (found["complete"], found["exit_code"]) == (False, 130)
    assert found["progress"].startswith("stopped by Ctrl-C; last stage: ")
    assert found["sentences"][0 if found["choice"] is None else 1].startswith("Stopped")
    assert found["sentences"][0] in done.stdout
    assert found["times"]["rows"]  # these come first: whatever is known of the steps can be joined to them


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    process, workers = stop(tmp_path)
    assert process.stderr is not None
    for line in process.stderr:
        if "Ctrl-C again" in line:
            break
    process.send_signal(signal.SIGINT)
    done = finish(process)
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    assert not still_there(workers)
    assert not (tmp_path / "out" / "pick.html").exists()
