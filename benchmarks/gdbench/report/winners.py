"""The answer of a run: what is fastest on each network, data set and dtype, by how much, and what it ties with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import pandas as pd

from gdbench.basics.units import digits, interval, seconds, times
from gdbench.experiments.variants import is_peer
from gdbench.report.findings import experiments, fastest, headline_task
from gdbench.report.tables import Table
from gdbench.run.folder import Run
from gdbench.run.summary import LEAD_UNKNOWN

CAUTION = (
    "Fastest per epoch is not fastest to a target loss: a larger batch makes fewer updates in an epoch, and may need "
    "many more epochs. gdbench pick answers that."
)
Winner: TypeAlias = tuple[pd.Series, pd.DataFrame]
"""The fastest case of a network, data set, number of threads and dtype, and those that tie with it."""


def winners_table(run: Run) -> Table | None:
    """Return a row for each network, data set and dtype that was measured; None if none was.

    Columns that nothing was measured for are left out: speeds relative to the reference, and to a peer.
    """
    found = list(_winners(run.summary))
    if not found:
        return None
    several = run.summary["threads"].nunique() > 1
    columns: dict[str, Callable[[Winner], str]] = {
        "network": lambda winner: _where(winner[0], several=several),
        "fastest": lambda winner: _named(winner[0]),
        "time per row": lambda winner: _time(winner[0]),
        "reference = 1x": lambda winner: _speed(winner[0]),
        "best peer = 1x": lambda winner: _lead(winner[0]),
        "ties with": lambda winner: _ties(winner[1]),
    }
    cells = {name: [cell(winner) for winner in found] for name, cell in columns.items()}
    kept = [name for name in columns if name in ("network", "ties with") or set(cells[name]) != {"-"}]
    rows = tuple(zip(*(cells[name] for name in kept), strict=True))
    return Table(_title(run.summary, found), tuple(kept), rows, best=None)


def winners(run: Run) -> pd.DataFrame:
    """Return the rows of the summary that are the fastest of their network, data set, threads and dtype."""
    return run.summary.loc[[best.name for best, _ in _winners(run.summary)]].reset_index(drop=True)


def _winners(summary: pd.DataFrame) -> Iterator[Winner]:
    for _, table in experiments(summary):
        for _, part in table.groupby(["threads", "dtype"], sort=True):
            found = fastest(part)
            if found is not None:
                yield found


def _title(summary: pd.DataFrame, found: list[Winner]) -> str:
    """Say what is compared and what the ranges are."""
    blocks = sorted({int(best["blocks"]) for best, _ in found})
    coverage = min(best["interval_coverage"] for best, _ in found)
    processes = f"{blocks[0]} to {blocks[-1]}" if len(blocks) > 1 else f"{blocks[0]}"
    plural = "" if blocks == [1] else "es"
    return (
        f"Fastest per {headline_task(summary)}: medians over {processes} process{plural}, "
        f"with intervals that cover {digits(100 * coverage)} %{' or more' if len(blocks) > 1 else ''}"
    )


def _where(best: pd.Series, *, several: bool) -> str:
    threads = f", {best['threads']} thread{'s' if best['threads'] > 1 else ''}" if several else ""
    return f"{best['network']} on {best['dataset']}\n{best['dtype']}{threads}"


def _named(row: pd.Series) -> str:
    return f"{row['variant']}{' (peer)' if is_peer(row['variant']) else ''}\nB={row['batch_size']}"


def _time(best: pd.Series) -> str:
    per_row = best["seconds_per_row"] / best["seconds"]
    low, high = best["seconds_low"] * per_row, best["seconds_high"] * per_row
    return f"{seconds(best['seconds_per_row'])}\n({interval(low, high)})"


def _speed(best: pd.Series) -> str:
    if best["variant"] == "reference" or pd.isna(best["speedup_vs_reference"]):
        return "-"
    return f"{times(best['speedup_vs_reference'])}\n({digits(best['speedup_low'])} to {times(best['speedup_high'])})"


def _lead(best: pd.Series) -> str:
    if best["best_peer"] == LEAD_UNKNOWN:
        return f"{LEAD_UNKNOWN}\n(a peer failed)"
    if best["variant"] == best["best_peer"] or pd.isna(best["speedup_vs_best_peer"]):
        return "-"
    low, high = best["speedup_vs_best_peer_low"], best["speedup_vs_best_peer_high"]
    return f"{times(best['speedup_vs_best_peer'])} {best['best_peer']}\n({digits(low)} to {times(high)})"


def _ties(ties: pd.DataFrame) -> str:
    if ties.empty:
        return "nothing"
    first = ties.iloc[0]
    more = f"\nand {len(ties) - 1} more" if len(ties) > 1 else ""
    return f"{first['variant']} B={first['batch_size']}{more}"
