"""What a comparison found of all cases together, and of those that share something: it stands first in every view."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gdbench.compare.judge.groups import SUITE
from gdbench.compare.judge.terms import IMPROVED, REGRESSED, UNCHANGED, GroupVerdict
from gdbench.compare.record.record import Comparison
from gdbench.compare.views.tables import ratio_text

CHANGED = (REGRESSED, IMPROVED)
STATES = {REGRESSED: "slower", IMPROVED: "faster", UNCHANGED: "unchanged"}
MAX_NAMED = 3
"""Groups that a sentence names."""


@dataclass(frozen=True)
class GroupLine:
    """The suite or a group as text."""

    verdict: str
    name: str
    cases: str
    ratio: str
    reason: str


def group_lines(record: Comparison, *, every: bool) -> list[GroupLine]:
    """Return the suite as a line and, below it, groups: all, or those that changed, the farthest from 1 first."""
    chosen = [group for group in sorted(record.groups, key=_rank) if every or group.verdict in CHANGED]
    return [_line(group) for group in (record.suite, *chosen)] if record.suite.ratio is not None else []


def sentences(record: Comparison) -> Iterator[str]:
    """Say how the suite fares, and which groups became slower, where that is known."""
    suite = record.suite
    if suite.ratio is None:
        return
    if suite.verdict in STATES:
        yield f"The suite is {STATES[suite.verdict]}: {ratio_text(suite)}."
    else:
        why = f", not proven since {suite.reason}" if suite.reason else ""
        yield f"The suite is at {ratio_text(suite)}{why}."
    slower = [group for group in sorted(record.groups, key=_rank) if group.verdict == REGRESSED]
    if slower:
        named = ", ".join(f"{group_name(group)} {ratio_text(group)}" for group in slower[:MAX_NAMED])
        more = f" and {len(slower) - MAX_NAMED} more" if len(slower) > MAX_NAMED else ""
        yield f"Slower together: {named}{more}."


def group_name(group: GroupVerdict) -> str:
    """Name a group in words, such as ``variant jit``."""
    return "all cases" if group.by == SUITE else f"{group.by.replace('_', ' ')} {group.name}"


def _line(group: GroupVerdict) -> GroupLine:
    return GroupLine(group.verdict, group_name(group), f"{group.cases:,}", ratio_text(group), group.reason)


def _rank(group: GroupVerdict) -> tuple[bool, float]:
    ratio = group.ratio or 1.0
    return group.verdict not in CHANGED, -max(ratio, 1 / ratio)
