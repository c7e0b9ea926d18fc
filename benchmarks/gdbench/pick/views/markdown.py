"""``report.md``: the answer of a pick as Markdown, with the same words and numbers as every other view."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from gdbench.basics.records import parse
from gdbench.basics.units import duration
from gdbench.machine.environment import Environment, commit, one_line
from gdbench.pick.views.amounts import counted, seconds
from gdbench.pick.views.tables import cells

Record = dict[str, Any]


def render(record: Record) -> str:
    """Return the report of a pick as Markdown."""
    first, *others = record["sentences"]
    parts = [
        f"# Batch size for {_text(_subject(record))}",
        f"**{_text(first)}**",
        _bullets(others),
        "## Batch sizes",
        _table(record),
        *_section("Warnings", record["warnings"]),
        *_section("Limits of this answer", record["limits"]),
        "## How it was found",
        _bullets(list(_facts(record))),
        f"```sh\n{record['command'].replace(chr(10), ' ')}\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _subject(record: Record) -> str:
    return f"{record['network']['label']} on {record['data']['name']}"


def _section(title: str, sentences: Sequence[str]) -> list[str]:
    return [f"## {title}", _bullets(sentences)] if sentences else []


def _bullets(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {_text(sentence)}" for sentence in sentences)


def _table(record: Record) -> str:
    found = cells(record)
    if not found.rows:
        return "Nothing was measured."
    lines = [_line(found.head), _line(["---"] * len(found.head))]
    for place, row in enumerate(found.rows):
        escaped = [_text(cell) for cell in row]
        lines.append(_line([f"**{cell}**" if cell else "" for cell in escaped] if place == found.chosen else escaped))
    return "\n".join(lines)


def _facts(record: Record) -> Iterator[str]:
    settings, data = record["settings"], record["data"]
    rows = f"{data['n_rows']:,}" if data["n_rows"] is not None else "endless"
    shape = f"{rows} rows, {counted(data['n_inputs'], 'input')}, {counted(data['n_outputs'], 'output')}"
    yield f"data: {data['name']}, {shape}, {data['scaling']}"
    ended = "" if record["complete"] else ", not complete"
    yield f"search: {settings['tier']}, seed {settings['seed']}, objective {settings['objective']}{ended}"
    if record["progress"]:
        yield record["progress"]
    if record["steps"]:
        steps = record["steps"]
        yield f"steps: {counted(steps['runs'], 'run')}, {steps['examples']:,.0f} rows in all{_took(record, 'steps')}"
    if record["times"]:
        times = record["times"]
        yield f"seconds per step: variant {times['variant']}, processes: {times['processes']}{_took(record, 'times')}"
    environment = parse(record["environment"], Environment)
    yield f"machine: {one_line(environment)}"
    yield f"{commit(environment)}, {record['date']}"


def _took(record: Record, half: str) -> str:
    value = record["seconds"].get(half)
    return "" if value is None else f", {duration(value) if value >= 10 else seconds(value)}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """Keep a text from being read as Markdown, HTML or a person's name: names of files and columns are anybody's."""
    plain = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"(^|\W)@", "\\1@\N{ZERO WIDTH SPACE}", re.sub(r"([\\`*_\[\]|~#])", r"\\\1", plain))
