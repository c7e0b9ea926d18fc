"""How much of a file is kept: all rows, or some drawn by a seed where all would take more memory than there is."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gdbench.basics.memory import available_bytes

Rows = npt.NDArray[np.int64]
"""Numbers of rows in a file, from 0, ascending."""

WHOLE_BYTES = 1 << 30
"""Rows that take at most so much in float64 are kept whole."""
MEMORY_PARTS = 8
"""And at most the memory that is available divided by this: there are copies as read, scaled, and to be timed."""
SAMPLE_PARTS = 8
"""What may be kept whole, divided by this, is what a sample takes at most, 128 MB: the search needs several times as
much, and no process is to take 1 GB."""
ROW_BYTES = 16
"""A row's number and its lot."""
PART_BYTES = 1 << 25
"""What is read of a large file at once."""
DRAWN_AT_ONCE = 1 << 20
SPAWN_KEY = (1 << 31, 1)
"""Apart from the keys of runs, whose first number is a batch size or 0, and of rows that are held out."""


def whole_bytes() -> int:
    """Bytes in float64 up to which rows are kept whole on this machine, at this moment."""
    return min(WHOLE_BYTES, available_bytes() // MEMORY_PARTS)


@dataclass(frozen=True)
class Sampling:
    """How many rows of a file are kept, and which."""

    seed: int = 0
    rows: int | None = None
    """Rows to keep, such as an earlier reading kept, 0 for all; by default as many as memory allows."""
    limit: int = field(default_factory=whole_bytes)
    """Bytes in float64 up to which rows are kept whole."""

    def keeps_all(self, n: int, width: int) -> bool:
        """Whether n rows of so many columns are kept whole."""
        return not self.is_too_large(n, width) if self.rows is None else self.rows == 0

    def count(self, n: int, width: int, *, row_bytes: float = 0.0) -> int:
        """Return how many of n rows are kept; ``row_bytes`` as in ``fitting``."""
        return n if self.keeps_all(n, width) else min(n, self.rows or self.fitting(width, row_bytes=row_bytes))

    def fitting(self, width: int, *, row_bytes: float = 0.0) -> int:
        """Return how many rows a sample has.

        Parameters
        ----------
        width : int
            Columns.
        row_bytes : float
            What a row takes while it is read, where that is more than its numbers in float64.
        """
        return max(int(self.limit / SAMPLE_PARTS / max(8 * width + ROW_BYTES, row_bytes)), 2)

    def is_too_large(self, n: int, width: int) -> bool:
        """Whether n rows of so many columns take more in float64 than is kept whole."""
        return 8 * n * width > self.limit

    def draw(self, n: int, count: int) -> Rows:
        """Return ``count`` of n rows, drawn without replacement."""
        if count == n:
            return np.arange(n)
        lottery = Lottery(count, self.seed)
        for begin in range(0, n, DRAWN_AT_ONCE):
            lottery.enter(min(DRAWN_AT_ONCE, n - begin))
            if lottery.is_full:
                lottery.settle()
        lottery.settle()
        return lottery.rows

    def words(self, kept: int, n: int) -> str:
        """Say what is kept of n rows, where that is not all."""
        ratio = n / kept
        part = f"1 of {ratio:,.0f} rows" if ratio >= 10 else f"1 of {ratio:.1f} rows"
        return (
            f"{part}, {kept:,} of {n:,}, drawn with seed {self.seed}: scale and labels are theirs, and batch sizes go "
            "up to them"
        )


class Lottery:
    """Draws rows of a stream, each as likely as any other: those with the least of random lots.

    Parameters
    ----------
    count : int
        Rows to draw, or all if the stream has fewer.
    seed : int
        Fixes the lot of the first row, of the second, and so on.
    """

    def __init__(self, count: int, seed: int) -> None:
        self.count, self.n = count, 0
        self._rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=SPAWN_KEY))
        self._lots: list[npt.NDArray[np.float64]] = [np.empty(0)]
        self._rows: list[Rows] = [np.empty(0, np.int64)]
        self._held, self._bound = 0, 1.0

    def enter(self, count: int) -> Rows:
        """Let the next rows of the stream take part; return the places, among them, of those that may still win."""
        lots = self._rng.random(count)
        places = np.flatnonzero(lots <= self._bound)
        self._lots.append(lots[places])
        self._rows.append(places + self.n)
        self._held += len(places)
        self.n += count
        return places

    @property
    def is_full(self) -> bool:
        """Whether so many rows may still win that it is time to settle."""
        return 2 * self._held > 3 * self.count

    def settle(self) -> npt.NDArray[np.bool_]:
        """Let the rows go that can no longer win; return which of those that could until now stay."""
        lots, rows = np.concatenate(self._lots), np.concatenate(self._rows)
        if len(lots) > self.count:
            self._bound = float(np.partition(lots, self.count - 1)[self.count - 1])
        stay = np.asarray(lots <= self._bound)
        self._lots, self._rows = [lots[stay]], [rows[stay]]
        self._held = len(self._rows[0])
        return stay

    @property
    def rows(self) -> Rows:
        """Numbers of the rows that may still win; after settling, of those that are drawn."""
        return np.concatenate(self._rows)
