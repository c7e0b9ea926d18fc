"""What a variant costs before its first useful epoch: imports, compilation, load from Numba's cache, first calls.

The truth is in ``raw/cold_start.json`` (``gdbench.cold_start.measure``); here it becomes ``cold_start.csv``, tables and
sentences. Of a run that was published without its raw files, the table is read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gdbench.basics.storage import replacing
from gdbench.basics.units import interval, seconds
from gdbench.cold_start.entries import ColdStartEntry, ProcessTimes, raw_file, read_entries
from gdbench.cold_start.payback import BASELINE, cell, payback, sentence
from gdbench.report.tables import Table
from gdbench.run.folder import Run
from gdbench.run.raw import published


@dataclass(frozen=True, kw_only=True)
class ColdStartRow:
    """A row of ``cold_start.csv``; seconds are NaN where there are none."""

    variant: str
    dtype: str
    network: str
    dataset: str
    threads: int
    compiled: bool = False
    processes: int = 0
    numpy_seconds: float = math.nan
    import_seconds: float = math.nan
    import_seconds_low: float = math.nan
    import_seconds_high: float = math.nan
    compile_seconds: float = math.nan
    load_seconds: float = math.nan
    load_seconds_low: float = math.nan
    load_seconds_high: float = math.nan
    first_call_seconds: float = math.nan
    first_call_seconds_low: float = math.nan
    first_call_seconds_high: float = math.nan
    steady_call_seconds: float = math.nan
    cache_works: bool | None = None
    """Whether Numba's cache was enough for every later process; None where nothing is compiled."""
    reason: str


TABLE = "cold_start.csv"
COLUMNS = [field.name for field in fields(ColdStartRow)]


def read(folder: Path) -> pd.DataFrame:
    """Return a row per variant and dtype of a run, none if its cold starts were not measured.

    Times are medians over the processes after the first, low and high their range. ``compile_seconds`` is of the one
    process whose cache was empty; it and ``load_seconds`` are what the first calls take beyond later ones.
    """
    if published(folder) and (folder / TABLE).exists():
        table = pd.read_csv(folder / TABLE, dtype={"reason": "str"})[COLUMNS].fillna({"reason": ""})
        table["cache_works"] = [None if pd.isna(works) else bool(works) for works in table["cache_works"]]
    else:
        table = pd.DataFrame([_row(entry) for entry in read_entries(folder)], columns=COLUMNS)
    return table.astype({"compiled": bool, "cache_works": object})


def write_table(folder: Path) -> None:
    """Write ``cold_start.csv`` into a run's folder, if the run has cold starts."""
    if raw_file(folder).exists():
        with replacing(folder / TABLE) as temporary:
            read(folder).to_csv(temporary, index=False, float_format="%.6g")


def tables(run: Run) -> list[Table]:
    """Return the table of cold starts and that of payback; nothing where they were not measured."""
    cold = read(run.folder)
    paid = payback(cold, run.summary)
    return [*([_times_table(cold)] if len(cold) else []), *([_payback_table(paid)] if len(paid) else [])]


def sentences(run: Run) -> list[str]:
    """Return a sentence per compiled variant and dtype on the network it was started on, then what is wrong."""
    return [*answers(run), *failures(run)]


def answers(run: Run) -> list[str]:
    """Return a sentence per compiled variant and dtype on the network it was started on."""
    cold = read(run.folder)
    paid = payback(cold, run.summary)
    keys = ["variant", "dtype", "network", "dataset"]
    started = paid.merge(cold[keys], on=keys) if len(paid) else paid
    return [sentence(rows) for _, rows in started.groupby(keys, sort=False)]


def failures(run: Run) -> list[str]:
    """Return a sentence per variant and dtype whose cold start failed."""
    wrong = _wrong(read(run.folder))
    return [f"FAILED: cold start of {row['variant']} in {row['dtype']}: {row['reason']}." for row in wrong]


