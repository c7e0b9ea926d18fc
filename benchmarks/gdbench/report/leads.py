"""The fastest of our variants in every cell of a run, and how far it is ahead of the fastest peer on the whole."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from gdbench.basics.statistics import Interval, median_interval
from gdbench.basics.units import times_within
from gdbench.experiments.cases import MEASURED
from gdbench.experiments.variants import is_peer
from gdbench.report.findings import experiments, headline_task
from gdbench.run.folder import Run
from gdbench.run.summary import CELL

EXPERIMENT = ["network", "dataset", "threads"]
"""What the cases of a block share."""


def our_fastest(table: pd.DataFrame) -> pd.DataFrame:
    """Return the row of the fastest of our own variants in each cell of one task, in the order of the table."""
    ours = table[(table["status"] == MEASURED) & ~table["variant"].map(is_peer).astype(bool)]
    return ours.sort_values("seconds", kind="stable").drop_duplicates(CELL).sort_index()


def leads(run: Run) -> pd.DataFrame:
    """Return the row of our fastest variant in every cell of the headline task of each experiment, as in a summary."""
    parts = [table[table["task"] == headline_task(table)] for _, table in experiments(run.summary)]
    return pd.concat([our_fastest(part) for part in parts])


def lead_in_words(cell: pd.Series) -> str:
    """Write the speed relative to the fastest peer in a row of ``leads``, with its interval."""
    return times_within(*(cell[f"speedup_vs_best_peer{end}"] for end in ("", "_low", "_high")))


def mean_lead(run: Run, cells: pd.DataFrame) -> Interval:
    """Return the geometric mean of the speeds relative to the fastest peer, with an interval over rounds of blocks.

    Parameters
    ----------
    run : Run
        Whose blocks were measured in rounds, one for each experiment in each.
    cells : DataFrame
        Rows of ``leads`` in which a lead is known, at least one.

    Returns
    -------
    Interval
        The mean over the cells of each round gives the interval, as times of single cases do; where rounds lack
        cells, NaN with a coverage of 0.
    """
    mean = math.exp(float(np.log(cells["speedup_vs_best_peer"].astype(float)).mean()))
    rounds = run.samples.groupby(EXPERIMENT)["block"].rank("dense")
    seconds = run.samples.assign(round=rounds).pivot_table(index=[*CELL, "variant"], columns="round", values="seconds")
    ours, theirs = (
        seconds.reindex(pd.MultiIndex.from_frame(cells[[*CELL, name]])) for name in ("variant", "best_peer")
    )
    whole = np.log(theirs.to_numpy() / ours.to_numpy())
    means = np.exp(whole[:, np.isfinite(whole).all(axis=0)].mean(axis=0))
    if not len(means):
        return Interval(mean, math.nan, math.nan, 0.0)
    found = median_interval(means)
    return Interval(mean, min(found.low, mean), max(found.high, mean), found.coverage)
