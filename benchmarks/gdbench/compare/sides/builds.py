"""Builds: the kernels of one side, copied out of reach of edits, with a Numba cache of their own.

A build lies in the user's cache folder under the lock of its dependencies and its commit (or its content, for a
checkout), so it is made and compiled once. Both sides run under this interpreter and on its packages, or each in its
environment: the lock is made of them, and a side that asks for other versions is refused. The paths of all builds are
equally long, since the length of strings in a process's environment moves its stack (Mytkowicz et al. 2009, ASPLOS).
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sys
import tarfile
import tempfile
import tomllib
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import distribution, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from platformdirs import user_cache_path

import gdbench
from gdbench.basics.folders import forget_oldest, locked, writing
from gdbench.basics.git import git_output
from gdbench.compare.environments.packages import installed_here
from gdbench.compare.environments.record import UsedEnvironment
from gdbench.compare.environments.store import links
from gdbench.compare.sides.sides import Side
from gdbench.machine.settings import in_words, settings
from kernels import InputError

PARTS = ("kernels", "pyproject.toml", "benchmarks/grid.toml")
"""What a build takes of a tree: the kernels, what they ask for, and the grid that says what is measured."""
RUNTIME = ("numpy", "numba", "llvmlite", "scipy")
"""Distributions that the kernels compute with."""
KEPT_BUILDS = 20
IN_USE_SECONDS = 24 * 3600.0
"""A build that was asked for more recently may be in use by another comparison."""
NAME_DIGITS = 16
UNFINISHED = ".build-"
"""What the name of a build begins with that is being made or deleted."""


@dataclass(frozen=True)
class Build:
    """A side, ready to be measured: ``root`` holds ``kernels/``; ``numba_cache`` is what its processes compile into."""

    side: Side
    root: Path

    @property
    def executable(self) -> str:
        """Interpreter of its processes."""
        return self.side.environment.executable if self.side.environment else sys.executable

    @property
    def search_path(self) -> str:
        """PYTHONPATH of its processes: its kernels first, then the instrument, then what the user has."""
        return os.pathsep.join([str(self.root), *instrument_path(self.side.environment)])

    @property
    def path_bytes(self) -> int:
        """Length of all paths that move the stack of its processes; the interpreter's lies there twice."""
        return 2 * len(self.executable) + len(self.search_path) + len(str(self.numba_cache))

    @property
    def numba_cache(self) -> Path:
        """Folder of compiled code."""
        return self.root / "numba"

    @property
    def certificates(self) -> Path:
        """File of the certificates that the variants of this build were granted."""
        return self.root / "certificates.json"

    @property
    def grid(self) -> Path | None:
        """The grid of this tree, if it has one."""
        path = self.root / "benchmarks" / "grid.toml"
        return path if path.exists() else None


def instrument_path(environment: UsedEnvironment | None) -> list[str]:
    """Return where processes find the instrument, and what the user has: in a made environment by links alone."""
    root = environment.root if environment else None
    instrument = links(root) if root else Path(gdbench.__path__[0]).parent
    return list(filter(None, [str(instrument), os.environ.get("PYTHONPATH")]))


def build_both(base: Side, head: Side) -> tuple[Build, Build]:
    """Make or find the builds of two sides; two variants share one, the same revision twice is built twice.

    Raises
    ------
    InputError
        If a side asks for packages that are not those of this interpreter.
    """
    names = [_name(side) for side in (base, head)]
    twice = names[0] == names[1] and base.kind != "variant" and base.environment is None
    builds = Build(base, _make(base, names[0], copy=1)), Build(head, _make(head, names[1], copy=2 if twice else 1))
    for build in builds:
        _check_requirements(build)
    with suppress(OSError), locked(builds_folder() / "builds"):  # in another user's cache nothing is forgotten
        forget_oldest(
            builds_folder(), "*/[!.]*-*",
            most=KEPT_BUILDS, kept=[build.root for build in builds],
            unfinished=UNFINISHED, in_use_seconds=IN_USE_SECONDS,
        )  # fmt: skip
    return builds


def copies(builds: tuple[Build, Build], place: Path, number: int) -> tuple[Build, Build]:
    """Copy the kernels of both sides into fresh folders, whose paths are equally long, with nothing compiled."""
    made = []
    for letter, build in zip("ab", builds, strict=True):
        root = place / f"layout-{number:02d}-{letter}"
        shutil.copytree(
            build.root, root, ignore=shutil.ignore_patterns("numba", "__pycache__", build.certificates.name)
        )
        (root / "numba").mkdir()
        made.append(replace(build, root=root))
    base, head = made
    return base, head


