"""What a pick was asked, but for data and network: plain values, as the record keeps them."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass

from gdbench.experiments import variants
from gdbench.pick.choose.objectives import NEEDS_NO_STEPS, objective_of
from gdbench.pick.steps.tiers import get_tier
from gdbench.processes.launch import check_threads
from kernels import InputError
from kernels.auto import AUTO
from kernels.errors import unknown
from kernels.network import DTYPES, SCHEMES
from kernels.validation import check_seed


@dataclass(frozen=True)
class Settings:
    """What was asked; ``check`` tells whether it makes sense."""

    tier: str = "standard"
    objective: str = "time"
    loss_target: float | str = AUTO
    """Loss to reach, or ``auto``."""
    variant: str = AUTO
    threads: int = 1
    dtype: str = "float64"
    """Dtype of the timed variant; steps are always counted in float64."""
    seed: int = 0
    scheme: str = "normal"
    """Scheme of the starting parameters."""
    validation: float | None = None
    """Share of the rows that is held out, whose loss is then the target's."""
    current: int | None = None
    max_batch: int | None = None
    budget_seconds: float | None = None
    """None for that of the tier."""
    memory_bytes: float | None = None
    """That a step may need, for the objective ``memory``."""
    time_weight: float | None = None
    """Weight of time in the objective ``blend``, 0 to 1; None for a half."""
    fresh: bool = False
    """Whether finished runs of earlier searches are neither used nor kept."""

    @property
    def needs_steps(self) -> bool:
        """Whether anything is trained at all."""
        return self.objective != NEEDS_NO_STEPS

    @property
    def weight(self) -> float:
        """Weight of time in the objective ``blend``."""
        return 0.5 if self.time_weight is None else self.time_weight

    @property
    def most_seconds(self) -> float:
        """That the search may take."""
        return get_tier(self.tier).budget_seconds if self.budget_seconds is None else self.budget_seconds


def check(settings: Settings) -> None:
    """Raise InputError if settings make no sense, whatever the data."""
    get_tier(settings.tier)
    objective_of(settings.objective, settings.weight)
    for name, value, allowed in (
        ("dtype", settings.dtype, DTYPES),
        ("initialisation scheme", settings.scheme, SCHEMES),
    ):
        if value not in allowed:
            raise unknown(name, value, allowed)
    if settings.variant != AUTO:
        variants.get(settings.variant)
    check_seed(settings.seed)
    if settings.threads < 1:
        raise InputError(f"--threads must be at least 1, got {settings.threads}: correct it or leave it out")
    check_threads(settings.threads)
    _check_objective(settings)
    _check_target(settings)


def _check_objective(settings: Settings) -> None:
    objective, limit, weight = settings.objective, settings.memory_bytes, settings.time_weight
    if objective == "memory" and limit is None:
        raise InputError("the objective memory needs a limit: add --memory-limit, such as --memory-limit 512MB")
    if objective != "memory" and limit is not None:
        raise InputError("--memory-limit belongs to --objective memory: leave one out or add the other")
    if objective != "blend" and weight is not None:
        raise InputError("--time-weight belongs to --objective blend: leave one out or add the other")
    if not 0 <= settings.weight <= 1:
        raise InputError(f"--time-weight must be from 0 to 1, got {settings.weight:g}: try 0.5")


def _check_target(settings: Settings) -> None:
    target, share = settings.loss_target, settings.validation
    if target != AUTO and not (isinstance(target, numbers.Real) and math.isfinite(target)):
        raise InputError(f"--loss-target must be a finite number or the word auto, got {target}: correct it")
    if isinstance(target, numbers.Real) and target < 0:
        raise InputError(
            f"--loss-target must be at least 0, which every loss is, got {target:g}: raise it, or say auto"
        )
    if share is not None and not 0 < share < 1:
        raise InputError(f"--validation must be a share of the rows between 0 and 1, got {share:g}: try 0.2")
