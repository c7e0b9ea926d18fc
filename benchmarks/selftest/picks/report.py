"""The report of the studies of picks: ``report.md`` and a picture, made anew from the measurements each time."""

from __future__ import annotations

from pathlib import Path

from gdbench.basics.storage import write_text
from selftest.journal import Journal
from selftest.picks.exact_tables import exact_parts
from selftest.picks.findings import ORACLES, REGRETS, TABLES, latest
from selftest.picks.pictures import draw
from selftest.picks.real_tables import real_parts

PICTURE = "picks.png"
INTRODUCTION = """# How good the picks are

Made by `python benchmarks/selftest/run.py oracles empirical`; every number below is computed from `measurements.jsonl`
beside this file. The regret of a pick is how much longer training takes at the picked batch size and learning rate than
at the best batch size with its best rate: 2 % is 1.02 times as long. A 90th percentile is a value that occurred.
"""


def measured(folder: Path) -> bool:
    """Whether a folder holds findings of these studies."""
    return any(Journal(folder).entries(part) for part in (ORACLES, TABLES))


def write_report(folder: Path) -> Path:
    """Write the report of whatever has been measured so far."""
    journal = Journal(folder)
    searches, tables, regrets = (latest(journal, part) for part in (ORACLES, TABLES, REGRETS))
    tiers = dict.fromkeys(search["tier"] for search in searches)
    exact = [exact_parts([search for search in searches if search["tier"] == tier], tier) for tier in tiers]
    parts = [INTRODUCTION, *(part for parts in exact for part in parts), *real_parts(tables, regrets)]
    if searches:
        parts.insert(1, f"![Regrets of picks and fixed rules, and costs of searches]({PICTURE})\n")
        draw(folder / PICTURE, searches)
    path = folder / "report.md"
    write_text(path, "\n".join(parts))
    return path
