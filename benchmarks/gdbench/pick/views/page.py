"""``pick.html``: an answer as one self-contained page, the batch size first, then why, the charts and the table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from markupsafe import Markup

import gdbench
from gdbench.basics.records import parse
from gdbench.basics.storage import write_text
from gdbench.basics.units import duration
from gdbench.machine.environment import Environment, one_line
from gdbench.pick.choose.objectives import NEEDS_NO_STEPS
from gdbench.pick.views.amounts import number, plain, plain_interval, rate_text, seconds, seconds_interval, share
from gdbench.pick.views.panels import Panel, answer, mark_names, panels, target_of
from gdbench.pick.views.points import Estimate, Point, Record, curve_of, points
from gdbench.views.page import environment_lines, packed_plotly, templates

DASH = "-"
FILE = "pick.html"


def write_page(record: Record, path: Path) -> None:
    """Write an answer as one HTML page of about 2 MB, most of which is plotly.js; it loads nothing."""
    write_text(path, render(record))


def render(record: Record) -> str:
    """Return the page; without JavaScript it still has the answer, the sentences and the table."""
    found, drawn, names = points(record), panels(record), mark_names(record)
    template = templates().get_template("pick.html.j2")
    return template.render(
        answer=answer(record),
        tiles=_tiles(record),
        status="reached" if record["choice"] else record["status"],
        reason=record["reason"],
        stopped="" if record["complete"] else _stopped(record),
        sentences=record["sentences"],
        warnings=record["warnings"],
        limits=record["limits"],
        target=target_of(record),
        facts=_facts(record),
        measured=list(_measured(record)),
        trained=record["steps"] is not None,
        rows=[_row(point, record) for point in found],
        total=drawn[-1].label,
        panels=[(panel, _described(panel)) for panel in drawn],
        data={
            "panels": [_panel(panel, found, names) for panel in drawn],
            "points": [_marks(point) for point in found],
            "names": names,
        },
        environment=list(environment_lines(parse(record["environment"], Environment))),
        plotly=Markup(packed_plotly()),
        version=gdbench.__version__,
    )


def _tiles(record: Record) -> list[tuple[str, str, str]]:
    """Name, number and remark of what is written large; nothing without a choice."""
    choice = record["choice"]
    if not choice:
        return []
    tiles = [("batch size", f"{choice['batch_size']:,}", "rows per update")]
    if choice["rate"] is not None:
        tiles.append(("learning rate", rate_text(choice["rate"]), "for this batch size alone"))
    if choice["objective"] == NEEDS_NO_STEPS or choice["seconds"] is None:
        return [*tiles, ("time per row", seconds(choice["value"]), "whatever is learnt from it")]
    found = choice["seconds"], choice["seconds_low"], choice["seconds_high"]
    return [*tiles, ("expected time to the target", seconds(*found), f"90 % interval {seconds_interval(*found)}")]


def _stopped(record: Record) -> str:
    progress = f" ({record['progress']})" if record["progress"] else ""
    kept = "What follows is the best answer so far" if record["choice"] else "There is no answer yet"
    return f"The search did not come to its end{progress}. {kept}: run the same command again to go on."


def _facts(record: Record) -> dict[str, str]:
    """What was asked: command, data, network, and where it ran."""
    data, network, settings = record["data"], record["network"], record["settings"]
    rows = "endless rows" if data["n_rows"] is None else f"{data['n_rows']:,} rows"
    shape = f"{rows}, {data['n_inputs']} inputs, {data['n_outputs']} outputs, {data['scaling']}"
    threads = f"{settings['threads']} thread{'s' if settings['threads'] != 1 else ''}"
    variant = record["choice"]["variant"] if record["choice"] else settings["variant"]
    return {
        "Command": record["command"],
        "Data": f"{data['name']}: {shape}",
        "Network": f"{network['label']}, {network['output']} + {network['loss']}",
        "Variant": f"{variant}, {settings['dtype']}, {threads}",
        "Objective": settings["objective"],
        "Tier and seed": f"{settings['tier']}, {settings['seed']}",
        "Date": record["date"].replace("T", " ").replace("+00:00", " UTC"),
        "Machine": one_line(parse(record["environment"], Environment)),
    }


def _measured(record: Record) -> Iterator[str]:
    """Say how both halves were measured, and how well their fits agree with them."""
    steps, clock = record["steps"], record["times"]
    spent = {name: f" in {duration(value)}" if value else "" for name, value in record["seconds"].items()}
    if steps:
        rows = f"{number(steps['examples'])} rows"
        yield (
            f"Steps: {steps['runs']:,} runs over {rows}{spent.get('steps', '')}, in float64 whatever the variant; the "
            "target is reached where the loss averaged over runs crosses it."
        )
    curve = curve_of(record)
    if curve:
        form = f"{number(curve['floor'], 3)} × (1 + {number(curve['critical'])} / B)"  # noqa: RUF001 - a product
        worst = _off("; the batch size farthest from it is {} off", curve["worst_residual"])
        loose = "" if curve["identified"] else "; the data do not fix both of its numbers, so no critical batch is told"
        yield f"Curve: steps = {form}{worst}{loose}."
    if clock:
        drift = _off(" The first batch size's time moved by {} from start to end.", clock["drift"])
        yield (
            f"Time per step: {clock['processes']} processes{spent.get('times', '')}, batch sizes interleaved; "
            f"gathering the rows and the shuffle are included.{drift}"
        )
        if clock["reason"]:
            yield f"Variant: {clock['reason'].rstrip('.')}."


def _off(text: str, fraction: float | None) -> str:
    return "" if fraction is None else text.format(share(abs(fraction)))


def _row(point: Point, record: Record) -> dict[str, Any]:
    """Cells of the table for one batch size; the reason stands where there is no number."""
    total = point.row_seconds if record["settings"]["objective"] == NEEDS_NO_STEPS else point.seconds
    return {
        "size": f"{point.batch_size:,}",
        "marks": _names(point, mark_names(record)),
        "chosen": point.chosen,
        "tied": point.tied,
        "rate": DASH if point.rate is None else rate_text(point.rate),
        "steps": _cell(point.steps, "steps"),
        "passes": DASH if point.passes is None else number(point.passes),
        "step_seconds": _cell(point.step_seconds, "s"),
        "total": _cell(total, "s"),
        "ratio": DASH if point.ratio is None else _times(point.ratio),
        "reason": _told(point),
    }


def _times(ratio: float) -> str:
    return f"{number(ratio, 3)}x"


def _names(point: Point, names: dict[str, str]) -> list[str]:
    """What a batch size is to the reader, such as ``chosen``."""
    known = [name for field, name in names.items() if getattr(point, field)]
    tied = point.tied and not (point.chosen or point.fastest)
    return known + ["as good as the best"] * tied + ["from the fit alone"] * point.extrapolated


def _cell(found: Estimate | None, unit: str) -> tuple[str, str]:
    """Return a number and its interval; one that has no interval stands alone."""
    if found is None:
        return DASH, ""
    write, write_ends = (seconds, seconds_interval) if unit == "s" else (plain, plain_interval)
    if found.low == found.high:
        return write(found.value), ""
    ends = found.value, found.low, found.high
    return write(*ends), write_ends(*ends)


def _panel(panel: Panel, found: Iterable[Point], names: dict[str, str]) -> dict[str, Any]:
    """Return what the page's script draws of one panel; it shows the texts as they are."""
    by_size = {point.batch_size: point for point in found}
    return {
        **asdict(panel),
        "estimates": [
            {"size": size, **asdict(estimate), "text": _hover(panel, estimate, by_size[size], names)}
            for size, estimate in panel.estimates
        ],
        "lost": [
            {"size": size, "status": status, "text": [f"batch size {size:,}", _told(by_size[size])]}
            for size, status in panel.lost
        ],
        "reach": panel.reach,
    }


