"""Findings on a history as rows of text; steps of the environment, which all cases share, take one row a commit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gdbench.history.labels import ENVIRONMENT, IMPROVEMENT, REGRESSION

Record = dict[str, Any]
HEAD = ("commit", "case", "size", "label", "status", "history")
SHORT = 8


def rows(record: Record) -> list[tuple[str, ...]]:
    """Return the steps in order, as cells under ``HEAD``."""
    lines = [_line(step) for step in record["steps"] if step["label"] != ENVIRONMENT]
    return [*lines, *_environment_lines(record)]


def size(step: dict[str, Any]) -> str:
    """Write a size with its sign and interval: ``+10.3 % (+8.1 to +12.4 %)``."""
    whole, low, high = (_percent(step[name]) for name in ("ratio", "low", "high"))
    return f"{whole} % ({low} to {high} %)"


def headline(record: Record) -> str:
    """Say in a sentence what was found."""
    counts = {name: sum(step["label"] == name for step in record["steps"]) for name in (REGRESSION, IMPROVEMENT)}
    environment = len({step["commit"] for step in record["steps"] if step["label"] == ENVIRONMENT})
    read = f"{record['judged']} cases over {record['commits']} commits on {record['machine']}"
    if not record["judged"]:
        return f"{read}: too few results for any case to be judged"
    found = f"{_count(counts[REGRESSION], 'regression')} and {_count(counts[IMPROVEMENT], 'improvement')} proposed"
    shared = f", {_count(environment, 'change')} of the environment" if environment else ""
    return f"{read}: {found}{shared}{_confirmed(record)}"


def remarks(record: Record) -> Iterator[str]:
    """Yield what rows leave no room for."""
    for step in record["steps"]:
        if step["label"] == ENVIRONMENT:
            continue
        name = f"{step['commit'][:SHORT]} {step['case']}"
        for note in step["notes"]:
            yield f"{name}: {note}"
        if step["commits_without_result"]:
            yield f"{name}: the {_count(step['commits_without_result'], 'commit')} before it have no result"
        if step["confirmation"]:
            yield f"{name}: {_told(step['confirmation'])}"
    yield from record["skipped"]


def subjects(record: Record) -> dict[str, str]:
    """First lines of the commits' messages by the short hash."""
    return {step["commit"][:SHORT]: step["subject"] for step in record["steps"] if step["subject"]}


def _line(step: dict[str, Any]) -> tuple[str, ...]:
    confirmation = step["confirmation"]
    status = f"{step['status']}, {confirmation['status']}" if confirmation else step["status"]
    return step["commit"][:SHORT], step["case"], size(step), step["label"], status, step["spark"]


def _environment_lines(record: Record) -> Iterator[tuple[str, ...]]:
    steps = [step for step in record["steps"] if step["label"] == ENVIRONMENT]
    for commit in dict.fromkeys(step["commit"] for step in steps):
        group = [step for step in steps if step["commit"] == commit]
        ratio = float(np.median([step["ratio"] for step in group]))
        cases = group[0]["case"] if len(group) == 1 else f"{len(group)} cases"
        text = f"{_percent(ratio)} %{' in the median' if len(group) > 1 else ''}"
        yield commit[:SHORT], cases, text, ENVIRONMENT, group[0]["notes"][0], group[0]["spark"]


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):+.1f}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _confirmed(record: Record) -> str:
    told = [step["confirmation"]["status"] for step in record["steps"] if step["confirmation"]]
    if not told:
        return ""
    return "; measured again: " + ", ".join(f"{told.count(status)} {status}" for status in dict.fromkeys(told))


def _told(confirmation: dict[str, Any]) -> str:
    commit = f" at {confirmation['commit'][:SHORT]}" if confirmation["commit"] else ""
    measured = (
        f", {size(confirmation)}" if confirmation["ratio"] and confirmation["low"] and confirmation["high"] else ""
    )
    return f"{confirmation['status']}{commit}{measured}: {confirmation['reason']}"
