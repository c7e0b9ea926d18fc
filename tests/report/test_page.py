"""The HTML report shows a real run, loads nothing, lets no name break out, and works in a real browser."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Page

from gdbench.basics import units
from gdbench.experiments import variants
from gdbench.machine.environment import Environment
from gdbench.report import build, markdown, page
from gdbench.run import folder as records
from gdbench.run.summary import summarise
from gdbench.verify.certificates import CertificateRow

from ..conftest import SMOKE_VARIANTS
from ..helpers import LIMIT_SECONDS

HOSTILE = "</script><b id=broken>&'\""
N_ROWS = 569
"""Rows of breast_cancer, and the larger of the two batch sizes."""
OURS = list(SMOKE_VARIANTS)
FILTERS = {"network": "logistic", "dtype": "float32", "task": "epoch"}
"""With which the page opens."""
N_CASES = len(OURS) * 2 * 2 * 2
"""Two tasks, two batch sizes, two dtypes."""
PEERS = [name for name in (*variants.names(), *variants.unavailable()) if variants.is_peer(name)][:2]


@pytest.fixture(scope="module")
def folder(smoke_run) -> Path:
    """A run's folder from the real command, which also other files read."""
    return smoke_run[0]


@pytest.fixture(scope="module")
def run(folder: Path) -> records.Run:
    return records.read_run(folder)


@pytest.fixture(scope="module")
def awkward(run: records.Run) -> records.Run:
    """The run with the same network once more under a hostile name, where one variant is refused."""
    cases = tuple(replace(case, network=HOSTILE) for case in run.plan.cases)
    networks = {**run.plan.networks, HOSTILE: replace(run.plan.networks["logistic"], name=HOSTILE, about=HOSTILE)}
    refused = run.certificates.assign(network=HOSTILE)
    wrong = refused["variant"] == "buffered"
    refused.loc[wrong, ["certified", "max_error", "where"]] = [False, np.inf, HOSTILE]
    slower = run.samples.assign(network=HOSTILE, seconds=2 * run.samples["seconds"])
    plan = replace(run.plan, cases=run.plan.cases + cases, networks=networks, command=f"gdbench run {HOSTILE}")
    return changed(run, plan, pd.concat([run.samples, slower]), pd.concat([run.certificates, refused]))


@pytest.fixture(scope="module")
def rivalled(run: records.Run) -> records.Run:
    """The run with two peers, whose times are those of one of ours multiplied."""
    cases, samples, certificates = list(run.plan.cases), [run.samples], [run.certificates]
    for factor, name in enumerate(PEERS, start=2):
        cases += [replace(case, variant=name) for case in run.plan.cases if case.variant == "vectorized"]
        times = run.samples[run.samples["variant"] == "vectorized"]
        samples.append(times.assign(variant=name, seconds=factor * times["seconds"]))
        certificates.append(run.certificates[run.certificates["variant"] == "vectorized"].assign(variant=name))
    return changed(run, replace(run.plan, cases=tuple(cases)), pd.concat(samples), pd.concat(certificates))


def changed(run, plan, samples, certificates) -> records.Run:
    rows = [CertificateRow(**row) for row in certificates.to_dict("records")]
    summary = summarise(plan.cases, samples, rows, {}, networks=plan.networks, limits=run.limits)
    return replace(run, plan=plan, samples=samples, certificates=certificates, summary=summary)


class Elements(HTMLParser):
    """What a browser would make elements of, and the content of scripts by their id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str | None] = []
        self.tags: list[str] = []
        self.scripts: dict[str | None, str] = {}
        self.feed(text)

    def handle_starttag(self, tag, attributes) -> None:
        self.tags.append(tag)
        self.ids.append(dict(attributes).get("id"))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script":
            self.scripts[self.ids[-1]] = self.scripts.get(self.ids[-1], "") + data


def embedded(html: str, name: str) -> pd.DataFrame:
    """A table as the page's own script reads it."""
    columns = json.loads(Elements(html).scripts["run-data"])[name]
    return pd.DataFrame(
        {
            key: [values["levels"][code] for code in values["codes"]] if isinstance(values, dict) else values
            for key, values in columns.items()
        }
    )


def test_the_command_writes_the_page_and_it_can_be_rebuilt(folder, run):
    assert (folder / "report.html").read_text(encoding="utf-8") == page.render(run)


