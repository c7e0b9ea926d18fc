"""What a run shows, in sentences: which variant and batch size is fastest per epoch, and what it ties with."""

from __future__ import annotations

import pandas as pd

from gdbench.basics.units import digits, interval, seconds, times
from gdbench.experiments.cases import FAILED, MEASURED
from gdbench.experiments.variants import is_peer
from gdbench.machine.roofline import share
from gdbench.run.folder import Run
from gdbench.run.summary import LEAD_UNKNOWN
from kernels.errors import choices

CAUTION = (
    "Fastest per epoch is not fastest to a target loss: a larger batch makes fewer updates in an epoch, "
    "and may need many more epochs."
)
MAX_TIES = 3


def sentences(run: Run) -> list[str]:
    """Return a sentence per network and data set, then what failed; empty when nothing was measured."""
    return [*answers(run), *failures(run)]


def answers(run: Run) -> list[str]:
    """Return a sentence on the fastest variant per network and data set that was measured."""
    return list(filter(None, (_fastest(table) for _, table in experiments(run.summary))))


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


def _fastest(table: pd.DataFrame) -> str | None:
    found = fastest(table)
    if found is None:
        return None
    best, ties = found
    per_row = best["seconds_per_row"] / best["seconds"]
    what = "epoch" if best["task"] == "epoch" else f"row of a call of {best['task']}"
    coverage = f"{digits(100 * best['interval_coverage'])} % interval over {best['blocks']} processes"
    sentence = (
        f"{best['network']} on {best['dataset']} ({best['sizes']}): "
        f"{_name(best['variant'])} at batch size {best['batch_size']} in {best['dtype']} is fastest per {what}, "
        f"{seconds(best['seconds'])} or {seconds(best['seconds_per_row'])} a row "
        f"({interval(best['seconds_low'] * per_row, best['seconds_high'] * per_row)}, {coverage})"
    )
    return f"{sentence}{_compared(best)}. {_ties(ties)}"


def _compared(best: pd.Series) -> str:
    """Speed relative to the reference and to the fastest peer, and the fraction of the limit, as far as there are."""
    parts = []
    if pd.notna(best["speedup_vs_reference"]) and best["variant"] != "reference":
        low, high = best["speedup_low"], best["speedup_high"]
        parts.append(
            f"{times(best['speedup_vs_reference'])} the speed of the reference ({digits(low)} to {times(high)})"
        )
    if pd.notna(best["speedup_vs_best_peer"]) and best["variant"] != best["best_peer"]:
        low, high = best["speedup_vs_best_peer_low"], best["speedup_vs_best_peer_high"]
        speed = times(best["speedup_vs_best_peer"])
        parts.append(f"{speed} that of the fastest peer there, {best['best_peer']} ({digits(low)} to {times(high)})")
    if best["best_peer"] == LEAD_UNKNOWN and not is_peer(best["variant"]):
        parts.append(f"its {LEAD_UNKNOWN}, since a peer failed there")
    if pd.notna(best["fraction_of_limit"]):
        parts.append(f"{share(best['fraction_of_limit'])} of the speed that the machine's limits allow")
    return "".join(f", {part}" for part in parts)


def _name(variant: str) -> str:
    return f"{variant} (a peer)" if is_peer(variant) else variant


def _ties(ties: pd.DataFrame) -> str:
    if ties.empty:
        return "No other case's interval overlaps it."
    names = [
        f"{_name(row['variant'])} at {row['batch_size']} in {row['dtype']}" for _, row in ties.head(MAX_TIES).iterrows()
    ]
    more = f" and {len(ties) - MAX_TIES} more" if len(ties) > MAX_TIES else ""
    return f"Tied with the fastest: {', '.join(names)}{more}."


def failures(run: Run) -> list[str]:
    """Return a sentence per variant that failed on a network and data set."""
    failed = run.summary[run.summary["status"] == FAILED]
    groups = failed.groupby(["variant", "network", "dataset", "reason"], sort=False)
    return [
        f"FAILED: {variant} on {network} on {dataset} in {choices(group['dtype'].unique())}, "
        f"{len(group)} case{'s' if len(group) > 1 else ''}, in no ranking: {reason}."
        for (variant, network, dataset, reason), group in groups
    ]
