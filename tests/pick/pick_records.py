"""Halves and records of picks for tests, from a stated truth: K = S (1 + Bn / B) and t = a + b B."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gdbench.machine.environment import describe
from gdbench.pick.build import build_record
from gdbench.pick.choose.choice import Tie
from gdbench.pick.choose.choose import choose
from gdbench.pick.seconds.times import TimeModel, Times, TimesRow
from gdbench.pick.steps.answer import CAPPED, EXTRAPOLATED, REACHED, Curve, RateLaw, Steps, StepsRow, Target

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1797)
N_ROWS = 1797
FLOOR, CRITICAL = 300.0, 40.0
"""Steps S that no batch size saves; critical batch Bn."""
FIXED, PER_ROW = 64e-6, 1e-6
"""Seconds a step and a row: half-throughput 64 rows."""
LARGEST_RATE = 0.7
TARGET_WORDS = "training loss of 0.43, which is within 1 % of the best possible"
Z90 = 1.6448536269514722


def make_steps(
    sizes: Sequence[int] = SIZES,
    *,
    floor: float = FLOOR,
    critical: float = CRITICAL,
    noise: float = 0.0,
    common: float = 0.0,
    failed: Mapping[int, tuple[str, str]] | None = None,
    extrapolated: Sequence[int] = (),
    status: str = REACHED,
    reason: str = "",
    identified: bool = True,
    steps: Sequence[float] | None = None,
    warnings: Sequence[str] = (),
) -> Steps:
    """Return steps on the curve.

    Parameters
    ----------
    noise, common
        Standard deviations of log K: of each batch size by itself, and of all together.
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
    spread = math.exp(Z90 * math.hypot(noise, common))
    rows = tuple(
        StepsRow(size, EXTRAPOLATED, _rate(size, critical), K, K / spread, K * spread, None, None, 0, 0)
        if size in extrapolated
        else StepsRow(size, failed[size][0], None, None, None, None, None, None, 10, 10, failed[size][1])
        if size in failed
        else StepsRow(size, REACHED, _rate(size, critical), K, K / spread, K * spread, K * 1.02, K * 0.8, 10, 0)
        for size, K in zip(sizes, truth, strict=True)
    )
    reached = sum(row.steps is not None for row in rows)
    covariance = common**2 + noise**2 * np.eye(reached)
    return Steps(
        status=status,
        reason=reason,
        target=Target(0.43, 2.3, 0.41, "training loss", TARGET_WORDS),
        rows=rows,
        covariance=tuple(tuple(map(float, line)) for line in covariance),
        curve=Curve(floor, critical, 0.02, identified) if reached else None,
        rate_law=RateLaw(LARGEST_RATE, critical) if reached else None,
        noise_scale={"start": critical / 10, "target": critical / 1.6, "ratio": 1.6},
        runs=10 * len(rows),
        examples=1.2e7,
        seed=0,
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


WIDE_TIE = Tie(least=0.04, most=0.05)
"""With which 32 ties with the best, 64, in the record that is made here."""


def make_record(
    steps: Steps | None = None,
    times: Times | None = None,
    *,
    objective: str = "time",
    current: int | None = 512,
    validation: float | None = None,
    options: Mapping[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Return the record of a pick from these halves, or from the truth with some noise.

    Parameters
    ----------
    options
        More arguments of ``choose``.
    fields
        Arguments of ``build_record`` that are to be different.
    """
    steps = steps if steps is not None else make_steps(noise=0.02, common=0.02)
    times = times if times is not None else make_times(noise=0.01)
    more = {"tie": WIDE_TIE, **dict(options or {})}
    choice = choose(steps, times, objective, n_rows=N_ROWS, current=current, search_seconds=38.0, **more)
    given = {
        "command": "gdbench pick --dataset digits --network softmax",
        "data": {
            "name": "digits",
            "n_rows": N_ROWS,
            "n_inputs": 64,
            "n_outputs": 10,
            "kind": "classes",
            "scaling": "standardised",
            "sha256": "0" * 64,
        },
        "network": {
            "sizes": [64, 10],
            "hidden": "sigmoid",
            "output": "softmax",
            "loss": "cross_entropy",
            "label": "softmax, 64-10",
        },
        "environment": describe(),
        "settings": {
            "tier": "standard",
            "seed": 0,
            "objective": objective,
            "variant": times.variant,
            "threads": times.threads,
            "dtype": times.dtype,
            "max_batch": None,
            "budget_seconds": None,
            "validation": validation,
            "current": current,
            "loss_target": "auto",
            "scheme": "normal",
        },
        "steps": steps,
        "times": times,
        "choice": choice,
        "seconds": {"steps": 31.0, "times": 7.0, "total": 38.0},
        "progress": "120 runs of 10 rounds",
        "date": "2026-01-02T03:04:05+00:00",
    }
    return build_record(**{**given, **fields})
