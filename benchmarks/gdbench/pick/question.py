"""What the user asks, checked as a whole before anything starts or is written: settings, data and network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

import kernels
from gdbench.experiments.datasets import Dataset
from gdbench.experiments.variants import supports
from gdbench.pick.choose.objectives import training_bytes
from gdbench.pick.data.file_rows import FileRows, file_rows
from gdbench.pick.data.held_out import hold_out
from gdbench.pick.data.source import RowSource
from gdbench.pick.record.settings import Settings, check
from gdbench.pick.steps.candidates import candidates
from kernels import InputError, Network
from kernels.auto import AUTO
from kernels.contract import Array
from kernels.validation import check_problem

MAX_ROWS_TRIED = 1000
"""Rows on which it is tried whether descent reaches every layer."""
CHECKED_VALUES = 1 << 22
"""Inputs and activations of the rows whose loss is computed at once."""


@dataclass(frozen=True, eq=False)
class Question:
    """All that a pick is asked."""

    settings: Settings
    source: RowSource
    dataset: Dataset
    """All rows, in float64."""
    network: Network
    label: str
    """Words for the network, such as ``mlp, 64-32-10 relu``."""
    batch_sizes: tuple[int, ...]
    """Among which one is picked, ascending."""

    @cached_property
    def rows(self) -> tuple[Array, Array]:
        """X (n, d) and Y (n, k) to train on, in float64."""
        return self._split[:2]

    @cached_property
    def held_out(self) -> tuple[Array, Array] | None:
        """V (m, d) and T (m, k), set apart, if any are."""
        return self._split[2:] if self.settings.validation is not None else None

    @cached_property
    def _split(self) -> tuple[Array, Array, Array, Array]:
        share = self.settings.validation
        if share is None:
            return self.dataset.X, self.dataset.Y, self.dataset.X[:0], self.dataset.Y[:0]
        return hold_out(self.dataset, share, self.settings.seed)

    @property
    def n_rows(self) -> int:
        """Rows that are trained on: the size of the full batch."""
        return len(self.rows[0])

    @cached_property
    def timed_rows(self) -> tuple[Array, Array]:
        """X and Y in the dtype of the timed variant, or InputError where a value exceeds it."""
        X, Y = self._in_dtype(*self.rows)
        return X, Y

    @cached_property
    def timed_held_out(self) -> tuple[Array, Array] | None:
        """The rows that are set apart, if any are, in that dtype."""
        return None if self.held_out is None else self._in_dtype(*self.held_out)

    @property
    def file_rows(self) -> FileRows | None:
        """How others read the rows in that dtype from the file; None where they are of no file."""
        settings = self.settings
        return file_rows(
            self.source, self.dataset, validation=settings.validation, seed=settings.seed, dtype=settings.dtype
        )

    def _in_dtype(self, X: Array, Y: Array) -> tuple[Array, Array]:
        with np.errstate(over="ignore"):
            X, Y = (np.ascontiguousarray(values, self.settings.dtype) for values in (X, Y))
        if not (np.isfinite(X).all() and np.isfinite(Y).all()):
            raise InputError(
                f"{self.dataset.name} holds values beyond the range of {self.settings.dtype}: "
                "add --dtype float64, or let the values be standardised"
            )
        return X, Y

    @property
    def bytes_needed(self) -> dict[int, int]:
        """Least bytes of a step, by batch size."""
        return {size: training_bytes(self.network, size, self.settings.dtype) for size in self.batch_sizes}


def ask(
    settings: Settings,
    source: RowSource,
    dataset: Dataset,
    network: Network,
    *,
    label: str,
    batch_sizes: Sequence[int] | None = None,
) -> Question:
    """Return a question that can be answered.

    Parameters
    ----------
    dataset : Dataset
        What the source holds, in float64.
    label : str
        Words for the network.
    batch_sizes : sequence of int, optional
        Where the steps are known already; else powers of two up to all rows.

    Raises
    ------
    InputError
        If one part does not make sense or does not fit the others.
    """
    check(settings)
    question = Question(settings, source, dataset, network, label, tuple(batch_sizes or ()))
    if question.n_rows < 2:
        raise InputError("a single row is left to train on, so there is no batch size to choose: add rows")
    check_problem(network, *question.timed_rows)
    _check_start(question)
    _check_reaches(question)
    if batch_sizes is None:
        found = candidates(question.n_rows, most=settings.max_batch, current=settings.current)
        question = Question(settings, source, dataset, network, label, found)
    _check_variant(question)
    _check_memory(question)
    return question


def label_of(preset: str, network: Network) -> str:
    """Name a network for people."""
    sizes = "-".join(map(str, network.sizes))
    return f"{preset}, {sizes}{f' {network.hidden}' if network.n_layers > 1 else ''}"


def _check_start(question: Question) -> None:
    """Raise InputError unless there is a loss to descend from, also where the parameters are no longer zeros."""
    theta = question.network.init(np.random.default_rng(0), question.settings.dtype, "normal")
    X, Y = question.timed_rows
    at_once = max(CHECKED_VALUES // sum(question.network.sizes), 1)
    parts = [slice(begin, begin + at_once) for begin in range(0, len(X), at_once)]
    with np.errstate(all="ignore"):
        losses = [kernels.get("vectorized").loss(question.network, theta, X[rows], Y[rows]) for rows in parts]
    if not np.isfinite(losses).all():
        raise InputError(
            f"the loss before the first step is not finite in {question.settings.dtype}: let the values of "
            f"{question.dataset.name} be standardised, or scale them"
        )


def _check_reaches(question: Question) -> None:
    """Raise InputError if descent never changes the weights of a hidden layer, whatever the data.

    Where all layers start from zeros, the last one alone has a gradient at first; each step reaches one layer further
    down, but only through units that are not 0 themselves.
    """
    network, settings = question.network, question.settings
    X, Y = (values[:MAX_ROWS_TRIED] for values in question.rows)
    if settings.scheme != "zeros" or not settings.needs_steps or network.n_layers == 1 or not X.any():
        return
    theta = network.init(np.random.default_rng(0), np.float64, settings.scheme)
    for _ in range(network.n_layers):
        gradient = kernels.get("vectorized").gradient(network, theta, X, Y)
        if network.unpack(gradient)[0][0].any():
            return
        theta = theta - gradient / max(1.0, float(np.abs(gradient).max()))
    raise InputError(
        f"no gradient reaches the hidden layers, since {network.hidden} of parameters that start from zeros stays 0: "
        "add another --init, such as glorot"
    )


def _check_variant(question: Question) -> None:
    name = question.settings.variant
    unfit = [
        size for size in question.batch_sizes if name != AUTO and not supports(name, question.network, "epoch", size)
    ]
    if unfit:
        raise InputError(
            f"variant {name!r} does not compute {question.network} at batch size {unfit[0]}: "
            "choose another --variant, or auto"
        )


def _check_memory(question: Question) -> None:
    limit, least = question.settings.memory_bytes, min(question.bytes_needed.values())
    if limit is not None and least > limit:
        raise InputError(
            f"a step of one row needs {least / 1e6:.3g} MB, more than --memory-limit: "
            "allow more, or take a smaller network"
        )
