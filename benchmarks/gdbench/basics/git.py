"""Asks git, where there may be none."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path


def ask_git(place: Path, *arguments: str) -> str | None:
    """Return the answer of git in a folder, None where it has none."""
    found = _run(place, *arguments)
    return found.stdout.strip() if found is not None and found.returncode == 0 else None


def why_refused(place: Path) -> str | None:
    """Say why git answers nothing in a repository, with the remedy; None where it answers, or there is none."""
    found = _run(place, "rev-parse", "--git-dir")
    owned = re.search(r"dubious ownership in repository at '(.+)'", found.stderr) if found is not None else None
    if owned is None:
        return None
    return (
        f"git reads nothing of {owned[1]}, which belongs to another user: "
        f"run git config --global --add safe.directory {owned[1]}"
    )


def _run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    """Run git with its own words untranslated; authors wrote theirs in any encoding."""
    command = ["git", *arguments]
    env = {**os.environ, "LC_ALL": "C"}
    try:
        return subprocess.run(
            command, cwd=place, env=env, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
    except OSError:
        return None
