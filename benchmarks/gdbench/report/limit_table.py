"""How near our fastest variants come to the machine's limit, all of a run in one table for each number of threads."""

from __future__ import annotations

import pandas as pd

from gdbench.experiments.datasets import describe_zeros
from gdbench.machine.roofline import share
from gdbench.report.findings import experiments, headline_task
from gdbench.report.peers_table import our_fastest
from gdbench.report.tables import Table
from gdbench.run.folder import Run

ALL_ROWS = "n"
"""Column of the batch that is the whole data, whose size differs from one data set to the next."""


def limit_tables(run: Run) -> list[Table]:
    """Return a table per number of threads: our fastest in each cell, with its fractions of limit and peak.

    A row is a network, data set and dtype, with the share of the data that is zero; a column is a batch size. There is
    nothing where the limits were not measured.
    """
    parts = [table[table["task"] == headline_task(table)] for _, table in experiments(run.summary)]
    found = pd.concat([our_fastest(part) for part in parts])
    found = found[found["fraction_of_limit"].notna()]
    return [_table(threads, found[found["threads"] == threads]) for threads in sorted(found["threads"].unique())]


def _table(threads: int, found: pd.DataFrame) -> Table:
    whole = found["descent"] == "batch"
    sizes = sorted(found.loc[~whole, "batch_size"].unique())
    columns = [*map(str, sizes), *([ALL_ROWS] if whole.any() else [])]
    titled = found.assign(column=found["batch_size"].astype(str).mask(whole, ALL_ROWS))
    rows = []
    for (network, dataset, dtype), line in titled.groupby(["network", "dataset", "dtype"], sort=False):
        cells = {row["column"]: _cell(row) for _, row in line.iterrows()}
        head = f"{network} on {dataset}", f"{dtype}, {describe_zeros(dataset)}"
        rows.append((*head, *(cells.get(column, "-") for column in columns)))
    also = " (and of the core's peak)" if found["fraction_of_peak"].notna().any() else ""
    title = f"Fraction of the machine's limit{also}, our fastest variant, {threads} thread{'s' if threads > 1 else ''}"
    return Table(title, ("case", "dtype, data", *(f"B={column}" for column in columns)), tuple(rows), best=None)


def _cell(row: pd.Series) -> str:
    peak = f" ({share(row['fraction_of_peak'])})" if pd.notna(row["fraction_of_peak"]) else ""
    return f"{row['variant']}\n{share(row['fraction_of_limit'])}{peak}"
