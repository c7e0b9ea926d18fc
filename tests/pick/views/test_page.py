"""The page and the picture of a picked batch size show what the record holds, and no time for an unreached target."""

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread
from playwright.sync_api import Browser, Page

from gdbench.basics.units import digits
from gdbench.pick.seconds.times import Knee, TimeModel
from gdbench.pick.steps.answer import BUDGET, CAPPED, DIVERGED, EXTRAPOLATED, MET, UNRELIABLE
from gdbench.pick.views import page
from gdbench.pick.views.amounts import seconds, seconds_interval
from gdbench.pick.views.panels import answer, panels
from gdbench.pick.views.picture import DOTS_PER_INCH, HEIGHT_INCHES, WIDTH_INCHES, picture
from gdbench.pick.views.points import points

from ...helpers import quiet_page
from ...report.test_page import Elements
from ..pick_records import (
    CRITICAL,
    FIXED,
    FLOOR,
    N_ROWS,
    PER_ROW,
    SIZES,
    make_record,
    make_steps,
    make_times,
    unreached,
)

HOSTILE = "</script><b id=broken>@someone"
LOST = {512: (DIVERGED, HOSTILE), 1024: (CAPPED, "not within 100,000 steps"), N_ROWS: (UNRELIABLE, "3 of 10 failed")}
TIED = {128: 0.83}
"""Factors to steps: makes three batch sizes about as good as each other."""
KEYS = ("steps", "times", "total")


def noisy(**options: Any) -> dict[str, Any]:
    return make_record(make_steps(noise=0.05, common=0.05, **options), make_times(noise=0.02))


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return noisy()


@pytest.fixture(scope="module")
def holed() -> dict[str, Any]:
    """A record with a tie of three where three batch sizes gave no number, one of them with a hostile reason."""
    return noisy(failed=LOST, steps=[FLOOR * (1 + CRITICAL / size) * TIED.get(size, 1) for size in SIZES])


def shown(html: str) -> str:
    """Text of a part of a page without its head and scripts, as someone without JavaScript reads it."""
    body = html.rpartition("<body>")[2].partition("<script")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def pixels(record: dict[str, Any]) -> np.ndarray:
    """The picture of a record, which is never blank."""
    found = imread(io.BytesIO(picture(record)))
    assert (found != found[0, 0]).any()
    return found


@pytest.fixture(scope="module")
def image(whole) -> np.ndarray:
    return pixels(whole)


def test_the_answer_comes_first_and_needs_no_script(whole):
    choice = whole["choice"]
    found = choice["seconds"], choice["seconds_low"], choice["seconds_high"]
    text = shown(page.render(whole))
    told = [
        f"batch size {choice['batch_size']} rows",
        digits(choice["rate"]),
        f"{seconds(*found)} 90 % interval {seconds_interval(*found)}",
        whole["steps"]["target"]["words"],
        *(" ".join(sentence.split()) for sentence in whole["sentences"]),
        "How it was measured",
        "Environment",
    ]
    places = [text.index(str(page.Markup.escape(words))) for words in told]
    assert places[0] == min(places)
    assert places[:3] == sorted(places[:3])
    assert all(limit in text for limit in map(str, map(page.Markup.escape, whole["limits"])))


def test_the_table_has_every_batch_size_with_its_numbers_or_the_reason(holed):
    rows = dict(re.findall(r'<th scope="row" class="number">([\d,]+)</th>(.*?)</tr>', page.render(holed), re.S))
    assert list(rows) == [f"{size:,}" for size in SIZES]
    for row in holed["choice"]["table"]:
        cells = shown(rows[f"{row['batch_size']:,}"])
        if row["batch_size"] in LOST:
            status, reason = LOST[row["batch_size"]]
            assert f"{status}: {page.Markup.escape(reason)}" in cells
            assert re.search(r" - - - [\d.]+ [µm]s .* - -$", cells)
        else:
            assert seconds_interval(row["seconds"], row["low"], row["high"]) in cells
    chosen = f"{holed['choice']['batch_size']:,}"
    assert [size for size, cells in rows.items() if "chosen" in cells] == [chosen]
    assert ["as good as the best" in cells for cells in rows.values()] == [
        row["tied"] and not (row["chosen"] or row["fastest"]) for row in holed["choice"]["table"]
    ]
    assert "your batch size" in rows["512"]
    assert "all rows" in rows[f"{N_ROWS:,}"]


