"""Reads amounts with units as people type them: times such as ``2m``, memory such as ``512MB``."""

from __future__ import annotations

import math
import re

from kernels import InputError

SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
NUMBER = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*([a-z]*)\s*", re.IGNORECASE)


def read_seconds(amount: str | float) -> float:
    """Read a time such as ``30s``, ``2m``, ``1.5h`` or ``90``, in seconds.

    Raises
    ------
    InputError
        If it is no positive time.
    """
    return _read(amount, SECONDS, "a time is a positive number with s, m or h, such as 2m")


def read_bytes(amount: str | float) -> float:
    """Read an amount of memory such as ``512MB``, ``2GiB`` or ``1000000``, in bytes; raises InputError likewise."""
    return _read(amount, BYTES, "an amount of memory is a positive number with kB, MB or GB, such as 512MB")


def _read(amount: str | float, units: dict[str, float] | dict[str, int], rule: str) -> float:
    if isinstance(amount, str):
        found = NUMBER.fullmatch(amount)
        factor = units.get(found[2].lower()) if found else None
        value = float(found[1]) * factor if found and factor else math.nan
    else:  # its spelling may have an exponent
        try:
            value = float(amount)
        except (TypeError, ValueError, OverflowError):
            value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"{rule}, got {amount!r}: correct it")
    return value
