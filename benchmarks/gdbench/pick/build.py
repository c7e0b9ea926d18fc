"""The record of a pick: both halves, the choice and its words, as plain data for every view and for ``--replan``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from gdbench.basics.exit_codes import INTERRUPTED, NOT_ENOUGH_EVIDENCE, OK
from gdbench.machine.environment import Environment
from gdbench.pick.choose.choice import BatchSizeChoice, NoChoice
from gdbench.pick.record.file import FORMAT, Record, plain
from gdbench.pick.seconds.times import Times
from gdbench.pick.steps.answer import Steps
from gdbench.pick.views.limits import limits
from gdbench.pick.views.sentences import sentences


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
