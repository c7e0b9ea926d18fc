"""The batch sizes among which one is picked, and in which order they are looked at first."""

from __future__ import annotations

import numbers
from collections.abc import Sequence

from kernels import InputError

SPACING = 4
"""Ratio of batch sizes that are looked at first."""
REFERENCE = 32
"""Batch size where a search begins, and of the descent that sets a target where no optimum is known."""


def candidates(n_rows: int, *, most: int | None = None, current: int | None = None) -> tuple[int, ...]:
    """Return 1, the powers of two below n, n and the user's own batch size, ascending, none above ``most``.

    Powers of two are close enough together: where steps follow ``S (1 + Bn/B)`` and a step takes ``a + b B``, a batch
    size that is off by a factor of the square root of 2 costs at most 3 %. A current size above ``most`` is left out.

    Parameters
    ----------
    n_rows : int
        Rows of the data, n, at least 1.
    most : int, optional
        Largest batch size to consider (``--max-batch``); all n rows when not given.
    current : int, optional
        The user's own batch size (``--current``), to compare with.

    Raises
    ------
    InputError
        If ``most`` or ``current`` is not a whole number from 1 to n.

    Examples
    --------
    >>> candidates(10)
    (1, 2, 4, 8, 10)
    >>> candidates(10, most=9, current=5)
    (1, 2, 4, 5, 8)
    """
    limit = n_rows if most is None else _checked("--max-batch", most, n_rows)
    own = set() if current is None else {_checked("--current", current, n_rows)}
    powers = {2**exponent for exponent in range((n_rows - 1).bit_length())}
    return tuple(sorted(size for size in powers | {1, n_rows} | own if size <= limit))


def _checked(option: str, value: int, n_rows: int) -> int:
    if not isinstance(value, numbers.Integral) or not 1 <= value <= n_rows:
        raise InputError(
            f"{option} must be a whole number from 1 to {n_rows} (all rows), got {value}: correct it or leave it out"
        )
    return int(value)


def spaced(sizes: Sequence[int], begin: int, direction: int) -> list[int]:
    """Batch sizes above (1) or below (-1) one, each at least ``SPACING`` from the one before, and the last.

    Examples
    --------
    >>> spaced([1, 2, 4, 8, 16, 32, 64, 100], 32, -1), spaced([1, 2, 4, 8, 16, 32, 64, 100], 32, 1)
    ([8, 2, 1], [100])
    """
    chosen, before = [], begin
    beyond = [size for size in sizes[::direction] if direction * (size - begin) > 0]
    for size in beyond:
        if max(size / before, before / size) >= 0.99 * SPACING or size == beyond[-1]:
            chosen.append(size)
            before = size
    return chosen


def reference_size(sizes: Sequence[int], n_rows: int) -> int:
    """Batch size where a search begins: ``REFERENCE``, or the largest power of two up to it and up to n / 4.

    Examples
    --------
    >>> reference_size([1, 2, 4, 8, 16, 20, 32, 64], 1000), reference_size([1, 2, 4, 8, 16, 20, 32, 64], 100)
    (32, 16)
    """
    most = min(REFERENCE, max(n_rows // 4, 1))
    return max((size for size in sizes if size <= most and size.bit_count() == 1), default=min(sizes))
