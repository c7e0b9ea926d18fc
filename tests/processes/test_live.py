"""Child processes answer by value, by error, and by events before the answer; what they print never gets in between."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from gdbench.processes.children import Children, Ended
from gdbench.processes.launch import interrupts_deferred
from gdbench.processes.live import AnswerError, LiveProcess, ProcessLost

from ..helpers import LIMIT_SECONDS, have_ended

CHILD = """
import os, sys, time
from gdbench.processes.answers import serve


class Worker:
    def double(self, number):
        return 2 * number

    def raises(self):
        raise ValueError("no such row\\nand more")

    def count(self, number, *, tell):
        for i in range(number):
            tell(i)
        return "counted"

    def prints(self):
        print("to standard output", flush=True)
        os.write(1, b"\\xff not UTF-8\\n")
        print("to standard error", file=sys.stderr, flush=True)
        os.write(1, os.read(0, 10))  # which has nothing to give
        return "quiet"

    def leaves(self, code, *, tell):
        tell("about to go")
        print("last words", flush=True)
        raise SystemExit(code)

    def sleeps(self):
        time.sleep(3600)

    def hangs_up(self):
        os.closerange(3, 1000)
        time.sleep(3600)

    def tells_for_ever(self, *, tell):
        while True:
            tell(os.getpid())
            time.sleep(0.01)


serve(int(sys.argv[1]), Worker())
"""
PARENT = """
import sys
from gdbench.processes.live import LiveProcess

process = LiveProcess("child", name="child", threads=1, cores=[], variables={"PYTHONPATH": sys.argv[1]})
process.ask("tells_for_ever", hear=lambda event: print(event, flush=True))
"""


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Search path on which the module ``child`` is found, and everything else."""
    folder = tmp_path_factory.mktemp("child")
    (folder / "child.py").write_text(CHILD, encoding="utf-8")
    return os.pathsep.join([str(folder), *filter(None, sys.path)])


@pytest.fixture
def process(places: str) -> Iterator[LiveProcess]:
    with _start(places) as process:
        yield process


def _start(places: str, seconds: float = LIMIT_SECONDS) -> LiveProcess:
    variables = {"PYTHONPATH": places}
    return LiveProcess("child", name="the test", threads=1, cores=[], variables=variables, usual_seconds=seconds)


def test_an_answer_is_a_value(process: LiveProcess) -> None:
    assert process.ask("double", 21) == 42


def test_an_error_is_an_answer_and_the_process_lives_on(process: LiveProcess) -> None:
    with pytest.raises(AnswerError, match=r"^ValueError: no such row$") as caught:
        process.ask("raises")
    assert (caught.value.kind, caught.value.text) == ("ValueError", "no such row\nand more")
    assert process.ask("double", 1) == 2


def test_events_are_heard_in_their_order_before_the_answer(process: LiveProcess) -> None:
    heard: list[int] = []
    assert process.ask("count", 1000, hear=heard.append) == "counted"
    assert heard == [*range(1000)]
    assert process.ask("double", 1) == 2


def test_what_is_printed_does_not_disturb_the_answer(process: LiveProcess) -> None:
    assert process.ask("prints") == "quiet"
    words = ("to standard output", "not UTF-8", "to standard error")
    assert [word for word in words if word in process.printed()] == [*words]


@pytest.mark.parametrize("code", [0, 3])
def test_a_process_that_ends_is_lost_with_its_code_and_last_words(process: LiveProcess, code: int) -> None:
    heard: list[str] = []
    with pytest.raises(ProcessLost) as caught:
        process.ask("leaves", code, hear=heard.append)
    assert heard == ["about to go"]
    assert str(caught.value) == f"the process of the test ended with code {code} (last words)"
    assert (caught.value.ending, caught.value.printed) == (f"ended with code {code}", "last words\n")
    assert process.lost is caught.value
    with pytest.raises(ProcessLost):
        process.ask("double", 1)


def test_a_process_that_says_nothing_is_stopped(places: str) -> None:
    with _start(places, seconds=0.2) as process:
        with pytest.raises(ProcessLost, match=r"^the process of the test said nothing for 0\.2 s and was stopped$"):
            process.ask("sleeps")
        assert process.process.returncode == -signal.SIGKILL


def test_a_process_that_hangs_up_is_not_waited_for_for_ever(process: LiveProcess) -> None:
    process.ask("double", 1)
    process.limit = 0.2
    with pytest.raises(ProcessLost, match=r"^the process of the test closed its connection and was stopped$"):
        process.ask("hangs_up")
    assert process.process.returncode == -signal.SIGKILL


def test_closing_ends_a_process_whatever_it_does(places: str) -> None:
    with _start(places) as process:
        process.put("sleeps")
        child = psutil.Process(process.process.pid)
        begin = time.monotonic()
    assert have_ended([child])
    assert time.monotonic() - begin < LIMIT_SECONDS / 10  # far below the hour that it would sleep


def test_a_process_whose_parent_was_killed_ends_by_itself(places: str) -> None:
    command = [sys.executable, "-c", PARENT, places]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        orphan = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    assert have_ended([orphan])


def test_children_that_were_ended_start_no_more(places: str) -> None:
    children = Children()
    with children.start(lambda: _start(places)) as process:
        process.put("sleeps")
        children.end()
        with pytest.raises(ProcessLost, match="ended with code -9"):
            process.take()
        with pytest.raises(Ended):
            children.start(lambda: pytest.fail("it was started"))


def test_the_module_is_run_from_the_path_that_it_is_given(places: str, tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text(CHILD.replace("2 * number", "3 * number"), encoding="utf-8")
    with _start(os.pathsep.join([str(tmp_path), places])) as process:
        answer: Any = process.ask("double", 1)
    assert answer == 3


def test_a_signal_in_the_midst_of_what_must_be_ended_is_heard_at_its_end() -> None:
    done = []

    def write(*, interrupted: bool) -> None:
        with interrupts_deferred():
            if interrupted:
                signal.raise_signal(signal.SIGINT)
            done.append("the record is written")

    with pytest.raises(KeyboardInterrupt):
        write(interrupted=True)
    assert done == ["the record is written"]
    write(interrupted=False)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
