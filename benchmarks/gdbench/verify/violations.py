"""Violations of a variant's contract that are no matter of rounding: each is a fault with a sentence of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from gdbench.verify.bounds import Values
from gdbench.verify.inputs import Situation
from kernels import InputError, Network, Variant


class Fault(Exception):
    """A violation of the contract that is no matter of rounding."""


def in_words(error: Exception) -> str:
    """Kind of an exception and the first line of its message, with the next where the first only announces it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    announced = len(lines) > 1 and lines[0].endswith(":")  # "backend='inductor' raised:", and then what it raised
    return ": ".join([type(error).__name__, " ".join(lines[: 2 if announced else 1])]).removesuffix(": ")


REPEATED_ROWS = 64
"""Largest batch on which a kernel is asked the same question twice; above, the answer to one takes long enough."""


def call(
    function: Callable[..., object],
    name: str,
    situation: Situation,
    arguments: tuple[object, ...],
    shape: tuple[int, ...],
) -> Values:
    """Call a kernel, twice on small batches; return its answer in float64. Raise Fault if it violates the contract."""
    where = f"{name} on {situation.name}"
    arrays = [values for values in arguments if isinstance(values, np.ndarray)]
    before = [values.copy() for values in arrays]
    try:
        answer = function(*arguments)
        again = function(*arguments) if len(situation.X) <= REPEATED_ROWS else None
    except Exception as error:
        raise Fault(f"{where} raised {in_words(error)}") from error
    finally:
        changed = _restore(arrays, before)
    if changed:
        raise Fault(f"{where} changed one of its inputs")
    _check_kind(where, answer, shape, situation.theta.dtype)
    if any(np.shares_memory(np.asarray(answer), values) for values in arrays):
        raise Fault(f"{where} returned memory of one of its inputs")
    if again is not None:
        _check_again(where, answer, again)
    return np.asarray(answer, float)


def _check_again(where: str, answer: object, again: object) -> None:
    """Raise Fault unless the second answer equals the first, in memory of its own."""
    first, second = np.asarray(answer), np.asarray(again)
    if isinstance(answer, np.ndarray) and np.shares_memory(first, second):
        raise Fault(f"{where} returned the same memory twice, so that a second call changes the first answer")
    if first.dtype != second.dtype or not np.array_equal(first, second, equal_nan=True):
        raise Fault(f"{where} gave two answers to the same question")


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


def refuses_sizes(kernel: Variant, network: Network, situation: Situation, learning_rate: float) -> None:
    """Batch sizes below 1 and above n are errors, not something to be trimmed in silence."""
    n = len(situation.X)
    for batch_size in (0, n + 1):
        theta, X, Y = (values.copy() for values in (situation.theta, situation.X, situation.Y))
        try:
            kernel.epoch(network, theta, X, Y, np.arange(n), batch_size, learning_rate)
        except InputError:
            continue
        except Exception as error:
            where = f"epoch with a batch size of {batch_size} on {n} rows"
            raise Fault(f"{where} raised {in_words(error)}: let it raise InputError") from error
        raise Fault(f"epoch took a batch size of {batch_size} on {n} rows: let it raise InputError")
