"""A run that is killed or stopped loses the block in flight at most, and goes on to the same set of cases."""

import errno
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

import gdbench as instrument
import kernels
from gdbench.basics.folders import LOCK
from gdbench.basics.records import read
from gdbench.basics.units import counted
from gdbench.machine.environment import Environment
from gdbench.processes import launch
from gdbench.run import plan as planning

from ..helpers import (
    contents,
    copy_sources,
    finish,
    gdbench,
    have_ended,
    invoke,
    keep_uncompiled,
    read_raw,
    read_table,
    shorten_smoke,
    start,
    wait_for,
)

SMALL = (
    *("run", "--profile", "smoke", "--batch-size", "n", "--task", "gradient"),
    *("--variant", "reference,vectorized"),
)
BLOCKS = 2
"""One for each network of the profile."""
HELD = '''


import os
import time
from pathlib import Path

import pytest

PARENT = os.getppid()


@pytest.fixture(autouse=True)
def held() -> None:
    """Wait before each case of the block in which the test is going to stop the run, until it has stopped it."""
    last = int(os.environ.get("HELD_AFTER_BLOCKS", "1000"))
    while len([*Path().glob("*/*/raw/block-*.json")]) >= last and not Path("stopped").exists():
        Path("held").touch()
        time.sleep(0.01)
        if os.getppid() != PARENT:  # the test has failed
            break
'''
"""What the copied sources have at the end of ``run/measure.py``: a run comes as far as it shall, on any machine."""
MAIN = '\n\nif __name__ == "__main__":\n'
HELD_CERTIFICATES = """

import os
import time
from pathlib import Path

parent = os.getppid()
while "HELD_CERTIFICATES" in os.environ and not Path("stopped").exists() and os.getppid() == parent:
    Path("certifying").touch()
    time.sleep(0.01)
"""
"""What they have where the process of certificates begins."""


