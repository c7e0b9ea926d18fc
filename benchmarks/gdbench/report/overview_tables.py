"""All cells of a run in one table for each number of threads: leads over the peers, and fractions of the limit."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from gdbench.basics.units import percent
from gdbench.experiments.datasets import describe_zeros
from gdbench.report.leads import lead_in_words, leads
from gdbench.report.tables import Table
from gdbench.run.folder import Run
from gdbench.run.summary import LEAD_UNKNOWN

ALL_ROWS = "n"
"""Column of the batch that is the whole data, whose size differs from one data set to the next."""


def lead_tables(run: Run) -> list[Table]:
    """Return a table per number of threads: in each cell the speed relative to the fastest peer, and both names.

    A row is a network, data set and dtype, with the share of the data that is zero; a column is a batch size. There is
    nothing where no peer was measured.
    """
    found = leads(run)
    title = "Speed relative to the fastest peer (= 1x), our fastest variant"
    return _by_threads(found[found["best_peer"] != ""], title, _lead)


def limit_tables(run: Run) -> list[Table]:
    """Return a table per number of threads: our fastest in each cell, with its fractions of limit and peak.

    Rows and columns are those of ``lead_tables``. There is nothing where the limits were not measured.
    """
    found = leads(run)
    found = found[found["fraction_of_limit"].notna()]
    also = " (and of the core's peak)" if found["fraction_of_peak"].notna().any() else ""
    return _by_threads(found, f"Fraction of the machine's limit{also}, our fastest variant", _fractions)


def _by_threads(found: pd.DataFrame, title: str, cell: Callable[[pd.Series], str]) -> list[Table]:
    return [
        _table(found[found["threads"] == threads], f"{title}, {threads} thread{'s' if threads > 1 else ''}", cell)
        for threads in sorted(found["threads"].unique())
    ]


def _table(found: pd.DataFrame, title: str, cell: Callable[[pd.Series], str]) -> Table:
    whole = found["descent"] == "batch"
    sizes = sorted(found.loc[~whole, "batch_size"].unique())
    columns = [*map(str, sizes), *([ALL_ROWS] if whole.any() else [])]
    titled = found.assign(column=found["batch_size"].astype(str).mask(whole, ALL_ROWS))
    rows = []
    for (network, dataset, dtype), line in titled.groupby(["network", "dataset", "dtype"], sort=False):
        cells = {row["column"]: cell(row) for _, row in line.iterrows()}
        head = f"{network} on {dataset}", f"{dtype}, {describe_zeros(dataset)}"
        rows.append((*head, *(cells.get(column, "-") for column in columns)))
    return Table(title, ("case", "dtype, data", *(f"B={column}" for column in columns)), tuple(rows), best=None)


def _lead(row: pd.Series) -> str:
    if row["best_peer"] == LEAD_UNKNOWN:
        return LEAD_UNKNOWN
    return f"{lead_in_words(row)}\n{row['variant']} to {row['best_peer']}"


def _fractions(row: pd.Series) -> str:
    peak = f" ({percent(row['fraction_of_peak'])})" if pd.notna(row["fraction_of_peak"]) else ""
    return f"{row['variant']}\n{percent(row['fraction_of_limit'])}{peak}"
