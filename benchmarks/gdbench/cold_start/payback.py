"""When a compiled variant has paid for its compilation: the epochs after which it is ahead of ``vectorized``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from gdbench.basics.units import seconds
from gdbench.experiments.cases import MEASURED
from kernels.errors import choices

BASELINE = "vectorized"
"""What a user would run who compiles nothing."""
SHARED = ["network", "dataset", "dtype", "batch_size", "threads"]


def epochs_to_pay(cost_seconds: float, epoch_seconds: float, baseline_seconds: float) -> float:
    """Return the least whole number of epochs e for which cost + e · epoch < e · baseline; infinite if there is none.

    Examples
    --------
    >>> epochs_to_pay(10.0, 1.0, 6.0)  # after 2 epochs both have taken 12 s
    3.0
    >>> epochs_to_pay(10.0, 6.0, 6.0)
    inf
    """
    gain = baseline_seconds - epoch_seconds
    if not gain > 0:
        return math.inf
    return max(1.0, math.floor(cost_seconds / gain) + 1.0)


def payback(cold: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Return a row per measured epoch of a compiled variant whose ``vectorized`` twin was measured too.

    ``epochs`` counts from an empty cache, ``cached_epochs`` from a filled one; low and high take
    the ends of the intervals of both epochs, and of the range of the load, that favour the variant most and least.
    """
    epochs = summary[(summary["task"] == "epoch") & (summary["status"] == MEASURED)]
    baseline = epochs[epochs["variant"] == BASELINE].set_index(SHARED)
    rows = []
    for case in epochs[epochs["variant"] != BASELINE].to_dict("records"):
        start, key = _start_of(cold, case), tuple(case[name] for name in SHARED)
        if start is not None and key in baseline.index:
            rows.append({name: case[name] for name in ("variant", *SHARED)} | _row(start, case, baseline.loc[key]))
    return pd.DataFrame(rows, columns=COLUMNS)


COLUMNS = [
    *("variant", *SHARED, "seconds", "baseline_seconds", "compile_seconds", "load_seconds"),
    *("epochs", "epochs_low", "epochs_high", "cached_epochs", "cached_epochs_low", "cached_epochs_high"),
]


def sentence(rows: pd.DataFrame) -> str:
    """Say for the rows of one variant, network, data set and dtype when the compilation has paid."""
    first = rows.iloc[0]
    paid, never = rows[np.isfinite(rows["epochs"])], rows[~np.isfinite(rows["epochs"])]
    parts = [_paid(paid)] if len(paid) else []
    if len(never):
        parts.append(f"never at B = {choices(never['batch_size'])}: {BASELINE} is faster")
    return (
        f"{first['variant']} ({first['network']} on {first['dataset']}, {first['dtype']}) pays for its compilation of "
        f"{seconds(first['compile_seconds'])} {'; '.join(parts)}."
    )


def cell(row: dict[Any, Any], prefix: str = "") -> str:
    """Write epochs with their range, such as ``3 (2 to 5)``."""
    value, low, high = (row[f"{prefix}{name}"] for name in ("epochs", "epochs_low", "epochs_high"))
    return _count(value) if low == high else f"{_count(value)} ({_count(low)} to {_count(high)})"


def _paid(rows: pd.DataFrame) -> str:
    """Say after how many epochs a variant is ahead, at each batch size at which it ever is."""
    after = [f"{_epochs(cell(row))} at B = {row['batch_size']}" for row in rows.to_dict("records")]
    cached = [f"{_epochs(cell(row, 'cached_'))} at B = {row['batch_size']}" for row in rows.to_dict("records")]
    soon = (rows["cached_epochs"] == 1).all() and (rows["cached_epochs_high"] == 1).all()
    return (
        f"after {choices(after)}; from Numba's cache {'within the first epoch' if soon else 'after ' + choices(cached)}"
    )


def _epochs(count: str) -> str:
    return f"{count} epoch{'' if count == '1' else 's'}"


def _count(epochs: float) -> str:
    return f"{epochs:,.0f}" if math.isfinite(epochs) else "never"


def _start_of(cold: pd.DataFrame, case: dict[Any, Any]) -> pd.Series | None:
    """Cold start that goes with a case; the same on every network unless the variant compiles anew for this one."""
    same = cold[cold["compiled"] & (cold["variant"] == case["variant"]) & (cold["dtype"] == case["dtype"])]
    here = same[(same["network"] == case["network"]) & (same["dataset"] == case["dataset"])]
    found = here if len(here) else same
    return found.iloc[0] if len(found) else None


def _row(start: pd.Series, case: dict[Any, Any], baseline: pd.Series) -> dict[str, float]:
    """Epochs from both states of the cache, with what most and least favours the variant."""
    found = {
        "seconds": case["seconds"],
        "baseline_seconds": baseline["seconds"],
        "compile_seconds": start["compile_seconds"],
        "load_seconds": start["load_seconds"],
    }
    compiling = (start["compile_seconds"],) * 3
    loading = tuple(start[f"load_seconds{end}"] for end in ("", "_low", "_high"))
    for prefix, (cost, low, high) in (("", compiling), ("cached_", loading)):
        found[f"{prefix}epochs"] = epochs_to_pay(cost, case["seconds"], baseline["seconds"])
        found[f"{prefix}epochs_low"] = epochs_to_pay(low, case["seconds_low"], baseline["seconds_high"])
        found[f"{prefix}epochs_high"] = epochs_to_pay(high, case["seconds_high"], baseline["seconds_low"])
    return found
