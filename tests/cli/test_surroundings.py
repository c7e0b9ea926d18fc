"""Commands in homes, folders, locales and disks that nobody foresaw: an answer, or a sentence and nothing half-done."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ..helpers import LIMIT_SECONDS, contents

FIT = "train --dataset wine --network softmax --variant vectorized --epochs 2"
CERTIFY = "check --network logistic --dataset breast_cancer --variant vectorized"
COMMANDS = {
    "list": "list",
    "train": FIT,
    "plan": "run --profile smoke --dry-run",
    "certify": CERTIFY,
    "pick": "pick data.csv --target y --network linear --variant vectorized --tier quick --budget 6s",
}
FAST = ("list", "train")
"""Tried in each test run; the others in CI."""
FINE = (0, 3)
"""Exit codes of an answer: on a busy machine a search may find that its seconds gave not enough evidence."""


@dataclass(frozen=True)
class Surroundings:
    """Where a command runs: variables of the environment (None: unset), options of Python, folder, limit of a file."""

    variables: dict[str, str | None] = field(default_factory=dict)
    python: tuple[str, ...] = ()
    folder: str = ""
    file_blocks: int | None = None
    """Largest file in blocks of 512 bytes, as on a full disk."""
    refuses: tuple[str, ...] = ()
    """Commands that cannot do their work here."""


ALL = {
    "warnings as errors": Surroundings(python=("-W", "error")),
    "locale of C": Surroundings({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    "path of signs": Surroundings(folder="a b [bold]c[red] 100%d ü$'"),
    "home unset": Surroundings({"HOME": None, "XDG_CACHE_HOME": None}),
    "home no folder": Surroundings({"HOME": os.devnull, "XDG_CACHE_HOME": None}),
    "narrow terminal": Surroundings({"COLUMNS": "3"}),
    "wide terminal": Surroundings({"COLUMNS": "200"}),
    "full disk": Surroundings(file_blocks=4, refuses=("train", "pick")),
}

SEARCHED = ("locale of C", "path of signs", "home no folder", "narrow terminal", "full disk")
"""Surroundings in which a whole search is worth its seconds."""


@pytest.mark.parametrize(
    ("name", "surroundings"),
    [
        pytest.param(command, where, id=f"{command}-{title}", marks=() if command in FAST else pytest.mark.slow)
        for command in COMMANDS
        for title, where in ALL.items()
        if command != "pick" or title in SEARCHED
    ],
)
def test_it_answers_or_says_in_one_sentence_why_not(name: str, surroundings: Surroundings, tmp_path: Path) -> None:
    folder = tmp_path / surroundings.folder
    folder.mkdir(exist_ok=True)
    rows = [f"{i % 7},{(3 * i) % 5},{i % 7 - (3 * i) % 5 + i % 2 / 9}" for i in range(60)]
    (folder / "data.csv").write_text("\n".join(["a,b,y", *rows]), encoding="utf-8")
    before = contents(folder)
    done = _run(COMMANDS[name], surroundings, folder)
    assert "Traceback" not in done.stderr
    if name in surroundings.refuses:
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith("gdbench: cannot write")
        assert contents(folder) == before
    else:
        assert done.returncode in FINE, done.stderr


def _run(line: str, surroundings: Surroundings, folder: Path) -> "subprocess.CompletedProcess[str]":
    limit = f"ulimit -f {surroundings.file_blocks} && " if surroundings.file_blocks else ""
    command = [sys.executable, *surroundings.python, "-m", "gdbench", *line.split()]
    environment = {**os.environ, "COLUMNS": "300", **surroundings.variables}
    return subprocess.run(
        ["/bin/sh", "-c", f'{limit}exec "$@"', "sh", *command],
        cwd=folder,
        env={key: value for key, value in environment.items() if value is not None},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=LIMIT_SECONDS,
    )


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="only Linux has a folder in which nobody can make files")
@pytest.mark.parametrize("line", [FIT, "run --profile smoke", "pick {data} --target y --network linear --tier quick"])
def test_a_folder_that_cannot_be_written_is_one_sentence(line: str, tmp_path: Path) -> None:
    """Even the superuser, whom no permission stops, makes no file there."""
    data = tmp_path / "data.csv"
    data.write_text("a,y\n" + "\n".join(f"{i % 7},{i % 7 + i % 2}" for i in range(60)), encoding="utf-8")
    done = _run(line.format(data=data), Surroundings(), Path("/sys"))
    assert "Traceback" not in done.stderr
    assert done.returncode == 2
    assert "cannot" in done.stderr.splitlines()[-1]