def lock(environment: UsedEnvironment | None) -> str:
    """Digest of all that compiled code depends on but its source."""
    if environment is None or environment.root is None:
        return _lock_here()
    return hashlib.sha256(f"{environment.root} {in_words(settings())}".encode()).hexdigest()[:NAME_DIGITS]


@cache
def _lock_here() -> str:
    """Digest of this interpreter, of the files of the packages that the kernels compute with, and of their settings."""
    digest = hashlib.sha256(sys.version.encode())
    for name in RUNTIME:
        digest.update(f"{name} {version(name)}".encode())
        digest.update((distribution(name).read_text("RECORD") or "").encode())
    digest.update(in_words(settings()).encode())  # code that was compiled under others is not loaded
    return digest.hexdigest()[:NAME_DIGITS]


def _name(side: Side) -> str:
    """Digest of a commit, or of the files of a checkout."""
    digest = hashlib.sha256()
    if side.kind == "revision":
        digest.update(str(side.commit).encode())
    else:
        for path in sorted(_files(side.root)):
            digest.update(path.relative_to(side.root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[: NAME_DIGITS - 2]


def _files(root: Path) -> list[Path]:
    """Return the files of a checkout that a build takes."""
    found = [root / part for part in PARTS[1:] if (root / part).is_file()]
    return [*found, *(path for path in (root / PARTS[0]).rglob("*") if path.suffix in (".py", ".md"))]


def _make(side: Side, name: str, *, copy: int) -> Path:
    """Return the folder of a build, made whole or not at all."""
    parent = builds_folder() / lock(side.environment)
    target = parent / f"{name}-{copy}"
    if target.exists():
        with suppress(OSError):  # another user's cache
            target.touch()  # those not used for long are forgotten
        return target
    with writing(parent, "set XDG_CACHE_HOME to another folder"):
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent, prefix=UNFINISHED) as place:
            made = Path(place, "tree")
            made.mkdir()
            _export(side, made)
            (made / "numba").mkdir()
            try:
                made.rename(target)
            except OSError:
                if not target.exists():  # else another process made it meanwhile
                    raise
    return target


def builds_folder() -> Path:
    """Folder of all builds, in the user's cache."""
    return user_cache_path("gdbench") / "builds"


def _export(side: Side, target: Path) -> None:
    if side.kind == "revision":
        commit = str(side.commit)
        there = [part for part in PARTS if git_output(side.root, "ls-tree", "--name-only", commit, part)]
        archive = git_output(side.root, "archive", "--format=tar", commit, "--", *there)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(target, filter="data")
        return
    for path in _files(side.root):
        copy = target / path.relative_to(side.root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _check_requirements(build: Build) -> None:
    """Raise InputError if a side's kernels are to run on other packages than those of their environment."""
    path = build.root / "pyproject.toml"
    try:
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"] if path.exists() else {}
        wanted = [Requirement(text) for text in project.get("dependencies", [])]
        python = SpecifierSet(project.get("requires-python", ""))
    except (ValueError, KeyError) as error:
        raise InputError(f"pyproject.toml of {build.side.text} cannot be read ({error}): correct it") from error
    there = build.side.environment.installed if build.side.environment else installed_here()
    asked = [(f"Python {python}", f"Python {there.python}", python.contains(there.python, prereleases=True))]
    for requirement in wanted:
        if requirement.name in RUNTIME and (requirement.marker is None or requirement.marker.evaluate()):
            found = there.versions[requirement.name]
            met = requirement.specifier.contains(found, prereleases=True)
            asked.append((str(requirement), f"{requirement.name} {found}", met))
    for text, found, met in asked:
        if not met:
            raise InputError(_unmet(build.side, text, found))


def _unmet(side: Side, wanted: str, found: str) -> str:
    if side.environment is None:
        return (
            f"{side.text} asks for {wanted} and here is {found}: both sides must run on the same packages, "
            "so install gdbench where both revisions are content, or compare revisions that agree"
        )
    tree = side.revision or side.root
    return f"{tree} asks for {wanted} and an environment has {found}: name another environment, or another revision"
