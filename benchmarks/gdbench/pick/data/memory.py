"""What it takes to read a user's file, told before it is read: the file's size, its rows and columns, the memory."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from gdbench.machine.memory import available_bytes
from kernels import InputError

COPIES = 5
"""Times that all values in float64 are held while they are encoded and scaled (measured: 4.9)."""
TEXT_FIELD_BYTES = 16
"""What pandas keeps of a field of text beside the text: where it begins, and its value."""
SAMPLE_BYTES = 1 << 20
SAFE_SHARE = 0.9
"""Of the free memory; other programs take some meanwhile."""
LARGE_BYTES = 50e6
"""File, or values, from which on reading takes seconds that a user wants explained."""


@dataclass(frozen=True)
class FileSize:
    """Size of a table before it is read; of text it is estimated by its first rows."""

    file_bytes: int
    rows: int
    columns: int
    needed_bytes: float
    """Memory at the moment at which reading needs most."""

    @property
    def is_large(self) -> bool:
        """Whether reading takes seconds."""
        return max(self.file_bytes, 8 * self.rows * self.columns) > LARGE_BYTES


def size_of(path: Path) -> FileSize | None:
    """Return the size of a file, or None where it cannot be told; reading it will then say why."""
    measure = MEASURES.get(path.suffix.lower())
    try:
        if measure is None or not path.is_file():
            return None
        with path.open("rb") as file:
            rows, columns, more = measure(file, path.stat().st_size)
    except Exception:  # damaged files make their readers raise a dozen kinds
        return None
    return FileSize(path.stat().st_size, rows, columns, 8 * COPIES * rows * columns + more)


def check_fits(size: FileSize | None, name: str, *, available: float | None = None) -> None:
    """Raise InputError, with the number of rows that would fit, if memory does not suffice to read a file.

    Parameters
    ----------
    size : FileSize, optional
        Nothing is said where it is not known.
    name : str
        Of the file, for the message.
    available : float, optional
        Bytes that are free; by default those of this machine at this moment.
    """
    free = SAFE_SHARE * (available_bytes() if available is None else available)
    if size is None or size.needed_bytes <= free:
        return
    fitting = _round_down(size.rows * free / size.needed_bytes)
    raise InputError(
        f"reading {name} ({amount(size.file_bytes)}) takes about {amount(size.needed_bytes)} of memory, and "
        f"{amount(free)} are free: save a part of its rows, at most {fitting:,} of about {_round_down(size.rows):,}, "
        "or free memory"
    )


def amount(count: float) -> str:
    """Write bytes as ``1.1 GB`` or ``120 MB``."""
    unit, scale = next(((unit, scale) for unit, scale in (("TB", 1e12), ("GB", 1e9)) if count >= scale), ("MB", 1e6))
    value = count / scale
    return f"{value:.1f} {unit}" if value < 10 else f"{value:,.0f} {unit}"


def _round_down(count: float) -> int:
    """Round to two digits, downwards."""
    step = 10 ** max(0, math.floor(math.log10(max(count, 1))) - 1)
    return int(count // step * step)


def _of_text(file: IO[bytes], file_bytes: int, separator: bytes) -> tuple[int, int, float]:
    """Estimate rows by the length of the first ones; the text is held as a whole while it is parsed."""
    lines = file.read(SAMPLE_BYTES).splitlines(keepends=True)
    whole = lines[:-1] if len(lines) > 1 and file_bytes > SAMPLE_BYTES else lines
    rows = round(file_bytes * len(whole) / sum(map(len, whole)))
    columns = max(line.count(separator) for line in whole) + 1
    parsing = file_bytes + TEXT_FIELD_BYTES * rows * columns
    return rows, columns, max(0.0, parsing - 8 * COPIES * rows * columns)


def _of_npy(file: IO[bytes], _file_bytes: int) -> tuple[int, int, float]:
    shape, _, dtype = _npy_header(file)
    columns = math.prod(shape[1:])
    return shape[0], columns, dtype.itemsize * shape[0] * columns


def _of_npz(file: IO[bytes], _file_bytes: int) -> tuple[int, int, float]:
    """Sum the arrays that have as many rows as the largest; others, such as rows to test on, are not read."""
    found = []
    with zipfile.ZipFile(file) as arrays:
        for name in arrays.namelist():
            with arrays.open(name) as member:
                shape, _, dtype = _npy_header(member)
                found.append((math.prod(shape), shape[:1], dtype.itemsize))
    _, rows, _ = max(found)
    together = [(count, size) for count, first, size in found if first == rows]
    columns = sum(count for count, _ in together) // rows[0]
    return rows[0], columns, sum(count * size for count, size in together)


def _of_parquet(file: IO[bytes], _file_bytes: int) -> tuple[int, int, float]:
    import pyarrow.parquet  # noqa: PLC0415 - takes a while, and only this kind of file needs it

    stored = pyarrow.parquet.ParquetFile(file).metadata
    return (
        stored.num_rows,
        stored.num_columns,
        sum(stored.row_group(i).total_byte_size for i in range(stored.num_row_groups)),
    )


def _npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)


MEASURES: dict[str, Callable[[IO[bytes], int], tuple[int, int, float]]] = {
    ".csv": lambda file, file_bytes: _of_text(file, file_bytes, b","),
    ".tsv": lambda file, file_bytes: _of_text(file, file_bytes, b"\t"),
    ".npy": _of_npy,
    ".npz": _of_npz,
    ".parquet": _of_parquet,
}
"""Rows, columns, and bytes of memory beyond the copies of the values, by the ending."""
