"""What git answers: the only module of the instrument that calls it."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git_output(place: Path, *arguments: str) -> bytes:
    """Return what git writes in a folder.

    Raises
    ------
    subprocess.CalledProcessError
        If git refuses.
    OSError
        If there is no git, or no such folder.
    """
    return subprocess.run(["git", *arguments], cwd=place, capture_output=True, check=True).stdout


def ask_git(place: Path, *arguments: str) -> str | None:
    """Return the answer of git in a folder as text, None where it has none."""
    try:
        written = git_output(place, *arguments)
    except (OSError, subprocess.CalledProcessError):
        return None
    return written.decode(errors="replace").rstrip("\n")  # other blanks may be part of a commit's subject
