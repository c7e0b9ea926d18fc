"""What git answers: the only module of the instrument that calls it."""

from __future__ import annotations

import os
import re
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
    env = {**os.environ, "LC_ALL": "C"}  # its own words untranslated
    return subprocess.run(["git", *arguments], cwd=place, env=env, capture_output=True, check=True).stdout


def ask_git(place: Path, *arguments: str) -> str | None:
    """Return the answer of git in a folder as text, None where it has none."""
    try:
        written = git_output(place, *arguments)
    except (OSError, subprocess.CalledProcessError):
        return None
    return written.decode(errors="replace").rstrip("\n")  # other blanks may be part of a commit's subject


def why_refused(place: Path) -> str | None:
    """Say why git answers nothing in a repository, with the remedy; None where it answers, or there is none."""
    try:
        git_output(place, "rev-parse", "--git-dir")
    except OSError:
        return None
    except subprocess.CalledProcessError as error:
        owned = re.search(r"dubious ownership in repository at '(.+)'", error.stderr.decode(errors="replace"))
    else:
        return None
    if owned is None:
        return None
    return (
        f"git reads nothing of {owned[1]}, which belongs to another user: "
        f"run git config --global --add safe.directory {owned[1]}"
    )