def _told(point: Point) -> str:
    """Say why there is no number, or why it may not be chosen."""
    status = point.status if point.lost else ""
    return ": ".join(part for part in (status, point.reason) if part)


def _hover(panel: Panel, estimate: Estimate, point: Point, names: dict[str, str]) -> list[str]:
    """Lines that appear at a point, the batch size first."""
    number, ends = _cell(estimate, panel.unit)
    unit = "" if panel.unit != "steps" else " steps"
    lines = [f"batch size {point.batch_size:,}", f"{panel.label.partition(' (')[0]}: {number}{unit}"]
    lines += [f"90 % interval {ends}"] if ends else []
    lines += [f"learning rate {rate_text(point.rate)}"] if panel.key == "steps" and point.rate is not None else []
    lines += [f"{_times(point.ratio)} the best"] if panel.key == "total" and point.ratio is not None else []
    return [*lines, *_names(point, names)]


def _marks(point: Point) -> dict[str, Any]:
    names = ("batch_size", "tied", "chosen", "fastest", "current", "full", "stretch")
    return {name: getattr(point, name) for name in names}


def _described(panel: Panel) -> str:
    """Name of a chart for those who do not see it: what it shows, from where to where."""
    if not panel.estimates:
        return f"Chart: {panel.label} over batch size; {panel.empty}."
    texts = {size: _cell(found, panel.unit)[0] for size, found in panel.estimates}
    first, last = min(texts), max(texts)
    least = min(panel.estimates, key=lambda entry: entry[1].value)[0]
    return (
        f"Chart: {panel.label} over batch size, {texts[first]} at {first:,}, "
        f"{texts[least]} at {least:,} as the least, {texts[last]} at {last:,}."
    )