def test_page_is_small_and_names_nothing_to_load(run):
    html = page.render(run)
    assert len(html.encode()) < 2_000_000
    assert not re.findall(r"https?:|<link|<img|<iframe|@import|\bsrc=|\bhref=|\burl\(|\bfetch\(|XMLHttpRequest", html)


def test_page_says_what_was_run(run):
    html = page.render(run)
    assert "<title>gdbench report</title>" in html
    for text in (run.plan.command, run.environment.cpu, run.environment.commit or page.UNKNOWN):
        assert str(page.Markup.escape(text)) in html


def test_page_holds_the_numbers_of_the_summary(run):
    shown = embedded(page.render(run), "summary")
    assert len(shown) == len(run.summary) == N_CASES
    for name in ("network", "variant", "batch_size", "descent", "dtype", "status", "blocks"):
        assert shown[name].tolist() == run.summary[name].tolist()
    for name in ("seconds", "seconds_low", "seconds_high", "rows_per_second", "speedup_vs_reference"):
        np.testing.assert_allclose(shown[name], run.summary[name], rtol=1e-3)
    rows = [case.rows_per_call for case in run.plan.cases]
    np.testing.assert_allclose(shown["seconds_per_row_high"], run.summary["seconds_high"] / rows, rtol=1e-3)


def test_every_case_has_its_work_and_its_fraction_of_the_limit(run, folder):
    table = pd.read_csv(folder / "summary.csv")
    assert (table["flops"] > 0).all()
    assert (table["bytes"] > 0).all()
    np.testing.assert_allclose(table["fraction_of_limit"], table["limit_seconds"] / table["seconds"], rtol=1e-4)
    assert (table["fraction_of_limit"] > 0).all()
    assert (table["fraction_of_peak"] > 0).all()
    assert table["best_peer"].isna().all()
    assert table["speedup_vs_best_peer"].isna().all()
    # what must be done does not depend on who does it
    same = run.summary.groupby(["task", "batch_size", "dtype"])[["flops", "bytes", "limit_seconds"]].nunique()
    assert (same == 1).all(axis=None)
    shown = embedded(page.render(run), "summary")
    np.testing.assert_allclose(shown["limit_seconds"], run.summary["limit_seconds"], rtol=1e-3)


def test_every_block_holds_the_limits_and_the_run_has_their_median(run, folder):
    blocks = [json.loads(path.read_text())["gdbench"]["limits"] for path in sorted((folder / "raw").glob("*.json"))]
    assert len(blocks) == 6
    speeds = [block["flops_per_second"]["float32"] for block in blocks]
    assert run.limits[1].flops_per_second["float32"] == np.median(speeds)
    assert set(run.limits[1].flops_per_second) == {"float32", "float64"}


def test_a_run_without_limits_in_its_raw_files_stays_readable(folder, tmp_path):
    old = shutil.copytree(folder, tmp_path / "old")
    for path in (old / "raw").glob("*.json"):
        content = json.loads(path.read_text())
        del content["gdbench"]["limits"]
        path.write_text(json.dumps(content))
    (old / "roofline.png").unlink()
    found = build.rebuild(old)
    assert found.limits == {}
    assert found.summary["limit_seconds"].isna().all()
    assert found.summary["fraction_of_limit"].isna().all()
    assert (found.summary["flops"] > 0).all()
    assert not (old / "roofline.png").exists()
    assert "roofline.png" not in (old / "report.md").read_text(encoding="utf-8")
    assert "The limits of the machine were not measured" in (old / "report.html").read_text(encoding="utf-8")


def test_reports_say_what_the_limits_are_and_that_no_peer_was_measured(run, folder):
    for text in (page.render(run), (folder / "report.md").read_text(encoding="utf-8")):
        assert "Limits on 1 thread, medians over processes: matrix products" in text
        assert "No peer was measured in this run" in text
    assert (folder / "roofline.png").read_bytes().startswith(b"\x89PNG")
    assert "![Roofline](roofline.png)" in markdown.render(run)


def test_failed_cases_show_no_times_and_an_infinite_error_is_null(awkward):
    html = page.render(awkward)
    shown = embedded(html, "summary")
    failed = shown[shown["status"] == "failed"]
    assert set(failed["variant"]) == {"buffered"}
    assert set(failed["network"]) == {HOSTILE}
    assert failed[["seconds", "seconds_per_row", "speedup_vs_reference"]].isna().all(axis=None)
    refused = embedded(html, "certificates").query("not certified")
    assert refused["max_error"].isna().all()
    assert len(refused) == 2


