"""The tables of a run, as rows of text: variant and dtype against batch size, time per row and speed."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from gdbench.findings import experiments, fastest, headline_task
from gdbench.records import FAILED, MEASURED, Run
from gdbench.units import seconds, times

BEST = "*"


@dataclass(frozen=True)
class Table:
    """A title, a head and rows of text; ``best`` is the row and column of the fastest cell, if there is one.

    A cell may have two lines: time and speed, batch size and descent.
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
    lines = table[["variant", "dtype"]].drop_duplicates().sort_values("dtype", kind="stable")
    rows, best = [], None
    for position, (variant, dtype) in enumerate(lines.itertuples(index=False)):
        line = table[(table["variant"] == variant) & (table["dtype"] == dtype)].set_index("batch_size")
        cells = [_cell(line.loc[size]) for size in sizes]
        if found is not None and (found[0]["variant"], found[0]["dtype"]) == (variant, dtype):
            best = position, sizes.index(found[0]["batch_size"]) + 2
        rows.append((str(variant), str(dtype), *cells))
    threads = table["threads"].iloc[0]
    title = f"{name}, {task}, {threads} thread{'s' if threads > 1 else ''}: time per row, speed of the reference = 1x"
    head = ("variant", "dtype", *(_column(table, size) for size in sizes))
    return Table(title, head, tuple(rows), best)


def _column(table: pd.DataFrame, size: int) -> str:
    descent = table.loc[table["batch_size"] == size, "descent"].iloc[0]
    return f"B={size}" if descent == "minibatch" else f"B={size}\n{descent}"


def _cell(row: pd.Series) -> str:
    if row["status"] == MEASURED:
        return f"{seconds(row['seconds_per_row'])}\n{times(row['speedup_vs_reference'])}"
    return "failed" if row["status"] == FAILED else "-"
