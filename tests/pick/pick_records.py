"""Halves and records of picks for tests, from a stated truth: K = S (1 + Bn / B) and t = a + b B."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gdbench.machine.environment import describe
from gdbench.pick.build import build_record
from gdbench.pick.choose.choose import choose
from gdbench.pick.data.source import DataDescription, RowSource
from gdbench.pick.record.record import PickRecord, SearchSeconds
from gdbench.pick.record.settings import Settings
from gdbench.pick.seconds.times import TimeModel, Times, TimesRow
from gdbench.pick.steps.answer import CAPPED, EXTRAPOLATED, REACHED, Curve, Steps, StepsRow, Target
from kernels import Network

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1797)
N_ROWS = 1797
FLOOR, CRITICAL = 300.0, 40.0
"""Steps S that no batch size saves; critical batch Bn."""
FIXED, PER_ROW = 64e-6, 1e-6
"""Seconds a step and a row: half-throughput 64 rows."""
LARGEST_RATE = 0.7
TARGET_WORDS = "training loss of 0.43, which is within 1 % of the best possible"
Z90 = 1.6448536269514722
UNRUN = "no run was made here"


def make_steps(
    sizes: Sequence[int] = SIZES,
    *,
    floor: float = FLOOR,
    critical: float = CRITICAL,
    noise: float = 0.0,
    failed: Mapping[int, tuple[str, str]] | None = None,
    extrapolated: Sequence[int] = (),
    status: str = REACHED,
    reason: str = "",
    identified: bool = True,
    steps: Sequence[float] | None = None,
    warnings: Sequence[str] = (),
) -> Steps:
    """Return steps on the curve, rounded up.

    Parameters
    ----------
    noise
        Standard deviation of log K, of each batch size by itself.
    failed
        Status and reason of batch sizes without a number.
    extrapolated
        Batch sizes whose steps come from the curve alone.
    status, reason
        Status and reason of the whole search.
    steps
        Instead of those of the curve.
    """
    failed = failed or {}
    truth = steps if steps is not None else [floor * (1 + critical / size) for size in sizes]
    spread = math.exp(Z90 * noise)

    def row(size: int, K: float) -> StepsRow:
        if size in failed:
            return StepsRow(size, *failed[size], None, None, None, None, None, False, 10, 10)
        measured = size not in extrapolated
        told = (REACHED, "", _rate(size, critical)) if measured else (EXTRAPOLATED, UNRUN, _rate(size, critical))
        return StepsRow(size, *told, math.ceil(K - 1e-9 * K), K / spread, K * spread, noise, measured, 10 * measured, 0)

    rows = tuple(row(size, K) for size, K in zip(sizes, truth, strict=True))
    return Steps(
        status=status,
        reason=reason,
        target=Target(0.43, 2.3, 0.41, "training loss", TARGET_WORDS),
        rows=rows,
        curve=Curve(floor, critical, 0.02, identified) if any(row.steps for row in rows) else None,
        runs=10 * len(rows),
        examples=1.2e7,
        seed=0,
        variants=dict.fromkeys(sizes, "jit"),
        warnings=tuple(warnings),
    )


def _rate(size: int, critical: float) -> float:
    return LARGEST_RATE / (1 + critical / size)


def unreached(status: str = CAPPED, reason: str = "the target was not reached within 100,000 steps") -> Steps:
    """Return a search that reached its target nowhere."""
    failed = dict.fromkeys(SIZES, (status, reason))
    return make_steps(failed=failed, status=status, reason=reason)


def make_times(
    sizes: Sequence[int] = SIZES,
    *,
    fixed: float = FIXED,
    per_row: float = PER_ROW,
    noise: float = 0.0,
    variant: str = "vectorized",
    threads: int = 1,
    seconds: Sequence[float] | None = None,
    warnings: Sequence[str] = (),
) -> Times:
    """Return seconds per step on the line (or those given), each with ``noise`` in its logarithm."""
    spread = math.exp(Z90 * noise)
    truth = seconds if seconds is not None else [fixed + per_row * size for size in sizes]
    rows = tuple(TimesRow(size, variant, t, t / spread, t * spread, 60) for size, t in zip(sizes, truth, strict=True))
    model = TimeModel(fixed, per_row, (), fixed / per_row, 0.03)
    return Times(variant, "", "float64", threads, rows, model, 4, 0.01, tuple(warnings))


WIDE = 0.05
"""Tolerance with which 32 ties with the best, 64, in the record that is made here."""


def make_record(
    steps: Steps | None = None,
    times: Times | None = None,
    *,
    objective: str = "time",
    current: int | None = 512,
    asked: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    **fields: Any,
) -> PickRecord:
    """Return the record of a pick from these halves, or from the truth with some noise.

    Parameters
    ----------
    asked
        Settings that are to be different.
    options
        More arguments of ``choose``.
    fields
        Arguments of ``build_record`` that are to be different.
    """
    steps = steps if steps is not None else make_steps(noise=0.03)
    times = times if times is not None else make_times(noise=0.01)
    more = {"tolerance": WIDE, **dict(options or {})}
    choice = choose(steps, times, objective, n_rows=N_ROWS, current=current, search_seconds=38.0, **more)
    settings = Settings(
        objective=objective, variant=times.variant, threads=times.threads, dtype=times.dtype, current=current
    )
    source = RowSource("digits")
    given = {
        "command": "gdbench pick --dataset digits --network softmax",
        "data": DataDescription("digits", N_ROWS, 0, 64, 10, "classes", "standardised", "digits", "0" * 64, source),
        "network": Network.softmax(64, 10),
        "label": "softmax, 64-10",
        "environment": describe(),
        "settings": replace(settings, **(asked or {})),
        "steps": steps,
        "times": times,
        "choice": choice,
        "seconds": SearchSeconds(31.0, 7.0, 38.0),
        "progress": "120 runs of 10 rounds",
    }
    return build_record(**{**given, **fields})