@pytest.mark.parametrize("status", [DIVERGED, CAPPED, UNRELIABLE, BUDGET, MET])
def test_without_a_choice_there_is_a_status_and_a_reason_and_no_time(status):
    record = make_record(unreached(status, f"why it is {status}"))
    assert record["choice"] is None
    html = page.render(record)
    text = shown(html)
    assert f"No batch size: {status} why it is {status}" in text
    head = text.partition("Batch sizes")[0]
    assert not re.search(r"\d[\d.]* (?:s|ms|µs|min)\b", head)
    total = json.loads(Elements(html).scripts["run-data"])["panels"][-1]
    assert total["estimates"] == total["line"] == []
    assert status in total["empty"]
    assert answer(record) == f"No batch size: {status}"


def test_a_search_that_was_stopped_says_so_before_its_answer():
    text = shown(page.render(make_record(interrupted="stopped by Ctrl-C", progress="4 of 10 rounds")))
    assert text.index("did not come to its end (stopped by Ctrl-C; 4 of 10 rounds)") < text.index("rows per update")
    assert "best answer so far" in text
    early = make_record(unreached(BUDGET), interrupted="stopped by Ctrl-C")
    assert "There is no answer yet" in shown(page.render(early))
    assert "did not come to its end" not in shown(page.render(make_record()))


def test_nothing_measured_is_still_a_page_and_a_picture(whole, image):
    absent = dict.fromkeys(("steps", "times", "choice"))
    record = {**whole, **absent, "status": BUDGET, "reason": "no time", "limits": []}
    text = shown(page.render(record))
    assert "Nothing was measured." in text
    assert "No batch size: budget no time" in text
    assert (pixels(record) != image).any()


def test_throughput_has_no_target_and_no_steps():
    record = make_record(times=make_times(noise=0.02), objective="throughput")
    assert [panel.key for panel in panels(record)] == ["times", "total"]
    rows = dict(panels(record)[-1].estimates)
    assert rows[64].value == pytest.approx(FIXED / 64 + PER_ROW)
    text = shown(page.render(record))
    assert "Target:" not in text.partition("In words")[0]
    assert "time per row" in text
    assert "per row" in answer(record)
    alone = {**record, "steps": None}
    pixels(alone)
    assert "steps to the target" not in shown(page.render(alone)).partition("Batch sizes")[2].partition("Limits")[0]


def test_the_lines_are_the_fits_and_stay_within_what_was_measured(holed):
    steps, times, total = (panel.line for panel in panels(holed))
    for line in (steps, total):
        assert (line[0][0], line[-1][0]) == pytest.approx((1, 256))
    assert (times[0][0], times[-1][0]) == pytest.approx((1, N_ROWS))
    for size, value in steps:
        assert value == pytest.approx(FLOOR * (1 + CRITICAL / size))
    for size, value in total:
        assert value == pytest.approx(FLOOR * (1 + CRITICAL / size) * (FIXED + PER_ROW * size))


def test_the_line_of_a_step_bends_at_its_knees(whole):
    model = asdict(TimeModel(FIXED, PER_ROW, (Knee(100, 3e-6),), FIXED / PER_ROW, 0.03))
    bent = {**whole, "times": {**whole["times"], "model": model}}
    before, after = (dict(panels(record)[1].line) for record in (whole, bent))
    for size, value in after.items():
        assert value == pytest.approx(before[size] + 3e-6 * max(0, size - 100))


