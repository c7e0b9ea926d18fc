"""Folders and files that several commands may want at the same moment: each is one command's at a time."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import time

from filelock import FileLock, Timeout

from gdbench.basics.storage import check_writable, new_folder
from kernels import InputError

LOCK = ".lock"
"""File that whoever writes into a folder holds; the system lets go of it when its process ends, however that ends."""
LOCKED_SECONDS = 60.0
"""Patience with whoever changes a file, which takes milliseconds."""
MENDING = {
    errno.ENOSPC: "free space there",
    errno.EDQUOT: "free space there",
    errno.EFBIG: "allow larger files (ulimit -f)",
    errno.EROFS: "mount it for writing",
    errno.EACCES: "make it yours to write",
    errno.EPERM: "make it yours to write",
}
"""What lets a folder be written that the system refuses."""


@contextmanager
def fresh_folder(wanted: Path | None, subject: str, parent: Path = Path("reports")) -> Iterator[Path]:
    """Give a command the folder that is wanted, or a new dated one that no other command is given.

    What it made is gone again afterwards if nothing was written into it.

    Parameters
    ----------
    wanted : Path, optional
        The user's choice; the caller says whether it may have something in it.
    subject : str
        What the name of a new folder ends with.
    parent : Path
        Folder of the new one.
    """
    missing = [path for path in (wanted or parent, *(wanted or parent).parents) if not path.exists()]
    folder = wanted or _make_new(subject, parent)
    try:
        yield folder
    finally:
        for path in [folder, *missing] if wanted is None else missing:
            with suppress(OSError):  # something is in it
                path.rmdir()


def _make_new(subject: str, parent: Path) -> Path:
    check_writable(parent)
    with writing(parent):
        while True:
            folder = new_folder(subject, parent)
            with suppress(FileExistsError):  # another command was faster
                folder.mkdir(parents=True)
                return folder


@contextmanager
def own_folder(folder: Path, *, refusal: str = "") -> Iterator[None]:
    """Make a folder if need be, and keep other commands out of it until the block ends.

    Parameters
    ----------
    folder : Path
        The folder.
    refusal : str
        What a user is to do if there is something in it already; nothing if there may be.

    Raises
    ------
    InputError
        If another command writes into it, if it cannot be written, or if it is not empty and must be.
    """
    check_writable(folder)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise InputError(
                f"another gdbench command is writing into {folder}: wait until it has ended, or name another folder "
                "with --output"
            ) from error
    try:
        if refusal:
            check_empty(folder, refusal)
        yield
    finally:
        with suppress(OSError):
            # While it is held, so that nobody else's is deleted; whoever has it open already is refused by filelock.
            (folder / LOCK).unlink()
        lock.release()


@contextmanager
def own_named_folder(folder: Path | None) -> Iterator[None]:
    """Keep other commands from a folder that the user names, if any; it is gone again if nothing comes of it."""
    if folder is None:
        yield
        return
    with fresh_folder(folder, ""), own_folder(folder):
        yield


def check_empty(folder: Path, remedy: str) -> None:
    """Raise InputError, with the remedy, if there is something in a folder, which need not exist."""
    if folder.exists() and any(path.name != LOCK for path in folder.iterdir()):
        raise InputError(f"{folder} is not empty: {remedy}")


@contextmanager
def writing(folder: Path, remedy: str = "name another folder with --output") -> Iterator[None]:
    """Say in a sentence why a file could not be written, such as for want of space, and the remedy."""
    try:
        yield
    except OSError as error:
        first = f"{mending}, or " if (mending := MENDING.get(error.errno or 0)) else ""
        raise InputError(f"cannot write into {folder} ({error.strerror}): {first}{remedy}") from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other commands from a file that is read, changed and written back; they wait.

    Raises
    ------
    OSError
        If its folder cannot be written, or a lock that is held for milliseconds is not let go of.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCKED_SECONDS)
    try:
        lock.acquire()
    except Timeout as error:
        raise TimeoutError(errno.ETIMEDOUT, f"locked for {LOCKED_SECONDS:g} s", str(path)) from error
    try:
        yield
    finally:
        lock.release()


def forget_oldest(
    folder: Path, pattern: str, *, most: int, kept: Collection[Path], unfinished: str, in_use_seconds: float
) -> None:
    """Delete what was used longest ago of a cache, so that it does not grow for ever.

    An entry loses its name before its files, so that none is ever found in part; what a killed process left is deleted.

    Parameters
    ----------
    folder : Path
        Folder of the cache.
    pattern : str
        Finds its entries in it. Their times say when they were last used.
    most : int
        Entries that stay, beside those that are kept or may be in use.
    kept : collection of Path
        Entries that stay in any case.
    unfinished : str
        What the name of an entry begins with that is being made or deleted.
    in_use_seconds : float
        What was used more recently may be in use by another command.
    """
    entries = [path for path in folder.glob(pattern) if path not in kept]
    entries.sort(key=_last_used, reverse=True)
    for path in entries[most:]:
        if time() - _last_used(path) > in_use_seconds:
            with suppress(OSError):
                path.rename(path.with_name(f"{unfinished}{path.name}"))
    for path in folder.glob(f"{Path(pattern).parent}/{unfinished}*"):
        if time() - _last_used(path) > in_use_seconds:
            shutil.rmtree(path, ignore_errors=True)


def _last_used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # deleted meanwhile
        return time()


@contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """Make a temporary folder, gone when the block ends; if its process is killed, when the next one makes one.

    Parameters
    ----------
    prefix : str
        What its name begins with, and that of those that are cleared away.
    """
    _clear_away(prefix)
    with tempfile.TemporaryDirectory(prefix=prefix) as name, FileLock(Path(name, LOCK)):
        yield Path(name)


def _clear_away(prefix: str) -> None:
    """Remove folders whose process no longer holds them; one without a lock is being made at this moment."""
    for lock in Path(tempfile.gettempdir()).glob(f"{prefix}*/{LOCK}"):
        with suppress(Timeout, OSError), FileLock(lock, timeout=0):
            shutil.rmtree(lock.parent, ignore_errors=True)
