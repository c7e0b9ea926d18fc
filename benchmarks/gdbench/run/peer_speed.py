"""Speed of each case relative to the fastest peer in the same circumstances."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from gdbench.basics.statistics import Interval, ratio_interval
from gdbench.experiments.variants import is_peer

CELL = ["network", "dataset", "task", "batch_size", "dtype", "threads"]
"""What cases share that differ in the variant alone."""
PEER_COLUMNS = ["best_peer", "speedup_vs_best_peer", "speedup_vs_best_peer_low", "speedup_vs_best_peer_high"]
Seconds = dict[int, float]
"""Seconds per call of one case, by block."""
Times = dict[tuple[Any, ...], Seconds]
"""The same of many cases, by the fields of each; only of what is measured and certified."""


def shared_ratio(seconds: Seconds | None, other: Seconds | None) -> Interval | None:
    """Return the speed relative to another case, from the blocks in which both were measured; None without any."""
    if seconds is None or other is None:
        return None
    shared = [block for block in seconds if block in other]
    if not shared:
        return None
    return ratio_interval([other[block] for block in shared], [seconds[block] for block in shared])


def add_peer_columns(summary: pd.DataFrame, times: Times, fields: list[str]) -> pd.DataFrame:
    """Fill in the fastest peer of each row and the speed relative to it; empty where no peer was measured.

    The fastest peer has the least median time of the same network, data set, task, batch size, dtype and threads.
    ``fields`` are the columns that make the keys of ``times``.
    """
    peers = summary[summary["variant"].map(is_peer) & summary["seconds"].notna()]
    fastest = peers.sort_values("seconds", kind="stable").drop_duplicates(CELL).set_index(CELL)["variant"].to_dict()
    columns = [_peer_columns(row, fastest, times, fields) for row in summary.to_dict("records")]
    found = pd.DataFrame(columns, index=summary.index, columns=PEER_COLUMNS)
    return summary.assign(**{name: found[name] for name in PEER_COLUMNS})


def _peer_columns(row: dict[Any, Any], fastest: dict[Any, Any], times: Times, fields: list[str]) -> dict[str, Any]:
    peer = fastest.get(tuple(row[name] for name in CELL), "")
    key = tuple(row[name] for name in fields)
    other = tuple(peer if name == "variant" else row[name] for name in fields)
    ratio = shared_ratio(times.get(key), times.get(other))
    median, low, high = (math.nan,) * 3 if ratio is None else ratio[:3]
    return dict(zip(PEER_COLUMNS, (peer, median, low, high), strict=True))
