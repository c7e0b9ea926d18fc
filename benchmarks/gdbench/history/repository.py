"""The order of commits and their subjects, as git tells them."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Commit:
    """Hash, and first line of the message."""

    commit: str
    subject: str


def ancestors(folder: Path) -> list[Commit]:
    """Return all commits up to HEAD, oldest first, parents before children; none outside a repository."""
    return _log(folder)


def first_parents(folder: Path) -> list[str]:
    """Return the hashes of HEAD's own line of commits, oldest first: each is the first parent of the next."""
    return [commit.commit for commit in _log(folder, "--first-parent")]


def _log(folder: Path, *options: str) -> list[Commit]:
    command = ["git", "log", "--topo-order", "--reverse", "--format=%H%x1f%s", *options, "HEAD", "--"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    except OSError:
        return []
    if done.returncode != 0:
        return []
    return [Commit(*line.split("\x1f", 1)) for line in done.stdout.decode(errors="replace").split("\n") if line]
