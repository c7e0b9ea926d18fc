"""A comparison is shown truly: verdict first, nothing claimed that its controls do not allow, no number lost."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, Page
from rich.console import Console

from gdbench.basics import records
from gdbench.cli.compare import command
from gdbench.cli.compare_show import show
from gdbench.compare import markdown, page
from gdbench.compare.conclusion import counts
from gdbench.compare.headline import headline
from gdbench.compare.record import CaseResult, Comparison
from gdbench.compare.sentences import details
from gdbench.compare.sides import ComparedSide
from gdbench.compare.tables import NOT_CLAIMABLE, ORDER, case_name, percent, ratio_text, sections
from gdbench.compare.verdicts import BROKEN, IMPROVED, INSUFFICIENT, MISSING, REGRESSED, UNCHANGED

from ..helpers import quiet_page
from ..report.test_page import Elements
from .comparison_records import BASE_BYTES, cases, explained, make, uncontrolled, with_compile, with_memory

HOSTILE = "</script><b id=broken>@someone |`*_x_*`\n# title"
READING = "more work: 1.25x the instructions; of <b>the</b> tasks gradient became slowest"
SLOWER, MUCH_SLOWER, FASTER, LOST, WRONG, ABSENT = 10, 3, 20, 50, 70, 71


@pytest.fixture(scope="module")
def quiet() -> Comparison:
    return make()


@pytest.fixture(scope="module")
def mixed() -> Comparison:
    """Something of everything: slower, faster, unresolved, broken, missing; bytes and compilation too."""
    record = make(
        effects={MUCH_SLOWER: 0.24, SLOWER: 0.08, FASTER: -0.2},
        spreads={LOST: 0.08},
        absent={WRONG: (BROKEN, HOSTILE), ABSENT: (MISSING, "base has no variant vectorized")},
        warnings=["the load was 3.1 on 2 cores"],
    )
    return explained(with_compile(with_memory(record, {5: 2 * BASE_BYTES}), [0.0, 0.4]), READING)


def printed(record: Comparison, width: int = 100, **options: bool) -> str:
    out = Console(width=width, file=None, record=True, quiet=False, force_terminal=False)
    with out.capture() as captured:
        show(record, out, **options)
    return captured.get()


def joined(text: str) -> str:
    return " ".join(text.split())


def row_of(record: Comparison, position: int) -> CaseResult:
    return record.cases[position]


def test_a_quiet_comparison_says_so_with_its_numbers(quiet):
    assert quiet.exit_code == 0
    assert headline(quiet) == "No regression: 72 of 72 cases unchanged within 2 %."
    (seen,) = details(quiet)
    worst = max(row.smallest_effect for row in quiet.cases)
    assert f"{percent(worst)} in the worst" in seen


def test_one_slower_case_is_the_headline_with_its_interval():
    record = make(effects={MUCH_SLOWER: 0.24})
    row = row_of(record, MUCH_SLOWER)
    assert row.verdict == REGRESSED
    assert headline(record) == f"1 of 72 cases is slower: {case_name(row)}, {ratio_text(row)}."
    assert re.search(r"1\.2\d+x \(1\.2\d+ to 1\.2\d+\)", headline(record))


def test_the_headline_tells_what_is_broken_then_slower_in_every_metric(mixed):
    said = headline(mixed)
    places = [said.index(words) for words in ("is broken", "are slower, most of all mlp", "compiles more", "allocates")]
    assert places == sorted(places)
    assert case_name(row_of(mixed, MUCH_SLOWER)) in said
    assert "2.00x" in said  # bytes are counted, so their ratio has no interval
    assert "\n" not in said


@pytest.mark.parametrize(
    ("record", "word", "kept"),
    [
        (make(effects={3: 0.24}, canary=0.04), "INVALID", set()),
        (make(effects={3: 0.24}, spike=0.0), "UNDERPOWERED", {REGRESSED}),
    ],
    ids=["invalid", "underpowered"],
)
def test_nothing_is_claimed_that_the_controls_do_not_allow(record, word, kept):
    assert word in headline(record)
    assert "unchanged within" not in headline(record)
    (section,) = sections(record)
    assert {line.verdict for line in section.lines} == {NOT_CLAIMABLE, *kept}
    assert section.unchanged == ()
    texts = [printed(record), markdown.render(record)]
    for text in texts:
        assert not re.search(rf"{UNCHANGED} within", text)
        assert record.controls.reason in joined(text)
    assert len(re.findall(rf"^\| {NOT_CLAIMABLE} ", texts[1], re.M)) == 72 - len(kept)


def test_verdicts_not_downgraded_in_the_record_are_not_claimed_either(quiet):
    assert {line.verdict for line in sections(uncontrolled(quiet, "canaries differ"))[0].lines} == {NOT_CLAIMABLE}


def test_too_little_evidence_is_the_headline_and_says_how_long_it_would_take():
    record = make(spreads=dict.fromkeys(range(40), 0.3))
    unresolved = [row for row in record.cases if row.verdict == INSUFFICIENT]
    assert record.exit_code == 3
    assert headline(record).startswith("Not enough evidence, and no regression proven: ")
    assert f"{len(unresolved)} without enough evidence" in headline(record)
    longest = round(max(row.minutes_needed for row in unresolved))
    assert f"{longest} minutes for the worst" in " ".join(details(record))


@pytest.mark.parametrize(
    ("kept", "progress", "said"),
    [
        ((2, 0), "stopped in screen block 3 of 8", "Too early to judge any time: run it again, to its end."),
        ((8, 0), "ended early, since the process of HEAD died", "Too early to judge any time: run it again"),
        ((8, 5), "stopped in confirm block 6 of 24", "Too early to call any case unchanged: run it again"),
        ((8, 20), "stopped in confirm block 21 of 24", "No regression proven so far: 7"),
    ],
)
def test_a_comparison_that_did_not_end_says_so_first_and_is_never_fine(kept, progress, said):
    record = make(kept=kept, complete=False, progress=progress)
    assert headline(record).startswith(f"{progress[0].upper()}{progress[1:]}. {said}")
    assert record.exit_code == 3
    for text in (printed(record), markdown.render(record), page.render(record)):
        assert "UNDERPOWERED" not in text
        assert "--deep" not in text


def test_what_an_unfinished_comparison_proved_stands_in_its_headline():
    told = {"complete": False, "progress": "stopped in screen block 3 of 8"}
    record = with_memory(make(kept=(2, 0), absent={WRONG: (BROKEN, "it died")}, **told), {5: 2 * BASE_BYTES})
    assert record.exit_code == 4
    assert re.match(
        r"Stopped in screen block 3 of 8\. 1 of 72 cases is broken: .*, it died\. 1 of 7\d cases allocates more: .* "
        r"Too early to judge any time: run it again, to its end\.$",
        headline(record),
    )


def test_without_any_block_nothing_was_measured():
    told = {"complete": False, "progress": "stopped while it certified", "kept": (0, 0)}
    record = make(**told)
    assert headline(record) == "Nothing was measured: stopped while it certified."
    assert record.exit_code == 4
    broken = make(absent={WRONG: (BROKEN, "it died")}, **told)
    assert re.match(
        r"Nothing was measured: stopped while .*\. 1 of 72 cases is broken: .*, it died\.$", headline(broken)
    )
    counted = headline(with_memory(record, {5: 2 * BASE_BYTES}))
    assert counted.startswith("Nothing was measured but memory: stopped while it certified. 1 of 72 cases allocates")


def test_a_comparison_that_was_stopped_while_it_explained_has_all_its_verdicts(quiet):
    record = replace(quiet, progress="stopped while it explained", ended_early=True)
    assert headline(record) == f"Stopped while it explained, after all verdicts were reached. {headline(quiet)}"


def test_memory_and_compile_time_stand_in_an_invalid_run():
    record = make(effects={3: 0.24}, canary=0.04, absent={WRONG: (BROKEN, "it died")})
    assert record.controls.status == "invalid"
    assert "1 of 72 cases is broken" in headline(record)
    assert "stand" not in headline(record)
    assert " Verdicts on memory stand, " in headline(with_memory(record, {}))
    assert headline(with_memory(record, {})).endswith(" No regression there.")
    found = headline(with_compile(with_memory(record, {5: 2 * BASE_BYTES}), [0.0, 0.4]))
    assert found.startswith("INVALID: ")
    _, _, standing = found.partition(" Verdicts on memory and compile time stand, ")
    assert "1 of 2 cases compiles more slowly" in standing
    assert "cases allocates more" in standing
    assert "is slower" not in found


def test_remarks_that_differ_in_a_number_alone_are_one():
    record = make(spreads=dict.fromkeys(range(40), 0.1))
    clause = "the bootstrap's interval differs by {} percentage points"
    rows = [row for row in record.cases if row.reason]
    numbers = [float(re.fullmatch(clause.format(r"(\d+\.\d)"), row.reason)[1]) for row in rows]
    assert len(set(numbers)) > 1
    together = clause.format(f"up to {max(numbers)}")
    assert f"Remarks: {len(numbers)} cases ({together})." in details(record)
    alone = replace(record, cases=tuple(rows[:1]))
    assert f"Remarks: 1 case ({rows[0].reason})." in details(alone)


@pytest.mark.parametrize("absent", [{}, {0: (MISSING, "head has no jit"), 1: (BROKEN, "it died")}])
def test_nothing_measured_is_never_called_fine(absent):
    record = make(cases()[: len(absent)], absent=absent)
    assert record.exit_code == 4
    assert headline(record).startswith("Nothing was measured")
    assert all(reason in headline(record) for _, reason in absent.values())
    for text in (printed(record), markdown.render(record), page.render(record)):
        assert "No regression" not in text


def test_something_from_nothing_is_a_regression_without_a_ratio(quiet):
    record = with_memory(quiet, {5: 8 * BASE_BYTES}, base_bytes=0)
    assert "allocate" in headline(record)
    assert "0 B to 3.06 MiB" in headline(record)


def test_lines_are_sorted_by_what_matters(mixed):
    time = sections(mixed)[0]
    order = [ORDER.index(line.verdict) for line in time.lines]
    assert order == sorted(order)
    slower = [line.row.ratio for line in time.lines if line.verdict == REGRESSED]
    assert len(slower) == 2
    assert slower == sorted(slower, reverse=True)
    assert [section.metric for section in sections(mixed)] == ["time", "compile", "memory"]


@pytest.mark.parametrize("width", [60, 100, 140])
def test_the_terminal_shows_every_change_at_any_width(mixed, width):
    text = printed(mixed, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text  # nothing is cut
    for position in (MUCH_SLOWER, SLOWER, FASTER):
        assert ratio_text(row_of(mixed, position)) in joined(text)
    for words in ("Time per call", "Compile time", "Allocated bytes per call", "Controls: valid", "the load was 3.1"):
        assert words in joined(text)


@pytest.mark.parametrize("width", [60, 100, 140])
def test_the_terminal_explains_a_regression_below_it(mixed, width):
    text = printed(mixed, width)
    words = re.sub(r"\s+|[\d.]+ (?:µs|%)|1\.\d+x \(.*?\)", " ", text)
    before, reading, after = (" ".join(part.split()) for part in words.partition("more work:"))
    assert reading
    assert IMPROVED not in before
    assert after.startswith(
        "1.25x the instructions; of <b>the</b> tasks gradient became slowest by task: forward 1.00x"
    )
    assert IMPROVED in after


def test_the_comment_explains_a_regression_below_the_table(mixed):
    row = next(row for row in mixed.cases if row.explanation)
    text = markdown.render(mixed)
    times = text.partition("### Time per call")[2].partition("###")[0]
    told = times.splitlines()[-3:]
    assert times.rstrip().splitlines()[-1].startswith(f"- {case_name(row)}: more work: 1.25x the instructions; of \\<b")
    assert "; by task: forward 1.00x, gradient 1." in " ".join(told)
    assert "by task" not in text.replace(times, "")


def test_nothing_is_explained_that_is_not_claimed(mixed):
    invalid = uncontrolled(mixed, "canaries differ")
    for text in (printed(invalid), markdown.render(invalid)):
        assert "by task" not in text
    assert "explained" in Elements(page.render(mixed)).ids
    assert "explained" not in Elements(page.render(invalid)).ids


def test_unchanged_cases_are_a_line_per_network_unless_all_are_asked_for(quiet):
    brief, long = printed(quiet, 140), printed(quiet, 140, every_case=True)
    assert len(re.findall(rf"^{UNCHANGED} within 2 %: (?:linear|mlp|softmax): 24 cases", brief, re.M)) == 3
    every = [case_name(row) for row in quiet.cases]
    assert not [name for name in every if name in brief.partition("Smallest visible")[0]]
    assert [name for name in every if name not in long] == []


def test_many_unresolved_cases_are_counted_in_the_terminal():
    record = make(spreads=dict.fromkeys(range(60), 0.08))
    number = record.counts[INSUFFICIENT]
    assert f"{INSUFFICIENT}: {number - 20} cases more, listed with --all" in printed(record)


def test_the_comment_has_its_verdict_first_and_its_mark_last(mixed):
    lines = markdown.render(mixed).splitlines()
    assert lines[0] == f"**{markdown._text(headline(mixed))}**"
    assert lines[-1] == markdown.MARK
    opened, closed = (sum(line.count(tag) for line in lines) for tag in ("<details>", "</details>"))
    assert opened == closed > 4
    before = "\n".join(lines).partition("<details>")[0]
    for position in (MUCH_SLOWER, SLOWER, FASTER):
        assert case_name(row_of(mixed, position)) in before
    assert f"| {UNCHANGED} |" not in before


def test_the_comment_lets_no_text_out_of_its_cell(mixed):
    text = markdown.render(mixed)
    assert "<b id=broken>" not in re.sub(r"\\<", "", text)
    assert "@someone" not in text
    rows = [line for line in text.splitlines() if line.startswith(f"| {BROKEN} ")]
    assert len(rows) == 1
    assert len(re.findall(r"(?<!\\)\|", rows[0])) == 8


@pytest.mark.parametrize("effect", [0.0, 0.2])
def test_a_comment_on_a_thousand_cases_fits_into_github_and_says_what_it_left_out(effect):
    long = "synthetic_regression:n=5000,d=784,condition=100"
    judged = make(cases()[:50], effects=dict.fromkeys(range(50), effect), warnings=["x" * 5000] * 50)
    rows = [replace(row, case=f"{i}", dataset=f"{long},seed={i}") for i, row in enumerate(20 * judged.cases)]
    record = replace(judged, cases=tuple(rows), counts=counts(rows))
    text = markdown.render(record)
    assert 5_000 < len(text) <= markdown.LIMIT
    left_out = int(re.search(r"^([\d,]+) more: see comparison.html", text, re.M)[1].replace(",", ""))
    shown = len(re.findall(rf"^\| (?:{REGRESSED}|{UNCHANGED}) \| (?!canary|spike)", text, re.M))
    assert left_out + shown == 1000
    assert markdown.MARK in text


def test_reproducing_names_commits_in_the_place_of_moving_names(quiet):
    base, head = (side.commit[:12] for side in (quiet.base, quiet.head))
    assert markdown.reproduce(quiet) == f"gdbench compare {base} {head} --quick"
    sides = [ComparedSide(name, "variant", "1f0c" * 10, variant=name) for name in ("jit", "vectorized")]
    variants = replace(quiet, command="gdbench compare jit vectorized", base=sides[0], head=sides[1])
    assert markdown.reproduce(variants) == "gdbench compare jit vectorized"
    assert markdown.side_name(variants.base).startswith("variant jit (commit ")


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
    assert case_name(row_of(mixed, MUCH_SLOWER)) in slower["hovertext"][-1]
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
    assert case_name(row_of(mixed, MUCH_SLOWER)) in told or case_name(row_of(mixed, SLOWER)) in told
    assert READING[1:] in told
    assert "1,200,000 to 1,500,000 per call" in told
    assert "Counted under valgrind, which has no AVX-512" in told
    size = opened.viewport_size
    opened.set_viewport_size({"width": 400, "height": 800})
    assert opened.evaluate("document.documentElement.scrollWidth") <= 400
    opened.set_viewport_size(size)


def test_help_tells_the_exit_codes():
    told = joined(CliRunner().invoke(command, ["--help"]).output)
    codes = re.findall(r"(?:: |; )(\d+) [a-z]", told.partition("Exit codes")[2])
    assert codes == ["0", "1", "2", "3", "4", "130"]