def test_hostile_names_stay_text(awkward):
    elements = Elements(page.render(awkward))
    assert "broken" not in elements.ids
    assert elements.tags.count("script") == 3
    assert json.loads(elements.scripts["run-data"])["about"][HOSTILE] == HOSTILE


def test_page_says_how_sure_its_intervals_are(run):
    few = changed(run, run.plan, run.samples[run.samples["block"] < 2], run.certificates)
    assert "Here: 6 blocks, 96.9 %." in page.render(run)
    assert "Here: 2 blocks, 50 %." in page.render(few)


def test_page_of_a_run_without_times_says_how_to_go_on(run):
    nothing = replace(changed(run, run.plan, run.samples[:0], run.certificates), environment=Environment())
    said = f"{N_CASES} of {N_CASES} cases are not measured yet: continue with gdbench run --resume."
    assert said in page.render(nothing)


@dataclass(frozen=True)
class Watched:
    """A tab with a page all of whose charts are drawn, and what it has complained of and asked for."""

    tab: Page
    complaints: list[str]
    requests: list[str]

    @property
    def is_content(self) -> bool:
        return not self.complaints and all(url.startswith(("file:", "blob:", "data:")) for url in self.requests)


@pytest.fixture(scope="module")
def awkward_page(awkward: records.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("awkward"), awkward)


@pytest.fixture(scope="module")
def as_opened(browser: Browser, awkward_page: Path) -> Iterator[Watched]:
    with watched(browser, awkward_page) as found:
        yield found


@pytest.fixture
def opened(as_opened: Watched) -> Iterator[Page]:
    """The awkward run's page as it opens: change nothing on it."""
    yield as_opened.tab
    assert as_opened.is_content, as_opened


@pytest.fixture(scope="module")
def as_left(browser: Browser, awkward_page: Path) -> Iterator[Watched]:
    with watched(browser, awkward_page) as found:
        yield found


@pytest.fixture
def used(as_left: Watched) -> Iterator[Page]:
    """The same page to be changed, with the filters with which it opens."""
    for axis, value in FILTERS.items():
        as_left.tab.select_option(f"#filter-{axis}", value)
    yield as_left.tab
    assert as_left.is_content, as_left


@pytest.fixture
def with_peers(browser: Browser, rivalled: records.Run, tmp_path: Path) -> Iterator[Page]:
    """The page of the run with peers."""
    with watched(browser, write_page(tmp_path, rivalled)) as found:
        yield found.tab
        assert found.is_content, found


@contextmanager
def watched(browser: Browser, path: Path) -> Iterator[Watched]:
    found = Watched(new_tab(browser), [], [])
    found.tab.on("console", lambda message: found.complaints.append(message.text))
    found.tab.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.tab.on("request", lambda request: found.requests.append(request.url))
    found.tab.goto(path.as_uri())
    found.tab.wait_for_selector("#chart-roofline .scatterlayer .trace")
    yield found
    found.tab.close()


def new_tab(browser: Browser) -> Page:
    tab = browser.new_page()
    tab.set_default_timeout(1000 * LIMIT_SECONDS)  # charts are drawn slowly where all cores are busy
    return tab


def write_page(folder: Path, run: records.Run) -> Path:
    path = folder / "report.html"
    path.write_text(page.render(run), encoding="utf-8")
    return path


def drawn(tab: Page, chart: str) -> list[dict]:
    """The data that Plotly drew."""
    return tab.evaluate(f"JSON.parse(JSON.stringify(document.getElementById('{chart}').data))")


def texts(tab: Page, table: str, column: int) -> list[str]:
    return tab.locator(f"#{table} tbody tr td:nth-child({column})").all_inner_texts()


def test_charts_of_times_are_drawn_with_every_variant_and_batch_size(opened, run):
    heatmap, *others = drawn(opened, "chart-heatmap")
    assert not others
    assert np.shape(heatmap["z"]) == (len(OURS), 2)
    assert opened.locator("#chart-heatmap .heatmap-label").count() == 2 * len(OURS)
    lines = drawn(opened, "chart-lines")
    assert [line["name"] for line in lines] == list(dict.fromkeys(run.summary["variant"]))
    assert all(line["x"] == [1, N_ROWS] and min(line["error_y"]["array"]) >= 0 for line in lines)
    assert opened.locator("#chart-lines .scatterlayer .trace").count() == len(OURS)
    assert opened.locator("#chart-lines .errorbar").count() == 2 * len(OURS)