@dataclass(frozen=True)
class Stopped:
    """A run that did not end: its folder, what it held at that moment, and the workers that it left."""

    sources: Path
    folder: Path
    raw: dict[str, bytes]
    written: dict[str, int]
    orphans: list[psutil.Process]
    answer: Any

    @property
    def plan(self) -> dict[str, Any]:
        return json.loads((self.folder / "plan.json").read_text(encoding="utf-8"))

    @property
    def unchanged(self) -> bool:
        return {name: _times(self.folder).get(name) for name in self.raw} == self.written and all(
            (self.folder / "raw" / name).read_bytes() == text for name, text in self.raw.items()
        )


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sources of our own: a run resumes with unchanged code only."""
    folder = copy_sources(tmp_path_factory.mktemp("sources"))
    keep_uncompiled(folder)
    shorten_smoke(folder, blocks=1)
    with (folder / "benchmarks" / "gdbench" / "run" / "measure.py").open("a", encoding="utf-8") as file:
        file.write(HELD)
    path = folder / "benchmarks" / "gdbench" / "verify" / "process.py"
    text = path.read_text(encoding="utf-8")
    assert text.count(MAIN) == 1, "the process of certificates begins otherwise: correct the test"
    path.write_text(text.replace(MAIN, MAIN + textwrap.indent(HELD_CERTIFICATES, "    ")), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def killed(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    """A run without --output, killed while it measured the last of its two blocks."""
    cwd = tmp_path_factory.mktemp("killed") / "cwd"
    cwd.mkdir()
    return _stop_when_held(signal.SIGKILL, *SMALL, cwd=cwd, sources=sources)


@pytest.fixture(scope="module")
def interrupted(killed: Stopped, tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    """A copy of the killed run, resumed by a command that does not name it, which heard Ctrl-C in the last block."""
    cwd = _copy(killed, tmp_path_factory.mktemp("interrupted") / "cwd")
    for mark in ("held", "stopped"):
        (cwd / mark).unlink()
    return _stop_when_held(signal.SIGINT, "run", "--resume", cwd=cwd, sources=killed.sources)


@pytest.fixture(scope="module")
def resumed(interrupted: Stopped, tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    """A copy of the interrupted run, brought to its end by the command that its last sentence advises."""
    cwd = _copy(interrupted, tmp_path_factory.mktemp("resumed") / "cwd")
    folder = cwd / interrupted.folder.relative_to(interrupted.folder.parents[1])
    answer = gdbench(*_advice(interrupted), cwd=cwd, sources=interrupted.sources)
    return replace(interrupted, folder=folder, answer=answer)


def _copy(run: Stopped, cwd: Path) -> Path:
    """Copy a run with its surroundings, times of files as well."""
    return Path(shutil.copytree(run.folder.parents[1], cwd))


def _advice(run: Stopped) -> list[str]:
    """Arguments of the command that the sentence at the end of a run advises."""
    return shlex.split(run.answer.stderr.rstrip().splitlines()[-1].rpartition("go on with gdbench ")[2])


def _stop_when_held(how: signal.Signals, *arguments: str, cwd: Path, sources: Path) -> Stopped:
    """Start or resume a run, and stop it when one block is on disk and the next has begun."""
    process = start(*arguments, cwd=cwd, sources=sources, HELD_AFTER_BLOCKS="1")
    wait_for((cwd / "held").exists, process)
    return _stop(process, how, cwd, sources)


def _blocks(cwd: Path) -> list[Path]:
    return sorted(cwd.glob("*/*/raw/block-*.json"))


def _stop(process: subprocess.Popen[str], how: signal.Signals, cwd: Path, sources: Path) -> Stopped:
    orphans = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(how)
    answer = finish(process)
    (cwd / "stopped").touch()
    (plan,) = cwd.glob("*/*/plan.json")
    blocks = {path.name: path.read_bytes() for path in _blocks(cwd)}
    return Stopped(sources, plan.parent, blocks, _times(plan.parent), orphans, answer)


def _times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (folder / "raw").glob("block-*.json")}


def _measured(folder: Path) -> list[tuple[Any, ...]]:
    """Case and block of every entry of the raw files."""
    return [
        (*entry["params"].values(), content["gdbench"]["block"])
        for content in read_raw(folder)
        for entry in content["benchmarks"]
    ]


def _planned(plan: dict[str, Any]) -> set[tuple[Any, ...]]:
    return {(*plan["cases"][case].values(), block["index"]) for block in plan["blocks"] for case in block["cases"]}


def _is_whole(run: Stopped) -> bool:
    found = _measured(run.folder)
    return len(found) == len(set(found)) and set(found) == _planned(run.plan)


def test_a_killed_run_leaves_whole_blocks_and_no_part_of_one(killed: Stopped) -> None:
    assert killed.answer.returncode == -signal.SIGKILL
    assert len(killed.raw) == 1
    assert len(killed.plan["blocks"]) == BLOCKS
    for block, (name, text) in zip(killed.plan["blocks"], sorted(killed.raw.items()), strict=False):
        content = json.loads(text)
        assert name == f"block-{block['index']:03d}.json"
        assert len(content["benchmarks"]) == len(block["cases"])


def test_the_worker_of_a_killed_run_ends_by_itself(killed: Stopped) -> None:
    assert killed.orphans
    assert have_ended(killed.orphans)
    assert killed.unchanged
    assert set(_times(killed.folder)) == set(killed.raw)  # it wrote no block that nobody waited for


def test_a_killed_run_can_be_read(killed: Stopped, tmp_path: Path) -> None:
    shutil.copytree(killed.folder, tmp_path / "run")
    answer = invoke("report", "run", "--json", "-", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert found["complete"] is False
    assert sorted(case["blocks"] for case in found["cases"]) == [0, 0, 1, 1]
    assert "Incomplete" in (tmp_path / "run" / "report.md").read_text(encoding="utf-8")


def test_resume_takes_no_option_that_would_change_the_plan(killed: Stopped) -> None:
    options = ("--variant", "vectorized", "--batch-size", "8", "--profile", "smoke", "--seed", "0")
    sentence = _refused(killed, "run", "--resume", *options)
    advice = sentence.partition("leave out ")[2]
    assert set(advice.split(", ")) == {"--variant", "--batch-size", "--profile", "--seed"}


def _refused(run: Stopped, *arguments: str) -> str:
    """Return the one sentence with which a command is refused that changes nothing."""
    (run.folder / LOCK).unlink(missing_ok=True)  # of the process that was killed: it holds nothing
    before = contents(run.folder)
    answer = invoke(*arguments, cwd=run.folder.parents[1])
    assert (answer.returncode, answer.stdout) == (2, "")
    assert contents(run.folder) == before
    return answer.stderr.rstrip("\n").splitlines()[-1]


def test_resume_refuses_code_that_has_changed(killed: Stopped) -> None:
    """This process has other code than the copy with which the run began."""
    assert "the code has changed" in _refused(killed, "run", "--resume")


@pytest.mark.parametrize("changed", ["kernels/variants/vectorized.py", "benchmarks/gdbench/run/measure.py"])
def test_code_has_changed_where_any_of_its_files_has(
    killed: Stopped, changed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "__path__", [str(killed.sources / "kernels")])
    monkeypatch.setattr(instrument, "__path__", [str(killed.sources / "benchmarks" / "gdbench")])
    assert planning.fingerprint() == killed.plan["fingerprint"]
    with _remark_in(killed.sources / changed):
        assert planning.fingerprint() != killed.plan["fingerprint"]


@contextmanager
def _remark_in(path: Path) -> Iterator[None]:
    """Add a comment to a file for a while."""
    text, times = path.read_bytes(), path.stat()
    path.write_bytes(text + b"# a remark\n")
    try:
        yield
    finally:
        path.write_bytes(text)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.fixture
def same_code(killed: Stopped, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process pass for one of the code with which the runs began."""
    monkeypatch.setattr("gdbench.run.runner.fingerprint", lambda: killed.plan["fingerprint"])


