"""A comparison's page shows the record's numbers in a real browser, loads nothing and lets no name break out."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from gdbench.basics import records
from gdbench.compare.judge.terms import IMPROVED, INSUFFICIENT, REGRESSED, UNCHANGED
from gdbench.compare.record.record import Comparison
from gdbench.compare.views import page
from gdbench.compare.views.tables import case_name, percent, ratio_text

from ...helpers import quiet_page
from ...report.test_page import Elements
from ..comparison_records import MUCH_SLOWER, READING, SLOWER


def embedded(html: str) -> dict[str, Any]:
    return json.loads(Elements(html).scripts["run-data"])


def test_the_page_loads_nothing_and_lets_no_name_break_out(mixed):
    html = page.render(mixed)
    assert len(html.encode()) < 2_000_000
    assert not re.findall(r"https?:|<link|<img|<iframe|@import|\bsrc=|\bhref=|\burl\(|\bfetch\(|XMLHttpRequest", html)
    elements = Elements(html)
    assert "broken" not in elements.ids
    assert elements.tags.count("script") == 3


def test_the_page_holds_the_numbers_of_the_record(mixed):
    found = embedded(page.render(mixed))["cases"]
    ratios = sorted(row.ratio for row in mixed.cases if row.ratio is not None)
    assert sorted(value for value in found["ratio"] if value is not None) == pytest.approx(ratios, rel=1e-3)
    assert len(found["ratio"]) == len(mixed.cases)


@pytest.fixture(scope="module")
def opened(browser: Browser, mixed: Comparison, tmp_path_factory) -> Iterator[Page]:
    """The page with its picture drawn, for tests that leave it as it is; it must complain and ask for nothing."""
    path = tmp_path_factory.mktemp("page") / "comparison.html"
    path.write_text(page.render(mixed), encoding="utf-8")
    with quiet_page(browser, path, "#chart-ratios .scatterlayer .trace") as tab:
        yield tab


def drawn(tab: Page) -> dict[str, Any]:
    chart = "document.getElementById('chart-ratios')"
    data, shapes = tab.evaluate(f"JSON.parse(JSON.stringify([{chart}.data, {chart}.layout.shapes]))")
    return {"traces": {trace["name"].rpartition(" ")[0]: trace for trace in data}, "shapes": shapes}


def test_the_picture_has_every_measured_case_coloured_by_verdict_and_the_band(opened, mixed):
    found = drawn(opened)
    timed = [row for row in mixed.cases if row.metric == "time" and row.ratio is not None]
    for verdict in (REGRESSED, IMPROVED, INSUFFICIENT, UNCHANGED):
        expected = sorted(row.ratio for row in timed if row.verdict == verdict)
        assert found["traces"][verdict]["y"] == pytest.approx(expected, rel=1e-3)
    assert len({trace["marker"]["color"] for trace in found["traces"].values()}) == 4
    (band,) = [shape for shape in found["shapes"] if shape.get("name") == "band"]
    assert (band["y0"], band["y1"]) == pytest.approx((1 / 1.02, 1.02))
    slower = found["traces"][REGRESSED]
    assert case_name(mixed.cases[MUCH_SLOWER]) in slower["hovertext"][-1]
    assert opened.locator("#chart-ratios .errorbar").count() == len(timed)


def test_filters_change_picture_and_table_and_titles_sort(opened, mixed):
    rows = opened.locator("#table-cases tbody tr")
    assert rows.count() == 72
    opened.select_option("#filter-verdict", REGRESSED)
    assert rows.count() == 2
    assert set(drawn(opened)["traces"]) == {REGRESSED}
    opened.get_by_role("button", name="ratio").first.click()
    ratios = [float(text.split("x")[0]) for text in opened.locator("#table-cases td:nth-child(5)").all_inner_texts()]
    assert ratios == sorted(ratios)
    assert len(ratios) == 2
    opened.select_option("#filter-metric", "memory")
    assert rows.count() == 1
    assert "784 KiB" in rows.first.inner_text()
    opened.reload()
    opened.wait_for_selector("#chart-ratios .scatterlayer .trace")
    assert rows.count() == 72


def test_the_page_writes_the_ratios_that_the_terminal_writes(opened, mixed):
    rows = [row for row in mixed.cases if row.ratio is not None]
    script = "rows => rows.map((row) => [formatRatio(row), formatInterval(row)])"
    written = opened.evaluate(script, records.plain(rows))
    assert [ratio + (f" ({ends})" if ends else "") for ratio, ends in written] == [ratio_text(row) for row in rows]
    shares = [0.0004, 0.0123, 0.0996, 0.5, 1.234]
    assert opened.evaluate("shares => shares.map(formatPercent)", shares) == [percent(share) for share in shares]


def test_the_page_tells_what_explain_found_and_fits_a_narrow_screen(opened, mixed):
    told = opened.locator("#explained").inner_text()
    assert case_name(mixed.cases[MUCH_SLOWER]) in told or case_name(mixed.cases[SLOWER]) in told
    assert READING[1:] in told
    assert "1,200,000 to 1,500,000 per call" in told
    assert "Counted under valgrind, which has no AVX-512" in told
    size = opened.viewport_size
    opened.set_viewport_size({"width": 400, "height": 800})
    assert opened.evaluate("document.documentElement.scrollWidth") <= 400
    opened.set_viewport_size(size)
