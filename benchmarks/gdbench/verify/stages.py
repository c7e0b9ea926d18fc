"""The verification stages that a variant passes before it may be timed; their record is the certificate.

Stages: contract (shapes, dtypes, inputs unchanged, same answer twice, batch sizes refused) and agreement
with the reference in forward, loss and gradient, in every situation; one update; a trajectory of a
hundred updates. The reference itself rests on values worked by hand and on differences, in ``tests/``.
Functions that a variant lacks, and batch sizes that it does not support, are left out.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from gdbench.experiments.variants import get
from gdbench.verify.bounds import SAFETY, Bounded, Bounds, Values, bounds
from gdbench.verify.inputs import Situation, situations, with_labels
from gdbench.verify.trajectory import Trajectory, trajectories
from gdbench.verify.violations import Fault, call, in_words, refuses_sizes
from kernels import Network, Variant
from kernels.contract import Array

UPDATE_LEARNING_RATE = 0.5
OUTWEIGHED = 16
"""Steps over parameters, largest of each, in the update of all rows."""
DATA_ROWS = 64
"""Rows of the data that make a situation of their own; all of them together are the last stage."""
FLAGGED_BY_BLAS = r"invalid value encountered in (matmul|dot)\b"
"""A BLAS may compute beyond the end of an array, and flag what happens to lie there; NaN in an answer is found."""
QUICK_ROWS = 8
"""Rows of the data on which ``certify_quickly`` compares."""


@dataclass(frozen=True)
class Certificate:
    """Record that a variant agreed with the reference, or where it did not.

    ``max_error`` and ``tolerance`` belong to the comparison that came closest to its limit, or to the first
    one that went beyond it, where verification ended; both are relative to the largest true value compared.
    ``max_error`` is infinite when the variant failed in another way, which ``where`` then says.
    """

    variant: str
    network: str
    dtype: str
    max_error: float
    tolerance: float
    certified: bool
    where: str

    @property
    def refusal(self) -> str:
        """Where the variant failed, and by how much."""
        return refusal(self.where, self.max_error, self.tolerance)

    @property
    def strain(self) -> float:
        """Worst error in units of its tolerance; infinite where it failed in another way."""
        return strain(self.max_error, self.tolerance)


def strain(error: float | None, tolerance: float | None) -> float:
    """Error in units of its tolerance; up to 1 is agreement, and infinity where either is None or NaN."""
    if error is None or tolerance is None or math.isnan(error) or math.isnan(tolerance):
        return math.inf
    return error / tolerance if tolerance > 0 else (math.inf if error > 0 else 0.0)


def refusal(where: str, max_error: float | None, tolerance: float | None) -> str:
    """Say where a variant failed, and by how much if that is a number."""
    if max_error is None or tolerance is None or not math.isfinite(max_error):
        return where
    return f"{where}, error {max_error:.1e}, tolerance {tolerance:.1e}"


@dataclass(frozen=True)
class ToleranceCheck:
    """One comparison: an error against its tolerance, both relative."""

    where: str
    error: float
    tolerance: float

    @property
    def strain(self) -> float:
        """Error in units of the tolerance; up to 1 is agreement."""
        return strain(self.error, self.tolerance)


@dataclass(frozen=True, eq=False)
class Truth:
    """The reference's answers in one situation, in float64, with the bounds of what rounding may do."""

    situation: Situation
    forward: Values
    loss: float
    gradient: Values
    bounds: Bounds


def certify(
    variant: str | Variant,
    network: Network,
    dtype: npt.DTypeLike,
    *,
    data: tuple[Array, Array] | None = None,
) -> Certificate:
    """Verify a variant in all stages.

    Where real data (X, Y) are given, their first rows are one of the situations, and the last stage works through
    all of them at once: a kernel that goes through large batches in parts must be right about every part.
    """
    kernel = get(variant) if isinstance(variant, str) else variant
    truths = _truths(network, np.dtype(dtype).name, _Rows(data), kernel.labels_only)
    return _certificate(kernel, network, dtype, lambda: _all_stages(kernel, network, truths))


