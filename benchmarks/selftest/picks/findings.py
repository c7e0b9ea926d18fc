"""What the studies of picks keep: where, by which version of the code, and the last of several."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import gdbench.pick
from selftest import ROOT
from selftest.journal import Journal

PICK_FOLDER = ROOT / "reports" / "pick-selftest"
TRUTHS = "truths.jsonl"
ORACLES, TABLES, REGRETS = "oracles", "tables", "regrets"
"""Parts of the journal from which the report is made."""
ROOTS, ELSEWHERE = ("steps.measure", "choose.choose"), ("steps.problem",)
"""Modules of ``gdbench.pick`` that search and choose, and those that decide nothing given a problem."""
IMPORTED = re.compile(r"^from gdbench\.pick\.([\w.]+) import", re.MULTILINE)


def code_of_search() -> str:
    """Hash of the code that searches and chooses: the modules above and what they import."""
    folder, waiting, found = Path(gdbench.pick.__path__[0]), list(ROOTS), dict[str, str]()
    while waiting:
        name = waiting.pop()
        if name not in found and name not in ELSEWHERE:
            found[name] = (folder / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8")
            waiting += IMPORTED.findall(found[name])
    return hashlib.sha256("".join(found[name] for name in sorted(found)).encode()).hexdigest()[:12]


def latest(journal: Journal, part: str) -> list[dict[str, Any]]:
    """Last measurement of every key, in the order of the keys: older ones are those of older code."""
    found = {entry["key"]: entry for entry in journal.entries(part)}
    return [found[key] for key in sorted(found)]


def put(journal: Journal, part: str, key: str, **values: Any) -> None:
    """Write a finding, unless the last one of its key is the same."""
    last = next((entry for entry in latest(journal, part) if entry["key"] == key), None)
    if last != json.loads(json.dumps({"part": part, "key": key, **values})):
        journal.write(part, key, **values)
