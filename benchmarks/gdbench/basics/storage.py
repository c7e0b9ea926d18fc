"""Files that are either whole or not there, and folders to put them in."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import date
from pathlib import Path

from kernels import InputError

STANDARD = {Path("/dev/stdin"): 0, Path("/dev/stdout"): 1, Path("/dev/stderr"): 2}
OPEN_FILES = (Path("/dev/fd"), Path("/proc/self/fd"))
"""Where the system shows a process its open files: behind them may be a file that others add to as well."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path; what the block writes there takes the place of ``path`` when the block succeeds.

    A link keeps pointing where it points. A device or pipe is written to, never replaced; so is a file of which the
    folder may not be changed. What a reader of a pipe no longer takes is lost.
    """
    stream = _stream(path)
    target = Path(os.path.realpath(path))
    if stream is None:
        target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.parent if stream is None else None
    descriptor, name = tempfile.mkstemp(dir=beside, prefix=f".{target.name}.")
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        if stream is None:
            temporary.chmod(0o644)  # mkstemp makes files that only their owner reads
            _replace(temporary, target)
        else:
            with suppress(BrokenPipeError):
                _copy(temporary, stream)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_together() -> Iterator[Callable[[Path], Path]]:
    """Give temporary paths, as ``replacing`` does, of files that take their places if all are written, or none does.

    The last that was asked for takes its place first.
    """
    with ExitStack() as stack:

        def place(path: Path) -> Path:
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            return stack.enter_context(replacing(path))

        yield place


def _replace(temporary: Path, target: Path) -> None:
    try:
        temporary.replace(target)
    except OSError as error:
        if error.errno != errno.EBUSY:  # a file that is mounted by itself, as into a container
            raise
        _copy(temporary, target)


def _copy(source: Path, stream: Path | int) -> None:
    with open(stream, "wb", closefd=isinstance(stream, Path)) as file:
        file.write(source.read_bytes())


def _stream(path: Path) -> Path | int | None:
    """Return what must be written to as it is: an open file by its number, or else its path; None for what is replaced.

    Written to as they are: devices, pipes, and files in folders that do not let them be replaced.
    """
    if path.parent in OPEN_FILES and path.name.isdecimal():
        return int(path.name)
    if path in STANDARD:
        return STANDARD[path]
    if not path.exists():
        return None
    folder = Path(os.path.realpath(path)).parent
    kept = not path.is_file() or (os.access(path, os.W_OK) and not os.access(folder, os.W_OK | os.X_OK))
    return path if kept else None


def write_text(path: Path, text: str) -> None:
    """Write a text file whole, in UTF-8.

    Names of files that are no text stand in it escaped, as JSON has them, so that JSON gives them back.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def check_writable(folder: Path, remedy: str = "name another one") -> None:
    """Raise InputError, with the remedy, if files cannot be made in a folder, which need not exist; makes nothing."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not nearest.is_dir():
        raise InputError(f"cannot write into {folder}, since {nearest} is no folder: {remedy}")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"cannot write into {folder}, since {nearest} is not yours to write: {remedy}")


def check_file_writable(path: Path) -> None:
    """Raise InputError, with the remedy, if a file, device or pipe cannot be written; makes and writes nothing."""
    stream = _stream(path)
    if isinstance(stream, int):
        try:
            os.write(stream, b"")
        except OSError as error:
            raise InputError(f"cannot write {path}, which is not open for writing: name another file") from error
    elif path.is_dir():
        raise InputError(f"cannot write {path}, which is a folder: name a file in it")
    elif stream is None:
        check_writable(Path(os.path.realpath(path)).parent)
    elif not os.access(stream, os.W_OK):
        raise InputError(f"cannot write {path}, which is not yours to write: name another file")


def new_folder(subject: str, parent: Path = Path("reports")) -> Path:
    """Return the path of a new dated folder such as ``reports/2026-01-31-quick``, which is not made yet."""
    name = f"{date.today().isoformat()}-{subject}"
    taken = {path.name for path in parent.glob(f"{name}*")}
    tries = (name if number == 1 else f"{name}-{number}" for number in range(1, len(taken) + 2))
    return parent / next(candidate for candidate in tries if candidate not in taken)