def test_heat_map_shows_time_per_row_and_speed(opened, run):
    chosen = jit_on_all_rows(run)
    text = drawn(opened, "chart-heatmap")[0]["text"][OURS.index("jit")][1]
    time, unit, speed = re.fullmatch(r"(?:<b>)?([\d.]+) (s|ms|µs|ns)(?:</b>)?<br>([\d.]+)x", text).groups()
    seconds = float(time) * {"s": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}[unit]
    assert seconds == pytest.approx(chosen["seconds_per_row"], rel=6e-3)
    assert float(speed) == pytest.approx(chosen["speedup_vs_reference"], rel=6e-3)
    assert len(drawn_shapes(opened, "best")) == 1


def jit_on_all_rows(run: records.Run) -> pd.Series:
    """Row of the epoch in float32, with which the page opens."""
    chosen = "dtype == 'float32' and task == 'epoch' and variant == 'jit' and batch_size == @N_ROWS"
    return run.summary.query(chosen).iloc[0]


def drawn_shapes(tab: Page, name: str) -> list[dict]:
    shapes = tab.evaluate("document.getElementById('chart-heatmap').layout.shapes")
    return [shape for shape in shapes if shape.get("name") == name]


def test_roofline_has_the_roofs_the_limit_of_each_batch_size_and_every_variant(opened, run):
    traces = {trace.get("name"): trace for trace in drawn(opened, "chart-roofline")}
    assert set(traces) == {None, "limit", *OURS}
    chosen = run.summary.query("dtype == 'float32' and task == 'epoch'").set_index(["variant", "batch_size"])
    intensity = (chosen["flops"] / chosen["bytes"])["jit"]
    speed = (chosen["flops"] / chosen["seconds"])["jit"]
    np.testing.assert_allclose(traces["jit"]["x"], intensity, rtol=1e-3)
    np.testing.assert_allclose(traces["jit"]["y"], speed, rtol=1e-3)
    limit = (chosen["flops"] / chosen["limit_seconds"])["jit"]
    np.testing.assert_allclose(traces["limit"]["y"], limit, rtol=1e-3)
    peak = run.limits[1].flops_per_second["float32"]
    roofs = [trace for trace in drawn(opened, "chart-roofline") if trace["mode"] == "lines+text"]
    assert [roof["text"][0] for roof in roofs] == ["L1", "L2", "beyond L2"]
    assert all(max(roof["y"]) <= peak * 1.001 for roof in roofs)


def test_the_table_of_cases_has_the_fraction_of_the_limit(opened, run):
    row = jit_on_all_rows(run)
    cells = opened.locator("#table-summary tbody tr", has_text=re.compile("^jit")).nth(1).locator("td")
    title = [text.strip() for text in opened.locator("#table-summary thead th").all_inner_texts()].index("of the limit")
    shown = float(cells.nth(title).inner_text().removesuffix(" %"))
    assert shown == pytest.approx(100 * row["fraction_of_limit"], rel=6e-3)


def test_peers_are_set_apart_in_charts_and_compared_in_a_table(with_peers, rivalled):
    lines = {line["name"]: line for line in drawn(with_peers, "chart-lines")}
    assert list(lines) == [*OURS, *(f"{name} (peer)" for name in PEERS)]
    assert {name: line["line"]["dash"] for name, line in lines.items() if line["line"]["dash"] == "dash"} == {
        f"{name} (peer)": "dash" for name in PEERS
    }
    assert len(drawn_shapes(with_peers, "peers")) == 1
    tables = with_peers.locator("#peers table")
    assert tables.count() == 4  # the last two have fractions of the limit, and ranges over processes
    leads, table = tables.nth(0), tables.nth(1)
    cell = rivalled.summary.query("task == 'epoch' and dtype == 'float32' and batch_size == 1 and variant in @OURS")
    fastest = cell.loc[cell["seconds"].idxmin()]
    assert fastest["best_peer"] == PEERS[0]  # twice the time, the other takes three times as long
    rows = [re.split(r"\t", row) for row in table.locator("tbody tr").all_inner_texts()]
    assert rows[0][2].startswith(fastest["variant"])
    assert [row[0] for row in rows[1:4]] == ["of the limit", "of the peak", "fastest peer"]
    assert rows[3][2].startswith(PEERS[0])
    assert rows[4][2].startswith(f"{units.times(fastest['speedup_vs_best_peer'])}\n(")
    overview = [re.split(r"\t", row) for row in leads.locator("tbody tr").all_inner_texts()]
    assert overview[0][2].startswith(f"{units.times(fastest['speedup_vs_best_peer'])} (")
    assert overview[0][2].endswith(f"{fastest['variant']} to {PEERS[0]}")
    assert "No peer was measured" not in with_peers.locator("#peers").inner_text()


