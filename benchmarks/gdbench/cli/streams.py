"""Standard output and standard error that outlive their reader: what is lost is output, never work or an exit code."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO, cast

GONE = (errno.EPIPE, errno.EIO, errno.EINVAL)
"""Errors of writing to a pipe that nobody reads (EINVAL on Windows), or to a terminal that was closed."""

STDERR = 2


class Outlet(io.FileIO):
    """File descriptor whose writes go nowhere once its reader, such as ``head``, is gone."""

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override] # FileIO's also takes other buffers
        """Write bytes, or drop them where nobody is left to read them.

        Raises
        ------
        OSError
            For any other reason, such as a full disk, unless this is standard error, where it would be told; later
            output is dropped.
        """
        try:
            return super().write(data) or 0
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if error.errno not in GONE and self.fileno() != STDERR:
                raise
            return len(data)


@contextmanager
def outliving_readers() -> Iterator[None]:
    """Let standard output and standard error go on without their reader, and show ``?`` for what they cannot encode."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_outliving, before)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):  # told by whoever wrote
                stream.flush()
        sys.stdout, sys.stderr = before


def _outliving(stream: TextIO | None) -> TextIO:
    """Wrap a stream that has a descriptor; one that was closed (``>&-``) leads nowhere."""
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.flush()
    try:
        outlet = Outlet(stream.fileno(), "w", closefd=False)
    except io.UnsupportedOperation:  # memory of somebody who calls this from Python
        stream.reconfigure(errors="replace")
        return stream
    buffer = io.BufferedWriter(cast(io.RawIOBase, outlet))
    return io.TextIOWrapper(buffer, encoding=stream.encoding, errors="replace", line_buffering=stream.line_buffering)