def certify_quickly(variant: str | Variant, network: Network, X: Array, Y: Array) -> Certificate:
    """Compare on the first rows of X and Y alone: enough to see that this process computes what was certified."""
    kernel = get(variant) if isinstance(variant, str) else variant
    theta = network.init(np.random.default_rng(0), X.dtype)
    situation = Situation("rows of the data", theta, X[:QUICK_ROWS], Y[:QUICK_ROWS])
    truth = _truth(network, situation)

    def stages() -> Iterator[ToleranceCheck]:
        yield from _agreement(kernel, network, truth)
        yield from _update(kernel, network, truth)

    return _certificate(kernel, network, X.dtype, stages)


def _certificate(
    kernel: Variant, network: Network, dtype: npt.DTypeLike, stages: Callable[[], Iterator[ToleranceCheck]]
) -> Certificate:
    """Keep the comparison under most strain; whatever a variant raises is a failure of that variant."""
    worst = nothing = ToleranceCheck("nothing was compared", 0.0, math.inf)
    try:
        with warnings.catch_warnings(), np.errstate(over="warn", divide="warn", invalid="warn"):
            warnings.simplefilter("error", RuntimeWarning)
            warnings.filterwarnings("ignore", FLAGGED_BY_BLAS, RuntimeWarning)
            for comparison in stages():
                worst = max(worst, comparison, key=lambda comparison: comparison.strain)
                if comparison.strain > 1:  # what fails in later stages follows from this, and would only hide the cause
                    break
        if worst is nothing:
            raise Fault(nothing.where)
    except Exception as error:
        worst = ToleranceCheck(str(error) if isinstance(error, Fault) else in_words(error), math.inf, 0.0)
    return Certificate(
        variant=kernel.name,
        network=str(network),
        dtype=np.dtype(dtype).name,
        max_error=math.inf if math.isnan(worst.error) else worst.error,
        tolerance=worst.tolerance,
        certified=worst.strain <= 1,
        where=worst.where,
    )


class _Rows:
    """Rows of data as an argument of a cached function: equal when they are the same arrays."""

    def __init__(self, data: tuple[Array, Array] | None) -> None:
        self.data = data
        self.key = None if data is None else tuple((id(values), values.shape) for values in data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Rows) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@dataclass(frozen=True, eq=False)
class Truths:
    """Everything that a variant is compared with, computed once for all variants."""

    situations: list[Truth]
    trajectories: list[Trajectory]
    all_rows: Truth | None


@lru_cache(maxsize=2)
def _truths(network: Network, dtype: str, rows: _Rows, labels_only: bool) -> Truths:
    first = None if rows.data is None else (rows.data[0][:DATA_ROWS], rows.data[1][:DATA_ROWS])
    inputs = situations(network, dtype, data=first)
    found = [_truth(network, with_labels(network, entry) if labels_only else entry) for entry in inputs]
    return Truths(found, *_same_for_all(network, dtype, rows))


@lru_cache(maxsize=1)
def _same_for_all(network: Network, dtype: str, rows: _Rows) -> tuple[list[Trajectory], Truth | None]:
    """Return what variants that learn from classes alone are compared with as well: most of the work."""
    everything = None
    if rows.data is not None and len(rows.data[0]) > DATA_ROWS:
        theta = network.init(np.random.default_rng(0), dtype)
        everything = _truth(network, Situation("all rows of the data", theta, *rows.data))
    return trajectories(network, dtype), everything


def _truth(network: Network, situation: Situation) -> Truth:
    theta, X, Y = situation.wide()
    reference = get("reference")
    return Truth(
        situation,
        forward=reference.forward(network, theta, X),
        loss=reference.loss(network, theta, X, Y),
        gradient=reference.gradient(network, theta, X, Y),
        bounds=bounds(network, theta, X, Y, situation.X.dtype),
    )


