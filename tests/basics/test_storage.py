"""A file is replaced whole; a link, a device or a pipe stays what it is and is written to."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gdbench.basics.storage import replacing, replacing_together, write_text

from ..helpers import contents

WRITES = """
import sys
from pathlib import Path
from gdbench.basics.storage import write_text
write_text(Path(sys.argv[1]), "found\\n")
print("printed")
"""


def _device(path: Path, minor: int) -> Path:
    """Make a device such as the system's own, of which nothing is lost if it is replaced."""
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
        path.open("wb").close()
    except OSError:
        pytest.skip("no devices can be made here")
    return path


def test_a_device_stays_one(tmp_path: Path) -> None:
    nothing, full = _device(tmp_path / "null", 3), _device(tmp_path / "full", 7)
    write_text(nothing, "lost")
    with pytest.raises(OSError, match="No space left") as refused:
        write_text(full, "lost")
    assert refused.value.errno == errno.ENOSPC
    assert all(stat.S_ISCHR(path.lstat().st_mode) for path in (nothing, full))
    assert {path.name for path in tmp_path.iterdir()} == {"null", "full"}


def test_a_pipe_gets_what_was_written_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        try:
            write_text(pipe, "found")
            assert stat.S_ISFIFO(pipe.lstat().st_mode)
            assert reader.communicate(timeout=20)[0] == "found"
        finally:
            reader.kill()


def test_a_link_stays_one_whether_or_not_its_file_is_there(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(Path("there", "file"))
    for text in ("first", "second"):
        write_text(link, text)
        assert link.is_symlink()
        assert (tmp_path / "there" / "file").read_text(encoding="utf-8") == text


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="open files have no names here")
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_that_goes_into_a_file_is_added_to(name: str, tmp_path: Path) -> None:
    path = tmp_path / "summary"
    path.write_text("before\n", encoding="utf-8")
    with path.open("ab") as stdout:
        subprocess.run([sys.executable, "-c", WRITES, name], stdout=stdout, check=True)
    assert path.read_text(encoding="utf-8") == "before\nfound\nprinted\n"


def _fail(path: Path) -> None:
    with replacing(path) as temporary:
        temporary.write_text("after", encoding="utf-8")
        raise ValueError("no")


def test_a_block_that_fails_leaves_all_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before", encoding="utf-8")
    with pytest.raises(ValueError, match="no"):
        _fail(path)
    assert [(one.name, one.read_text(encoding="utf-8")) for one in tmp_path.iterdir()] == [("file", "before")]


def test_several_files_take_their_places_together_or_none_does(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("before", encoding="utf-8")
    with pytest.raises(FileNotFoundError), replacing_together() as place:
        _write_both(place(first), place(second).with_name("gone") / "second")
    assert contents(tmp_path) == {"first": b"before"}
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError), replacing_together() as place:
        _write_both(place(first), place(tmp_path / "folder"))
    (tmp_path / "folder").rmdir()
    assert contents(tmp_path) == {"first": b"before"}
    with replacing_together() as place:
        _write_both(place(first), place(second))
    assert contents(tmp_path) == {"first": b"after", "second": b"after"}


def _write_both(first: Path, second: Path) -> None:
    for path in (first, second):
        path.write_text("after", encoding="utf-8")
