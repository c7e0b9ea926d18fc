"""Sections, tables and shares of the report on verdicts."""

from __future__ import annotations


def section(title: str, text: str) -> str:
    """Text under its heading."""
    return f"## {title}\n\n{text}"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Table of cells that are text already."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def percent(value: float | None) -> str:
    """Share to three digits; a dash for one that is not known."""
    return "-" if value is None else f"{100 * value:.3g} %"
