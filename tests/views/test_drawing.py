"""Pictures in files look the same whatever a user set for matplotlib, and are drawn whatever a file is called."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..helpers import gdbench

SETTINGS = {
    "as usual": None,
    "TeX": b"text.usetex: True\n",
    "a font that is nowhere": b"font.family: Nonexistent\n",
    "another look": b"lines.linewidth: 9\nfigure.facecolor: black\nsavefig.dpi: 30\n",
}
ASKED = {
    "run": ("run", "--profile", "smoke"),
    "pick": ("pick", "--dataset", "diabetes", "--network", "linear", "--tier", "quick"),
    "train": ("train", "--dataset", "diabetes", "--network", "linear"),
}
SCRIPT = """
import hashlib, io
from gdbench.views.drawing import check_plotting, default_style
from kernels import InputError
try:
    check_plotting()
except InputError as error:
    raise SystemExit(str(error))
from matplotlib.figure import Figure
with default_style():
    figure, file = Figure(), io.BytesIO()
    axes = figure.subplots()
    axes.plot([1, 2], [3, 4], label="line")
    axes.legend()
    figure.savefig(file, format="png")
print(hashlib.sha256(file.getvalue()).hexdigest())
"""


def drawn(folder: Path, settings: bytes | None) -> subprocess.CompletedProcess[str]:
    if settings is not None:
        (folder / "matplotlibrc").write_bytes(settings)
    places = os.pathsep.join(filter(None, sys.path))
    surroundings = os.environ | {"PYTHONPATH": places}
    command = [sys.executable, "-c", SCRIPT]
    return subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> str:
    return drawn(tmp_path_factory.mktemp("usual"), None).stdout


@pytest.mark.parametrize("name", SETTINGS)
def test_pictures_are_drawn_by_default_settings(name: str, usual: str, tmp_path: Path) -> None:
    done = drawn(tmp_path, SETTINGS[name])
    assert (done.returncode, done.stdout, done.stderr) == (0, usual, "")


def test_settings_that_are_no_text_are_one_sentence(tmp_path: Path) -> None:
    done = drawn(tmp_path, b"\xff\xfe\x00text")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("matplotlib cannot read its file of settings, matplotlibrc, which ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["run", "pick", "train"])
def test_commands_say_so_before_they_measure(command: str, tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_bytes(b"\xff\xfe\x00text")
    answer = gdbench(*ASKED[command], cwd=tmp_path)
    assert answer.returncode == 2
    assert answer.stderr.startswith("gdbench: matplotlib cannot read its file of settings, matplotlibrc, which ")
    assert answer.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["matplotlibrc"]
