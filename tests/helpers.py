"""The command in real processes, and copies of the sources that a test may change."""

import csv
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
import pytest
from playwright.sync_api import Browser, Page

from gdbench.cli import console, main
from kernels import Network
from kernels.network import DTYPES

ROOT = Path(__file__).parents[1]
WIDE = "300"
"""Columns of the pretended terminal, so that no sentence is wrapped."""
LIMIT_SECONDS = 900
"""Far above what any of these commands takes on a busy machine, so that only a hanging one fails its test."""
UNCOMPILED = {"reference", "vectorized", "buffered"}
DROPS_SHORT_BATCH = '''"""Wrong: a short last batch is dropped. Only the trajectories of verification have one."""

from kernels.epochs import batches
from kernels.variants.vectorized import forward, gradient, loss


def epoch(network, theta, X, Y, order, batch_size, learning_rate):
    for rows in batches(order, batch_size):
        if len(rows) == batch_size:
            theta = theta - float(learning_rate) * gradient(network, theta, X[rows], Y[rows])
    return theta
'''
"""A variant that only the trajectories of verification catch: their batches of 7 leave a short last one."""


def in_turns(networks: Iterable[Network]) -> list[Any]:
    """Parameters (network, dtype): each network in one dtype, in turns; in the other one CI tries it as well."""
    return [
        pytest.param((network, dtype), marks=() if (i + j) % 2 == 0 else pytest.mark.slow, id=f"{network}-{dtype}")
        for i, network in enumerate(networks)
        for j, dtype in enumerate(DTYPES)
    ]


def copy_sources(folder: Path) -> Path:
    """Copy kernels and instrument, with what Numba has compiled already, to where a test may change them."""
    unfinished = shutil.ignore_patterns("*.tmp.*", "*.pyc.*")  # Numba and Python write these elsewhere at this moment
    for package in ("kernels", "benchmarks"):
        shutil.copytree(ROOT / package, folder / package, ignore=unfinished)
    return folder


def keep_uncompiled(sources: Path) -> None:
    """Take the compiled variants out of copied sources: what happens beside them is then seen in seconds."""
    for path in (sources / "kernels" / "variants").glob("[!_]*.py"):
        if path.stem not in UNCOMPILED:
            path.unlink()


def shorten_smoke(sources: Path, *, blocks: int) -> None:
    """Let profile smoke of copied sources have fewer rounds of blocks."""
    grid = sources / "benchmarks" / "grid.toml"
    head, title, tail = grid.read_text(encoding="utf-8").partition("[profiles.smoke]\n")
    shorter = tail.replace("\nblocks = 6\n", f"\nblocks = {blocks}\n", 1)
    assert shorter.partition("\n[")[0] != tail.partition("\n[")[0], "smoke no longer has 6 blocks: correct the test"
    grid.write_text(head + title + shorter, encoding="utf-8")


def add_variant(sources: Path, name: str, *replacements: tuple[str, str], end: str = "") -> None:
    """Write a variant that is ``vectorized`` with pieces of its text replaced and some text at its end."""
    text = (sources / "kernels" / "variants" / "vectorized.py").read_text(encoding="utf-8")
    for old, new in replacements:
        assert text.count(old) == 1, f"{old!r} is no longer in the source once: correct the test"
        text = text.replace(old, new)
    (sources / "kernels" / "variants" / f"{name}.py").write_text(text + end, encoding="utf-8")


AS_ORDINARY_USER = """
import encodings.ascii, importlib, importlib.readers, os, sys
import gdbench.machine.settings
from gdbench import cli
importlib.import_module(f"gdbench.cli.{sys.argv[1]}")
if sys.argv[1] == "list":
    sys.modules["gdbench.cli.list"].inventory()
if hasattr(os, "geteuid") and os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
sys.argv[0] = "gdbench"
cli.main()
"""
"""Everything is imported first: an ordinary user may not read where the superuser keeps the interpreter."""


