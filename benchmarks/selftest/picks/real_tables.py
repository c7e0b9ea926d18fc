"""Tables of the picks on real data."""

from __future__ import annotations

from collections.abc import Sequence

from selftest.picks.cells import CELLS
from selftest.picks.markdown import against, percent, rules_table, section, table
from selftest.picks.scores import REAL_GOAL, Entry, cover, regret

REAL = """
The truth is an exhaustive search: every batch size, rates in steps of the square root of 2, then many runs in finer
steps at the best batch sizes and at the picked ones; batch sizes that are far behind keep their first 20 runs. Every
pick was run as often, on the same batches; the best rate of a batch size is the best of all that were run so. Steps are
told from the mean of the runs as in a search. Times are of one machine. The network on mnist5k is run at no more than
512 rows: steps beyond are on the curve `a + b / B` through the two nearest batch sizes.
"""
HELD_OUT = "Cells on which nothing was tuned, since they were added after the search was finished"


def real_parts(tables: Sequence[Entry], regrets: Sequence[Entry]) -> list[str]:
    """Sections on the exhaustive runs of all cells and on what was picked there."""
    if not tables:
        return []
    found = regret(pick["regret"] for pick in regrets)
    names = list(tables[0]["rules"])
    rules = {name: regret(cell["rules"][name][1] for cell in tables) for name in names}
    words = "none yet by the present search, so that its regret on real data is not known.\n"
    if regrets:
        untuned = {cell.name for cell in CELLS.values() if cell.held_out}
        words = _held_against_goals("All cells", regrets)
        words += "\n" + _held_against_goals(HELD_OUT, [pick for pick in regrets if pick["cell"] in untuned])
    return [
        section("Real data", REAL + "\n" + words),
        section("Fixed rules on real data", rules_table(found, rules)),
        section("By cell and variant", _by_cell(tables, regrets)),
        *(section(f"{cell['cell']}, {cell['variant']}", _exhaustive(cell)) for cell in tables),
    ]


def _held_against_goals(title: str, regrets: Sequence[Entry]) -> str:
    """Return the regrets of some picks beside their goals; nothing where there are none."""
    if not regrets:
        return ""
    found = regret(pick["regret"] for pick in regrets)
    goals = table(["", "found", "goal", "met"], against(found, REAL_GOAL))
    held = percent(cover(regrets))
    return f"{title}: {found.count} picks; 90 % intervals that hold the time found: {held}.\n\n{goals}"


def _by_cell(tables: Sequence[Entry], regrets: Sequence[Entry]) -> str:
    rows = []
    for cell in tables:
        own = [pick for pick in regrets if (pick["cell"], pick["variant"]) == (cell["cell"], cell["variant"])]
        one = regret(pick["regret"] for pick in own)
        picked = ", ".join(str(pick["picked"]) for pick in own)
        rules = [f"{size}: {percent(value)}" for size, value in cell["rules"].values()]
        widths = [row["half_width"] for row in cell["rows"] if row["batch_size"] in cell["top"]]
        ends = [percent(one.median), percent(one.worst)]
        rows.append([cell["cell"], cell["variant"], str(cell["best"]), percent(max(widths)), picked, *ends, *rules])
    head = ["cell", "variant", "best", "half-width of its steps", "picked", "median regret", "worst"]
    rules = [f"{name}: regret" for name in tables[0]["rules"]]
    note = "\nThe half-width is that of the 90 % interval of the steps, the largest of the three best batch sizes.\n"
    return table([*head, *rules], rows) + note


def _exhaustive(cell: Entry) -> str:
    rows = [
        [
            str(row["batch_size"]),
            row["variant"],
            f"{row['rate']:.3g}" if "rate" in row else "",
            f"{row['steps']:.4g}",
            percent(row.get("half_width")) if "rate" in row else "from the curve",
            str(row.get("seeds", "")),
            f"{1e6 * row['step_seconds']:.3g}",
            f"{1e3 * row['seconds']:.4g}",
            f"{row['ratio']:.3f}",
        ]
        for row in cell["rows"]
    ]
    head = [
        "batch size",
        "variant",
        "best rate",
        "steps",
        "±",
        "runs",
        "µs a step",
        "ms to the target",
        "over the best",
    ]
    return f"\nTarget: {cell['target']}.\n\n" + table(head, rows)
