"""The page and the picture of a picked batch size show what the record holds, and no time for an unreached target."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.image import imread

from gdbench.pick.record.record import PickRecord
from gdbench.pick.seconds.times import Knee
from gdbench.pick.steps.answer import BUDGET, CAPPED, DIVERGED, MET, UNRELIABLE
from gdbench.pick.views import page
from gdbench.pick.views.picture import DOTS_PER_INCH, HEIGHT_INCHES, WIDTH_INCHES, draw, picture
from gdbench.pick.views.sentences import in_words
from gdbench.pick.views.tables import cells

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


@pytest.fixture(scope="module")
def whole() -> PickRecord:
    return make_record(make_steps(noise=0.05), make_times(noise=0.02))


@pytest.fixture(scope="module")
def holed() -> PickRecord:
    """A record where three batch sizes gave no number, one of them with a hostile reason, and one was not run."""
    return make_record(make_steps(noise=0.05, failed=LOST, extrapolated=(1,)), make_times(noise=0.02))


def shown(html: str) -> str:
    """Text of a page without its head and pictures."""
    body = re.sub(r"<svg.*?</svg>", "", html.rpartition("<body>")[2], flags=re.S)
    return " ".join(Markup(re.sub(r"<[^>]+>", " ", body)).unescape().split())


def pixels(record: PickRecord) -> np.ndarray:
    """The picture of a record, which is never blank."""
    found = imread(io.BytesIO(picture(record)))
    assert (found != found[0, 0]).any()
    return found


def panels(record: PickRecord) -> list[Axes]:
    return draw(record).axes


def drawn(axes: Axes, name: str) -> dict[float, float]:
    """Points or line of that name in a panel, by batch size."""
    found: dict[float, float] = {}
    for line in axes.get_lines():
        if line.get_label() == name:
            found |= dict(zip(np.asarray(line.get_xdata()), np.asarray(line.get_ydata()), strict=True))
    return found


MEASURED = "measured, bar: 90 % interval"


def test_the_answer_comes_first_then_the_table_then_what_stands_apart(holed: PickRecord) -> None:
    text = shown(page.render(holed))
    told = [
        holed.sentences[0],
        *holed.sentences[1:],
        *(" ".join(filter(None, cell)) for cell in cells(holed).rows),
        *holed.apart,
        *holed.details,
        *holed.limits,
        holed.command,
        "Environment",
    ]
    places = [text.index(words) for words in told]
    assert places == sorted(places)


def test_a_notebook_gets_the_answer_and_the_table(holed: PickRecord) -> None:
    html = page.head_and_table(holed)
    text = shown(f"<body>{html}")
    assert text.startswith(holed.sentences[0])
    assert all(" ".join(filter(None, row)) in text for row in cells(holed).rows)
    assert text.endswith(holed.apart[-1])
    assert "<style" not in html  # which would change the notebook


@pytest.mark.parametrize("status", [DIVERGED, CAPPED, UNRELIABLE, BUDGET, MET])
def test_without_a_choice_there_is_a_status_and_a_reason_and_no_time(status: str) -> None:
    record = make_record(unreached(status, f"why it is {status}"))
    text = shown(page.render(record))
    head = text.partition("What was found")[0]
    assert all(sentence in head for sentence in record.sentences)
    assert not re.search(r"\d[\d.]* (?:s|ms|µs|min)\b", head)
    steps, times, total = panels(record)
    assert not drawn(total, MEASURED)
    assert not drawn(total, "fit")
    assert "no number" in {text.get_text() for text in total.texts}
    assert set(drawn(steps, "no number")) == set(SIZES)
    assert set(drawn(times, MEASURED)) == set(SIZES)


def test_nothing_measured_is_still_a_page_and_a_picture() -> None:
    absent = replace(make_record(), choice=None, steps=None, times=None, status=BUDGET, reason="no time")
    record = in_words(absent)
    assert "before any batch size had an answer" in shown(page.render(record))
    pixels(record)


def test_throughput_has_no_target_and_no_steps() -> None:
    record = make_record(times=make_times(noise=0.02), objective="throughput")
    times, per_row = panels(record)
    assert drawn(per_row, MEASURED)[64] == pytest.approx(FIXED / 64 + PER_ROW)
    assert drawn(per_row, "fit")[1.0] == pytest.approx(FIXED + PER_ROW)
    assert drawn(times, MEASURED)[64] == pytest.approx(FIXED + 64 * PER_ROW)
    assert "Target:" not in shown(page.render(record))


def test_dots_are_what_was_measured_and_lines_the_fits_between_them(holed: PickRecord) -> None:
    steps, times, total = panels(holed)
    rows = {row.batch_size: row for row in holed.choice.table if row.measured}
    assert set(rows) == set(SIZES) - {1, *LOST}
    assert drawn(steps, MEASURED) == {size: row.steps for size, row in rows.items()}
    assert drawn(total, MEASURED) == {size: row.seconds for size, row in rows.items()}
    assert set(drawn(times, MEASURED)) == set(SIZES)
    for axes, of in ((steps, lambda B: FLOOR * (1 + CRITICAL / B)), (times, lambda B: FIXED + PER_ROW * B)):
        line = drawn(axes, "fit")
        assert [*line.values()] == pytest.approx([of(size) for size in line])
    line = drawn(total, "fit")
    assert (min(line), max(line)) == pytest.approx((2, 256))
    assert [*line.values()] == pytest.approx(
        [FLOOR * (1 + CRITICAL / size) * (FIXED + PER_ROW * size) for size in line]
    )


def test_the_line_of_a_step_bends_at_its_knees(whole: PickRecord) -> None:
    model = replace(whole.times.model, knees=(Knee(100, 3e-6),))
    bent = replace(whole, times=replace(whole.times, model=model))
    before, after = (drawn(panels(record)[1], "fit") for record in (whole, bent))
    for size, value in after.items():
        assert value == pytest.approx(before[size] + 3e-6 * max(0, size - 100))


def test_what_has_no_number_is_named_at_the_bottom(holed: PickRecord) -> None:
    steps, *_ = panels(holed)
    assert set(drawn(steps, "no number")) == {1, *LOST}
    assert {text.get_text() for text in steps.texts} >= {"not measured", DIVERGED, CAPPED, UNRELIABLE}


def test_marks_are_at_the_choice_and_what_it_is_compared_with(whole: PickRecord) -> None:
    total = panels(whole)[-1]
    sizes = {
        "chosen": whole.choice.batch_size,
        "best": whole.choice.fastest,
        "your batch size": 512,
        "all rows": N_ROWS,
    }
    for name, size in sizes.items():
        row = next(row for row in whole.choice.table if row.batch_size == size)
        assert drawn(total, name) == {size: row.seconds}


def test_a_curve_that_the_data_do_not_fix_has_no_critical_batch() -> None:
    for identified, words in ((False, "critical batch not known"), (True, "dotted: critical batch, 40 rows")):
        steps, *_ = panels(make_record(make_steps(noise=0.05, identified=identified)))
        assert words in {text.get_text() for text in steps.texts}
        dotted = [line.get_xdata()[0] for line in steps.get_lines() if line.get_linestyle() == ":"]
        assert dotted == ([CRITICAL] if identified else [])


def test_a_wide_bar_does_not_flatten_the_chart_and_every_point_is_within() -> None:
    record = make_record(make_steps(noise=0.05), make_times(noise=10.0))
    for axes in panels(record)[1:]:
        values = drawn(axes, MEASURED).values()
        low, high = axes.get_ylim()
        assert low < min(values) <= max(values) < high < 100 * max(values)


def test_the_picture_has_its_size_and_changes_with_the_record(whole: PickRecord, holed: PickRecord) -> None:
    image = pixels(whole)
    assert image.shape[:2] == (round(HEIGHT_INCHES * DOTS_PER_INCH), round(WIDTH_INCHES * DOTS_PER_INCH))
    assert len(np.unique(image @ (1, 1000, 1_000_000, 0))) > 50  # colours
    assert (pixels(whole) == image).all()
    assert (pixels(holed) != image).any()
    assert picture(whole, "svg") == picture(whole, "svg")


@pytest.mark.parametrize("name", ["$x_$.csv", "a$b$c.csv", r"\frac{.csv", "$\\alpha$.csv", "100%.csv"])
def test_the_name_of_a_file_is_no_formula(whole: PickRecord, name: str) -> None:
    record = replace(whole, data=replace(whole.data, name=name), label=f"{whole.label} {name}")
    assert picture(record)
    assert not any(text.get_parse_math() for text in draw(record).texts)


@pytest.mark.parametrize(("last", "words"), [(128, 2), (70, 1)])
def test_words_of_batch_sizes_without_a_number_are_not_printed_over_each_other(last: int, words: int) -> None:
    record = make_record(make_steps(sizes=(1, 4, 16, 32, 64, last), extrapolated=(64, last)))
    left, *_ = draw(record).axes
    assert [text.get_text() for text in left.texts].count("not measured") == words
    assert sum(line.get_marker() == "x" for line in left.lines) == 2


def test_the_answer_comes_before_its_warnings(whole: PickRecord) -> None:
    html = page.render(replace(whole, warnings=("The machine was busy.",)))
    assert html.index('id="answer"') < html.index("The machine was busy.")


def test_the_page_loads_nothing_and_lets_no_reason_break_out(holed: PickRecord) -> None:
    assert "broken" not in Elements(page.render(make_record(unreached(CAPPED, HOSTILE)))).ids
    hostile = replace(holed, warnings=(HOSTILE,), command=f"gdbench pick {HOSTILE}", label=HOSTILE)
    html = page.render(hostile)
    assert str(escape(HOSTILE)) in html
    assert len(html.encode()) < 300_000
    loaded = re.sub(r'(xmlns|xmlns:xlink|rdf:\w+)="[^"]*"|(href|clip-path|url)[=(]"?#?', "", html)
    assert not re.findall(r"<link|<img|<iframe|@import|\bsrc=|\burl\(|\bfetch\(|XMLHttpRequest", loaded)
    elements = Elements(html)
    assert "broken" not in elements.ids
    assert "script" not in elements.tags


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_the_page_at_any_width_without_complaint(browser, holed, tmp_path, scheme):
    path = tmp_path / "pick.html"
    path.write_text(page.render(holed), encoding="utf-8")
    with quiet_page(browser, path, ".picture svg", viewport={"width": 1200, "height": 800}, color_scheme=scheme) as tab:
        back = "getComputedStyle(document.querySelector('.picture')).backgroundColor"
        assert tab.evaluate(back) == "rgb(255, 255, 255)"  # on which the picture is drawn
        assert tab.locator(".picture svg").bounding_box()["width"] > 720
        tab.set_viewport_size({"width": 320, "height": 800})
        tab.wait_for_function("document.documentElement.scrollWidth <= 320")
