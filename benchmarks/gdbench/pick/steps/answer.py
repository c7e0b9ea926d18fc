"""The statistical half of an answer: steps to the target by batch size, portable between machines."""

from __future__ import annotations

from dataclasses import dataclass

REACHED, EXTRAPOLATED, CAPPED, DIVERGED, UNRELIABLE, BUDGET, MET = (
    "reached",
    "extrapolated",
    "capped",
    "diverged",
    "unreliable",
    "budget",
    "met at the start",
)
"""Status of a batch size, or of a whole search. An extrapolated one has steps from the curve alone, since running it
would have cost too much: it is compared with, never chosen."""


@dataclass(frozen=True)
class Target:
    """The loss to reach, and where it came from."""

    value: float
    start: float
    """Loss before the first step, mean over starting parameters."""
    optimum: float | None
    """Least loss there is, for convex problems."""
    metric: str
    """``training loss`` or ``validation loss``."""
    words: str
    """Such as ``training loss of 0.43, which is within 1 % of the best possible``."""


@dataclass(frozen=True)
class StepsRow:
    """Steps to the target at one batch size, with the learning rate that was best for it."""

    batch_size: int
    status: str
    rate: float | None
    steps: float | None
    """Estimate of K, pooled over batch sizes; None unless reached."""
    low: float | None
    high: float | None
    """90 % interval of K."""
    raw_steps: float | None
    """Crossing of the mean curve of this batch size alone."""
    first_steps: float | None
    """Median over runs of the first crossing (the secondary hitting rule)."""
    seeds: int
    failed: int
    """Runs that diverged or did not get there, of ``seeds``."""
    reason: str = ""
    """Why there is no number, where there is none."""


@dataclass(frozen=True)
class Curve:
    """``K(B) = floor * (1 + critical / B)`` fitted to the steps of all batch sizes."""

    floor: float
    """Steps S that no batch size saves."""
    critical: float
    """Critical batch size Bn, rows."""
    worst_residual: float
    """Largest relative difference between the curve and a batch size of its own."""
    identified: bool
    """Whether the data fix both; otherwise only the measured range is told."""


@dataclass(frozen=True)
class RateLaw:
    """``rate(B) = largest / (1 + batch / B)``."""

    largest: float
    batch: float


@dataclass(frozen=True)
class Steps:
    """Answer of ``measure_steps``; deterministic given problem, candidates, tier and seed."""

    status: str
    reason: str
    """Empty if the target was reached at some batch size."""
    target: Target
    rows: tuple[StepsRow, ...]
    """Ascending by batch size."""
    covariance: tuple[tuple[float, ...], ...]
    """Covariance of log K over the rows with steps (reached or extrapolated), in their order."""
    curve: Curve | None
    rate_law: RateLaw | None
    noise_scale: dict[str, float] | None
    """``start`` and ``target``: tr(Σ) / |G|² in rows; ``ratio``: critical batch over that at the target."""
    runs: int
    examples: float
    """Rows processed by all runs."""
    seed: int
    warnings: tuple[str, ...] = ()
    interrupted: bool = False
    """Whether Ctrl-C, or a signal that does the same, ended the search."""