def _all_stages(kernel: Variant, network: Network, truths: Truths) -> Iterator[ToleranceCheck]:
    for truth in truths.situations:
        yield from _agreement(kernel, network, truth)
        yield from _update(kernel, network, truth)
    refuses_sizes(kernel, network, truths.situations[0].situation, UPDATE_LEARNING_RATE)
    for path in truths.trajectories:
        if kernel.supports(network, "epoch", path.batch_size):
            yield _trajectory(kernel, path)
    if truths.all_rows is not None:
        yield from _agreement(kernel, network, truths.all_rows)
        yield from _update(kernel, network, truths.all_rows, _outweighing(truths.all_rows))


def _trajectory(kernel: Variant, path: Trajectory) -> ToleranceCheck:
    name = f"trajectory of 100 updates at batch size {path.batch_size}"
    try:
        return ToleranceCheck(name, path.deviation(kernel.epoch), path.tolerance)
    except Exception as error:
        raise Fault(f"{name} raised {in_words(error)}") from error


def _agreement(kernel: Variant, network: Network, truth: Truth) -> Iterator[ToleranceCheck]:
    """Contract and agreement of forward, loss and gradient."""
    situation, limits = truth.situation, truth.bounds
    inputs = network, situation.theta, situation.X
    compared = (
        ("forward", kernel.forward, inputs, truth.forward, limits.forward),
        ("loss", kernel.loss, (*inputs, situation.Y), np.asarray(truth.loss), limits.loss),
        ("gradient", kernel.gradient, (*inputs, situation.Y), truth.gradient, limits.gradient),
    )
    for name, function, arguments, expected, allowed in compared:
        if name not in kernel.lacks and kernel.supports(network, name, len(situation.X)):
            found = call(function, name, situation, arguments, expected.shape)
            yield _compare(name, situation, found, expected, allowed)


def _update(
    kernel: Variant, network: Network, truth: Truth, learning_rate: float = UPDATE_LEARNING_RATE
) -> Iterator[ToleranceCheck]:
    """One update of all rows in another order: theta - learning_rate * gradient."""
    situation = truth.situation
    if not kernel.supports(network, "epoch", len(situation.X)):
        return
    order = np.arange(len(situation.X))[::-1]
    arguments = (network, situation.theta, situation.X, situation.Y, order, len(order), learning_rate)
    theta = call(kernel.epoch, "epoch", situation, arguments, situation.theta.shape)
    expected = situation.theta.astype(float) - learning_rate * truth.gradient
    yield _compare("one update", situation, theta, expected, truth.bounds.update(learning_rate))


def _outweighing(truth: Truth) -> float:
    """Power of two at which an update moves the parameters by far more than they are.

    The more rows, the more roundings a parameter may take part in: at an ordinary rate they would hide a lost row.
    """
    steepest = float(np.abs(truth.gradient).max())
    if steepest == 0:
        return UPDATE_LEARNING_RATE
    largest = np.abs(truth.situation.theta).max()
    return max(UPDATE_LEARNING_RATE, 2.0 ** math.ceil(math.log2(OUTWEIGHED * largest / steepest)))


def _compare(name: str, situation: Situation, found: Values, truth: Values, limits: Bounded) -> ToleranceCheck:
    """Compare value by value; report the one under most strain, relative to the largest true value."""
    where = f"{name} on {situation.name}"
    if not np.isfinite(found).all():
        return ToleranceCheck(f"{where} is not finite", math.inf, 0.0)
    error, allowed = np.abs(found - truth), SAFETY * limits.error
    with np.errstate(over="ignore"):  # allowed may be as small as the smallest number
        worst = np.unravel_index(np.argmax(error / allowed), error.shape)
    scale = float(np.abs(truth).max()) or 1.0
    return ToleranceCheck(where, float(error[worst]) / scale, float(allowed[worst]) / scale)
