"""The file of a pick's record: plain data for every view and for ``--replan``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from gdbench.basics.storage import write_text
from gdbench.pick.seconds.times import Knee, TimeModel, Times, TimesRow
from gdbench.pick.steps.answer import Curve, RateLaw, Steps, StepsRow, Target
from kernels import InputError

FILE = "pick.json"
FORMAT = 1

Record = dict[str, Any]
Made = TypeVar("Made")


def plain(value: Any) -> Any:
    """Return a value as JSON has it: lists, text keys, Python's numbers, None for what is not finite."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_record(record: Record, path: Path) -> None:
    """Write a record whole."""
    write_text(path, json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read_record(path: str | Path) -> Record:
    """Read the record of a pick: the file, or the folder that it lies in.

    Raises
    ------
    InputError
        If there is none, or it is of another format.
    """
    path = Path(path)
    file = path / FILE if path.is_dir() else path
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} holds no record of gdbench pick: name a {FILE} that it wrote") from error
    if not isinstance(record, dict) or not {"format", "steps", "times", "settings"} <= record.keys():
        raise InputError(f"{path} is not a record of gdbench pick: name a {FILE} that it wrote")
    if record["format"] != FORMAT:
        raise InputError(f"{path} was written by another version of gdbench: pick again")
    return record


def steps_from_record(record: Record) -> Steps:
    """Return the statistical half of a record.

    Raises
    ------
    InputError
        If the record has none, or it is damaged.
    """
    found = _part(record, "steps")
    try:
        rows = tuple(_made(StepsRow, row) for row in found["rows"])
        whole = {
            **found,
            "target": _made(Target, found["target"]),
            "rows": rows,
            "covariance": tuple(tuple(float(entry) for entry in line) for line in found["covariance"]),
            "curve": found["curve"] and _made(Curve, found["curve"]),
            "rate_law": found["rate_law"] and _made(RateLaw, found["rate_law"]),
            "warnings": tuple(found["warnings"]),
        }
        made = _made(Steps, whole)
        reached = sum(row.steps is not None for row in rows)
        np.array(made.covariance, float).reshape(reached, reached)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged("steps") from error
    return made


def times_from_record(record: Record) -> Times:
    """Return the hardware half of a record; raises InputError like ``steps_from_record``."""
    found = _part(record, "times")
    try:
        model = {**found["model"], "knees": tuple(_made(Knee, knee) for knee in found["model"]["knees"])}
        whole = {
            **found,
            "rows": tuple(_made(TimesRow, row) for row in found["rows"]),
            "model": _made(TimeModel, model),
            "warnings": tuple(found["warnings"]),
        }
        return _made(Times, whole)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged("times") from error


def _part(record: Record, name: str) -> Record:
    found = record.get(name)
    if not isinstance(found, dict):
        raise InputError(f"the record has no {name}: name a record of a search that measured them")
    return found


def _made(cls: type[Made], values: Mapping[str, Any]) -> Made:
    """Make a dataclass of what JSON kept of it; a missing number where there must be one is NaN."""
    known = {field.name: field.type for field in fields(cls)}  # type: ignore[arg-type]
    return cls(
        **{name: math.nan if value is None and known[name] == "float" else value for name, value in values.items()}
    )


def _damaged(name: str) -> InputError:
    return InputError(f"the {name} of this record are damaged or of another version of gdbench: pick again")
