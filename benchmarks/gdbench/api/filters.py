"""What of the grid is asked for, as people write it in Python: one value or several."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from gdbench.experiments.grid import Filters
from kernels import InputError

NUMBERS = ("batch_size", "threads")


def read(**asked: object) -> Filters:
    """Return the filters, or raise InputError for what is neither a name nor a number, as the axis needs it."""
    known = [field.name for field in fields(Filters)]
    return Filters(**{name: _values(name, asked[name]) for name in known})


def _values(name: str, asked: object) -> tuple[Any, ...]:
    values = tuple(asked) if isinstance(asked, (list, tuple, set, range)) else (asked,)
    for value in values:
        number = isinstance(value, int) and not isinstance(value, bool)
        if not (number if name in NUMBERS and (name, value) != ("batch_size", "n") else isinstance(value, str)):
            wanted = "whole numbers" if name in NUMBERS else "names"
            raise InputError(f"{name} takes {wanted}, one or a list of them, got {value!r}")
    return tuple(dict.fromkeys(values))
