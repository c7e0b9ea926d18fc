"""Asks git, where there may be none."""

from __future__ import annotations

import subprocess
from pathlib import Path


def ask_git(place: Path, *arguments: str) -> str | None:
    """Return the answer of git in a folder, None where it has none."""
    try:
        found = subprocess.run(["git", *arguments], cwd=place, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return found.stdout.strip() if found.returncode == 0 else None
