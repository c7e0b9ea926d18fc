"""Scratch repositories: clones of this one, with commits that are made for the self-test."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

AUTHOR = {f"GIT_{who}_{what}": "self-test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
FIRST_DATE = 1_700_000_000
"""Seconds since 1970 of the first generated commit; asv orders commits by date."""
SECONDS_BETWEEN_COMMITS = 3600


@dataclass(frozen=True)
class Repository:
    """A git repository in a folder of ours."""

    folder: Path

    def git(self, *arguments: str, **variables: str) -> str:
        """Answer of git with an author and dates of its own, and without the user's settings, since it commits."""
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, **AUTHOR, **variables}
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, subject: str, files: dict[Path, str], *, day: int = 0) -> str:
        """Write files, by their path inside the repository, and commit these alone; return the commit's name.

        The same files on the same parent make the same name, so that a self-test that was stopped goes on.
        """
        for path, text in files.items():
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        self.git("add", "--", *map(str, files))
        date = f"{FIRST_DATE + day * SECONDS_BETWEEN_COMMITS} +0000"
        self.git("commit", "-q", "--allow-empty", "-m", subject, GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date)
        return self.git("rev-parse", "HEAD")

    def reset(self, commit: str) -> None:
        """Go back to a commit, whatever lies in the work tree."""
        self.git("checkout", "-q", "--force", "--detach", commit)


def clone(source: Path, folder: Path) -> Repository:
    """Return a clone in a folder, made anew if it is not there; the source is only read."""
    if not (folder / ".git").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(source), str(folder)], check=True)
    return Repository(folder)
