"""The statistical half of an answer: steps to the target by batch size, portable between machines."""

from __future__ import annotations

from dataclasses import dataclass, field

REACHED, EXTRAPOLATED, CAPPED, DIVERGED, UNRELIABLE, BUDGET, MET = (
    "reached",
    "extrapolated",
    "capped",
    "diverged",
    "unreliable",
    "budget",
    "met at the start",
)
"""Status of a batch size, or of a whole search. An extrapolated one has steps from the curve alone, which no run has
confirmed: it is shown apart, and never ranked, compared with or chosen."""


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
    reason: str
    """Why no run reached the target; empty where some did."""
    learning_rate: float | None
    steps: int | None
    """Whole number of at least 1; of an extrapolated batch size that of the curve."""
    low: float | None
    high: float | None
    """90 % interval of the expected steps."""
    log_error: float | None
    """Standard error of log K, independent of that of other batch sizes."""
    measured: bool
    """Whether runs reached the target here, enough of them to tell steps."""
    runs: int
    """That gave the steps, or that were too few for that."""
    failed: int
    """Number of them that diverged or did not get there."""


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
class Sample:
    """Rows whose loss was looked at in place of that of all."""

    rows: int
    error: float
    """Half-width of a 90 % interval of how far the target of the sample is from that of all rows, as a share of the
    way from the loss at the start: it was corrected by the loss of all rows at the target."""


@dataclass(frozen=True)
class Steps:
    """Steps to the target by batch size: the answer of ``measure_steps``."""

    status: str
    reason: str
    """Empty if the target was reached at some batch size."""
    target: Target
    rows: tuple[StepsRow, ...]
    """Ascending by batch size; errors of two rows are independent."""
    curve: Curve | None
    runs: int
    examples: float
    """Rows processed by all runs."""
    seed: int
    variants: dict[int, str] = field(default_factory=dict)
    """Variant whose runs were counted, by batch size."""
    sample: Sample | None = None
    """None where the loss of all rows was looked at."""
    look_share: float = 0.0
    """Share of the CPU time that looking at the loss took."""
    warnings: tuple[str, ...] = ()
    interrupted: bool = False
    """Whether Ctrl-C, or a signal that does the same, ended the search."""
