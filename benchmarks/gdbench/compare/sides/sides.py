"""What is compared: each side is a git revision, a checkout in a folder, a variant of this tree, or an environment.

Here are also the records that pass between this process and those of the sides, which run other kernels.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import kernels
from gdbench.basics.git import ask_git, why_refused
from gdbench.compare.environments.record import Installed, UsedEnvironment
from kernels import InputError, Network

Kind = Literal["revision", "checkout", "variant"]
ComparedKind = Literal["revision", "checkout", "variant", "environment"]


@dataclass(frozen=True)
class ComparedSide:
    """What a record says of a side; its folder is nobody else's business."""

    text: str
    kind: ComparedKind
    commit: str | None = None
    dirty: bool = False
    variant: str | None = None
    revision: str | None = None
    """What was asked for of the code that both environments ran, where that is a revision."""
    installed: Installed | None = None
    """What is in its environment, where environments are compared."""


@dataclass(frozen=True)
class Side:
    """One of the two things compared.

    ``root`` is the repository of a revision, the folder of a checkout, or where this process found the kernels.
    """

    text: str
    """What it is called: what was asked for, or its environment."""
    kind: Kind
    """What its code is."""
    root: Path
    commit: str | None = None
    dirty: bool = False
    """Whether the kernels in the folder differ from the commit; of a revision, whether it is checked out so."""
    variant: str | None = None
    revision: str | None = None
    """What was asked for, if its code is a revision."""
    environment: UsedEnvironment | None = None
    """Where its processes run, if environments are compared; else all run where this one does."""

    @property
    def record(self) -> ComparedSide:
        """What is kept of it."""
        if self.environment is None:
            return ComparedSide(self.text, self.kind, self.commit, self.dirty, self.variant)
        return ComparedSide(
            self.text,
            "environment",
            self.commit,
            self.dirty,
            revision=self.revision,
            installed=self.environment.installed,
        )


@dataclass(frozen=True)
class SideDescription:
    """What the process of a side says of itself; all but kernels and variants must be the same on both sides."""

    python: str
    executable: str
    packages: dict[str, tuple[str, str | None]]
    """Version and file of each package that kernels compute with, if it was imported."""
    kernels: str
    """Folder that they were imported from."""
    variants: tuple[str, ...]


@dataclass(frozen=True)
class SentNetwork:
    """A network as a side is told it: as fields, since the class of another commit may lie elsewhere."""

    sizes: tuple[int, ...]
    hidden: str
    output: str
    loss: str

    @classmethod
    def of(cls, network: Network) -> SentNetwork:
        """Return the fields of a network."""
        return cls(**asdict(network))


@dataclass(frozen=True)
class CountJob:
    """A call whose instructions a process of a side is to count."""

    problem: tuple[str, str, SentNetwork, float]
    """Arguments of ``pair_process.Worker.add_problem``."""
    call: tuple[str, str, str, str, int, int]
    """Arguments of ``pair_process.Worker.prepare``."""


def read_sides(base: str, head: str) -> tuple[Side, Side]:
    """Read both sides.

    Raises
    ------
    InputError
        If one names nothing, or if a variant stands against something that is none.
    """
    sides = read_side(base), read_side(head)
    names = [side.text for side in sides if side.kind == "variant"]
    if len(names) == 1:
        other = next(side for side in sides if side.kind != "variant")
        raise InputError(
            f"{names[0]} is a variant of this tree and {other.text} is a {other.kind}: compare two variants, or two "
            f"revisions with --variant {names[0]}"
        )
    if names and base == head:
        raise InputError(f"both sides are the variant {base}: name two variants, or two revisions")
    return sides


def read_side(text: str) -> Side:
    """Read one side: a variant's name, else a git revision, else a folder; ``./name`` is always a folder."""
    if text in kernels.variants():
        return Side(text, "variant", _ours(), variant=text)
    path = Path(text).expanduser()
    if text in (".", "..") or path.is_absolute() or text.startswith(("./", "../", "~")):
        return _checkout(text, path)
    commit = ask_git(Path.cwd(), "rev-parse", "--verify", "--quiet", f"{text}^{{commit}}")
    if commit is not None:
        return _revision(text, commit)
    if path.is_dir():
        return _checkout(text, path)
    refused = why_refused(Path.cwd()) or _without_commits(Path.cwd())
    if refused is not None:
        raise InputError(f"{text} is neither a variant nor a folder, and {refused}")
    raise InputError(
        f"{text} is neither a variant, nor a git revision here, nor a folder: name one of these, "
        f"for instance HEAD~1, ./checkout or {kernels.variants()[-1]}"
    )


def read_tree(text: str | None) -> Side:
    """Read the code that two environments run: a revision or a folder, else the tree here, as it is.

    Raises
    ------
    InputError
        If it is a variant.
    """
    if text is None:
        return _checkout(".", Path()) if Path("kernels", "__init__.py").exists() else _checkout("gdbench", _ours())
    side = read_side(text)
    if side.kind == "variant":
        raise InputError(f"{text} is a variant, and with --env both sides have it: name it by --variant {text}")
    return side


def in_environments(tree: Side, environments: tuple[UsedEnvironment, UsedEnvironment]) -> tuple[Side, Side]:
    """Return the sides by which the same code is compared in two environments."""
    base, head = (replace(tree, text=one.name, environment=one) for one in environments)
    return base, head


def _ours() -> Path:
    """Folder in which this process found the kernels."""
    return Path(kernels.__path__[0]).parent


def here() -> str:
    """Name the current commit, or the tree that this process runs where there is none."""
    commit = ask_git(Path.cwd(), "rev-parse", "--verify", "--quiet", "HEAD:kernels/__init__.py")
    return "HEAD" if commit is not None else str(_ours().resolve())


def _without_commits(place: Path) -> str | None:
    """Say that a repository has no commit, if so."""
    top = ask_git(place, "rev-parse", "--show-toplevel")
    if top is None or ask_git(place, "rev-parse", "--verify", "--quiet", "HEAD") is not None:
        return None
    return f"the repository {top} has no commit yet: commit first, or name folders with checkouts, such as ./name"


def _revision(text: str, commit: str) -> Side:
    top = ask_git(Path.cwd(), "rev-parse", "--show-toplevel")
    if ask_git(Path.cwd(), "cat-file", "-t", f"{commit}:kernels/__init__.py") != "blob":
        raise InputError(f"revision {text} has no kernels/: call gdbench compare inside a checkout of gdbench")
    checked_out = ask_git(Path.cwd(), "rev-parse", "HEAD") == commit
    dirty = checked_out and bool(ask_git(Path(str(top)), "status", "--porcelain", "--", "kernels"))
    return Side(text, "revision", Path(str(top)), commit=commit, dirty=dirty, revision=text)


def _checkout(text: str, path: Path) -> Side:
    if not (path / "kernels" / "__init__.py").exists():
        raise InputError(f"{text} is no checkout of gdbench, since it has no kernels/: name another folder")
    root = path.resolve()
    commit = ask_git(root, "rev-parse", "HEAD")
    dirty = bool(commit and ask_git(root, "status", "--porcelain", "--", "kernels"))
    return Side(text, "checkout", root, commit=commit, dirty=dirty)
