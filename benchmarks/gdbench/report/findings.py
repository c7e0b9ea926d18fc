"""What a run found, for all views of it: its experiments, the fastest case of one, and what failed."""

from __future__ import annotations

import pandas as pd

from gdbench.basics.exit_codes import KERNEL_WRONG, OK
from gdbench.experiments.cases import FAILED, MEASURED
from gdbench.run.folder import Run
from kernels.errors import choices


def experiments(summary: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """Split a summary by network and data set, in the order of the plan."""
    pairs = summary[["network", "dataset"]].drop_duplicates().itertuples(index=False)
    return [
        ((network, dataset), summary[(summary["network"] == network) & (summary["dataset"] == dataset)])
        for network, dataset in pairs
    ]


def headline_task(summary: pd.DataFrame) -> str:
    """Task that tables and sentences are about: the epoch where it is in the plan, else the plan's last task."""
    tasks = list(summary["task"].unique())
    return "epoch" if "epoch" in tasks else str(tasks[-1])


def fastest(table: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame] | None:
    """Return the case of one task with the least time per row, and those whose intervals overlap its own."""
    measured = table[(table["status"] == MEASURED) & (table["task"] == headline_task(table))]
    if measured.empty:
        return None
    best = measured.iloc[int(measured["seconds_per_row"].argmin())]
    limit = best["seconds_high"] * best["seconds_per_row"] / best["seconds"]
    lows = measured["seconds_low"] * measured["seconds_per_row"] / measured["seconds"]
    return best, measured[(lows <= limit) & (measured.index != best.name)].sort_values("seconds_per_row")


def failures(run: Run) -> list[str]:
    """Return a sentence per variant that failed on a network and data set."""
    failed = run.summary[run.summary["status"] == FAILED]
    groups = failed.groupby(["variant", "network", "dataset", "reason"], sort=False)
    return [
        f"FAILED: {variant} on {network} on {dataset} in {choices(group['dtype'].unique())}, "
        f"{len(group)} case{'s' if len(group) > 1 else ''}, in no ranking: {reason}."
        for (variant, network, dataset, reason), group in groups
    ]


def exit_code(run: Run) -> int:
    """4 when a variant failed or nothing was measured, otherwise 0; cases that are still missing are no fault."""
    found = set(run.summary["status"])
    return OK if MEASURED in found and FAILED not in found else KERNEL_WRONG
