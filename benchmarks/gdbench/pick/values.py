"""Values of options as a caller in Python gives them: brought to Python's own kinds, or refused in a sentence."""

from __future__ import annotations

import numbers
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from gdbench.experiments.networks import layer_sizes
from kernels import InputError


def whole(name: str, value: Any) -> int | None:
    """Return a whole number, or None where none is given; raises InputError for anything else."""
    if value is None:
        return None
    if isinstance(value, bool):
        raise _wrong(name, value, "a whole number")
    try:
        return operator.index(value)
    except TypeError:
        raise _wrong(name, value, "a whole number") from None


def real(name: str, value: Any) -> float | None:
    """Return a number, or None where none is given; raises InputError for anything else."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise _wrong(name, value, "a number")
    return float(value)


def flag(name: str, value: Any) -> bool:
    """Return True or False; raises InputError for anything else."""
    if not isinstance(value, bool | np.bool_):
        raise _wrong(name, value, "True or False")
    return bool(value)


def text(name: str, value: Any) -> str | None:
    """Return a text, or None where none is given; raises InputError for anything else."""
    if not isinstance(value, str | None):
        raise _wrong(name, value, "a text")
    return value


def dtype_name(value: Any) -> Any:
    """Return the name of a dtype of NumPy; anything else as it is."""
    return np.dtype(value).name if isinstance(value, type | np.dtype) else value


def layers(value: Any) -> tuple[int, ...] | None:
    """Return units of hidden layers, given as one number, as several, or as ``64,32``."""
    if value is None or isinstance(value, str):
        return None if value is None else layer_sizes(value)
    several = value if isinstance(value, Iterable) else [value]
    return tuple(found for each in several if (found := whole("hidden", each)) is not None)


def _wrong(name: str, value: object, wanted: str) -> InputError:
    return InputError(f"--{name.replace('_', '-')} must be {wanted}, got {value!r}: correct it or leave it out")
