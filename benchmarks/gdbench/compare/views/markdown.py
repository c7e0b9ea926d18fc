"""A comparison as Markdown for a pull request: the verdict first, what changed, and the rest folded away."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence

from gdbench.basics.units import duration
from gdbench.compare.judge.terms import BROKEN, IMPROVED, REGRESSED, UNCHANGED
from gdbench.compare.record.record import Comparison
from gdbench.compare.sides.sides import ComparedSide
from gdbench.compare.views.headline import capital, headline
from gdbench.compare.views.sentences import builds, details
from gdbench.compare.views.tables import (
    ORDER,
    Line,
    Section,
    line,
    sections,
    share,
)
from gdbench.compare.views.together import GroupLine, group_lines
from gdbench.machine.environment import one_line

MARK = "<!-- gdbench compare -->"
"""Last line, invisible, by which a workflow finds the comment that it wrote before."""
LIMIT = 65_536
"""Characters that GitHub takes in a comment."""
CHANGED = (BROKEN, REGRESSED, IMPROVED)
"""Verdicts that stand in the open; all others are folded away."""
LENGTHS = ((1000, 1000), (1000, 200), (300, 60), (100, 20), (30, 10), (10, 3))
"""Rows of a table of changes and of a folded table; the first that makes the text short enough is taken."""
LONGEST_CELL, LONGEST_SENTENCE, MAX_SENTENCES = 120, 600, 12
COMMIT_DIGITS = 12
GROUP_HEAD = ("verdict", "together", "cases", "ratio", "remark")
HEAD = ("verdict", "case", "base", "head", "ratio", "smallest visible effect", "remark")


def render(record: Comparison) -> str:
    """Return a comparison as Markdown of at most ``LIMIT`` characters; longer tables are cut, and say so."""
    texts = (_render(record, *lengths) for lengths in LENGTHS)
    shortest = ""
    for shortest in texts:
        if len(shortest) <= LIMIT:
            break
    return shortest


def reproduce(record: Comparison) -> str:
    """Return the command with the commits in the place of names that will move, such as ``HEAD``."""
    words = shlex.split(record.command)
    for side in (record.base, record.head):
        moving = side.revision if side.kind == "environment" else side.text if side.kind == "revision" else None
        if moving and side.commit and moving in words:
            words[words.index(moving)] = side.commit[:COMMIT_DIGITS]
    return shlex.join(words).replace("\n", " ")


def side_name(side: ComparedSide) -> str:
    """Name one side: what was asked for, its commit, and whether it had uncommitted changes."""
    commit = f"commit {side.commit[:COMMIT_DIGITS]}" if side.commit else "no commit"
    changes = " with uncommitted changes" if side.dirty else ""
    what = f"variant {side.variant}" if side.kind == "variant" else side.text
    return f"{what} ({commit}{changes})"


def _render(record: Comparison, most: int, most_folded: int) -> str:
    found = sections(record)
    parts = [
        f"**{_text(headline(record))}**",
        *_together(record),
        *_bullets([*map(capital, record.warnings), *details(record)]),
        *(part for section in found for part in _changes(section, most)),
        *_group_fold(record),
        *(part for section in found for part in _folds(section, most_folded)),
        _fold(_controls_title(record), _table(_controls(record), most_folded)),
        _fold("Machine, commits, settings", "\n".join(_facts(record))),
        _fold("How to reproduce", f"```sh\n{reproduce(record)}\n```"),
        MARK,
    ]
    return "\n\n".join(parts) + "\n"


def _together(record: Comparison) -> Iterator[str]:
    """Yield the suite with the groups that changed, in the open."""
    lines = group_lines(record, every=False)
    if lines:
        yield _group_table(lines)


def _group_fold(record: Comparison) -> Iterator[str]:
    """Yield all groups, folded away."""
    lines = group_lines(record, every=True)[1:]
    if lines:
        yield _fold(f"Groups of cases ({len(lines)})", _group_table(lines))


def _group_table(lines: Sequence[GroupLine]) -> str:
    rows = [[_text(cell) for cell in (one.verdict, one.name, one.cases, one.ratio, one.reason)] for one in lines]
    return "\n".join(_row(cells) for cells in (GROUP_HEAD, ["---"] * len(GROUP_HEAD), *rows))


def _bullets(sentences: Sequence[str]) -> Iterator[str]:
    shown = [f"- {_text(_cut(sentence, LONGEST_SENTENCE))}" for sentence in sentences[:MAX_SENTENCES]]
    more = len(sentences) - MAX_SENTENCES
    if shown:
        yield "\n".join([*shown, *([f"- {more} more in comparison.html."] if more > 0 else [])])


def _changes(section: Section, most: int) -> Iterator[str]:
    lines = [entry for entry in section.lines if entry.verdict in CHANGED]
    if lines:
        yield f"### {section.title}"
        yield _table(lines, most)
    told = [f"{entry.case}: {'; '.join(entry.explained)}" for entry in lines if entry.explained]
    yield from _bullets(told)


def _folds(section: Section, most: int) -> Iterator[str]:
    """Yield a fold per verdict that is no change; the unchanged cases network by network, then one by one."""
    for verdict in ORDER:
        lines = [entry for entry in section.lines if entry.verdict == verdict]
        if verdict in CHANGED or not lines:
            continue
        above = [f"- {_text(sentence)}" for sentence in section.unchanged] if verdict == UNCHANGED else []
        body = "\n".join([*above, "", _table(lines, most)])
        yield _fold(f"{section.title}: {verdict.lower()} ({len(lines):,})", body.strip())


def _fold(title: str, body: str) -> str:
    return f"<details><summary>{_text(title)}</summary>\n\n{body}\n\n</details>"


def _table(lines: Sequence[Line], most: int) -> str:
    """Write rows; columns in which no row says anything are left out."""
    rows = [_cells(entry) for entry in lines[:most]]
    kept = [i for i in range(len(HEAD)) if i < 2 or any(row[i] not in ("", "-") for row in rows)]
    written = [_row([HEAD[i] for i in kept]), _row(["---"] * len(kept))]
    written += [_row([_text(_cut(row[i], LONGEST_CELL)) for i in kept]) for row in rows]
    more = len(lines) - most
    note = [f"\n{more:,} more: see comparison.html or comparison.json."] if more > 0 else []
    return "\n".join([*written, *note])


def _cells(entry: Line) -> tuple[str, ...]:
    return entry.verdict, entry.case, entry.base, entry.head, entry.ratio, entry.visible, entry.reason


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _controls_title(record: Comparison) -> str:
    return f"Controls: {record.controls.status}"


def _controls(record: Comparison) -> list[Line]:
    return [line(row) for row in record.controls.cases]


def _facts(record: Comparison) -> Iterator[str]:
    settings = record.settings
    yield f"- base: {_text(side_name(record.base))}"
    yield f"- head: {_text(side_name(record.head))}"
    packages = ", with the packages of the head" if record.head.kind == "environment" else ""
    yield f"- machine{packages}: {_text(one_line(record.environment))}"
    blocks = f"{settings.screen_blocks} blocks to screen, {settings.confirm_blocks} fresh blocks to confirm"
    yield f"- {record.tier}: {blocks}, {duration(settings.seconds)} in all, on {_date(record)}"
    yield f"- unchanged means within {share(settings.equivalence)}; no change below {share(settings.margin)} is claimed"
    yield f"- {_text(builds(record))}"
    yield f"- false discovery rate {share(settings.fdr)}"


def _date(record: Comparison) -> str:
    return record.date.replace("T", " ").replace("+00:00", " UTC")


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _text(text: str) -> str:
    """Keep a text from being read as Markdown, HTML or a person's name: reasons come from any error message."""
    one_line_of_it = " ".join(text.split())
    escaped = re.sub(r"([\\`*_\[\]<>|~#])", r"\\\1", one_line_of_it.replace("&", "&amp;"))
    return re.sub(r"(^|\W)@", "\\1@\N{ZERO WIDTH SPACE}", escaped)
