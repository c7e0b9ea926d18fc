"""Fits one network on one data set in one or more descent regimes, and records loss, score and seconds.

Seconds are those of the epochs (gather, gradient, update). Compilation, shuffling, the evaluation of the
loss and the score, and the progress display are outside them.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

import kernels
from gdbench.experiments import variants
from gdbench.experiments.datasets import Dataset
from gdbench.machine.layer_costs import layer_costs
from kernels import Choice, Diverged, InputError, Network, Variant, descent_name
from kernels.auto import AUTO, weighs_zeros
from kernels.contract import Array
from kernels.validation import check_problem, check_seed, check_training

SCORES = {"classification": "accuracy", "regression": "R²"}
WARM_UP_ROWS = 2


@dataclass(frozen=True)
class Training:
    """All that fixes a fit except the batch size; with the variant auto, not yet that which computes."""

    network: Network
    dataset: Dataset
    variant: str
    learning_rate: float
    epochs: int
    seed: int = 0
    scheme: str = "normal"
    """How the starting parameters are drawn: normal, zeros, glorot or he."""

    @property
    def score_name(self) -> str:
        """What ``score`` is here: accuracy (share of rows, 0 to 1) or R²."""
        return SCORES[self.dataset.kind]

    def start(self) -> Array:
        """Return parameters (p,) to start from: those of ``kernels.fit`` with this seed, the same for every regime."""
        child = np.random.SeedSequence(self.seed).spawn(2)[0]
        return self.network.init(np.random.default_rng(child), self.dataset.X.dtype, self.scheme)


@dataclass(frozen=True)
class EpochPoint:
    """State after an epoch; epoch 0 is the start."""

    epoch: int
    seconds: float
    """Spent in epochs so far."""
    loss: float
    score: float
    """Accuracy (0 to 1) or R² on the rows of the fit."""


@dataclass(frozen=True)
class FitHistory:
    """What one fit by a variant went through; ``diverged`` or ``interrupted`` say why it ended early, if it did."""

    descent: str
    batch_size: int
    n_rows: int
    points: tuple[EpochPoint, ...]
    diverged: Diverged | None = None
    interrupted: bool = False
    variant: str = ""

    @property
    def epochs(self) -> int:
        """Epochs completed."""
        return max(len(self.points) - 1, 0)

    @property
    def updates_per_epoch(self) -> int:
        """Updates of the parameters in one pass over the data."""
        return math.ceil(self.n_rows / self.batch_size)


def check(training: Training, batch_size: int) -> None:
    """Raise InputError unless the network takes the data and the settings make sense; starts nothing."""
    if training.variant != AUTO:
        _check_variant(variants.get(training.variant), training.network)
    check_problem(training.network, training.dataset.X, training.dataset.Y)
    if training.epochs < 1:
        raise InputError(f"epochs must be a whole number of at least 1, got {training.epochs}: try 20")
    check_training(training.dataset.n_rows, batch_size, training.learning_rate, training.epochs)
    check_seed(training.seed)
    training.start()


def choice(training: Training, batch_size: int) -> Choice:
    """Return the variants to try in turn: those of ``kernels.choose`` for auto, else the one that was named."""
    if training.variant != AUTO:
        return Choice((training.variant,), "")
    X = training.dataset.X
    costs = layer_costs(str(X.dtype)) if weighs_zeros(training.network, X) else None  # they take a second to measure
    return kernels.choose(training.network, X, batch_size, costs)


def _check_variant(kernel: Variant, network: Network) -> None:
    for task in ("forward", "loss", "epoch"):
        if task in kernel.lacks:
            raise InputError(f"variant {kernel.name!r} has no {task}, which a fit needs: choose another variant")
        if not kernel.supports(network, task, 1):
            raise InputError(f"variant {kernel.name!r} does not compute the network {network}: choose another variant")


def warm_up(training: Training) -> float:
    """Call each function of the variant once on a few rows; return the seconds, which are mostly compilation."""
    kernel, network, theta = variants.get(training.variant), training.network, training.start()
    X, Y = training.dataset.X[:WARM_UP_ROWS], training.dataset.Y[:WARM_UP_ROWS]
    started = perf_counter()
    with suppress(Exception):  # the certificate that follows says what is wrong, for a kernel that fails here
        kernel.epoch(network, theta, X, Y, np.arange(len(X)), 1, training.learning_rate)
        kernel.loss(network, theta, X, Y)
        kernel.forward(network, theta, X)
    return perf_counter() - started


def fit_descent(
    training: Training, *, batch_size: int, on_epoch: Callable[[EpochPoint], None] | None = None
) -> FitHistory:
    """Fit in the regime of a batch size; a divergence or Ctrl-C ends the history early and is kept in it.

    Parameters
    ----------
    training : Training
        What to fit.
    batch_size : int
        Rows per update, 1 to n.
    on_epoch : callable, optional
        Called with each Point, outside the seconds.

    Returns
    -------
    History
        Points of all epochs that were completed.
    """
    points: list[EpochPoint] = []
    diverged, interrupted = None, False
    watch = _Stopwatch(training.variant)

    def record(epoch: int, theta: Array, loss: float) -> None:
        points.append(EpochPoint(epoch, watch.seconds, loss, score(training, theta)))
        if on_epoch is not None:
            on_epoch(points[-1])

    try:
        _run_in(training, batch_size)
        kernels.fit(
            training.network,
            training.dataset.X,
            training.dataset.Y,
            variant=watch.variant,
            batch_size=batch_size,
            learning_rate=training.learning_rate,
            epochs=training.epochs,
            seed=training.seed,
            theta=training.start(),
            callback=record,
        )
    except Diverged as error:
        diverged = error
    except KeyboardInterrupt:
        interrupted = True
    n = training.dataset.n_rows
    return FitHistory(
        descent_name(batch_size, n), batch_size, n, tuple(points), diverged, interrupted, training.variant
    )


def _run_in(training: Training, batch_size: int) -> None:
    """Make one update of this batch size and drop it: work space of its size is touched before the clock starts."""
    X, Y = training.dataset.X[:batch_size], training.dataset.Y[:batch_size]
    order = np.random.default_rng(training.seed).permutation(batch_size)
    epoch = variants.get(training.variant).epoch
    with np.errstate(over="ignore", invalid="ignore"):  # too large a rate shows in the fit itself
        epoch(training.network, training.start(), X, Y, order, batch_size, training.learning_rate)


class _Stopwatch:
    """Seconds that a variant has spent in its epochs: shuffling, loss, score and display are outside."""

    def __init__(self, name: str) -> None:
        self.seconds = 0.0
        self._epoch = variants.get(name).epoch
        self.variant = replace(variants.get(name), epoch=self._timed)

    def _timed(self, *arguments: Any) -> Array:
        started = perf_counter()
        theta = self._epoch(*arguments)
        self.seconds += perf_counter() - started
        return theta


def score(training: Training, theta: Array) -> float:
    """Accuracy (share of rows, 0 to 1) or R² of the parameters theta (p,) on the rows of the fit.

    The class is the largest output, or whether a single output reaches 1/2. R² = 1 - residual / total sum
    of squares, over all outputs together; 0 if the targets do not vary.
    """
    data = training.dataset
    A = variants.get(training.variant).forward(training.network, theta, data.X).astype(np.float64)
    if data.kind == "classification":
        right = (A >= 0.5) == (data.Y >= 0.5) if A.shape[1] == 1 else A.argmax(axis=1) == data.Y.argmax(axis=1)
        return float(right.mean())
    total = np.sum((data.Y - data.Y.mean(axis=0)) ** 2)
    return float(1 - np.sum((A - data.Y) ** 2) / total) if total > 0 else 0.0


def history_csv(histories: Sequence[FitHistory]) -> str:
    """Text of ``history.csv``: a row per regime and epoch; seconds are cumulative."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("epoch", "seconds", "loss", "score", "descent"))
    writer.writerows((*asdict(point).values(), history.descent) for history in histories for point in history.points)
    return text.getvalue()
