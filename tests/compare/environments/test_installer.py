"""Installers that fail say why in one line, and interpreters that are asked for are found or named as missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gdbench.compare.environments.installer import find_interpreter, install, telling_line
from gdbench.compare.environments.packages import installed_here, project
from gdbench.compare.environments.wishes import read_wish
from kernels import InputError

CONFLICT = """Collecting numpy==1.26
ERROR: Cannot install numpy==1.26 and numpy>=2.0 because these package versions have conflicting dependencies.

The conflict is caused by:
    The user requested numpy==1.26
    The user requested numpy>=2.0

To fix this you could try to:
1. loosen the range of package versions you've specified
2. remove package versions to allow pip attempt to solve the dependency conflict

ERROR: ResolutionImpossible: for help visit https://pip.pypa.io/en/latest/topics/dependency-resolution/
"""
FOLDED = """  x No solution found when resolving dependencies:
  ╰─▶ Because there is no version of numba==99 and you require numba==99, we
      can conclude that your requirements are unsatisfiable.

hint: something else
"""
CAUSED = """Using Python 3.11.7 environment at: environment
error: No solution found when resolving dependencies
  cause: Because there is no version of numba==99, your requirements are unsatisfiable.
"""


@pytest.mark.parametrize(
    ("printed", "line"),
    [
        (
            CONFLICT,
            "Cannot install numpy==1.26 and numpy>=2.0 because these package versions have conflicting dependencies.",
        ),
        (
            FOLDED,
            "Because there is no version of numba==99 and you require numba==99, we can conclude that your "
            "requirements are unsatisfiable.",
        ),
        (CAUSED, "Because there is no version of numba==99, your requirements are unsatisfiable."),
        ("Collecting x\nERROR: first\nERROR: last\n\n[notice] update pip\n", "last"),
        ("error: No interpreter found for Python 3.99 in managed installations\n", "No interpreter found for Python "
         "3.99 in managed installations"),
        ("Killed\n", "Killed"),
        ("", ""),
    ],
)  # fmt: skip
def test_the_line_that_tells_is_the_last_error(printed: str, line: str) -> None:
    assert telling_line(printed) == line


def test_pip_that_finds_no_such_version_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real pip, which asks no index and so finds nothing."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PATH", str(tmp_path))  # there is no uv
    said: list[str] = []
    with pytest.raises(InputError) as refused:
        install(read_wish("numba==99"), sys.executable, tmp_path / "environment", said.append)
    assert str(refused.value).startswith(
        "the environment numba==99 cannot be made, since pip says 'No matching distribution found for numba==99': name"
    )
    assert said == ["an empty environment for numba==99", "asking the package index for numba==99"]


UV = """#!/bin/sh
case "$1" in
venv) for place; do :; done; mkdir -p "$place/bin"; ln -s {python} "$place/bin/python" ;;
*) case "$*" in *--no-deps*numba==*) exit 1 ;; esac; echo "$*" >> {asked} ;;
esac
"""


def test_a_version_that_another_python_lacks_costs_its_own_package_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installer that refuses all that stands beside numba: the others are asked for one by one."""
    tool, asked = tmp_path / "uv", tmp_path / "asked"
    tool.write_text(UV.format(python=sys.executable, asked=asked), encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    install(read_wish("python==3.99"), sys.executable, tmp_path / "environment", lambda words: None)
    pins = [line.split()[-1] for line in asked.read_text(encoding="utf-8").splitlines() if "--no-deps" in line]
    assert any(pin.startswith("numpy==") for pin in pins)
    assert not any(pin.startswith("numba==") for pin in pins)
    assert len(pins) == len(installed_here().versions) - 1


def test_an_interpreter_that_is_not_there_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = tmp_path / "python3.99"
    shim.write_text("#!/bin/sh\necho 'no such version' >&2; exit 127\n", encoding="utf-8")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(InputError) as refused:
        find_interpreter("3.99")
    assert str(refused.value) == (
        "there is no Python 3.99 here: install uv, which fetches it, or put python3.99 on the PATH"
    )


def test_the_first_interpreter_that_answers_with_the_version_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, answer in (("a", "exit 127"), ("b", "echo 3.99.1"), ("c", "echo 3.99.2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "python3.99").write_text(f"#!/bin/sh\n{answer}\n", encoding="utf-8")
        (tmp_path / name / "python3.99").chmod(0o755)
    monkeypatch.setenv("PATH", ":".join(str(tmp_path / name) for name in "abc"))
    assert find_interpreter("3.99") == (str(tmp_path / "b" / "python3.99"), "3.99.1")
    assert find_interpreter("3.99.2") == (str(tmp_path / "c" / "python3.99"), "3.99.2")


def test_the_python_of_this_process_is_its_own_interpreter() -> None:
    version = installed_here().python
    for wanted in ("", version, version.rpartition(".")[0]):
        assert find_interpreter(wanted) == (sys.executable, version)


def test_what_is_installed_here_is_what_gdbench_needs_directly_or_not() -> None:
    python, requirements = project()
    assert python.startswith(">=3")
    assert "numba>=0.61" in requirements
    versions = installed_here().versions
    assert {"numba", "llvmlite", "numpy", "scikit-learn", "joblib"} <= versions.keys()
    assert not {"torch", "jax", "mypy", "hypothesis"} & versions.keys()  # those of extras


def test_looking_for_pip_leaves_the_process_as_it_was() -> None:
    """PyTorch imports setuptools in the midst of its first compilation."""
    text = "import gdbench.compare.environments.installer, setuptools"
    places = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", text]
    done = subprocess.run(command, env=os.environ | places, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


HEARS = """
import sys
from pathlib import Path
from gdbench.compare.environments.installer import _run
try:
    _run([sys.executable, "-c", sys.argv[1]], Path.cwd())
except KeyboardInterrupt:
    print("heard")
"""
INTERRUPTING = """
import os, signal, time
for _ in range(100):
    os.write(1, 65536 * b" ")
os.kill(os.getppid(), signal.SIGINT)
time.sleep(60)
"""
"""Says much, and Ctrl-C comes while it is read."""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_ctrl_c_is_heard_while_an_installer_says_something(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HEARS, INTERRUPTING]
    heard = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=50)
    assert heard.stdout == "heard\n", heard.stderr