@pytest.mark.parametrize(("axis", "value"), [("dtype", "float64"), ("task", "gradient"), ("network", HOSTILE)])
def test_filters_change_charts_and_tables(used, axis, value):
    def seen():
        return (
            drawn(used, "chart-heatmap")[0]["z"],
            drawn(used, "chart-lines")[0]["y"],
            texts(used, "table-summary", 4),
        )

    before = seen()
    used.select_option(f"#filter-{axis}", value)
    assert all(old != new for old, new in zip(before, seen(), strict=True))
    certified = texts(used, "table-certificates", 3 if axis == "network" else 4)
    assert len(certified) == len(OURS)
    if axis != "task":
        assert all(value in text for text in certified)


def test_filters_start_with_the_first_network_and_dtype_and_the_epoch(opened):
    assert {axis: opened.input_value(f"#filter-{axis}") for axis in FILTERS} == FILTERS


def test_titles_sort_the_table_in_both_directions(used, run):
    chosen = run.summary.query("dtype == 'float32' and task == 'epoch'")
    seconds = {(row.variant, str(row.batch_size)): float(f"{row.seconds:.4g}") for row in chosen.itertuples()}
    title = used.get_by_role("button", name="time per call")
    for downwards in (False, True):
        title.click()
        order = zip(texts(used, "table-summary", 1), texts(used, "table-summary", 2), strict=True)
        found = [seconds[case] for case in order]
        assert len(found) == 2 * len(OURS)
        assert found == sorted(found, reverse=downwards)


def test_page_fits_a_narrow_screen(used):
    usual = used.viewport_size
    used.set_viewport_size({"width": 420, "height": 800})
    width = used.locator("#chart-lines").evaluate("chart => chart.clientWidth")
    used.locator(f"#chart-lines .main-svg[width='{width}']").first.wait_for(state="attached")
    assert used.locator("#chart-lines").evaluate("chart => chart.clientHeight") > 200
    assert used.evaluate("document.documentElement.scrollWidth") <= 420
    used.set_viewport_size(usual)


def test_failed_variant_is_shown_as_failed_and_never_timed(used):
    used.select_option("#filter-network", HOSTILE)
    assert drawn(used, "chart-heatmap")[0]["z"][OURS.index("buffered")] == [None, None]
    assert used.locator("#chart-heatmap .annotation", has_text="failed").count() == 2
    assert len(drawn_shapes(used, "failed")) == 2
    assert "buffered" not in [line["name"] for line in drawn(used, "chart-lines")]
    rows = used.locator("#table-summary tr.failed")
    assert rows.count() == 2
    assert re.match(r"buffered\s+1\s+stochastic(\s+-){6}\s+", rows.first.inner_text())
    assert texts(used, "table-certificates", 1) == ["no", *["yes"] * (len(OURS) - 1)]
    assert "buffered" in used.get_by_role("alert").inner_text()
    assert used.locator("#broken").count() == 0


def test_the_page_writes_the_digits_that_the_terminal_writes(opened):
    thousandths = [0, 0.0558, 0.543, 0.00995, 0.9999, 1, 2.125, 9.994, 9.999, 75.25, 99.95, 99.96, 408.4, 999.5, 1234.5]
    values = [sign * value for sign in (1, -1) for value in thousandths]
    assert opened.evaluate("values => values.map(digits)", values) == [units.digits(value) for value in values]
    found = opened.evaluate("[[3.912e-6, 4.3e-6], [950e-6, 1.25e-3]].map((range) => formatSecondsRange(...range))")
    assert found == [units.interval(3.912e-6, 4.3e-6), units.interval(950e-6, 1.25e-3)]


def test_tables_work_where_the_charts_cannot_be_unpacked(browser, run, tmp_path):
    tab = new_tab(browser)
    tab.add_init_script("delete window.DecompressionStream")
    tab.goto(write_page(tmp_path, run).as_uri())
    note = tab.locator("[data-charts-note]").first
    note.wait_for()
    assert "lacks DecompressionStream" in note.inner_text()
    assert len(texts(tab, "table-summary", 1)) == 2 * len(OURS)
    tab.close()
