"""What was chosen, and all that is told of it: plain records, made by ``choose``."""

from __future__ import annotations

from dataclasses import dataclass

NOT_TIMED, NOT_TRIED, TOO_LARGE = "not timed", "not tried", "too large"
"""Beside the statuses of ``steps``: no seconds per step; no search of its steps; more memory than allowed."""
NOT_MEASURED = "not measured"
"""Status of a whole pick: no variant could be timed at all."""
OVERHEAD, ARITHMETIC, NOISE = "overhead", "arithmetic", "gradient noise"


@dataclass(frozen=True)
class Row:
    """One batch size: what was measured of it and what that comes to; None where there is no such number."""

    batch_size: int
    status: str
    """Status of its steps (``steps.answer``), or ``not timed``, ``not tried``, ``too large``."""
    reason: str
    """Why it could not be chosen; empty if it could."""
    measured: bool
    """Whether runs reached the target here; for the objective ``throughput``, whether it was timed."""
    runs: int
    """That gave the steps."""
    learning_rate: float | None
    steps: int | None
    """To the target; those of the curve alone where nothing was measured."""
    variant: str | None
    seconds_per_step: float | None
    seconds: float | None
    """Time to the target, steps times seconds per step; None unless both were measured."""
    seconds_low: float | None
    seconds_high: float | None
    """90 % interval, like all others here."""
    examples: int | None
    """Rows processed until the target, counting a row each time."""
    epochs: float | None
    value: float | None
    """Value of the objective, in ``BatchSizeChoice.unit``; those that are too large have one, but are never chosen."""
    ratio: float | None
    """``value`` relative to the best that can be chosen."""
    tied: bool = False
    """As good as the best within the tolerance, if there are several such; the choice is one of them."""
    fastest: bool = False
    """Best by the objective among those that can be chosen, before ties."""
    chosen: bool = False

    @property
    def time(self) -> tuple[float, float, float] | None:
        """Time to the target with the ends of its interval, where it is known."""
        if self.seconds is None or self.seconds_low is None or self.seconds_high is None:
            return None
        return self.seconds, self.seconds_low, self.seconds_high


@dataclass(frozen=True)
class Against:
    """How much longer training takes at a batch size that people use without asking, or the reason why nobody knows."""

    name: str
    """``full batch``, ``one row at a time`` or ``current``."""
    batch_size: int
    ratio: float | None
    """Its time relative to that of the choice; of a pass over the rows if the objective is throughput."""
    low: float | None
    high: float | None
    seconds: float | None
    reason: str


@dataclass(frozen=True)
class Shares:
    """By which part the time to the target falls per part by which each of three things falls, at the choice.

    With ``t(B) = a + b B`` and ``K(B) = S (1 + Bn / B)`` these are the elasticities of ``T = K t`` to ``a`` (fixed cost
    of a step, ``a / t``), to ``b`` (arithmetic per row, ``b B / t``) and to ``Bn`` (gradient noise, ``Bn / (B + Bn)``,
    the part of the steps that only average noise out). The first two sum to 1.
    """

    overhead: float
    arithmetic: float
    noise: float | None


@dataclass(frozen=True)
class Payback:
    """After how many trainings the search has paid for itself."""

    name: str
    """What it is compared with, a name of ``Against``."""
    batch_size: int
    saved_seconds: float
    """By each training; not positive if nothing is saved."""
    trainings: int | None
    """None if never."""


@dataclass(frozen=True)
class BatchSizeChoice:
    """One batch size with its learning rate, how sure that is, and why."""

    objective: str
    batch_size: int
    variant: str
    learning_rate: float | None
    """None only for ``throughput``."""
    value: float
    """Value of the objective, in ``unit``."""
    unit: str
    seconds: float | None
    """Expected time to the target."""
    seconds_low: float | None
    seconds_high: float | None
    """90 % interval."""
    fastest: int
    """Best batch size before ties."""
    tolerance: float
    """Within which batch sizes tie, such as 0.02."""
    table: tuple[Row, ...]
    """Ascending by batch size."""
    against: tuple[Against, ...]
    shares: Shares
    binding: str
    """``overhead``, ``arithmetic`` or ``gradient noise``; see ``binding.binding``."""
    half_throughput: float
    """Rows a step at which this machine has half of its top speed."""
    critical_batch: float | None
    """Rows a step at which steps are twice their least; None if the data do not tell."""
    regret_expected: float
    """Mean and 90th percentile of how much worse the choice is than what is best, such as 0.01, given the noise."""
    regret_p90: float
    payback: Payback | None

    @property
    def row(self) -> Row:
        """Row of the table that was chosen."""
        return next(row for row in self.table if row.chosen)


@dataclass(frozen=True)
class NoChoice:
    """Why nothing can be chosen; carries no expected time of any kind."""

    objective: str
    status: str
    reason: str
    table: tuple[Row, ...]
