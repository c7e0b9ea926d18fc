"""Tables and words that both studies of picks share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from selftest.picks.scores import Entry, Regret


def against(found: Regret, goal: Regret) -> list[list[str]]:
    """Lines of a table that hold regrets against their goals; infinity is no goal."""
    lines = [
        ("median", found.median, goal.median),
        ("90th percentile", found.p90, goal.p90),
        ("worst", found.worst, goal.worst),
    ]
    return [
        [
            f"regret, {name}",
            percent(value),
            f"at most {whole(limit)}" if limit < math.inf else "",
            met(value, limit) if limit < math.inf else "",
        ]
        for name, value, limit in lines
    ]


def rules_table(ours: Regret, rules: Mapping[str, Regret]) -> str:
    """Table of the regrets of picks and of fixed rules."""

    def line(name: str, one: Regret) -> list[str]:
        return [name, percent(one.median), percent(one.p90), percent(one.worst)]

    rows = [line("gdbench pick", ours)] if ours.count else []
    rows += [line(name, one) for name, one in rules.items()]
    note = "\nFixed rules have the best learning rate of their batch size for nothing.\n"
    return table(["batch size", "median", "90th percentile", "worst"], rows) + note


def groups(entries: Sequence[Entry], field: str, order: Sequence[str] = ()) -> dict[str, list[Entry]]:
    """Entries by a field, in the order given, or in that in which they come."""
    names = order or list(dict.fromkeys(entry[field] for entry in entries))
    found = {name: [entry for entry in entries if entry[field] == name] for name in names}
    return {name: own for name, own in found.items() if own}


def quantiles(one: Regret) -> list[str]:
    """Three cells of a table."""
    return [percent(one.median), percent(one.p90), percent(one.worst)]


def section(title: str, text: str) -> str:
    """Text under a heading."""
    return f"## {title}\n\n{text.lstrip()}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def met(value: float, limit: float, least: float = -math.inf) -> str:
    """Whether a goal is met, in a word."""
    return "yes" if least <= value <= limit else "no"


def whole(value: float) -> str:
    """A goal in per cent."""
    return f"{100 * value:.3g} %"


def percent(value: float | None) -> str:
    """A share in per cent; ``never`` for what is infinite."""
    if value is None or math.isinf(value):
        return "never"
    if math.isnan(value):
        return "none"
    return f"{100 * value:.1f} %"
