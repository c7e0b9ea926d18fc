"""Section of the self-test's report: how many simulated histories are labelled right, by event and noise."""

from __future__ import annotations

from typing import Any

from selftest.histories.study import PART
from selftest.histories.worlds import COMMITS, EVENTS, NEAR
from selftest.journal import Journal
from selftest.markdown import percent, section, table
from selftest.noises import NOISES

FAULTS = ("missed", "mislabelled", "invented")


def report(journal: Journal) -> str:
    """Return the section on whatever has been simulated; empty where nothing has."""
    entries = journal.entries(PART)
    if not entries:
        return ""
    order = [*EVENTS]
    groups: dict[tuple[int, int, float], list[dict[str, Any]]] = {}
    for row in entries:
        groups.setdefault((order.index(row["event"]), row["cases"], row["sd"]), []).append(row)
    lines = [
        [order[event], str(cases), percent(sd), *(_right(rows, noise) for noise in NOISES), *_faults(rows)]
        for (event, cases, sd), rows in sorted(groups.items())
    ]
    counts = " or ".join(f"{count:,}" for count in sorted({row["histories"] for row in entries}))
    text = (
        f"\nEach cell is the share of {counts} histories that are labelled right: each step in its case within "
        f"{NEAR} commits, with its label, each drift in its case, and nothing else. The last columns count faults over "
        "all noises; a history may have several.\n"
    )
    head = ["what happened", "cases", "noise", *NOISES, *FAULTS]
    return section(f"Simulated histories of {COMMITS} commits", table(head, lines) + text)


def _right(rows: list[dict[str, Any]], noise: str) -> str:
    """Share of the histories in one noise."""
    there = [row for row in rows if row["noise"] == noise]
    histories = sum(row["histories"] for row in there)
    return percent(sum(row["right"] for row in there) / histories if histories else None)


def _faults(rows: list[dict[str, Any]]) -> list[str]:
    """Histories with each fault."""
    return [str(sum(row[fault] for row in rows)) for fault in FAULTS]
