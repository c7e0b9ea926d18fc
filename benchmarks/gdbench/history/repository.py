"""The order of commits and their subjects, as git tells them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gdbench.basics.git import ask_git, why_refused


@dataclass(frozen=True)
class Commit:
    """Hash, and first line of the message."""

    commit: str
    subject: str


@dataclass(frozen=True)
class Repository:
    """What git knows in a folder: nothing outside a repository.

    Attributes
    ----------
    commits : tuple of Commit
        All up to HEAD, oldest first, parents before children.
    shallow : bool
        Whether it is a clone whose history is cut.
    refused : str, optional
        Why git answers nothing, though there is a repository, and the remedy.
    """

    commits: tuple[Commit, ...]
    shallow: bool
    refused: str | None


def look(folder: Path) -> Repository:
    """Ask git what it knows in a folder."""
    shallow = ask_git(folder, "rev-parse", "--is-shallow-repository") == "true"
    commits = tuple(_log(folder))
    return Repository(commits, shallow, None if commits else why_refused(folder))


def first_parents(folder: Path) -> list[str]:
    """Return the hashes of HEAD's own line of commits, oldest first: each is the first parent of the next."""
    return [commit.commit for commit in _log(folder, "--first-parent")]


def _log(folder: Path, *options: str) -> list[Commit]:
    """Return the commits up to HEAD, oldest first; none outside a repository."""
    text = ask_git(folder, "log", "--topo-order", "--reverse", "--format=%H%x1f%s", *options, "HEAD", "--")
    fields = (line.split("\x1f", 1) for line in (text or "").split("\n"))
    return [Commit(*parts) for parts in fields if len(parts) == 2]  # nothing else that git may write between them
