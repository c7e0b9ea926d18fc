"""A tree in which every mutant is a variant of its own, beside the one it was made from."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from gdbench.processes.launch import THREAD_VARIABLES
from selftest import ROOT
from selftest.verdicts.mutants import Mutant


def plant_beside(tree: Path, mutants: Iterable[Mutant], source: Path) -> Path:
    """Copy the kernels of a source into a folder and add the mutants as variants, named by ``name_of``."""
    target = tree / "kernels"
    if not target.exists():
        shutil.copytree(source / "kernels", target, ignore=shutil.ignore_patterns("__pycache__"))
    for mutant in mutants:
        path = target / "variants" / f"{name_of(mutant)}.py"
        path.write_text(mutant.source(source), encoding="utf-8")
    return tree


def name_of(mutant: Mutant) -> str:
    """Name of a mutant as a variant of its own."""
    return f"{mutant.variant}_{mutant.name}"


def environment_for(tree: Path) -> dict[str, str]:
    """Environment of a process that finds the kernels of a tree and today's instrument."""
    path = os.pathsep.join([str(tree), str(ROOT / "benchmarks")])
    return {**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1"), "PYTHONPATH": path}


def python() -> list[str]:
    """Return the start of a command line that finds packages by PYTHONPATH alone, not by the folder it starts in."""
    return [sys.executable, "-P"]
