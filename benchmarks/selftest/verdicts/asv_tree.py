"""A scratch repository that asv can measure in seconds: this suite, cut to a few cases that need no compilation.

The suite's classes, parameters and clock are its own; what is cut are the variants and full verification
before every round, which takes longer than all of its timing (the quick certificate in each process stays).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from selftest import ROOT
from selftest.context import VARIABLES
from selftest.verdicts.edits import Edit, apply_all
from selftest.verdicts.repository import Repository, clone

SUITE = Path("benchmarks", "suite", "experiments.py")
GRID = Path("benchmarks", "grid.toml")
CONFIG = Path("asv.conf.json")
VARIANTS = ("buffered", "reference", "vectorized")
PROFILE = "selftest"
GRID_LINES = f"""
[profiles.{PROFILE}]
about = "A few cases of three networks."
blocks = 2
case_seconds = 0.01
peers = false
tasks = ["gradient", "epoch"]
batch_sizes = [1, 32]
dtypes = ["float64"]
threads = [1]
experiments = [
    {{ network = "logistic", dataset = "breast_cancer" }},
    {{ network = "deep", dataset = "wine" }},
]
"""
SUITE_EDITS = (
    Edit(
        'VARIANTS = tuple(sorted(path.stem for path in (ROOT / "kernels" / "variants").glob("[!_]*.py")))',
        f"VARIANTS = {VARIANTS!r}",
    ),
    Edit('os.environ.get("GDBENCH_PROFILE", "smoke")', f'"{PROFILE}"'),
    Edit(
        "                    require_full_verification(variant, problem)\n",
        "                    require_certificate(variant, problem)\n",
    ),
    Edit("require_certificate, require_full_verification\n", "require_certificate\n"),
)


def cut_suite(repository: Repository, requirements: dict[str, str] | None = None) -> str:
    """Commit the cut suite on top of the history; return the commit."""
    config = json.loads((repository.folder / CONFIG).read_text(encoding="utf-8"))
    config["matrix"]["req"] |= {name: [version] for name, version in (requirements or {}).items()}
    config["branches"] = ["HEAD"]
    files = {
        SUITE: apply_all(SUITE_EDITS, (repository.folder / SUITE).read_text(encoding="utf-8")),
        GRID: (repository.folder / GRID).read_text(encoding="utf-8") + GRID_LINES,
        CONFIG: json.dumps(config, indent=4) + "\n",
    }
    return repository.commit("The suite, cut for the self-test", files)


def scratch_for_asv(folder: Path) -> Repository:
    """Return a clone at this repository's commit."""
    repository = clone(ROOT, folder)
    repository.reset("origin/HEAD")
    return repository


def asv(repository: Repository, *arguments: str) -> str:
    """Run asv in a scratch repository, on a machine that is named there; return what it printed.

    Raises
    ------
    RuntimeError
        If it ends with another code than 0 (done) or 1 (``continuous`` found a change).
    """
    home = repository.folder.parent / "home"
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name not in (*VARIABLES, "PYTHONPATH")}
    environment = {**kept, "HOME": str(home), "PIP_CACHE_DIR": str(home / "pip"), "COLUMNS": "300"}
    command, options = [sys.executable, "-m", "asv"], {"cwd": repository.folder, "env": environment, "text": True}
    if not (home / ".asv-machine.json").exists():
        subprocess.run(
            [*command, "machine", "--yes"], check=True, stdin=subprocess.DEVNULL, capture_output=True, **options
        )
    done = subprocess.run([*command, *arguments], check=False, stdin=subprocess.DEVNULL, capture_output=True, **options)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"asv {' '.join(arguments)} ended with code {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout
