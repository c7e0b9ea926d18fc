"""The sdist builds, the wheel builds from it, and what is in the wheel runs outside the clone."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ..helpers import ROOT

COMMAND = ("run", "--profile", "smoke", "--network", "logistic", "--variant", "vectorized", "--no-cold-start")


def _run(*command: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "GDBENCH_CACHE")}
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, env=kept | variables, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_a_run_works_from_the_wheel_in_an_empty_folder(tmp_path: Path) -> None:
    source, built, installed, empty = (tmp_path / name for name in ("source", "built", "installed", "empty"))
    empty.mkdir()
    subprocess.run(["git", "clone", "-q", str(ROOT), str(source)], check=True)
    done = _run("-m", "build", "--outdir", str(built), cwd=source)
    assert done.returncode == 0, done.stderr[-2000:]
    assert sorted(path.suffix for path in built.iterdir()) == [".gz", ".whl"]
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(installed)
    paths = {"PYTHONPATH": str(installed), "GDBENCH_CACHE": str(tmp_path / "cache")}
    where = _run("-P", "-c", "import gdbench, kernels; print(gdbench.__file__, kernels.__file__)", cwd=empty, **paths)
    assert all(Path(name).is_relative_to(installed) for name in where.stdout.split()), where
    found = _run("-P", "-m", "gdbench", *COMMAND, "--output", "mine", cwd=empty, **paths)
    assert found.returncode == 0, found.stderr
    assert "Fastest per epoch" in found.stdout
    assert (empty / "mine" / "report.html").exists()
