"""The hardware half of an answer: seconds per step by batch size, of this machine and variant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TimesRow:
    """Seconds of one step (gather, gradient, update and the share of the shuffle) at one batch size."""

    batch_size: int
    variant: str
    seconds: float
    low: float
    high: float
    """90 % interval of ``seconds`` over processes and samples."""
    samples: int


@dataclass(frozen=True)
class Knee:
    """Where the line bends: from this batch size on, a row takes so many seconds more (or less)."""

    batch_size: int
    seconds_per_row: float


@dataclass(frozen=True)
class TimeModel:
    """``t(B) = fixed + per_row * B``, with up to two knees; for explanation, not for the choice."""

    fixed: float
    per_row: float
    knees: tuple[Knee, ...]
    half_throughput: float
    """Rows a step at which half of the top speed is reached, ``fixed / per_row`` of the line near there."""
    error: float
    """Median relative error, each batch size left out once."""


@dataclass(frozen=True)
class Times:
    """Answer of ``measure_step_time``."""

    variant: str
    """As asked for: a name, or ``auto``."""
    reason: str
    """Why auto took what it took; empty otherwise."""
    dtype: str
    threads: int
    rows: tuple[TimesRow, ...]
    """Ascending by batch size."""
    model: TimeModel
    processes: int
    drift: float
    """Relative change of the first batch size's time between start and end of the measurement."""
    warnings: tuple[str, ...] = ()
