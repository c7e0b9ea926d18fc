"""SIGTERM and SIGHUP end a command as Ctrl-C does: what was finished is kept, and nothing goes on running."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

import psutil
import pytest

from ..helpers import LIMIT_SECONDS, copy_sources, finish, have_ended, start, wait_for

HOLD = """
import time
from pathlib import Path
Path("certifying").touch()
while Path("certifying").exists():  # until the test has seen the end
    time.sleep(0.01)
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sources whose certifying processes say that they are at it, and never end by themselves."""
    folder = copy_sources(tmp_path_factory.mktemp("sources"))
    path = folder / "benchmarks" / "gdbench" / "verify" / "process.py"
    text = path.read_text(encoding="utf-8")
    entry = 'if __name__ == "__main__":\n'
    path.write_text(text.replace(entry, entry + indent(HOLD.lstrip(), "    ")), encoding="utf-8")
    return folder


@pytest.fixture
def certifying(tmp_path: Path) -> Iterator[Path]:
    """File that a held process writes; without it the process goes on."""
    path = tmp_path / "certifying"
    yield path
    path.unlink(missing_ok=True)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_ends_certifying_processes_and_has_its_exit_code(name: str, sources: Path, certifying: Path) -> None:
    number = signal.Signals[name]
    process = start(
        "check", "--network", "logistic", "--dataset", "breast_cancer", cwd=certifying.parent, sources=sources
    )
    wait_for(certifying.exists, process)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    ended = finish(process)
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (128 + number, "gdbench: stopped.")
    assert children
    assert have_ended(children)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_stopped_run_says_how_to_go_on(name: str, sources: Path, certifying: Path) -> None:
    number = signal.Signals[name]
    arguments = (
        "run",
        "--profile",
        "smoke",
        "--network",
        "logistic",
        "--variant",
        "vectorized",
        "--output",
        "out/mine",
    )
    process = start(*arguments, cwd=certifying.parent, sources=sources)
    wait_for(certifying.exists, process)
    process.send_signal(number)
    ended = finish(process)
    assert ended.returncode == 128 + number
    assert ended.stderr.rstrip().endswith("gdbench run --resume --output out/mine")
    assert (certifying.parent / "out" / "mine" / "plan.json").exists()


def test_a_signal_before_a_command_has_begun_has_its_exit_code_too(tmp_path: Path) -> None:
    text = """
import os, signal
from gdbench import cli
cli._run = lambda received: os.kill(os.getpid(), signal.SIGTERM) or signal.pause()
cli.main()
"""
    done = subprocess.run([sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (128 + signal.SIGTERM, "gdbench: stopped.\n")


def test_a_terminal_that_is_closed_is_no_error_of_its_own(sources: Path, certifying: Path) -> None:
    ours, theirs = pty.openpty()
    places = os.pathsep.join([str(sources), str(sources / "benchmarks"), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-m", "gdbench", "check", "--network", "logistic", "--dataset", "breast_cancer"],
        cwd=certifying.parent,
        env=os.environ | {"PYTHONPATH": places},
        **dict.fromkeys(("stdin", "stdout", "stderr"), theirs),
    )
    os.close(theirs)
    end = time.monotonic() + LIMIT_SECONDS
    while not certifying.exists() and time.monotonic() < end:
        assert process.poll() is None
        time.sleep(0.01)
    os.close(ours)
    process.send_signal(signal.SIGHUP)
    assert process.wait(LIMIT_SECONDS) == 128 + signal.SIGHUP