def test_a_curve_that_the_data_do_not_fix_has_no_critical_batch():
    steps = panels(noisy(identified=False))[0]
    assert steps.mark is None
    assert "not known" in steps.note
    assert panels(noisy())[0].mark == CRITICAL
    beyond = panels(noisy(critical=2.0 * N_ROWS))[0]
    assert beyond.mark is None
    assert "3,600 rows, beyond these" in beyond.note


def test_what_the_fit_alone_tells_is_told_apart(image):
    found = make_steps(noise=0.05, common=0.05)  # of the whole record
    rows = tuple(
        replace(row, status=EXTRAPOLATED, raw_steps=None) if row.batch_size == 1 else row for row in found.rows
    )
    record = make_record(replace(found, rows=rows), make_times(noise=0.02))
    steps, _, total = panels(record)
    assert steps.guessed == total.guessed == (1,)
    assert 1 in dict(steps.estimates)
    assert 1 not in dict(steps.own)
    assert "from the fit alone" in shown(page.render(record)).partition("passes")[2]
    assert (pixels(record) != image).any()


def test_a_wide_bar_does_not_flatten_the_chart_and_every_point_is_within(holed):
    for panel in panels(holed):
        low, high = panel.reach
        values = [found.value for _, found in panel.estimates]
        assert low < min(values) <= max(values) < high
    table = [{**row, "high": 1e9} if row["batch_size"] == 1 else row for row in holed["choice"]["table"]]
    wide = panels({**holed, "choice": {**holed["choice"], "table": table}})[-1]
    assert wide.reach[1] < 100 * max(found.value for _, found in wide.estimates)


def test_the_picture_has_its_size_and_changes_with_the_choice(whole, holed, image):
    assert image.shape[:2] == (round(HEIGHT_INCHES * DOTS_PER_INCH), round(WIDTH_INCHES * DOTS_PER_INCH))
    assert len(np.unique(image @ (1, 1000, 1_000_000, 0))) > 50  # colours
    moved = [{**row, "chosen": row["batch_size"] == 128} for row in whole["choice"]["table"]]
    other = {**whole, "choice": {**whole["choice"], "table": moved}}
    assert (pixels(whole) == image).all()
    assert (pixels(other) != image).any()
    assert (pixels(holed) != image).any()


def test_the_page_loads_nothing_and_lets_no_reason_break_out(holed):
    refused = page.render(make_record(unreached(CAPPED, HOSTILE)))
    assert "broken" not in Elements(refused).ids
    html = page.render({**holed, "warnings": [HOSTILE], "command": f"gdbench pick {HOSTILE}"})
    assert len(html.encode()) < 2_000_000
    assert not re.findall(r"https?:|<link|<img|<iframe|@import|\bsrc=|\bhref=|\burl\(|\bfetch\(|XMLHttpRequest", html)
    elements = Elements(html)
    assert "broken" not in elements.ids
    assert elements.tags.count("script") == 3


def test_the_page_is_written_whole(whole, tmp_path):
    path = tmp_path / "run" / page.FILE
    page.write_page(whole, path)
    assert path.read_text(encoding="utf-8") == page.render(whole)


@contextmanager
def opened(browser: Browser, record: dict[str, Any], tmp_path, **options: Any) -> Iterator[Page]:
    """The page with its charts drawn; it must complain of nothing and ask for nothing."""
    path = tmp_path / page.FILE
    page.write_page(record, path)
    with quiet_page(browser, path, "#chart-total .scatterlayer .trace", **options) as tab:
        yield tab


def drawn(tab: Page, key: str) -> tuple[dict[str, Any], dict[str, Any]]:
    chart = f"document.getElementById('chart-{key}')"
    data, layout = tab.evaluate(f"JSON.parse(JSON.stringify([{chart}.data, {chart}.layout]))")
    return {trace["name"]: trace for trace in data}, layout


