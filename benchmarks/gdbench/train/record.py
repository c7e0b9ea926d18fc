"""The answer of ``gdbench train`` as a record: settings, certificate, and the history of each fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gdbench.train.training import EpochPoint, FitHistory, Training


@dataclass(frozen=True)
class FittedRegime:
    """One regime: what computed it, why it ended early if it did, and its state after each epoch."""

    descent: str
    batch_size: int
    variant: str
    diverged: str | None
    history: tuple[EpochPoint, ...]
    """Seconds are cumulative."""


@dataclass(frozen=True)
class AutoChoice:
    """Variant that auto took for a batch size, and why."""

    batch_size: int
    variant: str
    reason: str
    preferences: tuple[str, ...]
    not_certified: tuple[str, ...]


@dataclass(frozen=True)
class Proof:
    """Certificate nearest its tolerance among those of the variants that computed, and what was outside the seconds."""

    max_error: float
    tolerance: float
    compile_seconds: float
    """First calls of all variants, mostly compilation."""
    blas_threads: int | None
    auto: tuple[AutoChoice, ...]
    """One for each batch size; empty where the user named a variant."""


@dataclass(frozen=True, kw_only=True)
class TrainAnswer(Proof):
    """What ``--json`` writes: settings, histories and their proof."""

    dataset: str
    network: str
    n_rows: int
    variant: str
    learning_rate: float
    epochs: int
    seed: int
    init: str
    dtype: str
    score: str
    """What the points' score is: accuracy or R²."""
    fits: tuple[FittedRegime, ...]
    certified: bool
    interrupted: bool
    files: tuple[str, ...]


def answer(
    training: Training, histories: Sequence[FitHistory], proof: Proof, *, interrupted: bool, files: tuple[str, ...]
) -> TrainAnswer:
    """Put settings, histories and their proof together."""
    data = training.dataset
    return TrainAnswer(
        **vars(proof),
        dataset=data.name,
        network=str(training.network),
        n_rows=data.n_rows,
        variant=training.variant,
        learning_rate=training.learning_rate,
        epochs=training.epochs,
        seed=training.seed,
        init=training.scheme,
        dtype=data.X.dtype.name,
        score=training.score_name,
        fits=tuple(map(_fit, histories)),
        certified=True,
        interrupted=interrupted,
        files=files,
    )


def _fit(history: FitHistory) -> FittedRegime:
    diverged = str(history.diverged) if history.diverged else None
    return FittedRegime(history.descent, history.batch_size, history.variant, diverged, history.points)
