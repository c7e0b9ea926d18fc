"""The tables of a run, as rows of text: variant and dtype against batch size, time per row and speed."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from gdbench.basics.units import seconds, times
from gdbench.experiments.cases import FAILED, MEASURED
from gdbench.experiments.variants import is_peer
from gdbench.report.findings import experiments, fastest, headline_task
from gdbench.run.folder import Run

BEST = "*"
PEERS = "peers"
"""Heading of the peers' rows."""


@dataclass(frozen=True)
class Table:
    """A title, a head and rows of text; ``best`` is the row and column of the fastest cell, if there is one.

    A cell may have two lines: time and speed, batch size and descent. A row that has only its first cell is a heading.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: tuple[int, int] | None


def speed_tables(run: Run) -> list[Table]:
    """Return a table per network, data set and number of threads: time per row, and speed relative to the reference."""
    return [
        _table(f"{network} on {dataset}", part)
        for (network, dataset), table in experiments(run.summary)
        for _, part in table.groupby("threads", sort=False)
    ]


def _table(name: str, table: pd.DataFrame) -> Table:
    task = headline_task(table)
    table = table[table["task"] == task]
    sizes = sorted(table["batch_size"].unique())
    found = fastest(table)
    rows: list[tuple[str, ...]] = []
    best = None
    for variant, dtype in _lines(table):
        if is_peer(variant) and not any(row[0] == PEERS for row in rows):
            rows.append((PEERS, *[""] * (len(sizes) + 1)))
        if found is not None and (found[0]["variant"], found[0]["dtype"]) == (variant, dtype):
            best = len(rows), sizes.index(found[0]["batch_size"]) + 2
        line = table[(table["variant"] == variant) & (table["dtype"] == dtype)].set_index("batch_size")
        # a peer may have no case at a batch size that it does not support
        rows.append((variant, dtype, *(_cell(line.loc[size]) if size in line.index else "" for size in sizes)))
    head = ("variant", "dtype", *(column_title(table, size) for size in sizes))
    return Table(f"{table_title(name, table)}: time per row, speed of the reference = 1x", head, tuple(rows), best)


def _lines(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Pairs of variant and dtype: ours, then the peers, each dtype by dtype."""
    pairs = table[["variant", "dtype"]].drop_duplicates().itertuples(index=False, name=None)
    return sorted(pairs, key=lambda pair: (is_peer(pair[0]), pair[1]))


def table_title(name: str, table: pd.DataFrame) -> str:
    """Name what the rows of one task and number of threads have in common."""
    threads = table["threads"].iloc[0]
    return f"{name}, {table['task'].iloc[0]}, {threads} thread{'s' if threads > 1 else ''}"


def column_title(table: pd.DataFrame, size: int) -> str:
    """Name a batch size, and the descent that it implies where that is not in mini-batches."""
    descent = table.loc[table["batch_size"] == size, "descent"].iloc[0]
    return f"B={size}" if descent == "minibatch" else f"B={size}\n{descent}"


def _cell(row: pd.Series) -> str:
    if row["status"] == MEASURED:
        return f"{seconds(row['seconds_per_row'])}\n{times(row['speedup_vs_reference'])}"
    return "failed" if row["status"] == FAILED else "-"
