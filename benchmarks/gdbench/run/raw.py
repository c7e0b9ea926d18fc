"""The files that a run's blocks leave: the truth from which everything else is derived.

``raw/block-NNN.json`` is a file of pytest-benchmark, of which the fields that are read here are ours to rely on;
``failures.json`` names the cases that cannot be measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gdbench.basics import records
from gdbench.basics.folders import MENDING, writing
from gdbench.experiments.cases import Case
from gdbench.machine.work import Limits
from kernels import InputError

REMEDY = "delete it and resume the run"
SAMPLES = "samples.csv"


@dataclass(frozen=True)
class BlockFacts:
    """What a block's file says beside pytest-benchmark's own: which block it is, and what its process really had."""

    block: int
    version: str = ""
    """Version of gdbench."""
    cores: tuple[int, ...] = ()
    blas_threads: int | None = None
    numba_threads: int | None = None
    torch_threads: int | None = None
    limits: Limits | None = None
    """Limits of the machine; None where every case failed, or in a file of a version that did not measure them."""


@dataclass(frozen=True)
class TimedRounds:
    """Rounds of a case, and calls in each."""

    data: tuple[float, ...]
    """Seconds per call, one for each round."""
    rounds: int
    iterations: int

    def __post_init__(self) -> None:
        if not self.data or min(self.data) <= 0:
            raise ValueError("times of a case are seconds above 0, one or more")


@dataclass(frozen=True)
class ExtraInfo:
    """What a case adds to its entry."""

    first_call_seconds: float


@dataclass(frozen=True)
class CaseEntry:
    """A case in a block."""

    params: Case
    stats: TimedRounds
    extra_info: ExtraInfo


@dataclass(frozen=True)
class BlockFile:
    """A block that has ended."""

    gdbench: BlockFacts
    benchmarks: tuple[CaseEntry, ...]


def block_file(folder: Path, index: int) -> Path:
    """Path of the file of a block."""
    return folder / "raw" / f"block-{index:03d}.json"


def block_files(folder: Path) -> list[Path]:
    """Paths of the blocks that ended, in their order."""
    return sorted((folder / "raw").glob("block-*.json"))


def published(folder: Path) -> bool:
    """Whether a run has only its tables: its raw files, many times as large, were left out where it was published."""
    return (folder / SAMPLES).exists() and not (folder / "raw").exists()


def read_block(path: Path) -> BlockFile:
    """Read the file of a block, or raise InputError."""
    return records.read(path, BlockFile, remedy=REMEDY)


@contextmanager
def writing_block(folder: Path) -> Iterator[None]:
    """Say in a sentence why a block could not be written into the folder of its run, and how to go on after that."""
    try:
        yield
    except OSError as error:
        first = MENDING.get(error.errno or 0, "see that files can be made there")
        raise InputError(
            f"a block could not be written into {folder} ({error.strerror}): {first}, and go on with "
            f"gdbench run --resume --output {folder}"
        ) from error


def read_failures(folder: Path) -> dict[str, str]:
    """Read why cases cannot be measured, by case id."""
    path = folder / "failures.json"
    return records.read(path, dict[str, str], remedy=REMEDY) if path.exists() else {}


def remember_failure(folder: Path, case_id: str, reason: str) -> None:
    """Note that a case cannot be measured, so that it is neither timed nor ranked."""
    failures = {**read_failures(folder), case_id: reason}
    with writing(folder):
        records.write(folder / "failures.json", failures)
