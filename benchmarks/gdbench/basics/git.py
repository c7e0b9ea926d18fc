"""What git answers: the only module of the instrument that calls it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

PLAIN = {
    "color.ui": "false",
    "i18n.logOutputEncoding": "UTF-8",
    "log.showSignature": "false",
    "status.showUntrackedFiles": "normal",
}
"""Settings of users that change what is read here, as they are where nobody has set them."""
SETTINGS = [option for name, value in PLAIN.items() for option in ("-c", f"{name}={value}")]
BROKEN = re.compile(r"^(?:fatal|error): (?!not a git repository \(or any)(.+)", re.MULTILINE)
"""What git says where there is a repository that it cannot read."""


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
    return subprocess.run(
        ["git", "--no-pager", *SETTINGS, *arguments], cwd=place, env=env, capture_output=True, check=True
    ).stdout


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
        if ask_git(place, "rev-parse", "--verify", "--quiet", "HEAD") is not None:  # there is a commit
            git_output(place, "rev-list", "HEAD", "--")
    except OSError:
        return None
    except subprocess.CalledProcessError as error:
        return _reason(place, error.stderr.decode(errors="replace"))
    return None


def _reason(place: Path, told: str) -> str | None:
    """Say what is wrong with a repository, by what git writes of it; None if there is none."""
    owned = re.search(r"dubious ownership in repository at '(.+)'", told)
    if owned:
        return (
            f"git reads nothing of {owned[1]}, which belongs to another user: "
            f"run git config --global --add safe.directory {owned[1]}"
        )
    broken = BROKEN.search(told)
    if broken is None:
        return None
    return (
        f"git cannot read the repository in {place.resolve()}, since it says {broken[1]!r}: mend it, or ask in a whole "
        "clone"
    )
