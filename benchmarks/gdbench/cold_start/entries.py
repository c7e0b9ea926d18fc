"""What is kept of cold starts: an entry per variant and dtype, with the times of its processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gdbench.basics import records
from gdbench.basics.folders import writing


@dataclass(frozen=True)
class ProcessTimes:
    """What one fresh process took; seconds up to an import count from when its parent started it."""

    python_seconds: float
    numpy_seconds: float
    import_seconds: float
    numba_imported: bool
    first_seconds: tuple[float, ...]
    """First call of each task and batch size."""
    steady_seconds: tuple[float, ...]
    """Fastest of a few later calls."""
    compiled: int
    """Signatures that Numba compiled."""
    loaded: int
    """Signatures that it loaded from its cache."""


@dataclass(frozen=True)
class ColdStartAnswer:
    """What a process says: its times, and the positions of the other problems for which it compiled anew."""

    times: ProcessTimes
    compiled_again: tuple[int, ...]


@dataclass(frozen=True)
class Experiment:
    """A network on a data set."""

    network: str
    dataset: str


@dataclass(frozen=True)
class ColdStartEntry:
    """Cold starts of one variant in one dtype: a process with an empty cache, then some that find what it left."""

    variant: str
    dtype: str
    network: str
    dataset: str
    threads: int
    rows: int
    calls: tuple[tuple[str, int], ...]
    """Task and batch size of each call."""
    reason: str
    """Why there are no times; empty if there are."""
    compiled_again: tuple[Experiment, ...]
    """Where the variant compiled anew for another network."""
    cold: ProcessTimes | None
    warm: tuple[ProcessTimes, ...]
    files_written: int = 0
    """Files in Numba's cache after the first process."""
    files_written_later: int = 0


def raw_file(folder: Path) -> Path:
    """Path of the raw file of a run."""
    return folder / "raw" / "cold_start.json"


def read_entries(folder: Path) -> list[ColdStartEntry]:
    """Entries measured so far, none where the run is not to have any; InputError if the file is damaged."""
    path = raw_file(folder)
    return records.read(path, list[ColdStartEntry], remedy="delete it") if path.exists() else []


def write_entries(folder: Path, entries: list[ColdStartEntry]) -> None:
    """Write the raw file of a run, whole or not at all."""
    with writing(folder):
        records.write(raw_file(folder), entries)
