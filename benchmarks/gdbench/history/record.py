"""The findings on a history as plain data for every view of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from gdbench.basics.exit_codes import KERNEL_WRONG, NOT_ENOUGH_EVIDENCE, OK, REGRESSED
from gdbench.history.bisect import CONFIRMED, OPEN, Confirmation
from gdbench.history.labels import Proposal, label
from gdbench.history.series import History
from gdbench.history.spark import spark
from gdbench.history.steps import find_steps
from gdbench.history.vote import MIN_VALUES

FORMAT = 1


def proposals(history: History) -> list[Proposal]:
    """Return the labelled steps of a history, sorted by what matters."""
    return label(history, find_steps(history))


def judged(history: History) -> list[str]:
    """Cases that have enough results for a step to be seen."""
    return [case for case, values in history.values.items() if np.isfinite(values).sum() >= MIN_VALUES]


def make_record(
    history: History, found: list[Proposal], confirmations: Mapping[int, Confirmation] | None = None
) -> dict[str, Any]:
    """Return all that is known as plain JSON values.

    Parameters
    ----------
    history, found
        What was read, and its labelled steps.
    confirmations
        By the position in ``found``; None when nothing was measured again.
    """
    told = confirmations or {}
    rows = [_row(history, proposal, told.get(i)) for i, proposal in enumerate(found)]
    return {
        "format": FORMAT,
        "machine": history.machine,
        "commits": len(history.commits),
        "first": history.commits[0].commit,
        "last": history.commits[-1].commit,
        "cases": len(history.values),
        "judged": len(judged(history)),
        "confirmed": confirmations is not None,
        "steps": rows,
        "skipped": list(history.skipped),
        "exit_code": exit_code(history, confirmations),
    }


def exit_code(history: History, confirmations: Mapping[int, Confirmation] | None) -> int:
    """Return 4 when no case could be judged, and 1 or 3 only after measuring again: a proposal proves nothing."""
    if not judged(history):
        return KERNEL_WRONG
    statuses = {found.status for found in (confirmations or {}).values()}
    if CONFIRMED in statuses:
        return REGRESSED
    return NOT_ENOUGH_EVIDENCE if OPEN in statuses else OK


def _row(history: History, proposal: Proposal, confirmation: Confirmation | None) -> dict[str, Any]:
    step = proposal.step
    commit, since = history.commits[step.at], history.commits[step.since]
    case = history.cases.get(step.case)
    return {
        "case": step.case,
        "axes": case.to_dict() if case else None,
        "label": proposal.label,
        "status": proposal.status,
        "notes": list(proposal.notes),
        "commit": commit.commit,
        "subject": commit.subject,
        "date": commit.date,
        "since": since.commit,
        "commits_without_result": commit.order - since.order - 1,
        "ratio": step.ratio,
        "low": step.low,
        "high": step.high,
        "spark": spark(history.values[step.case]),
        "confirmation": _plain(asdict(confirmation)) if confirmation else None,
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Replace numbers that JSON has not."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()
    }
