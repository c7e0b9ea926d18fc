"""Whether ``variant="auto"`` takes the right one: its choice against the measured best, in every cell of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import lru_cache

import pandas as pd

import kernels
from gdbench.basics.units import times
from gdbench.experiments import datasets
from gdbench.experiments.cases import FAILED, MEASURED, NetworkSpec
from gdbench.experiments.variants import is_peer
from gdbench.run.folder import Run
from gdbench.run.summary import CELL
from gdbench.verify.gate import preferred
from kernels import Choice
from kernels.costs import typical

TASK = "epoch"
"""The task that a fit repeats."""
MAX_SLOWDOWN = 1.1
"""Time relative to the best variant up to which auto's is as good: 10 % slower."""


@dataclass(frozen=True)
class AutoJudgement:
    """What auto takes in a cell, and what was fastest; ``slowdown`` is NaN where auto's variant was not measured."""

    network: str
    dataset: str
    task: str
    batch_size: int
    dtype: str
    threads: int
    auto: str
    best: str
    slowdown: float
    within: bool


COLUMNS = [field.name for field in fields(AutoJudgement)]


def auto_table(
    summary: pd.DataFrame, networks: dict[str, NetworkSpec], vector_bytes: int | None = None
) -> pd.DataFrame:
    """Return a row per cell: auto's variant, the best of ours, seconds of the first over those of the second.

    Parameters
    ----------
    summary : DataFrame
        A row per case, as in ``summary.csv``.
    networks : dict
        Those of the run's plan, by name.
    vector_bytes : int, optional
        Width of the vectors where the run was measured, with which ``auto`` would decide there; if not given, as here.

    Returns
    -------
    DataFrame
        Columns ``network, dataset, task, batch_size, dtype, threads, auto, best, slowdown, within``; ``slowdown`` is
        NaN, and ``within`` false, where the run did not measure auto's variant.
    """
    epochs = summary[(summary["task"] == TASK) & ~summary["variant"].map(is_peer).astype(bool)]
    loaded = {str(name): datasets.load(str(name)).X for name in epochs["dataset"].unique()}
    rows = []
    for (dataset, dtype), part in epochs.groupby(["dataset", "dtype"], sort=False):
        X = loaded[str(dataset)].astype(str(dtype))
        costs = typical(X.itemsize, vector_bytes)
        for _, cell in part.groupby(CELL, sort=False):
            network = networks[cell["network"].iloc[0]].build(str(dataset))
            rows.append(_judge(cell, kernels.choose(network, X, int(cell["batch_size"].iloc[0]), costs)))
    return pd.DataFrame(rows, columns=COLUMNS)


def sentences(run: Run) -> list[str]:
    """Return how often auto is within 10 % of our best in a run, and the worst cell; nothing without epochs of ours.

    Nothing either where the run did not record the width of vectors, with which auto decides.
    """
    return list(_found(run)) if run.environment.vector_bytes else []


@lru_cache(maxsize=1)
def _found(run: Run) -> tuple[str, ...]:
    """Return the sentences of a run, which the terminal, the page and the Markdown ask for: data are loaded once."""
    return tuple(in_words(auto_table(run.summary, run.plan.networks, run.environment.vector_bytes)))


def in_words(table: pd.DataFrame) -> list[str]:
    """Say what a table of ``auto_table`` shows; cells in which auto's variant was not measured are counted apart."""
    judged = table[table["slowdown"].notna()]
    unjudged = len(table) - len(judged)
    found = [f"In {unjudged} of {len(table)} cells the variant that auto takes was not measured."] if unjudged else []
    if judged.empty:
        return found
    worst = judged.sort_values("slowdown", kind="stable").iloc[-1]
    return [
        f"auto takes a variant within 10 % of the best of ours in {judged['within'].sum()} of {len(judged)} cells "
        f"(worst: {worst['auto']} takes {times(worst['slowdown'])} the time of {worst['best']}, {worst['network']} on "
        f"{worst['dataset']} in {worst['dtype']} at batch size {worst['batch_size']}, threads {worst['threads']}).",
        *found,
    ]


def _judge(cell: pd.DataFrame, choice: Choice) -> AutoJudgement:
    """Compare the first choice that is not refused with the fastest; both are empty where nothing was measured."""
    refused = set(cell["variant"][cell["status"] == FAILED])
    auto = preferred(choice, refused) or ""
    measured = cell[cell["status"] == MEASURED].set_index("variant")["seconds"]
    best = "" if measured.empty else str(measured.idxmin())
    slowdown = float(measured[auto] / measured[best]) if auto in measured else math.nan
    first = cell.iloc[0]
    return AutoJudgement(
        network=first["network"],
        dataset=first["dataset"],
        task=first["task"],
        batch_size=int(first["batch_size"]),
        dtype=first["dtype"],
        threads=int(first["threads"]),
        auto=auto,
        best=best,
        slowdown=slowdown,
        within=slowdown <= MAX_SLOWDOWN,
    )
