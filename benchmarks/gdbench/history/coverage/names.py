"""Names in a sentence, the first few one by one."""

from __future__ import annotations

from collections.abc import Sequence

MAX_NAMED = 3
"""Names that a sentence tells one by one."""


def listed(names: Sequence[str]) -> str:
    """Join names as a sentence does: ``a``, ``a and b``, ``a, b, c and 4 more``."""
    left = len(names) - MAX_NAMED
    *others, last = [*names[:MAX_NAMED], f"{left} more"] if left > 0 else names
    return f"{', '.join(others)} and {last}" if others else last
