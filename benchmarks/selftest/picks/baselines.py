"""Batch sizes that people take without asking: fixed rules that look at neither noise nor target."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Seconds = Callable[[int], float]
Rule = Callable[[Sequence[int], int | None, Seconds], int]
THROUGHPUT_SHARE = 0.9


def thirty_two(candidates: Sequence[int], n_rows: int | None, seconds: Seconds) -> int:
    """32, a common default (Keras), or all rows if they are fewer."""
    return min(32, max(candidates))


def two_hundred(candidates: Sequence[int], n_rows: int | None, seconds: Seconds) -> int:
    """``min(200, n)``, the default of scikit-learn's multi-layer perceptrons."""
    return min(200, max(candidates))


def all_rows(candidates: Sequence[int], n_rows: int | None, seconds: Seconds) -> int:
    """All n rows, or the largest candidate where rows have no end."""
    return max(candidates)


def throughput(candidates: Sequence[int], n_rows: int | None, seconds: Seconds) -> int:
    """Smallest candidate with 90 % of the most rows per second."""
    speeds = {size: size / seconds(size) for size in candidates}
    return min(size for size in candidates if speeds[size] >= THROUGHPUT_SHARE * max(speeds.values()))


RULES: dict[str, Rule] = {
    "32": thirty_two,
    "min(200, n)": two_hundred,
    "n": all_rows,
    "90 % of the throughput": throughput,
}
"""By name: a batch size from the candidates, the rows (None if endless) and the seconds of a step."""