def _row(entry: ColdStartEntry) -> ColdStartRow:
    """Make the row of one entry."""
    row = ColdStartRow(
        variant=entry.variant,
        dtype=entry.dtype,
        network=entry.network,
        dataset=entry.dataset,
        threads=entry.threads,
        reason=entry.reason,
    )
    cold, warm = entry.cold, entry.warm
    if cold is None:
        return row
    compiled = cold.compiled > 0 or entry.files_written > 0
    works = all(one.loaded > 0 and one.compiled == 0 for one in warm) and entry.files_written_later == 0
    imports = [one.import_seconds for one in warm]
    first_calls = [sum(one.first_seconds) for one in warm]
    loads = [_beyond_steady(one) for one in warm] if compiled else []
    return replace(
        row,
        compiled=compiled,
        processes=1 + len(warm),
        numpy_seconds=_median(one.numpy_seconds for one in warm),
        import_seconds=_median(imports),
        import_seconds_low=min(imports, default=math.nan),
        import_seconds_high=max(imports, default=math.nan),
        compile_seconds=_beyond_steady(cold) if compiled else math.nan,
        load_seconds=_median(loads),
        load_seconds_low=min(loads, default=math.nan),
        load_seconds_high=max(loads, default=math.nan),
        first_call_seconds=_median(first_calls),
        first_call_seconds_low=min(first_calls, default=math.nan),
        first_call_seconds_high=max(first_calls, default=math.nan),
        steady_call_seconds=_median(sum(one.steady_seconds) for one in warm),
        cache_works=works if compiled else None,
        reason="" if works or not compiled else "it compiled again although Numba's cache was filled",
    )


def _beyond_steady(one: ProcessTimes) -> float:
    """Seconds that the first calls of a process took more than its later ones."""
    return sum(one.first_seconds) - sum(one.steady_seconds)


def _median(values: Iterable[float]) -> float:
    found = list(values)
    return float(np.median(found)) if found else math.nan


def _wrong(cold: pd.DataFrame) -> list[dict[Any, Any]]:
    return cold[cold["reason"] != ""].to_dict("records")


def _times_table(cold: pd.DataFrame) -> Table:
    """One line per variant and dtype: medians, with the range over processes below them."""
    first = cold.iloc[0]
    head = ("variant", "dtype", "Python and NumPy", "import", "compile", "load", "first calls", "later calls")
    rows = [
        (
            str(row["variant"]),
            str(row["dtype"]),
            seconds(row["numpy_seconds"]),
            _ranged(row, "import_seconds"),
            seconds(row["compile_seconds"]),
            _ranged(row, "load_seconds"),
            _ranged(row, "first_call_seconds"),
            seconds(row["steady_call_seconds"]),
        )
        for row in cold.to_dict("records")
    ]
    title = (
        f"Cold start, {first['network']} on {first['dataset']}: from the start of a process to its imports; "
        "then the first calls of forward, loss, gradient and epoch"
    )
    return Table(title, head, tuple(rows), None)


def _ranged(row: dict[Any, Any], name: str) -> str:
    """Write a median with its range over processes."""
    if not np.isfinite(row[name]):
        return seconds(row[name])
    return f"{seconds(row[name])}\n{interval(row[f'{name}_low'], row[f'{name}_high'])}"


def _payback_table(paid: pd.DataFrame) -> Table:
    """Epochs until a compiled variant is ahead of ``vectorized``: from an empty cache, and from a filled one."""
    sizes = sorted(paid["batch_size"].unique())
    rows = []
    for _, group in paid.groupby(["variant", "network", "dataset", "dtype", "threads"], sort=False):
        first = group.iloc[0]
        cells = {row["batch_size"]: f"{cell(row)}\ncache {cell(row, 'cached_')}" for row in group.to_dict("records")}
        threads = f"{first['threads']} thread{'s' if first['threads'] > 1 else ''}"
        case = f"{first['network']} on {first['dataset']}, {first['dtype']}, {threads}"
        rows.append((str(first["variant"]), case, *(cells.get(size, "-") for size in sizes)))
    title = f"Epochs until compilation has paid against {BASELINE} (range); below, from Numba's cache"
    return Table(title, ("variant", "case", *(f"B={size}" for size in sizes)), tuple(rows), None)
