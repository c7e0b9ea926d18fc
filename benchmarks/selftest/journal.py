"""Measurements as JSON lines, written as each one ends: a kill loses one, and a later call goes on."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = "measurements.jsonl"


@dataclass(frozen=True)
class Journal:
    """The measurements of a folder; each belongs to a part and bears a key of its own there."""

    folder: Path

    @property
    def path(self) -> Path:
        """File of the measurements."""
        return self.folder / FILE

    def entries(self, part: str) -> list[dict[str, Any]]:
        """Measurements of a part, in the order in which they were made; a line that was cut off is passed over."""
        if not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines if line.endswith("}") and line.startswith("{")]
        return [entry for entry in found if entry["part"] == part]

    def has(self, part: str, key: str) -> bool:
        """Whether a measurement has been made already."""
        return any(entry["key"] == key for entry in self.entries(part))

    def write(self, part: str, key: str, **values: Any) -> None:
        """Append a measurement; it is on the disk when this returns."""
        self.folder.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"part": part, "key": key, **values}, allow_nan=False)
        torn = self.path.exists() and self.path.read_bytes()[-1:] not in (b"", b"\n")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("\n" if torn else "") + line + "\n")
            file.flush()
            os.fsync(file.fileno())
