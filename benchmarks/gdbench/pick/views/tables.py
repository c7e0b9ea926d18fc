"""An answer as a table: a row per batch size, with reasons where there are no numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from gdbench.pick.choose.table import rows_of
from gdbench.pick.record.file import steps_from_record, times_from_record
from gdbench.pick.steps.answer import REACHED
from gdbench.pick.views.amounts import number, plain, plain_interval, rate_text, seconds, seconds_interval

Record = dict[str, Any]

ALWAYS = ("batch size", "time to target", "remark")
"""Columns that stand even if they say nothing."""
NARROW_DROPS = (
    ("90 % interval of steps", "rows read"),
    ("passes",),
    ("90 % interval of time",),
    ("time per step",),
    ("against best",),
    ("steps",),
)
"""Columns that go, group by group, until the table fits its terminal."""
GAP, MIN_REMARK = 3, 20
"""Characters between two columns, and of a remark before it wraps."""
CHOSEN, TIED, BEST = "chosen", "tied", "best"


@dataclass(frozen=True)
class Cells:
    """The table as text; columns in which no row says anything are left out."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    chosen: int | None
    """Position of the choice among the rows."""


def rows(record: Record) -> list[Record]:
    """Rows of the choice; without one, those of the two halves, which then have no time to the target."""
    if record["choice"]:
        return list(record["choice"]["table"])
    steps = steps_from_record(record) if record["steps"] else None
    times = times_from_record(record) if record["times"] else None
    found = (asdict(row) for row in rows_of(steps, times, n_rows=record["data"].get("n_rows")))
    return [{**row, "seconds": None} for row in found]


def cells(record: Record) -> Cells:
    """Return a record's table as text, ascending by batch size."""
    found = rows(record)
    written = [_cells(row) for row in found]
    kept = [name for name in HEAD if name in ALWAYS or any(row[name] for row in written)]
    chosen = next((place for place, row in enumerate(found) if row["chosen"]), None)
    return Cells(tuple(kept), tuple(tuple(row[name] for name in kept) for row in written), chosen)


def table(record: Record, *, width: int | None = None) -> Table:
    """Return a record's table for the terminal.

    Parameters
    ----------
    width
        Columns of the terminal; below what all of the table needs, the less important columns are left out.
    """
    found = _narrowed(cells(record), width)
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in found.head:
        made.add_column(name, justify="left" if name == "remark" else "right", no_wrap=name != "remark")
    for place, row in enumerate(found.rows):
        style = "bold green" if place == found.chosen else "dim" if _without_number(found, row) else ""
        made.add_row(*(Text(cell) for cell in row), style=style)
    return made


def _narrowed(found: Cells, width: int | None) -> Cells:
    for group in NARROW_DROPS:
        if width is None or _width(found) <= width:
            break
        kept = [place for place, name in enumerate(found.head) if name not in group]
        found = Cells(
            tuple(found.head[place] for place in kept),
            tuple(tuple(row[place] for place in kept) for row in found.rows),
            found.chosen,
        )
    return found


def _width(found: Cells) -> int:
    """Characters of a line; remarks may wrap."""
    widest = [max(map(len, column)) for column in zip(found.head, *found.rows, strict=True)]
    widest[-1] = min(widest[-1], MIN_REMARK)
    return sum(widest) + GAP * len(widest)


def _without_number(found: Cells, row: tuple[str, ...]) -> bool:
    return row[found.head.index("time to target")] == "-"


def _cells(row: Record) -> dict[str, str]:
    time = row["seconds"], row["low"], row["high"]
    steps = row["steps"], row["steps_low"], row["steps_high"]
    step = row["seconds_per_step"], row["seconds_per_step_low"], row["seconds_per_step_high"]
    values = (
        str(row["batch_size"]),
        rate_text(row["rate"]) if row["rate"] is not None else "",
        plain(*steps) if row["steps"] is not None else "",
        plain_interval(*steps) if None not in steps else "",
        number(row["epochs"]) if row["epochs"] is not None else "",
        seconds(*step) if row["seconds_per_step"] is not None else "",
        seconds(*time) if row["seconds"] is not None else "-",
        seconds_interval(*time) if None not in time else "",
        number(row["examples"], 3) if row["examples"] is not None else "",
        f"{number(row['ratio'], 3)}x" if row["ratio"] is not None else "",
        _remark(row),
    )
    return dict(zip(HEAD, values, strict=True))


HEAD = (
    "batch size",
    "rate",
    "steps",
    "90 % interval of steps",
    "passes",
    "time per step",
    "time to target",
    "90 % interval of time",
    "rows read",
    "against best",
    "remark",
)


def _remark(row: Record) -> str:
    """Marks of what can be chosen; status and reason of what cannot."""
    marks = {CHOSEN: row["chosen"], BEST: row["fastest"], TIED: row["tied"] and not row["chosen"]}
    if not row["reason"]:
        return ", ".join(name for name, there in marks.items() if there)
    if row["status"] in (REACHED, row["reason"]):
        return str(row["reason"])
    return f"{row['status']}: {row['reason']}"
