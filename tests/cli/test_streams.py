"""Standard output and standard error: signs that a terminal lacks, readers that go away, full disks, closed streams."""

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gdbench.cli import pick_show
from gdbench.report.tables import speed_tables
from gdbench.run.folder import read_run

from ..helpers import ROOT, call


def test_a_terminal_without_a_micro_sign_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Summary of a kept run, which has times in µs."""
    kept = ROOT / "reports" / "limits"
    for name in ("plan.json", "environment.json", "certificates.json", "samples.csv", "limits.json"):
        shutil.copyfile(kept / name, tmp_path / name)
    assert "µs" in "".join(cell for table in speed_tables(read_run(tmp_path)) for row in table.rows for cell in row)
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("gdbench.cli.report.rebuild", read_run)  # all but its files, which are not the terminal's
    monkeypatch.setattr("sys.stdout", terminal)
    assert call(f"report {tmp_path}", monkeypatch) == 0
    terminal.flush()
    assert b" ?s" in terminal.buffer.getvalue()


@pytest.fixture
def no_reader() -> Iterator[int]:
    """Give a pipe whose reader is gone before the first line; head may or may not be, as time will have it."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


FIT = "train --dataset diabetes --network linear --epochs 2 --output fit --json -"


@pytest.mark.parametrize(("line", "code", "written"), [("list", 0, []), (FIT, 0, ["fit"]), ("report nowhere", 2, [])])
def test_a_reader_that_goes_away_costs_output_alone(
    line: str, code: int, written: list[str], tmp_path: Path, no_reader: int
) -> None:
    """Work is finished, and the exit code is that of the answer."""
    command = [sys.executable, "-m", "gdbench", *line.split()]
    both = {"stdout": no_reader, "stderr": no_reader}
    done = subprocess.run(command, cwd=tmp_path, **both, check=False)
    assert (done.returncode, [path.name for path in tmp_path.iterdir()]) == (code, written)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a file that is always full")
@pytest.mark.parametrize("line", ["list", "list --json -"])
def test_output_into_a_full_disk_is_one_sentence(line: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gdbench", *line.split()]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "gdbench: cannot write, since the system says 'No space left on device': make room there, or write to "
        "another disk"
    )


def test_an_error_that_cannot_be_told_keeps_its_exit_code(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gdbench", "report", "nowhere"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, cwd=tmp_path, stderr=full, check=False)
    assert done.returncode == 2


def test_closed_streams_are_no_error(tmp_path: Path) -> None:
    done = subprocess.run(["/bin/sh", "-c", f"{sys.executable} -m gdbench list >&- 2>&-"], cwd=tmp_path, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(("rows", "said"), [(200, True), (2, False)])
def test_the_wait_for_a_large_file_is_announced(rows: int, said: bool, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(pick_show, "LARGE_FILE", 400)
    (tmp_path / "big.csv").write_text("x,y\n" + "1,2\n" * rows)
    with pick_show.reading(str(tmp_path / "big.csv")):
        found = capsys.readouterr().err
    assert ("Reading: big.csv, 0.00 GB; the budget of the search begins afterwards" in found) == said
