"""Files that options name: whoever may write there can, ordinary users too, into devices, pipes and open files."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from ..helpers import as_ordinary_user
from ..history.asv_results import COMMITS, RESULTS, SLOW, STEP, times, write_result

LIST, STEPS = "list", f"regressions --results {RESULTS}"


@pytest.fixture(scope="module")
def measured() -> Iterator[Path]:
    """Results with a step, in a folder that everybody may write; those of pytest are its owner's alone."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for i in range(COMMITS):
            write_result(folder / RESULTS, f"{i:08x}" * 5, times(i, step_at=STEP, slow={SLOW: 1.5}), position=i)
        (folder / "mine").mkdir(mode=0o755)
        (folder / "mine" / "shared.json").touch()
        (folder / "mine" / "shared.json").chmod(0o666)
        folder.chmod(0o777)
        yield folder


def _to(path: str, line: str, folder: Path, option: str = "--json", **streams: Any) -> Any:
    return as_ordinary_user(*line.split(), option, path, cwd=folder, **streams)


def _told(done: Any) -> str:
    """Return the sentence of a refusal."""
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("gdbench: ")
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("gdbench: ").strip()


@pytest.mark.parametrize(("line", "option"), [(LIST, "--json"), (STEPS, "--json"), (STEPS, "--markdown")])
def test_an_ordinary_user_may_write_into_the_systems_null(line: str, option: str, measured: Path) -> None:
    done = _to(os.devnull, line, measured, option)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout != ""
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


@pytest.mark.parametrize("path", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_by_any_name_has_the_answer_alone(path: str, measured: Path) -> None:
    done = _to(path, STEPS, measured)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"]
    assert "1 regression" in done.stderr
    done = _to(path, STEPS, measured, "--markdown")
    assert done.stdout.startswith("# gdbench regressions\n")
    assert done.stdout.count("1 regression") == 1
    assert "1 regression" in done.stderr


def test_both_answers_on_standard_output_are_refused(measured: Path) -> None:
    done = _to("-", f"{STEPS} --json /dev/stdout", measured, "--markdown")
    assert _told(done) == "--json and --markdown cannot both go to standard output: name a file for one of them"


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="open files have no names here")
def test_an_open_file_is_written_to_by_its_number(measured: Path) -> None:
    path = measured / "open"
    with path.open("ab") as file:
        number = file.fileno()
        done = _to(f"/dev/fd/{number}", LIST, measured, pass_fds=(number,))
    assert done.returncode == 0, done.stderr
    assert json.loads(path.read_text(encoding="utf-8"))["variants"]
    with path.open("rb") as file:
        number = file.fileno()
        done = _to(f"/dev/fd/{number}", LIST, measured, pass_fds=(number,))
    told = f"cannot write /dev/fd/{number}, which is not open for writing: name another file"
    assert _told(done) == told
    assert _told(_to(f"/dev/fd/{number}", LIST, measured)) == told


def test_a_pipe_has_the_answer_and_its_reader_may_go_away(measured: Path) -> None:
    pipe = measured / "pipe"
    os.mkfifo(pipe)
    pipe.chmod(0o666)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        try:
            assert _to("pipe", STEPS, measured).returncode == 0
            assert json.loads(reader.communicate(timeout=60)[0])["steps"]
        finally:
            reader.kill()
    reader, writer = os.pipe()
    os.close(reader)
    done = _to(f"/dev/fd/{writer}", STEPS, measured, pass_fds=(writer,))
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 regression" in done.stdout


def test_a_file_of_others_that_may_be_written_is(measured: Path) -> None:
    """Its folder lets nobody but its owner replace it."""
    path = measured / "mine" / "shared.json"
    for _ in range(2):  # over an answer of before
        assert _to(str(path), LIST, measured).returncode == 0
        assert json.loads(path.read_text(encoding="utf-8"))["variants"]
    assert [one.name for one in path.parent.iterdir()] == ["shared.json"]


@pytest.mark.skipif(getattr(os, "geteuid", int)() != 0, reason="only the superuser makes devices and owns nothing here")
def test_what_may_not_be_written_is_one_sentence(measured: Path) -> None:
    private = measured / "private"
    os.mkfifo(private, mode=0o600)
    said = _told(_to("private", LIST, measured))
    assert said == "cannot write private, which is not yours to write: name another file"
    mine = measured / "mine"
    said = _told(_to("mine/new.json", LIST, measured))
    assert said == f"cannot write into {mine}, since {mine} is not yours to write: name another one"
    said = _told(_to("mine", STEPS, measured, "--markdown"))
    assert said == "cannot write mine, which is a folder: name a file in it"


def test_a_link_is_judged_by_where_it_points(measured: Path) -> None:
    link = measured / "mine" / "link"
    link.symlink_to(measured / "elsewhere.json")
    assert _to(str(link), LIST, measured).returncode == 0
    assert link.is_symlink()
    assert json.loads((measured / "elsewhere.json").read_text(encoding="utf-8"))["variants"]
    link.unlink()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a file that is always full")
def test_a_full_disk_loses_the_file_and_not_what_is_printed(measured: Path) -> None:
    done = _to("/dev/full", STEPS, measured, "--markdown")
    assert done.returncode == 2
    assert "1 regression" in done.stdout
    assert done.stderr == (
        "gdbench: cannot write into /dev (No space left on device): free space there, or name a file in another "
        "folder with --markdown\n"
    )


MOUNTED = """
set -e
touch inner outer
mount --bind inner outer 2>/dev/null || exit 77
"$@"
"""


def test_a_file_that_is_mounted_by_itself_is_written_to(tmp_path: Path) -> None:
    """As a container's file of which the host keeps the content."""
    command = [sys.executable, "-m", "gdbench", "list", "--json", "outer"]
    try:
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", MOUNTED, "sh", *command],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("nothing can be mounted here")
    if done.returncode in (1, 77) and "gdbench" not in done.stderr:
        pytest.skip("nothing can be mounted here")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "inner").read_text(encoding="utf-8"))["variants"]
    assert {path.name for path in tmp_path.iterdir()} == {"inner", "outer"}