@pytest.mark.usefixtures("same_code")
def test_resume_refuses_another_machine(killed: Stopped, monkeypatch: pytest.MonkeyPatch) -> None:
    here = read(killed.folder / "environment.json", Environment, remedy="")
    monkeypatch.setattr("gdbench.run.runner.observe", lambda _threads: replace(here, cpu="a faster one"))
    assert f"cpu was {here.cpu} when this run began and is a faster one now" in _refused(killed, "run", "--resume")


def test_a_new_run_refuses_a_folder_that_is_not_empty(killed: Stopped) -> None:
    assert "is not empty: add --resume" in _refused(killed, *SMALL, "--output", str(killed.folder))


@pytest.mark.usefixtures("same_code")
def test_a_dry_run_of_a_resumption_counts_what_is_left(killed: Stopped) -> None:
    before = contents(killed.folder)
    arguments = ("run", "--resume", "--dry-run", "--output", str(killed.folder))
    answer = invoke(*arguments, cwd=killed.folder.parents[1])
    assert answer.returncode == 0, answer.stderr
    assert f" {counted(len(killed.plan['blocks']) - len(killed.raw), 'block')}, " in answer.stdout
    assert contents(killed.folder) == before


def test_resume_finds_the_killed_run_and_begins_no_other(killed: Stopped, interrupted: Stopped) -> None:
    assert [path.name for path in interrupted.folder.parent.iterdir()] == [killed.folder.name]
    assert interrupted.plan == killed.plan
    assert (interrupted.raw, interrupted.written) == (killed.raw, killed.written)


def test_after_kill_and_ctrl_c_the_advised_command_ends_with_exactly_the_cases_of_the_plan(resumed: Stopped) -> None:
    assert resumed.answer.returncode == 0, resumed.answer.stderr
    assert [path.name for path in resumed.folder.parent.iterdir()] == [resumed.folder.name]
    assert _is_whole(resumed)
    assert {row["status"] for row in read_table(resumed.folder / "summary.csv")} == {"measured"}
    assert "Incomplete" not in (resumed.folder / "report.md").read_text(encoding="utf-8")


def test_resume_leaves_alone_what_was_measured_before_and_clears_up(resumed: Stopped) -> None:
    assert resumed.answer.returncode == 0, resumed.answer.stderr
    assert resumed.unchanged
    blocks = {f"block-{block['index']:03d}.json" for block in resumed.plan["blocks"]}
    assert {path.name for path in (resumed.folder / "raw").iterdir()} == blocks


@pytest.mark.usefixtures("same_code")
def test_a_finished_run_has_nothing_to_resume(resumed: Stopped) -> None:
    assert "has blocks left" in _refused(resumed, "run", "--resume")
    cwd, before = resumed.folder.parents[1], _times(resumed.folder)
    named = invoke("run", "--resume", "--output", str(resumed.folder), cwd=cwd)
    assert named.returncode == 0, named.stderr
    assert "Fastest per epoch" in named.stdout
    assert _times(resumed.folder) == before


def test_ctrl_c_ends_with_one_sentence_that_says_how_to_go_on(interrupted: Stopped) -> None:
    assert interrupted.answer.returncode == 130
    assert "Traceback" not in interrupted.answer.stderr
    sentence = interrupted.answer.stderr.rstrip().splitlines()[-1]
    count = f"{len(interrupted.raw)} of {len(interrupted.plan['blocks'])} blocks"
    assert sentence.startswith("gdbench: stopped after " + count)
    assert sentence.endswith(f"go on with gdbench run --resume --output reports/{interrupted.folder.name}")
    assert have_ended(interrupted.orphans)


def test_after_ctrl_c_the_summary_tells_what_is_missing(interrupted: Stopped) -> None:
    rows = read_table(interrupted.folder / "summary.csv")
    assert len(rows) == len(interrupted.plan["cases"])
    reached = {(p["network"], p["variant"]) for p in _parameters(interrupted)}
    for row in rows:
        there = (row["network"], row["variant"]) in reached
        assert row["status"] == ("measured" if there else "missing")
        assert bool(row["seconds"]) == there
    assert {row["status"] for row in rows} == {"measured", "missing"}
    assert "Incomplete" in (interrupted.folder / "report.md").read_text(encoding="utf-8")


