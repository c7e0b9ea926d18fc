"""The record of a pick: what was asked, both halves, the choice and its words, for every view and for ``--replan``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gdbench.basics import records
from gdbench.machine.environment import Environment
from gdbench.pick.choose.choice import BatchSizeChoice
from gdbench.pick.data.source import DataDescription
from gdbench.pick.record.settings import Settings
from gdbench.pick.seconds.times import Times
from gdbench.pick.steps.answer import Steps
from kernels import InputError, Network

FILE = "pick.json"
FORMAT = 2
"""Format 1 had steps that no run confirmed among those that one did, and other names."""
REMEDY = f"name a {FILE} that gdbench pick wrote"


@dataclass(frozen=True)
class SearchSeconds:
    """Seconds that a search took: for the steps, for the seconds per step, and in all."""

    steps: float | None = None
    times: float | None = None
    total: float | None = None


@dataclass(frozen=True)
class Earlier:
    """The pick whose steps were taken over: what it chose, and what the difference of two answers comes from."""

    batch_size: int
    learning_rate: float | None
    variant: str
    seconds: float | None
    half_throughput: float
    threads: int
    dtype: str
    objective: str
    cpu: str
    date: str


@dataclass(frozen=True)
class PickRecord:
    """All that is kept of a pick."""

    command: str
    """As typed."""
    date: str
    complete: bool
    progress: str
    """How far it got, in words."""
    data: DataDescription
    network: Network
    label: str
    """Words for the network, such as ``mlp, 64-32-10 relu``."""
    environment: Environment
    settings: Settings
    status: str
    """``reached``, or why there is no choice."""
    reason: str
    steps: Steps | None
    times: Times | None
    choice: BatchSizeChoice | None
    earlier: Earlier | None
    seconds: SearchSeconds
    warnings: tuple[str, ...]
    exit_code: int
    sentences: tuple[str, ...] = ()
    """The answer in a few sentences, the first of which is all of it."""
    apart: tuple[str, ...] = ()
    """What is said of batch sizes that were not measured or gave no number."""
    details: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    format: int = FORMAT


@dataclass(frozen=True)
class _Format:
    format: int


def read_record(path: str | Path) -> PickRecord:
    """Read the record of a pick: the file, or the folder that it lies in.

    Raises
    ------
    InputError
        If there is none, it is damaged, or it is of another format.
    """
    path = Path(path)
    file = path / FILE if path.is_dir() else path
    found = records.read(file, _Format, remedy=REMEDY).format
    if found != FORMAT:
        older = "an older" if found < FORMAT else "a newer"
        raise InputError(f"{path} was written by {older} version of gdbench, whose records differ: pick again")
    return records.read(file, PickRecord, remedy=REMEDY)
