"""``report.md``: the answer of a pick as Markdown, with the same words and numbers as every other view."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gdbench.basics.units import counted, duration
from gdbench.machine.environment import commit, one_line
from gdbench.pick.record.record import PickRecord
from gdbench.pick.views.amounts import number, seconds, share
from gdbench.pick.views.tables import cells


def render(record: PickRecord) -> str:
    """Return the report of a pick as Markdown."""
    first, *others = record.sentences
    parts = [
        f"# Batch size for {_text(record.label)} on {_text(record.data.name)}",
        f"**{_text(first)}**",
        _bullets(others),
        _table(record),
        _bullets(record.apart),
        *_section("Warnings", record.warnings),
        *_section("Details", record.details),
        *_section("Limits of this answer", record.limits),
        *_section("How it was found", [f"{name}: {text}" for name, text in facts(record)]),
        f"```sh\n{record.command.replace(chr(10), ' ')}\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def facts(record: PickRecord) -> Iterator[tuple[str, str]]:
    """Yield what was asked, how both halves were measured and where, as names and texts."""
    settings, data, steps, times = record.settings, record.data, record.steps, record.times
    shape = f"{data.n_rows:,} rows, {counted(data.n_inputs, 'input')}, {counted(data.n_outputs, 'output')}"
    yield "data", f"{data.name}, {shape}, {data.scaling}"
    yield "network", f"{record.label}, {record.network.output} + {record.network.loss}"
    ended = "" if record.complete else ", not complete"
    yield "search", f"{settings.tier}, seed {settings.seed}, objective {settings.objective}{ended}"
    if record.progress:
        yield "progress", record.progress
    if steps:
        yield "steps", f"{counted(steps.runs, 'run')}, {steps.examples:,.0f} rows in all{_took(record.seconds.steps)}"
    if steps and steps.curve:
        curve = steps.curve
        form = f"{number(curve.floor, 3)} (1 + {number(curve.critical)} / B)"
        yield "curve", f"steps = {form}, {share(curve.worst_residual)} off at the batch size farthest from it"
    if times:
        drift = f"; the first batch size's time moved by {share(abs(times.drift))} from start to end"
        used = f"{times.variant}, {times.dtype}, {counted(times.threads, 'thread')}, processes: {times.processes}"
        yield "seconds per step", f"{used}{_took(record.seconds.times)}{drift}"
        if times.reason:
            yield "variant", times.reason
    yield "machine", one_line(record.environment)
    yield "version", f"{commit(record.environment)}, {record.date.replace('T', ' ').replace('+00:00', ' UTC')}"


def _took(value: float | None) -> str:
    return "" if value is None else f", {duration(value) if value >= 10 else seconds(value)}"


def _section(title: str, sentences: Sequence[str]) -> list[str]:
    return [f"## {title}", _bullets(sentences)] if sentences else []


def _bullets(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {_text(sentence)}" for sentence in sentences)


def _table(record: PickRecord) -> str:
    found = cells(record)
    if not found.rows:
        return ""
    lines = [_line(found.head), _line(["---"] * len(found.head))]
    for index, row in enumerate(found.rows):
        escaped = [_text(cell) for cell in row]
        lines.append(_line([f"**{cell}**" if cell else "" for cell in escaped] if index == found.chosen else escaped))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """Keep a text from being read as Markdown, HTML or a person's name: names of files and columns are anybody's."""
    plain = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"(^|\W)@", "\\1@\N{ZERO WIDTH SPACE}", re.sub(r"([\\`*_\[\]|~#])", r"\\\1", plain))