def _parameters(run: Stopped) -> list[dict[str, Any]]:
    return [entry["params"] for text in run.raw.values() for entry in json.loads(text)["benchmarks"]]


@pytest.mark.usefixtures("same_code")
def test_ctrl_c_during_the_certificates_leaves_a_run_that_can_go_on(sources: Path, tmp_path: Path) -> None:
    output = ("--output", "out/run")
    process = start(*SMALL, *output, cwd=tmp_path, sources=sources, HELD_CERTIFICATES="")
    wait_for((tmp_path / "certifying").exists, process)
    process.send_signal(signal.SIGINT)
    (tmp_path / "stopped").touch()  # certificates that have begun are waited for
    stopped = finish(process)
    assert stopped.returncode == 130, stopped.stderr
    assert "Traceback" not in stopped.stderr
    sentence = stopped.stderr.rstrip().splitlines()[-1]
    assert sentence.startswith(f"gdbench: stopped after 0 of {BLOCKS} blocks")
    assert sentence.endswith("go on with gdbench run --resume --output out/run")
    assert not (tmp_path / "out" / "run" / "certificates.json").exists()
    arguments = ("run", "--resume", "--dry-run", *output)
    assert f" {BLOCKS} blocks, " in invoke(*arguments, cwd=tmp_path).stdout


@pytest.mark.filterwarnings("ignore:os.fork")  # JAX warns of it, if another file of tests has imported it here
def test_ctrl_c_in_the_midst_of_a_start_leaves_no_process() -> None:
    """The new process itself sends the signal, before its starter knows of it."""
    before, usual = psutil.Process().children(), signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            launch.start(
                "gdbench.machine.environment_process",
                threads=1,
                cores=[],
                stdout=subprocess.DEVNULL,
                preexec_fn=lambda: os.kill(os.getppid(), signal.SIGINT),
            )
        assert psutil.Process().children() == before
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, usual)


def test_a_block_that_cannot_be_written_ends_a_run_in_a_sentence_and_the_run_goes_on_afterwards(tmp_path: Path) -> None:
    command = ["run", "--profile", "smoke", "--network", "logistic", "--variant", "vectorized"]
    limited = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, resource.RLIM_INFINITY))\n"  # enough for a plan, not a block
        "sys.argv[0] = 'gdbench'\n"
        "from gdbench.__main__ import main\n"
        "main()\n"
    )
    full = subprocess.run(
        [sys.executable, "-c", limited, *command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert full.returncode == 2, full.stderr
    sentence = full.stderr.rstrip().splitlines()[-1]
    assert sentence.startswith("gdbench: a block could not be written into reports/")
    told = "(File too large): allow larger files (ulimit -f), and go on with gdbench run --resume --output reports/"
    assert told in sentence
    (folder,) = (tmp_path / "reports").iterdir()
    again = invoke("run", "--resume", "--output", str(folder), cwd=tmp_path)
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free space there"),
        (errno.EROFS, "mount it for writing"),
        (errno.EACCES, "make it yours to write"),
        (errno.EIO, "see that files can be made there"),
    ],
)
def test_a_block_that_cannot_be_written_asks_for_space_only_where_there_is_none(
    number: int, remedy: str, tmp_path: Path
) -> None:
    """The system refuses the file of pytest-benchmark in the process of the block."""
    refusing = (
        "import builtins, os, sys\n"
        "from gdbench.processes.answers import serve\n"
        "from gdbench.run.block import Worker\n"
        "usual = builtins.open\n"
        "def refuse(file, *arguments, **options):\n"
        "    if str(file).endswith('.partial'):\n"
        f"        raise OSError({number}, os.strerror({number}), str(file))\n"
        "    return usual(file, *arguments, **options)\n"
        "builtins.open = refuse\n"
        "serve(int(sys.argv[1]), Worker())\n"
    )
    (tmp_path / "refusing_block.py").write_text(refusing, encoding="utf-8")
    running = (
        "import sys\n"
        "from gdbench.run import execute\n"
        "usual = execute.LiveProcess\n"
        "execute.LiveProcess = lambda module, **options: usual('refusing_block', **options)\n"
        "sys.argv[0] = 'gdbench'\n"
        "from gdbench.__main__ import main\n"
        "main()\n"
    )
    command = ["run", "--profile", "smoke", "--network", "logistic", "--variant", "vectorized", "--output", "out"]
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", running, *command],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr.rstrip().splitlines()[-1] == (
        f"gdbench: a block could not be written into out ({os.strerror(number)}): {remedy}, and go on with "
        "gdbench run --resume --output out"
    )
