"""The fastest of our variants against the fastest peer, in every cell of a run and on the whole."""

from __future__ import annotations

from statistics import geometric_mean

import pandas as pd

from gdbench.basics.units import percent, seconds, times, times_within
from gdbench.cold_start.payback import BASELINE
from gdbench.experiments.cases import FAILED, MEASURED
from gdbench.experiments.datasets import describe_zeros
from gdbench.experiments.variants import is_peer
from gdbench.report.findings import experiments, headline_task
from gdbench.report.leads import lead_in_words, leads, mean_lead, our_fastest
from gdbench.report.tables import Table, column_title, table_title
from gdbench.run.folder import Run
from gdbench.run.summary import CELL, LEAD_UNKNOWN
from kernels.errors import choices

ROWS = ("our fastest", "of the limit", "of the peak", "fastest peer", "speed, peer = 1x")


def peer_tables(run: Run) -> list[Table]:
    """Return a table per network, data set and number of threads, a column per batch size; for the headline task.

    Each dtype has our fastest variant with its time per row and its fractions of the machine's limit and of the core's
    peak, the fastest peer, and the ratio of their speeds with its interval; where a peer failed, the lead is unknown.
    Rows of which nothing is known are left out.
    """
    return [
        _table(f"{network} on {dataset} ({describe_zeros(dataset)})", part)
        for (network, dataset), table in experiments(run.summary)
        for _, part in table[table["task"] == headline_task(table)].groupby("threads", sort=False)
        if (part["status"] == MEASURED).any()
    ]


def peer_sentences(run: Run) -> list[str]:
    """Return the geometric mean of the ratios over all cells, where they are unknown, and what was not measured."""
    found = leads(run)
    means = _mean(run, found[found["speedup_vs_best_peer"].notna()])
    return [*means, *_unknown(run, found), *_against_baseline(run, found), *_left_out(run)]


def _table(name: str, table: pd.DataFrame) -> Table:
    sizes = sorted(table["batch_size"].unique())
    peers = table.set_index(["variant", "dtype", "batch_size"])["seconds_per_row"]
    cells = {(row["dtype"], row["batch_size"]): _cells(row, peers) for _, row in our_fastest(table).iterrows()}
    rows = []
    for dtype in sorted(table["dtype"].unique()):
        columns = [cells.get((dtype, size), ("-",) * len(ROWS)) for size in sizes]
        lines = zip(ROWS, zip(*columns, strict=True), strict=True)
        rows += [(what, str(dtype), *line) for what, line in lines if set(line) != {"-"}]
    head = ("", "dtype", *(column_title(table, size) for size in sizes))
    return Table(f"{table_title(name, table)}: the fastest by batch size", head, tuple(rows), best=None)


def _cells(row: pd.Series, peers: pd.Series) -> tuple[str, ...]:
    ours = f"{row['variant']}\n{seconds(row['seconds_per_row'])}"
    fractions = percent(row["fraction_of_limit"]), percent(row["fraction_of_peak"])
    if row["best_peer"] == LEAD_UNKNOWN:
        return ours, *fractions, "unknown", LEAD_UNKNOWN
    if pd.isna(row["speedup_vs_best_peer"]):
        return ours, *fractions, "-", "-"
    return (
        ours,
        *fractions,
        f"{row['best_peer']}\n{seconds(peers[row['best_peer'], row['dtype'], row['batch_size']])}",
        lead_in_words(row).replace(" ", "\n", 1),
    )


def _mean(run: Run, found: pd.DataFrame) -> list[str]:
    if found.empty:
        return []
    worst = found.sort_values("speedup_vs_best_peer").iloc[0]
    cells = f"{len(found)} cells of network, data set, dtype and batch size" if len(found) > 1 else "the one cell"
    return [
        f"Over {cells} our fastest variant has {times_within(*mean_lead(run, found)[:3])} the speed of the "
        f"fastest peer (geometric mean); the least is {lead_in_words(worst)}, {_named(worst)}."
    ]


def _unknown(run: Run, found: pd.DataFrame) -> list[str]:
    """Say in how many cells a peer failed, which may be the fastest there: no lead is claimed over the others."""
    cells = found[found["best_peer"] == LEAD_UNKNOWN]
    if cells.empty:
        return []
    failed = run.summary[(run.summary["status"] == FAILED) & run.summary["variant"].map(is_peer).astype(bool)]
    return [
        f"In {len(cells)} of {len(found)} cells the lead is unknown, since a peer failed there that may be the "
        f"fastest: {choices(failed['variant'].unique())}."
    ]


def _against_baseline(run: Run, found: pd.DataFrame) -> list[str]:
    """Return the speed of our fastest variants relative to what a NumPy tutorial teaches."""
    plain = run.summary[(run.summary["variant"] == BASELINE) & (run.summary["status"] == MEASURED)]
    both = found.merge(plain[[*CELL, "seconds"]], on=CELL, suffixes=("", "_plain"))
    if both.empty:
        return []
    ratios = both["seconds_plain"] / both["seconds"]
    most, least = both.iloc[int(ratios.argmax())], both.iloc[int(ratios.argmin())]
    return [
        f"Our fastest variant has {times(geometric_mean(ratios))} the speed of {BASELINE} (geometric mean); the most "
        f"is {times(ratios.max())}, {_named(most)}, the least {times(ratios.min())}, {_named(least)}."
    ]


def _named(cell: pd.Series) -> str:
    return f"{cell['network']} on {cell['dataset']} in {cell['dtype']} at batch size {cell['batch_size']}"


def _left_out(run: Run) -> list[str]:
    """Say what was not compared with, in one sentence: nothing is left out in silence."""
    missing = {name: reason for name, reason in (run.environment.unavailable or {}).items() if is_peer(name)}
    if run.summary["variant"].map(is_peer).any():
        reasons = {reason: [name for name in missing if missing[name] == reason] for reason in missing.values()}
        said = "; ".join(f"{choices(names)} ({reason})" for reason, names in reasons.items())
        return [f"Not measured: {said}."] if missing else []
    remedy = "take --profile peers, or name peers by --variant"
    absent = f" Not available here, as gdbench list explains: {choices(missing)}." if missing else ""
    return [f"No peer was measured in this run: {remedy}.{absent}"]