def test_the_charts_show_the_numbers_of_the_record(browser, holed, tmp_path):
    choice = holed["choice"]
    with opened(browser, holed, tmp_path) as tab:
        found = {key: drawn(tab, key) for key in KEYS}
        names = [tab.locator(f"#chart-{key}").get_attribute("aria-label") for key in KEYS]
        legend = tab.locator("#legend").inner_text()
    reached = [row for row in choice["table"] if row["seconds"] is not None]
    total, layout = found["total"]
    assert total["estimate"]["y"] == pytest.approx([row["seconds"] for row in reached])
    assert total["estimate"]["error_y"]["array"] == pytest.approx([row["high"] - row["seconds"] for row in reached])
    assert found["times"][0]["estimate"]["x"] == list(SIZES)
    assert found["steps"][0]["estimate"]["y"] == pytest.approx([row["steps"] for row in reached])
    for key in ("steps", "total"):
        assert found[key][0]["no number"]["x"] == list(LOST)
        statuses = [note["text"] for note in found[key][1]["annotations"]]
        assert statuses == [status for status, _ in LOST.values()]
    assert total["chosen"]["x"] == [choice["batch_size"]]
    assert total["fastest"]["x"] == [choice["fastest"]]
    tied = sum(row["tied"] for row in choice["table"])
    assert sum(shape["name"] == "tied" for shape in layout["shapes"]) == tied > 1
    assert [shape["x0"] for shape in found["steps"][1]["shapes"] if shape["name"] == "mark"] == [CRITICAL]
    chosen = next(row for row in choice["table"] if row["chosen"])
    hover = total["estimate"]["hovertext"][[row["batch_size"] for row in reached].index(chosen["batch_size"])]
    assert f"{seconds(chosen['seconds'], chosen['low'], chosen['high'])}<br>90 % interval" in hover
    assert all(axis in layout and layout[axis]["title"]["text"] for axis in ("xaxis", "yaxis"))
    assert all("over batch size" in name for name in names)
    assert "cross: no number" in legend
    assert "your batch size" not in legend  # 512 has diverged, so it has no place in the last chart


def test_an_answer_with_every_mark_follows_the_colour_scheme_and_fits_a_narrow_screen(browser, whole, tmp_path):
    with opened(browser, whole, tmp_path, viewport={"width": 1200, "height": 800}, color_scheme="light") as tab:
        assert {"chosen", "fastest", "your batch size", "all rows"} <= set(drawn(tab, "total")[0])
        assert len({tab.locator(f"#chart-{key}").bounding_box()["y"] for key in KEYS}) == 1
        light = drawn(tab, "steps")[0]["estimate"]["marker"]["line"]["color"]
        tab.emulate_media(color_scheme="dark")
        dots = "document.getElementById('chart-steps').data.find((trace) => trace.name === 'estimate')"
        tab.wait_for_function(f"light => {dots}.marker.line.color !== light", arg=light)
        tab.set_viewport_size({"width": 320, "height": 800})
        tab.wait_for_function("document.documentElement.scrollWidth <= 320")
        assert len({tab.locator(f"#chart-{key}").bounding_box()["y"] for key in KEYS}) == 3


def test_without_an_answer_the_page_draws_no_mark_and_does_not_complain(browser, tmp_path):
    with opened(browser, make_record(unreached()), tmp_path) as tab:
        traces, layout = drawn(tab, "total")
        assert set(traces) == {"no number"}
        assert layout["annotations"][-1]["text"] == f"no number: {CAPPED}"


def test_points_join_both_halves_and_keep_what_only_one_knows():
    record = make_record(make_steps(SIZES[:6]), make_times(SIZES[3:]), current=None)
    found = {point.batch_size: point for point in points(record)}
    assert tuple(found) == SIZES
    assert found[1].steps
    assert found[1].step_seconds is None
    assert found[1024].steps is None
    assert found[1024].step_seconds
    assert not found[1024].lost
    assert found[8].seconds
