"""The ladder that a variant climbs before it may be timed; its record is the certificate.

Rungs: contract (shapes, dtypes, inputs unchanged, same answer twice, batch sizes refused) and agreement
with the reference in forward, loss and gradient, in every situation; one update; a trajectory of a
hundred updates. The reference itself rests on values worked by hand and on differences, in ``tests/``.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from gdbench.rounding import SAFETY, Bounded, Bounds, Values, bounds
from gdbench.situations import Situation, situations
from gdbench.trajectory import Trajectory, trajectories
from kernels import InputError, Network, Variant, get
from kernels.contract import Array

UPDATE_RATE = 0.5
QUICK_ROWS = 8
"""Rows of the data on which ``certify_quickly`` compares."""


@dataclass(frozen=True)
class Certificate:
    """Record that a variant agreed with the reference, or where it did not.

    ``max_error`` and ``tolerance`` belong to the comparison that came closest to its limit, or to the first
    one that went beyond it, where the climb ended; both are relative to the largest true value compared.
    ``max_error`` is infinite when the variant failed in another way, which ``where`` then says.
    """

    variant: str
    network: str
    dtype: str
    max_error: float
    tolerance: float
    certified: bool
    where: str


@dataclass(frozen=True)
class Finding:
    """One comparison: an error against its tolerance, both relative."""

    where: str
    error: float
    tolerance: float

    @property
    def strain(self) -> float:
        """Error in units of the tolerance; up to 1 is agreement."""
        if math.isnan(self.error) or math.isnan(self.tolerance):
            return math.inf
        return self.error / self.tolerance if self.tolerance > 0 else (math.inf if self.error > 0 else 0.0)


@dataclass(frozen=True, eq=False)
class Truth:
    """The reference's answers in one situation, in float64, with the bounds of what rounding may do."""

    situation: Situation
    forward: Values
    loss: float
    gradient: Values
    bounds: Bounds


class Fault(Exception):
    """A breach of the contract that is no matter of rounding."""


def certify(
    variant: str | Variant,
    network: Network,
    dtype: npt.DTypeLike,
    *,
    data: tuple[Array, Array] | None = None,
) -> Certificate:
    """Let a variant climb the whole ladder; rows of real data (X, Y) take part where they are given."""
    kernel = get(variant) if isinstance(variant, str) else variant
    truths = _truths(network, np.dtype(dtype).name, _Rows(data))
    return _certificate(kernel, network, dtype, lambda: _climb(kernel, network, truths))


def certify_quickly(variant: str | Variant, network: Network, X: Array, Y: Array) -> Certificate:
    """Compare on the first rows of X and Y alone: enough to see that this process computes what was certified."""
    kernel = get(variant) if isinstance(variant, str) else variant
    theta = network.init(np.random.default_rng(0), X.dtype)
    situation = Situation("rows of the data", theta, X[:QUICK_ROWS], Y[:QUICK_ROWS])
    truth = _truth(network, situation)

    def climb() -> Iterator[Finding]:
        yield from _agreement(kernel, network, truth)
        yield _update(kernel, network, truth)

    return _certificate(kernel, network, X.dtype, climb)


def _certificate(
    kernel: Variant, network: Network, dtype: npt.DTypeLike, climb: Callable[[], Iterator[Finding]]
) -> Certificate:
    """Keep the finding under most strain; whatever a variant raises is a failure of that variant."""
    worst = Finding("nothing was compared", 0.0, math.inf)
    try:
        with warnings.catch_warnings(), np.errstate(over="warn", divide="warn", invalid="warn"):
            warnings.simplefilter("error", RuntimeWarning)
            for finding in climb():
                worst = max(worst, finding, key=lambda finding: finding.strain)
                if finding.strain > 1:  # what fails higher up follows from this, and would only hide the cause
                    break
    except Exception as error:
        worst = Finding(str(error) if isinstance(error, Fault) else _text(error), math.inf, 0.0)
    return Certificate(
        variant=kernel.name,
        network=str(network),
        dtype=np.dtype(dtype).name,
        max_error=math.inf if math.isnan(worst.error) else worst.error,
        tolerance=worst.tolerance,
        certified=worst.strain <= 1,
        where=worst.where,
    )


def _text(error: Exception) -> str:
    """Kind of an exception and the first line of its message."""
    return ": ".join([type(error).__name__, *str(error).splitlines()[:1]])


class _Rows:
    """Rows of data as an argument of a cached function: equal when they are the same arrays."""

    def __init__(self, data: tuple[Array, Array] | None) -> None:
        self.data = data
        self.key = None if data is None else tuple((id(values), values.shape) for values in data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Rows) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@lru_cache(maxsize=2)
def _truths(network: Network, dtype: str, rows: _Rows) -> tuple[list[Truth], list[Trajectory]]:
    """Compute the truth once for all variants."""
    found = [_truth(network, situation) for situation in situations(network, dtype, data=rows.data)]
    return found, trajectories(network, dtype)


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


def _climb(kernel: Variant, network: Network, truths: tuple[list[Truth], list[Trajectory]]) -> Iterator[Finding]:
    found, paths = truths
    for truth in found:
        yield from _agreement(kernel, network, truth)
        yield _update(kernel, network, truth)
    _refuses(kernel, network, found[0].situation)
    for path in paths:
        name = f"trajectory of 100 updates at batch size {path.batch_size}"
        try:
            deviation = path.deviation(kernel.epoch)
        except Exception as error:
            raise Fault(f"{name} raised {_text(error)}") from error
        yield Finding(name, deviation, path.tolerance)


