"""Makes an environment in a folder: with uv where it is on the PATH, else with Python's venv and pip.

First comes what gdbench runs on here, in the same versions, then what is wished for; an installer leaves alone what
suits already. So two environments differ in what was wished for and in what that needs, and in nothing else.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib.machinery import PathFinder
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gdbench.basics import records
from gdbench.compare.environments.packages import installed_here, project
from gdbench.compare.environments.record import Installed
from gdbench.compare.environments.wishes import Wish
from gdbench.processes.launch import start_command
from kernels import InputError

ReportText = Callable[[str], None]
"""Hears in words what is done now."""
LEADING_ELSEWHERE = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER")
"""Variables by which something would be installed, or looked for, in another environment."""
OWN_PIP = PathFinder.find_spec("pip") is not None
"""Whether the pip of this environment can install into others: they need none of their own then. Whoever asks Python as
a whole tells a hook of setuptools, too, which then hides its distutils from this process for good."""
HEARING_SECONDS = 1.0
"""Until a signal is heard that came while output was read."""
DESCRIBE = """
import json, platform, re
from importlib.metadata import distributions
names = ((re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(), one.version) for one in distributions())
print(json.dumps({"python": platform.python_version(), "versions": dict(sorted(names))}))
"""
NO_REASON = re.compile(r"(?i)ResolutionImpossible|for help visit|^\[?(?:notice|hint|note|warning)\b")
"""Lines of an installer that tell nothing."""
ERROR = re.compile(r"(?i)^(?:error|cause|caused by): ")
"""What begins lines that tell why it failed; a cause stands below what it caused."""


class InstallerFailed(Exception):
    """An installer refused; the message is the line in which it says why."""


def install(wish: Wish, interpreter: str, place: Path, tell: ReportText) -> Installed:
    """Make an environment in a folder that does not exist yet; return what is in it.

    Raises
    ------
    InputError
        If the installer refuses what is wished for.
    """
    tool = "uv" if shutil.which("uv") else "pip"
    needed, here = project()[1], installed_here().versions
    own = [text for text in needed if canonicalize_name(Requirement(text).name) in wish.names]
    pinned = [f"{name}=={version}" for name, version in here.items() if name not in wish.names]
    scratch = place.with_name("tmp")
    scratch.mkdir()

    def run(*arguments: str) -> str:
        return _run([*_installer(tool, place), *arguments], scratch)

    try:
        tell(f"an empty environment for {wish.text}")
        _run(_creator(tool, interpreter, place), scratch)
        if wish.requirements:
            tell(f"asking the package index for {wish.text}")
            run("--dry-run", "--no-deps", *wish.requirements, *own)  # before minutes of installing, not after them
        tell(f"installing what gdbench runs on here ({len(pinned)} packages) for {wish.text}")
        try:
            run("--no-deps", *pinned)
        except InstallerFailed:  # another Python may lack a version of one of them: then the newest that suits
            for pin in pinned:
                with suppress(InstallerFailed):
                    run("--no-deps", pin)
        tell(f"installing {wish.text}")
        run(*needed, *wish.requirements)
        found = json.loads(_run([str(python_of(place)), "-I", "-c", DESCRIBE], scratch))
    except InstallerFailed as error:
        raise InputError(
            f"the environment {wish.text} cannot be made, since {tool} says {str(error)!r}: name versions that the "
            "package index has, that suit this Python, and with which gdbench runs"
        ) from error
    return records.parse(found, Installed)


def python_of(place: Path) -> Path:
    """Return the interpreter of an environment."""
    return place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def find_interpreter(version: str) -> tuple[str, str]:
    """Return what makes an environment of a version of Python, and which one that is, as far as it is known before.

    Parameters
    ----------
    version : str
        Such as ``3.12``; that of this process if it is empty.

    Raises
    ------
    InputError
        If there is none, and no uv, which would find or fetch it.
    """
    here = installed_here().python
    if not version or _is(version, here):
        return sys.executable, here
    if shutil.which("uv"):
        return version, version
    for path in _pythons(version):
        found = _version_of(path)
        if found is not None and _is(version, found):
            return path, found
    raise InputError(
        f"there is no Python {version} here: install uv, which fetches it, or put python{_series(version)} on the PATH"
    )


def _is(wanted: str, found: str) -> bool:
    return f"{found}.".startswith(f"{wanted}.")


def _series(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _pythons(version: str) -> Iterator[str]:
    """Yield every interpreter of a series on the PATH: the first of them may be a shim that leads nowhere."""
    for folder in os.get_exec_path():
        found = shutil.which(f"python{_series(version)}", path=folder)
        if found:
            yield found


def _version_of(path: str) -> str | None:
    asked = [path, "-I", "-c", "import platform; print(platform.python_version())"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _creator(tool: str, interpreter: str, place: Path) -> list[str]:
    if tool == "uv":
        return ["uv", "venv", "--no-project", "--python", interpreter, str(place)]
    return [interpreter, "-I", "-m", "venv", *(["--without-pip"] if OWN_PIP else []), str(place)]


def _installer(tool: str, place: Path) -> list[str]:
    python = str(python_of(place))
    if tool == "uv":
        return ["uv", "pip", "install", "--python", python]
    pip = [sys.executable, "-I", "-m", "pip", "--python", python] if OWN_PIP else [python, "-I", "-m", "pip"]
    return [*pip, "--disable-pip-version-check", "--no-input", "install", "--progress-bar", "off"]


def _run(command: Sequence[str], scratch: Path) -> str:
    """Run a command of an installer, whatever it starts ended with it; return what it printed."""
    kept = {name: value for name, value in os.environ.items() if name not in LEADING_ELSEWHERE}
    variables = {**kept, "TMPDIR": str(scratch), "NO_COLOR": "1"}
    process = start_command(
        command, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        printed = _printed(process)
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if process.returncode:
        raise InstallerFailed(telling_line(printed) or f"nothing, and ends with code {process.returncode}")
    return printed


def _printed(process: subprocess.Popen[str]) -> str:
    """Return what a process prints until it ends.

    Python reads a pipe to its end without a look at signals while there is something to read: Ctrl-C just then, when
    an installer says that it now asks an index that may never answer, would be lost.
    """
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=HEARING_SECONDS)[0]


def telling_line(printed: str) -> str:
    """Return the line in which an installer says why it failed: its last error, else its last word."""
    tree = re.search(r"╰─▶\s*(.+?)(?:\n\s*\n|\Z)", printed, re.DOTALL)  # of older uv, folded over several lines
    if tree:
        return " ".join(re.sub(r"[│╰─▶]", " ", tree[1]).split())
    lines = [line.strip() for line in printed.splitlines() if line.strip() and not NO_REASON.search(line.strip())]
    errors = [line for line in lines if ERROR.match(line)]
    return ERROR.sub("", (errors or lines or [""])[-1])
