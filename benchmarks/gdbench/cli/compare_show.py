"""Shows a comparison in the terminal: what matters first, unchanged cases in a line per network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gdbench.basics.units import counted, duration
from gdbench.cli.console import say
from gdbench.compare.conclusion import MEMORY_BYTES, MEMORY_SHARE
from gdbench.compare.judge.terms import BROKEN, IMPROVED, INSUFFICIENT, MISSING, REGRESSED, UNCHANGED
from gdbench.compare.record.record import Comparison
from gdbench.compare.views.headline import headline
from gdbench.compare.views.markdown import side_name
from gdbench.compare.views.sentences import details
from gdbench.compare.views.tables import NOT_CLAIMABLE, ORDER, Line, Section, line, sections, share
from gdbench.compare.views.together import GroupLine, group_lines

TABLE_WIDTH, WIDE = 96, 126
"""Columns of a terminal from which on a case has one row of a table, and from which on p has a column."""
MAX_LISTED = 20
"""Cases of a verdict that are listed unless all are asked for; what is broken or changed is listed always."""
ALWAYS_LISTED = (BROKEN, REGRESSED, IMPROVED)
STYLES = {
    BROKEN: "bold red",
    REGRESSED: "red",
    IMPROVED: "green",
    MISSING: "dim",
    INSUFFICIENT: "yellow",
    NOT_CLAIMABLE: "magenta",
    UNCHANGED: "dim",
}


def show(record: Comparison, out: Console, *, every_case: bool = False) -> None:
    """Print a comparison: headline, tables by metric, what could not be seen, warnings.

    Parameters
    ----------
    record : Comparison
        What ``comparison.json`` holds.
    out : Console
        Console of any width; below ``TABLE_WIDTH`` columns a case takes lines of its own instead of a row.
    every_case : bool
        List unchanged and unresolved cases one by one too.
    """
    settings = f"{record.tier}, {duration(record.settings.seconds)}"
    say(out, f"{side_name(record.base)} against {side_name(record.head)}, {settings}", "dim")
    colour = {0: "bold green", 3: "bold yellow"}.get(record.exit_code, "bold red")
    say(out, headline(record), colour)
    _show_together(group_lines(record, every=every_case), out)
    for section in sections(record):
        say(out, f"\n{section.title}", "bold")
        _show_lines(_listed(section, every_case=every_case), out)
        for sentence in _rest(record, section, every_case=every_case):
            say(out, sentence, "dim")
    if record.controls.cases:
        say(out, f"\nControls: {record.controls.status}", "bold")
        _show_lines([line(row) for row in record.controls.cases], out)
    say(out, "")
    for sentence in details(record):
        say(out, sentence)
    for warning in record.warnings:
        say(out, f"Warning: {warning}", "yellow")


def _show_together(lines: list[GroupLine], out: Console) -> None:
    """Print the suite, and the groups that changed."""
    if not lines:
        return
    say(out, "\nAll cases together", "bold")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False, header_style="dim")
    for title in ("verdict", "together", "cases", "ratio"):
        table.add_column(title, overflow="fold", justify="right" if title == "cases" else "left")
    for entry in lines:
        name = Text("\n").join([Text(entry.name), *([Text(entry.reason, style="dim")] if entry.reason else [])])
        table.add_row(Text(entry.verdict, style=STYLES[entry.verdict]), name, entry.cases, entry.ratio)
    out.print(table)


def _listed(section: Section, *, every_case: bool) -> list[Line]:
    """Lines that are printed one by one."""
    if every_case:
        return list(section.lines)
    seen: Counter[str] = Counter()
    found = []
    for entry in section.lines:
        seen[entry.verdict] += 1
        listed = entry.verdict in ALWAYS_LISTED or seen[entry.verdict] <= MAX_LISTED
        if listed and entry.verdict != UNCHANGED:
            found.append(entry)
    return found


def _rest(record: Comparison, section: Section, *, every_case: bool) -> Iterator[str]:
    """Yield what stands in the place of the lines that are not printed."""
    if every_case:
        return
    tally = Counter(entry.verdict for entry in section.lines)
    for verdict in ORDER:
        more = tally[verdict] - MAX_LISTED
        if verdict not in (*ALWAYS_LISTED, UNCHANGED) and more > 0:
            yield f"{verdict}: {counted(more, 'case')} more, listed with --all"
    for sentence in section.unchanged:
        yield f"{UNCHANGED} {_band(record, section)}: {sentence}"


def _band(record: Comparison, section: Section) -> str:
    """Say what counts as unchanged; a count of bytes is no sample, and small ones may differ by more than a share."""
    if section.metric == "memory":
        return f"within {share(MEMORY_SHARE)} or {MEMORY_BYTES // 1024} KiB"
    return f"within {share(record.settings.equivalence)}"


def _show_lines(lines: list[Line], out: Console) -> None:
    if not lines:
        return
    if out.width >= TABLE_WIDTH:
        out.print(_table(lines, out.width))
        return
    for entry in lines:
        style = STYLES[entry.verdict]
        out.print(Text.assemble((entry.verdict, style), f" {entry.case}"))
        for text in _below(entry):
            out.print(Padding(Text(text), (0, 0, 0, 2), expand=False))


def _below(entry: Line) -> Iterator[str]:
    """Yield the numbers of a case on lines of their own, for narrow terminals."""
    if entry.row.ratio is not None:
        yield f"{entry.base} to {entry.head}: {entry.ratio}"
    if entry.visible != "-":
        yield f"smallest visible effect {entry.visible}"
    if entry.reason:
        yield entry.reason
    yield from entry.explained


def _table(lines: list[Line], width: int) -> Table:
    """Lay lines out as a table; case and remark may wrap, and the verdict if narrow; empty columns are left out."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False, header_style="dim")
    visible = any(entry.visible != "-" for entry in lines)
    probable = width >= WIDE and any(entry.p != "-" for entry in lines)
    table.add_column("verdict", max_width=None if width >= WIDE else 13)
    table.add_column("case", ratio=1, min_width=24, overflow="fold")
    for title in ("base", "head"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("ratio", no_wrap=True)
    if visible:
        table.add_column("smallest\nvisible", justify="right", no_wrap=True)
    if probable:
        table.add_column("p adjusted", justify="right", no_wrap=True)
    for entry in lines:
        told = [Text(text, style="dim") for text in (entry.reason, *entry.explained) if text]
        cells: list[str | Text] = [
            Text(entry.verdict, style=STYLES[entry.verdict]),
            Text("\n").join([Text(entry.case), *told]),
            entry.base,
            entry.head,
            entry.ratio,
        ]
        table.add_row(*cells, *([entry.visible] if visible else []), *([entry.p] if probable else []))
    return table
