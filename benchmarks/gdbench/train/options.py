"""Reads the words in which a user asks for a fit: batch size and regimes."""

from __future__ import annotations

from kernels import InputError


def read_batch_size(text: str, n: int) -> int:
    """Read a batch size, a whole number from 1 to n or the word ``n`` for all rows."""
    try:
        size = n if text == "n" else int(text)
    except ValueError:
        size = 0
    if not 1 <= size <= n:
        raise InputError(f"the batch size must be a whole number from 1 to {n}, got {text!r}: say n for all rows")
    return size


def regimes(batch_size: int, n: int) -> tuple[int, ...]:
    """Batch sizes of batch, mini-batch and stochastic descent on n rows.

    Raises
    ------
    InputError
        If the given batch size is not between those of the other two.
    """
    if n < 3:
        raise InputError(f"a comparison of descents needs 3 rows or more, got {n}: add rows, or fit one batch size")
    if not 1 < batch_size < n:
        raise InputError(
            f"a comparison of descents needs a mini-batch between 1 and {n} rows, got {batch_size}: "
            f"choose a batch size from 2 to {n - 1}"
        )
    return n, batch_size, 1
