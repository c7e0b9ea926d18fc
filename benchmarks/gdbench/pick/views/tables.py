"""An answer as a table: a row per batch size that was measured, the same in the terminal and every file."""

from __future__ import annotations

from dataclasses import dataclass

from rich import box
from rich.table import Table
from rich.text import Text

from gdbench.pick.choose.choice import Row
from gdbench.pick.choose.objectives import NEEDS_NO_STEPS
from gdbench.pick.record.record import PickRecord
from gdbench.pick.views.amounts import rate_text, seconds, seconds_interval

NARROW_DROPS = ("runs", "time per step", "interval (90 %)", "learning rate")
"""Columns that go, one by one, until the table fits its terminal."""
GAP = 3
"""Characters between two columns."""


@dataclass(frozen=True)
class Cells:
    """The table as text; columns in which no row says anything are left out."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    chosen: int | None
    """Index of the choice among the rows."""

    def without(self, name: str) -> Cells:
        """Return the same without a column."""
        kept = [index for index, known in enumerate(self.head) if known != name]
        rows = tuple(tuple(row[index] for index in kept) for row in self.rows)
        return Cells(tuple(self.head[index] for index in kept), rows, self.chosen)

    @property
    def width(self) -> int:
        """Characters of a line."""
        columns = zip(self.head, *self.rows, strict=True)
        return sum(max(map(len, (*name.split(" ", 1), *column))) + GAP for name, *column in columns)


def cells(record: PickRecord) -> Cells:
    """Return a record's table as text, ascending by batch size; without a choice it has no rows."""
    found = [row for row in record.choice.table if not row.reason] if record.choice else []
    written = [_cells(row, per_row=record.settings.objective == NEEDS_NO_STEPS) for row in found]
    head = [name for name in (written[0] if written else ()) if any(row[name] for row in written)]
    chosen = next((index for index, row in enumerate(found) if row.chosen), None)
    return Cells(tuple(head), tuple(tuple(row[name] for name in head) for row in written), chosen)


def table(record: PickRecord, *, width: int) -> Table:
    """Return a record's table for a terminal of so many columns, without the less important if they do not fit."""
    found = cells(record)
    for name in NARROW_DROPS:
        if found.width > width:
            found = found.without(name)
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in found.head:
        made.add_column(name.replace(" ", "\n", 1), justify="left" if not name else "right", no_wrap=True)
    for index, row in enumerate(found.rows):
        made.add_row(*map(Text, row), style="bold green" if index == found.chosen else "")
    return made


def _cells(row: Row, *, per_row: bool) -> dict[str, str]:
    return {
        "batch size": f"{row.batch_size:,}",
        "learning rate": rate_text(row.learning_rate) if row.learning_rate is not None else "",
        "steps": f"{row.steps:,}" if row.steps is not None else "",
        "time per step": seconds(row.seconds_per_step) if row.seconds_per_step is not None else "",
        "time per row" if per_row else "time to target": seconds(*row.time or (row.value or 0.0,)),
        "interval (90 %)": seconds_interval(*row.time) if row.time else "",
        "runs": f"{row.runs:,}" if row.runs else "",
        "": _mark(row),
    }


def _mark(row: Row) -> str:
    if row.chosen:
        return "chosen"
    if row.fastest:
        return "best"
    return "as good" if row.tied else ""
