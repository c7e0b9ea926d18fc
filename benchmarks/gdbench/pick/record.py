"""The record of a pick: both halves, the choice and its words, as plain data for every view and for ``--replan``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from gdbench.basics.exit_codes import INTERRUPTED, NOT_ENOUGH_EVIDENCE, OK
from gdbench.basics.storage import write_text
from gdbench.machine.environment import Environment
from gdbench.pick.choice import BatchSizeChoice, NoChoice
from gdbench.pick.limits import limits
from gdbench.pick.sentences import sentences
from gdbench.pick.steps import Curve, RateLaw, Steps, StepsRow, Target
from gdbench.pick.times import Knee, TimeModel, Times, TimesRow
from kernels import InputError

FILE = "pick.json"
FORMAT = 1
"""Exit codes."""

Record = dict[str, Any]
Made = TypeVar("Made")


def build_record(
    *,
    command: str,
    data: Mapping[str, Any],
    network: Mapping[str, Any],
    environment: Environment,
    settings: Mapping[str, Any],
    steps: Steps | None,
    times: Times | None,
    choice: BatchSizeChoice | NoChoice | None,
    seconds: Mapping[str, float | None],
    progress: str = "",
    interrupted: str = "",
    warnings: Sequence[str] = (),
    earlier: Mapping[str, Any] | None = None,
    date: str | None = None,
    exit_code: int | None = None,
) -> Record:
    """Return the record of a pick, ready for JSON; numbers that JSON has not are None.

    Parameters
    ----------
    command
        As typed.
    data, network, environment, settings
        What was picked for, where, and what was asked; kept as given.
    steps, times, choice
        Each may be None if it was not made.
    seconds
        That the search took: ``steps``, ``times``, ``total``.
    progress
        How far it got, in words.
    interrupted
        Why it did not come to its end, such as ``stopped by SIGTERM``; empty if it did.
    warnings
        Beside those of the two halves.
    earlier
        Record whose steps were taken over, if any: what it chose is told beside the new choice.
    exit_code
        In place of 0, 3 and 130, which follow from the other arguments.
    """
    found = choice if isinstance(choice, BatchSizeChoice) else None
    status, reason = _status(steps, choice)
    record = {
        "format": FORMAT,
        "command": command,
        "date": date or datetime.now(UTC).isoformat(timespec="seconds"),
        "complete": not interrupted,
        "progress": "; ".join(part for part in (interrupted, progress) if part),
        "data": dict(data),
        "network": dict(network),
        "environment": asdict(environment),
        "settings": dict(settings),
        "status": status,
        "reason": reason,
        "steps": asdict(steps) if steps is not None else None,
        "times": asdict(times) if times is not None else None,
        "choice": asdict(found) if found is not None else None,
        "earlier": _earlier(earlier),
        "seconds": dict(seconds),
        "warnings": [*(steps.warnings if steps else ()), *(times.warnings if times else ()), *warnings],
        "exit_code": _exit_code(found, interrupted) if exit_code is None else exit_code,
    }
    record = plain(record)
    return {**record, "sentences": sentences(record), "limits": limits(record)}


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


def _status(steps: Steps | None, choice: BatchSizeChoice | NoChoice | None) -> tuple[str, str]:
    if isinstance(choice, NoChoice):
        return choice.status, choice.reason
    if steps is not None:
        return steps.status, steps.reason
    return ("reached", "") if choice is not None else ("budget", "nothing was measured")


def _exit_code(choice: BatchSizeChoice | None, interrupted: str) -> int:
    if interrupted:
        return INTERRUPTED
    return OK if choice is not None else NOT_ENOUGH_EVIDENCE


def _earlier(record: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Keep of another pick what the difference of two answers comes from."""
    if record is None or not record.get("choice"):
        return None
    environment, choice = record.get("environment") or {}, record["choice"]
    kept = {name: choice[name] for name in ("batch_size", "rate", "variant", "seconds", "half_throughput")}
    asked = {name: record["settings"].get(name) for name in ("threads", "dtype", "objective")}
    return {**kept, **asked, "cpu": environment.get("cpu"), "date": record.get("date")}