def as_ordinary_user(*arguments: str, cwd: Path, **streams: Any) -> Any:
    """Run a command that starts no processes as somebody whom permissions stop, also where the tests are root's."""
    return subprocess.run(
        [sys.executable, "-c", AS_ORDINARY_USER, *arguments],
        cwd=cwd, env={**os.environ, "COLUMNS": WIDE}, check=False, timeout=LIMIT_SECONDS,
        text=True, encoding="utf-8", **{"capture_output": True, **streams},
    )  # fmt: skip


def start(*arguments: str, cwd: Path, sources: Path | None = None, **variables: str) -> subprocess.Popen[str]:
    """Start ``gdbench`` with the sources in a folder, or with those that the tests run with."""
    environment = {**os.environ, "COLUMNS": WIDE, **variables}
    environment.pop("FORCE_COLOR", None)
    if sources is not None:
        places = [str(sources), str(sources / "benchmarks"), os.environ.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, places))
    command = [sys.executable, "-m", "gdbench", *arguments]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=cwd, env=environment, text=True, encoding="utf-8", **streams)


def run_held_to(level: str, file: str, keyword: str, *options: str) -> str:
    """Run tests of a file as on an older processor, in a process of their own; return what pytest says."""
    command = [sys.executable, ROOT / "benchmarks" / "as_processor.py", level, sys.executable, "-m", "pytest"]
    done = subprocess.run(
        [*command, "-q", "-n0", file, "-k", keyword, *options],
        cwd=ROOT, check=False, timeout=LIMIT_SECONDS, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    return done.stdout + done.stderr


def gdbench(*arguments: str, cwd: Path, sources: Path | None = None, **variables: str) -> Any:
    """Run ``gdbench`` to its end; the result has ``returncode``, ``stdout`` and ``stderr``."""
    return finish(start(*arguments, cwd=cwd, sources=sources, **variables))


def finish(process: subprocess.Popen[str]) -> Any:
    """Wait for a process; return what ``subprocess.run`` would."""
    try:
        stdout, stderr = process.communicate(timeout=LIMIT_SECONDS)
    finally:
        process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def invoke(*arguments: str, cwd: Path, **variables: str) -> Any:
    """Run ``gdbench`` in this process, where what it answers is the claim; the result is that of ``gdbench``."""
    out, err, code = StringIO(), StringIO(), 0
    with (
        chdir(cwd),
        redirect_stdout(out),
        redirect_stderr(err),
        mock.patch.dict(os.environ, variables),
        mock.patch.object(sys, "argv", ["gdbench", *arguments]),
        mock.patch.object(console.stdout, "_width", int(WIDE)),
        mock.patch.object(console.stderr, "_width", int(WIDE)),
    ):
        os.environ.pop("FORCE_COLOR", None)  # until the patch ends
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def wait_for(condition: Callable[[], Any], process: subprocess.Popen[str]) -> None:
    """Wait until a running process has brought a condition about."""
    end = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert process.poll() is None, f"the process ended first: {process.communicate()}"
        assert time.monotonic() < end, "the process took too long"
        time.sleep(0.01)


def have_ended(processes: Iterable[psutil.Process]) -> bool:
    """Wait for processes to end; a zombie has, though nobody has looked at it."""
    end = time.monotonic() + LIMIT_SECONDS
    while any(map(_runs, processes)):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def quiet_page(browser: Browser, path: Path, drawn: str, **options: Any) -> Iterator[Page]:
    """A page that is open, and drawn as far as a selector says; it must complain of nothing and ask for nothing."""
    complaints: list[str] = []
    requests: list[str] = []
    tab = browser.new_page(**options)
    tab.set_default_timeout(1000 * LIMIT_SECONDS)
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(path.as_uri())
    tab.wait_for_selector(drawn)
    yield tab
    tab.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "blob:", "data:"))] == []


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_raw(folder: Path) -> list[dict[str, Any]]:
    """Contents of a run's raw files, in the order of its blocks."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((folder / "raw").glob("block-*.json"))]


def call(line: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Enter a command line where the console script enters; return the exit code."""
    monkeypatch.setattr("sys.argv", ["gdbench", *shlex.split(line)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its relative path; a folder is there with no bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }
