"""Environments in the user's cache: each is made once, whole or not at all, by one command at a time."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from packaging.specifiers import SpecifierSet
from platformdirs import user_cache_path

import gdbench
import kernels
from gdbench.basics import records
from gdbench.basics.folders import forget_oldest, writing
from gdbench.compare.environments.installer import ReportText, find_interpreter, install, python_of
from gdbench.compare.environments.packages import installed_here, project
from gdbench.compare.environments.record import Installed, UsedEnvironment, name_of
from gdbench.compare.environments.wishes import Wish, read_wish
from kernels import InputError

RECORD = "environment.json"
KEPT = 4
"""Environments that are kept beside those in use; each takes most of a gigabyte."""
IN_USE_SECONDS = 24 * 3600.0
"""An environment that was asked for more recently may be in use by another comparison."""
KEY_DIGITS = 16
UNFINISHED = ".making-"
"""What the name of an environment begins with that is being made or deleted."""
REMEDY = "set XDG_CACHE_HOME to another folder"


@dataclass(frozen=True)
class MadeEnvironment:
    """What was asked for, and the versions that it came to."""

    asked: tuple[str, ...]
    pinned: dict[str, str]
    installed: Installed


def provide_both(texts: Sequence[str], tell: ReportText) -> tuple[UsedEnvironment, UsedEnvironment]:
    """Make or find the environments of two sides; one ``--env`` alone stands against the environment of this process.

    Parameters
    ----------
    texts : sequence of str
        Requirements of each environment, as ``--env`` takes them: one or two.
    tell : callable
        Hears in words what is done now.

    Raises
    ------
    InputError
        If an environment cannot be made, or there are more than two.
    """
    if len(texts) > 2:
        raise InputError(
            f"{len(texts)} environments are named: a comparison has two sides, so name one or two by --env"
        )
    wishes = [read_wish(text) for text in texts]
    if len(wishes) == 2 and _asked(wishes[0]) == _asked(wishes[1]):
        raise InputError(f"both sides are the environment {texts[0]}: name two, or one, to compare it with this one")
    names = list(dict.fromkeys(name for wish in wishes for name in wish.names))
    found = [_provide(wish, names, tell) for wish in wishes]
    here = UsedEnvironment(name_of(installed_here(), names), sys.executable, installed_here())
    base, head = found if len(found) == 2 else (*found, here)
    return base, head


def environments_folder() -> Path:
    """Folder of all environments, in the user's cache."""
    return user_cache_path("gdbench") / "environments"


def key_of(wish: Wish, interpreter: str, python: str) -> str:
    """Digest of the interpreter, and of all requirements by which an environment is made."""
    digest = hashlib.sha256()
    for part in (os.path.realpath(interpreter), python, *_asked(wish), *project()[1], *_pinned().items()):
        digest.update(f"{part}\n".encode())
    return digest.hexdigest()[:KEY_DIGITS]


def links(root: Path) -> Path:
    """Folder through which an environment finds our kernels and our instrument, and nothing else that lies by them."""
    places = [Path(package.__path__[0]).resolve() for package in (gdbench, kernels)]
    digest = hashlib.sha256("\n".join(map(str, places)).encode()).hexdigest()[:KEY_DIGITS]
    folder = root / "instruments" / digest
    with writing(folder, REMEDY):
        folder.mkdir(parents=True, exist_ok=True)
        for place in places:
            with suppress(FileExistsError):
                (folder / place.name).symlink_to(place)
    return folder


def _asked(wish: Wish) -> tuple[str, ...]:
    return (*sorted(wish.requirements), wish.python)


def _pinned() -> dict[str, str]:
    return installed_here().versions


def _provide(wish: Wish, names: Sequence[str], tell: ReportText) -> UsedEnvironment:
    interpreter, python = find_interpreter(wish.python)
    asked = SpecifierSet(project()[0])
    if not asked.contains(python, prereleases=True):
        raise InputError(f"gdbench asks for Python {asked} and --env {wish.text} for {python}: name another version")
    folder, key = environments_folder(), key_of(wish, interpreter, python)
    root = folder / key
    with writing(folder, REMEDY):
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder / f".{key}.lock", wish, tell):
            if not root.exists():
                _make(wish, interpreter, root, tell)
            with suppress(OSError):  # another user's cache
                root.touch()  # those not used for long are forgotten
        with suppress(OSError):
            forget_oldest(folder, "[!.]*", most=KEPT, kept=[root], unfinished=UNFINISHED, in_use_seconds=IN_USE_SECONDS)
    made = records.read(root / RECORD, MadeEnvironment, remedy=f"delete {root}")
    return UsedEnvironment(name_of(made.installed, names), str(python_of(root)), made.installed, root)


@contextmanager
def _alone(path: Path, wish: Wish, tell: ReportText) -> Iterator[None]:
    """Hold a lock; where another command has it, that makes the same environment, which takes minutes: say so."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        tell(f"waiting for another command, which makes the environment {wish.text}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _make(wish: Wish, interpreter: str, root: Path, tell: ReportText) -> None:
    """Make an environment beside its place, and move it there once it is whole."""
    begun = f"{UNFINISHED}{root.name}-"
    for left in root.parent.glob(f"{begun}*"):  # of a process that was killed: this one holds the lock
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=begun, ignore_cleanup_errors=True) as name:
        place = Path(name, "environment")
        found = install(wish, interpreter, place, tell)
        records.write(place / RECORD, MadeEnvironment(_asked(wish), _pinned(), found))
        place.rename(root)
