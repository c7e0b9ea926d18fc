"""Lines of a file of text: all of them, or some drawn in one pass, in memory that does not grow with the file."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
import numpy.typing as npt

from gdbench.pick.data.sampling import Lottery, Rows, Sampling
from kernels import InputError

Bytes = npt.NDArray[np.uint8]

NEWLINE, RETURN, QUOTE = b'\n\r"'
PART_BYTES = 1 << 23
"""What is read at once."""
FIELD_BYTES = 24
"""What pandas takes for a field while it reads, beside its text."""
LOOKS, LOOK_BYTES = 16, 1 << 16
"""Places of a file, and bytes in each, whose lines tell how long all are."""


@dataclass(frozen=True)
class Lines:
    """Lines to be read as a table."""

    file: IO[bytes]
    """At their start."""
    drawn: _Drawn | None = None
    """None if they are those of the whole file."""
    n_heads: int = 0
    """Lines in front of those that were drawn."""

    def number(self, line: int) -> int:
        """Return where a line stands in the whole file, both counted from 1."""
        place = line - 1 - self.n_heads
        return line if self.drawn is None or place < 0 else int(np.concatenate(self.drawn.numbers)[place])

    def rows(self, count: int) -> Rows:
        """Return the numbers, from 0, of the rows that they are; there are so many."""
        return np.arange(count) if self.drawn is None else self.drawn.lottery.rows

    def n_rows(self, count: int) -> int:
        """Return the number of rows of the whole file, of which so many were read."""
        return count if self.drawn is None else self.drawn.lottery.n


def lines_of(file: IO[bytes], name: str, width: int, sampling: Sampling, *, header: bool) -> Lines:
    """Return all lines of a file of text, or as many as are kept of them where their numbers take too much.

    Parameters
    ----------
    file : file
        Opened for reading bytes.
    name : str
        Its name, for messages.
    width : int
        Fields of a line.
    sampling : Sampling
        How many rows are kept.
    header : bool
        Whether the first line has names; it is kept in any case.

    Raises
    ------
    InputError
        If lines are drawn, and one may not be a row by itself.
    """
    line_bytes = _line_bytes(file)
    n = int(file.seek(0, os.SEEK_END) / line_bytes)
    file.seek(0)
    if sampling.keeps_all(n, width):
        return Lines(file)
    count = sampling.rows or sampling.fitting(width, row_bytes=line_bytes + FIELD_BYTES * width)
    head, n_above = _first_line(file) if header else (b"", 0)
    drawn = _Drawn(Lottery(count, sampling.seed), n_above)
    for data in _parts(file, name):
        drawn.add(data, name)
    drawn.settle()
    return Lines(drawn.pour(head), drawn, n_heads=int(header))


class _Drawn:
    """Lines that may still win in a lottery of all.

    Parameters
    ----------
    lottery : Lottery
        Of the lines that are not empty.
    n_above : int
        Lines of the file above the first one that takes part.
    """

    def __init__(self, lottery: Lottery, n_above: int) -> None:
        self.lottery, self._line = lottery, n_above
        self._texts: list[Bytes] = []
        self._lengths: list[Rows] = []
        self.numbers: list[Rows] = []
        """Where the lines stand in the file, from 1."""

    def add(self, data: Bytes, name: str) -> None:
        """Let the next lines of the file take part: ``data`` is some whole lines."""
        ends = np.flatnonzero(data == NEWLINE) + 1
        lengths = np.diff(ends, prepend=0)
        _check_quotes(data, ends, name, self._line)
        is_empty = (lengths == 1) | ((lengths == 2) & (data[ends - lengths] == RETURN))
        filled = np.flatnonzero(~is_empty)
        places = filled[self.lottery.enter(len(filled))]
        stays = np.zeros(len(ends), bool)
        stays[places] = True
        self._texts.append(data[np.repeat(stays, lengths)])
        self._lengths.append(lengths[places])
        self.numbers.append(places + self._line + 1)
        self._line += len(ends)
        if self.lottery.is_full:
            self.settle()

    def settle(self) -> None:
        """Let go of the lines that can no longer win."""
        stay, begin = self.lottery.settle(), 0
        for i, lengths in enumerate(self._lengths):
            part = stay[begin : begin + len(lengths)]
            self._texts[i] = self._texts[i][np.repeat(part, lengths)]
            self._lengths[i], self.numbers[i] = lengths[part], self.numbers[i][part]
            begin += len(lengths)

    def pour(self, head: bytes) -> IO[bytes]:
        """Return a file of a head and these lines, which are then only there."""
        file = io.BytesIO()
        file.write(head)
        while self._texts:
            file.write(self._texts.pop(0).data)
        file.seek(0)
        return file


def _line_bytes(file: IO[bytes]) -> float:
    """Return about how many bytes a line has on average."""
    size, bytes_seen, lines = file.seek(0, os.SEEK_END), 0, 0
    for place in np.linspace(0, max(size - LOOK_BYTES, 0), LOOKS):
        file.seek(int(place))
        look = file.read(LOOK_BYTES)
        bytes_seen, lines = bytes_seen + len(look), lines + look.count(b"\n")
    return bytes_seen / max(lines, 1)


def _first_line(file: IO[bytes]) -> tuple[bytes, int]:
    """Read the first line that is not empty, and return it with its number."""
    number, line = 1, file.readline(PART_BYTES)
    while line and not line.strip():
        number, line = number + 1, file.readline(PART_BYTES)
    return line, number


def _parts(file: IO[bytes], name: str) -> Iterator[Bytes]:
    """Yield the rest of a file in parts that end with a line."""
    rest = b""
    while block := file.read(PART_BYTES):
        cut = block.rfind(b"\n") + 1
        if cut:
            yield np.frombuffer(rest + block[:cut], np.uint8)
            rest = block[cut:]
        else:
            rest += block
        if len(rest) > PART_BYTES:
            raise InputError(
                f"{name} has a line of more than {PART_BYTES >> 20} MB: end each row by a line feed, or save the data "
                "as .parquet"
            )
    if rest:
        yield np.frombuffer(rest + b"\n", np.uint8)


def _check_quotes(data: Bytes, ends: Rows, name: str, n_above: int) -> None:
    """Raise InputError if a line has an odd number of quotation marks: its row may go on below."""
    marks = np.flatnonzero(data == QUOTE)
    odd = np.flatnonzero(np.diff(np.searchsorted(marks, ends), prepend=0) % 2)
    if len(odd):
        raise InputError(
            f"line {n_above + odd[0] + 1} of {name} has a quotation mark without a second one, and a file of this size "
            "is read line by line: correct that line, or save the data as .parquet"
        )
