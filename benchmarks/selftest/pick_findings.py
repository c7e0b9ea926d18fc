"""What the studies of picks keep: where, by which version of the code, and the last of several."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import gdbench.pick
from selftest.journal import Journal
from selftest.tree import ROOT

PICK_FOLDER = ROOT / "reports" / "pick-selftest"
TRUTHS = "truths.jsonl"
ORACLES, TABLES, REGRETS = "oracles", "tables", "regrets"
"""Parts of the journal from which the report is made."""
SEARCHING = (
    *("blocks", "choice", "choice_table", "choose", "curve", "estimates", "hitting", "measure_steps", "objectives"),
    *("race", "rate_law", "search", "steps", "steps_table", "tiers"),
)
"""Modules of ``gdbench.pick`` that decide what is picked, given a problem."""


def code_of_search() -> str:
    """Tell apart versions of the code that searches and chooses."""
    digest = hashlib.sha256()
    for name in SEARCHING:
        digest.update(Path(gdbench.pick.__path__[0], f"{name}.py").read_bytes())
    return digest.hexdigest()[:12]


def latest(journal: Journal, part: str) -> list[dict[str, Any]]:
    """Last measurement of every key, in the order of the keys: older ones are those of older code."""
    found = {entry["key"]: entry for entry in journal.entries(part)}
    return [found[key] for key in sorted(found)]


def put(journal: Journal, part: str, key: str, **values: Any) -> None:
    """Write a finding, unless the last one of its key is the same."""
    last = next((entry for entry in latest(journal, part) if entry["key"] == key), None)
    if last != json.loads(json.dumps({"part": part, "key": key, **values})):
        journal.write(part, key, **values)
