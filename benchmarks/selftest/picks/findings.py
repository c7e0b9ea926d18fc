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
ORACLES, SIMULATED, TABLES, REGRETS = "oracles", "simulated", "tables", "regrets"
"""Parts of the journal from which the report is made."""
ROOTS, ELSEWHERE = ("steps.measure", "choose.choose"), ("steps.problem",)
"""Modules of ``gdbench.pick`` that search and choose, and those that decide nothing given a problem."""
RUNS = ("steps.problem", "steps.crossing")
"""Modules that runs and the steps told of them depend on."""
IMPORTED = re.compile(r"^from gdbench\.pick\.([\w.]+) import", re.MULTILINE)


def code_of_search() -> str:
    """Hash of the code that searches and chooses: the modules above and what they import."""
    return _hash_of(ROOTS, ELSEWHERE)


def code_of_runs() -> str:
    """Hash of the code that makes runs and tells where they cross a goal: those of older code are not comparable."""
    return f"{_hash_of(RUNS)} {hashlib.sha256(Path(__file__).with_name('runs.py').read_bytes()).hexdigest()[:12]}"


def _hash_of(roots: tuple[str, ...], without: tuple[str, ...] = ()) -> str:
    folder, waiting, found = Path(gdbench.pick.__path__[0]), list(roots), dict[str, str]()
    while waiting:
        name = waiting.pop()
        if name not in found and name not in without:
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
