"""The limits of a run: their medians over blocks, the roofs that they make, and sentences on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gdbench.basics.units import digits
from gdbench.machine.work import BEYOND, Limits
from kernels.errors import choices

GIGA = 1e9


def limits_of(blocks: Sequence[tuple[int, Limits]]) -> dict[int, Limits]:
    """Return the limits by number of threads, from the threads and the limits of each block.

    Each is the median over blocks: the same statistic as that of the times, so that what slows the machine in half
    of the blocks slows both sides of the fraction. The best would hold usual times against the machine's best moment.
    """
    threads = sorted({count for count, _ in blocks})
    return {count: _median([stored for other, stored in blocks if other == count]) for count in threads}


def _median(stored: list[Limits]) -> Limits:
    return Limits(
        cache_bytes=stored[0].cache_bytes,
        flops_per_second=_medians([block.flops_per_second for block in stored]),
        read_bytes_per_second=_medians([block.read_bytes_per_second for block in stored]),
        update_bytes_per_second=_medians([block.update_bytes_per_second for block in stored]),
        multiply_adds_per_second=_medians([block.multiply_adds_per_second for block in stored]),
        blas_flops_per_second=_medians([block.blas_flops_per_second for block in stored]),
        tiles_flops_per_second=_medians([block.tiles_flops_per_second for block in stored]),
        call_seconds=float(np.median([block.call_seconds for block in stored])),
    )


def _medians(stored: list[dict[str, float]]) -> dict[str, float]:
    """Median of each entry over the blocks that have it."""
    names = dict.fromkeys(name for block in stored for name in block)
    return {name: float(np.median([block[name] for block in stored if name in block])) for name in names}


def roofs(limits: Limits, dtype: str, intensities: Sequence[float]) -> dict[str, list[float]]:
    """Return FLOP/s that are left at arithmetic intensities (FLOP per byte) if all bytes are updates, by level."""
    peak = limits.flops_per_second[dtype]
    return {
        level: np.minimum(peak, speed * np.asarray(intensities)).tolist()
        for level, speed in limits.update_bytes_per_second.items()
    }


def limit_sentences(limits: Mapping[int, Limits]) -> list[str]:
    """Say what the machine's limits are, a sentence per number of threads."""
    return [_sentence(threads, found) for threads, found in limits.items()]


def _sentence(threads: int, found: Limits) -> str:
    products = [f"{digits(speed / GIGA)} GFLOP/s in {dtype}" for dtype, speed in found.flops_per_second.items()]
    peaks = [f"{digits(speed / GIGA)} GFLOP/s in {dtype}" for dtype, speed in found.multiply_adds_per_second.items()]
    peak = f" (multiply-adds in registers {choices(peaks)})" if peaks else ""
    return (
        f"Limits on {threads} thread{'s' if threads > 1 else ''}, medians over processes: matrix products "
        f"{choices(products)}{peak}; updates in place {_speeds(found.update_bytes_per_second)}; "
        f"reading {_speeds(found.read_bytes_per_second)}."
    )


def _speeds(speeds: Mapping[str, float]) -> str:
    return choices(f"{digits(speed / GIGA)} GB/s {_place(level)}" for level, speed in speeds.items())


def _place(level: str) -> str:
    return level if level == BEYOND else f"in {level}"