def _agreement(kernel: Variant, network: Network, truth: Truth) -> Iterator[Finding]:
    """Contract and agreement of forward, loss and gradient."""
    situation, limits = truth.situation, truth.bounds
    theta, X, Y = situation.theta, situation.X, situation.Y
    forward = _call(kernel.forward, "forward", situation, (network, theta, X), truth.forward.shape)
    yield _compare("forward", situation, forward, truth.forward, limits.forward)
    loss = _call(kernel.loss, "loss", situation, (network, theta, X, Y), ())
    yield _compare("loss", situation, loss, np.asarray(truth.loss), limits.loss)
    gradient = _call(kernel.gradient, "gradient", situation, (network, theta, X, Y), theta.shape)
    yield _compare("gradient", situation, gradient, truth.gradient, limits.gradient)


def _update(kernel: Variant, network: Network, truth: Truth) -> Finding:
    """One update of all rows in another order: theta - rate * gradient."""
    situation, limits = truth.situation, truth.bounds
    order = np.arange(len(situation.X))[::-1]
    arguments = (network, situation.theta, situation.X, situation.Y, order, len(order), UPDATE_RATE)
    theta = _call(kernel.epoch, "epoch", situation, arguments, situation.theta.shape)
    start = situation.theta.astype(float)
    expected = start - UPDATE_RATE * truth.gradient
    moved = limits.gradient.scaled(UPDATE_RATE)
    return _compare("one update", situation, theta, expected, Bounded.exact(start, situation.theta.dtype) - moved)


def _call(
    function: Callable[..., object],
    name: str,
    situation: Situation,
    arguments: tuple[object, ...],
    shape: tuple[int, ...],
) -> Values:
    """Call a kernel twice and return its answer in float64, or raise Fault for a breach of the contract."""
    where = f"{name} on {situation.name}"
    arrays = [values for values in arguments if isinstance(values, np.ndarray)]
    before = [values.copy() for values in arrays]
    try:
        answer, again = function(*arguments), function(*arguments)
    except Exception as error:
        raise Fault(f"{where} raised {_text(error)}") from error
    finally:
        changed = _restore(arrays, before)
    if changed:
        raise Fault(f"{where} changed one of its inputs")
    for found in (answer, again):
        _check_kind(where, found, shape, situation.theta.dtype)
    if any(np.shares_memory(np.asarray(answer), values) for values in arrays):
        raise Fault(f"{where} returned memory of one of its inputs")
    if isinstance(answer, np.ndarray) and np.shares_memory(answer, np.asarray(again)):
        raise Fault(f"{where} returned the same memory twice, so that a second call changes the first answer")
    if not np.array_equal(np.asarray(answer), np.asarray(again), equal_nan=True):
        raise Fault(f"{where} gave two answers to the same question")
    return np.asarray(answer, float)


def _check_kind(where: str, answer: object, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raise Fault unless the answer is a float (shape ``()``), or an array of that shape and dtype."""
    if shape == ():
        if not isinstance(answer, float):
            raise Fault(f"{where} returned {type(answer).__name__} instead of float")
    elif not isinstance(answer, np.ndarray) or answer.shape != shape or answer.dtype != dtype:
        found = f"{getattr(answer, 'dtype', type(answer).__name__)} {getattr(answer, 'shape', '')}"
        raise Fault(f"{where} returned {found} instead of {dtype} {shape}")


def _restore(arrays: list[npt.NDArray[Any]], before: list[npt.NDArray[Any]]) -> bool:
    """Undo what a kernel did to its inputs, which other variants share; tell whether it did anything."""
    changed = not all(np.array_equal(old, new) for old, new in zip(before, arrays, strict=True))
    for old, new in zip(before, arrays, strict=True):
        new[...] = old
    return changed


def _compare(name: str, situation: Situation, found: Values, truth: Values, limits: Bounded) -> Finding:
    """Compare value by value; report the one under most strain, relative to the largest true value."""
    where = f"{name} on {situation.name}"
    if not np.isfinite(found).all():
        return Finding(f"{where} is not finite", math.inf, 0.0)
    error, allowed = np.abs(found - truth), SAFETY * limits.error
    with np.errstate(over="ignore"):  # allowed may be as small as the smallest number
        worst = np.unravel_index(np.argmax(error / allowed), error.shape)
    scale = float(np.abs(truth).max()) or 1.0
    return Finding(where, float(error[worst]) / scale, float(allowed[worst]) / scale)


def _refuses(kernel: Variant, network: Network, situation: Situation) -> None:
    """Batch sizes below 1 and above n are errors, not something to be trimmed in silence."""
    n = len(situation.X)
    for batch_size in (0, n + 1):
        theta, X, Y = (values.copy() for values in (situation.theta, situation.X, situation.Y))
        try:
            kernel.epoch(network, theta, X, Y, np.arange(n), batch_size, UPDATE_RATE)
        except InputError:
            continue
        except Exception as error:
            where = f"epoch with a batch size of {batch_size} on {n} rows"
            raise Fault(f"{where} raised {_text(error)}: let it raise InputError") from error
        raise Fault(f"epoch took a batch size of {batch_size} on {n} rows: let it raise InputError")
