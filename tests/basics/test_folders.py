"""A folder or file that several commands want at once is one command's at a time; what is written is whole."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from gdbench.basics.folders import LOCK, fresh_folder, locked, own_folder, scratch_folder, writing
from kernels import InputError

from ..helpers import wait_for

MANY = 6
FRESH = """
import sys
import tempfile
import os
import time
from pathlib import Path
from gdbench.basics import folders
named = folders.new_folder
def new_folder(*arguments):
    found = named(*arguments)
    Path(f"asked-{os.getpid()}").touch()
    while len([*Path().glob("asked-*")]) < int(sys.argv[1]) and os.getppid() != 1:
        time.sleep(0.01)  # until all have been named the same folder
    return found
folders.new_folder = new_folder
sys.stdin.readline()
with folders.fresh_folder(None, "mine") as folder:
    (folder / "file").touch()
    print(folder)
"""
HOLDS = """
import sys, time
from pathlib import Path
from gdbench.basics.folders import own_folder
with own_folder(Path("mine")):
    Path("held").touch()
    sys.stdin.readline()
"""
COUNTS = """
import json, sys
from pathlib import Path
from gdbench.basics.folders import locked
from gdbench.basics.storage import write_text
path = Path("counter.json")
sys.stdin.readline()
for _ in range(40):
    with locked(path):
        write_text(path, json.dumps(json.loads(path.read_text()) + 1))
"""


def begin(text: str, cwd: Path) -> subprocess.Popen[str]:
    """Start a process that waits for a line before it begins."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", text, str(MANY)], cwd=cwd, text=True, **pipes)  # type: ignore[call-overload]


def let_go(processes: list[subprocess.Popen[str]]) -> list[str]:
    """Let all begin at once; return what each printed."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate()[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return said


def test_commands_that_start_in_the_same_moment_get_folders_of_their_own(tmp_path: Path) -> None:
    folders = let_go([begin(FRESH, tmp_path) for _ in range(MANY)])
    assert len(set(folders)) == MANY
    assert all((tmp_path / folder / "file").exists() for folder in folders)


def test_what_was_made_for_nothing_is_gone_again_and_what_was_there_stays(tmp_path: Path) -> None:
    with pytest.raises(InputError), fresh_folder(None, "mine", tmp_path / "reports"):
        raise InputError("no such thing")
    assert not (tmp_path / "reports").exists()
    (tmp_path / "own").mkdir()
    for wanted in (tmp_path / "own", tmp_path / "a" / "b"):
        with fresh_folder(wanted, "mine") as folder, own_folder(folder):
            assert (wanted / LOCK).exists()
    assert [path.name for path in tmp_path.iterdir()] == ["own"]
    with fresh_folder(tmp_path / "a" / "b", "mine") as folder, own_folder(folder):
        (folder / "kept").touch()
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["kept"]


def test_a_folder_that_another_command_writes_into_is_refused_until_it_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    process = begin(HOLDS, tmp_path)
    try:
        wait_for(Path("held").exists, process)
        with pytest.raises(InputError, match=r"^another gdbench command is writing into mine: wait until it has ended"):
            own_folder(Path("mine")).__enter__()
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    with own_folder(Path("mine"), refusal="name another one"):  # a lock file without a holder is nothing
        pass
    assert not list(Path("mine").iterdir())


def test_a_lock_that_its_holder_deletes_while_another_command_opens_it_lets_only_one_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, real = own_folder(tmp_path), fcntl.flock
    first.__enter__()

    def lock_after_the_first_has_ended(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", real)
        first.__exit__(None, None, None)
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", lock_after_the_first_has_ended)
    inside = 0
    with ExitStack() as stack:
        for _ in range(2):
            with suppress(InputError):
                stack.enter_context(own_folder(tmp_path))
                inside += 1
    assert inside == 1


def test_a_folder_with_something_in_it_is_refused_where_it_must_be_empty(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"is not empty: name another one$"):
        own_folder(tmp_path, refusal="name another one").__enter__()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with own_folder(tmp_path):
        pass


def test_none_loses_what_another_wrote_into_a_file_that_all_add_to(tmp_path: Path) -> None:
    (tmp_path / "counter.json").write_text("0", encoding="utf-8")
    let_go([begin(COUNTS, tmp_path) for _ in range(MANY)])
    assert json.loads((tmp_path / "counter.json").read_text(encoding="utf-8")) == 40 * MANY
    with locked(tmp_path / "new" / "file"):
        pass
    assert (tmp_path / "new").is_dir()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here is always full")
def test_a_full_disk_is_a_sentence_with_its_remedy() -> None:
    full = Path("/dev/full")
    sentence = r"^cannot write into there \(No space left on device\): free space there, or name another folder"
    with pytest.raises(InputError, match=sentence), writing(Path("there")):
        full.write_text("something", encoding="utf-8")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EDQUOT, "free space there"),
        (errno.EFBIG, r"allow larger files \(ulimit -f\)"),
        (errno.EROFS, "mount it for writing"),
        (errno.EACCES, "make it yours to write"),
    ],
)
def test_what_the_system_refuses_is_told_with_what_mends_it(number: int, remedy: str) -> None:
    sentence = rf"^cannot write into there \({os.strerror(number)}\): {remedy}, or name another folder with --output$"
    with pytest.raises(InputError, match=sentence), writing(Path("there")):
        raise OSError(number, os.strerror(number))


def test_a_folder_that_refuses_a_file_does_not_ask_for_space(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    sentence = r"^cannot write into there \(Not a directory\): name another folder with --output$"
    with pytest.raises(InputError, match=sentence), writing(Path("there")):
        (tmp_path / "file" / "below").write_text("something", encoding="utf-8")


SCRATCH = """
import sys
import tempfile
from gdbench.basics.folders import scratch_folder
with scratch_folder("scratch-") as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_a_scratch_folder_outlives_a_killed_process_until_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    killed, living = (subprocess.Popen([sys.executable, "-c", SCRATCH], **streams) for _ in range(2))
    left, held = (Path(process.stdout.readline().strip()) for process in (killed, living))
    killed.kill()
    killed.communicate()
    assert left.is_dir()
    with scratch_folder("scratch-") as ours:
        assert set(tmp_path.iterdir()) == {held, ours}
    living.communicate()
    assert not list(tmp_path.iterdir())
