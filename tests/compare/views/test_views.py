"""A comparison in the terminal and as a comment: every change is shown, and nothing claimed beyond its controls."""

import re
from dataclasses import replace

import pytest
from rich.console import Console

from gdbench.cli.compare_show import show
from gdbench.compare.conclusion import counts
from gdbench.compare.environments.record import Installed, differences
from gdbench.compare.judge.terms import BROKEN, IMPROVED, INSUFFICIENT, MISSING, REGRESSED, UNCHANGED
from gdbench.compare.record.record import Comparison
from gdbench.compare.sides.sides import ComparedSide
from gdbench.compare.views import markdown, page
from gdbench.compare.views.headline import headline
from gdbench.compare.views.tables import NOT_CLAIMABLE, ORDER, case_name, ratio_text, sections

from ...report.test_page import Elements
from ..comparison_records import FASTER, MUCH_SLOWER, SLOWER, cases, make, uncontrolled


def printed(record: Comparison, width: int = 100, **options: bool) -> str:
    out = Console(width=width, record=True, force_terminal=True, color_system=None)
    with out.capture() as captured:
        show(record, out, **options)
    return captured.get()


def joined(text: str) -> str:
    return " ".join(text.split())


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
    assert headline(record).startswith(f"{progress[0].upper()}{progress[1:]}. ")
    assert f" {said}" in headline(record)
    assert record.exit_code == 3
    for text in (printed(record), markdown.render(record), page.render(record)):
        assert "UNDERPOWERED" not in text
        assert "--deep" not in text


@pytest.mark.parametrize("absent", [{}, {0: (MISSING, "head has no jit"), 1: (BROKEN, "it died")}])
def test_nothing_measured_is_never_called_fine(absent):
    record = make(cases()[: len(absent)], absent=absent)
    assert record.exit_code == 4
    assert headline(record).startswith("Nothing was measured")
    assert all(reason in headline(record) for _, reason in absent.values())
    for text in (printed(record), markdown.render(record), page.render(record)):
        assert "No regression" not in text


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
        assert ratio_text(mixed.cases[position]) in joined(text)
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
        assert case_name(mixed.cases[position]) in before
    assert not re.search(rf"^\| {UNCHANGED} \| (?!all cases)", before, re.M)
    assert re.search(r"^\| [A-Z ]+ \| all cases \| 70 \| ", before, re.M)


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
    shown = len(
        re.findall(
            rf"^\| (?:{REGRESSED}|{UNCHANGED}) \| (?!canary|spike|all cases|variant|network|task|dtype|batch)",
            text,
            re.M,
        )
    )
    assert left_out + shown == 1000
    assert markdown.MARK in text


def test_reproducing_names_commits_in_the_place_of_moving_names(quiet):
    base, head = (side.commit[:12] for side in (quiet.base, quiet.head))
    assert markdown.reproduce(quiet) == f"gdbench compare {base} {head} --quick"
    sides = [ComparedSide(name, "variant", "1f0c" * 10, variant=name) for name in ("jit", "vectorized")]
    variants = replace(quiet, command="gdbench compare jit vectorized", base=sides[0], head=sides[1])
    assert markdown.reproduce(variants) == "gdbench compare jit vectorized"
    assert markdown.side_name(variants.base).startswith("variant jit (commit ")


def in_environments() -> Comparison:
    """Two environments with one case that is slower in the second."""
    old = Installed("3.11.7", {"numba": "0.65.1", "numpy": "2.4.6"})
    new = Installed("3.11.7", {"numba": "0.66.0", "numpy": "2.4.6"})
    sides = [
        ComparedSide(f"numba {one.versions['numba']}", "environment", "1f0c" * 10, revision="HEAD~1", installed=one)
        for one in (old, new)
    ]
    return make(
        effects={MUCH_SLOWER: 0.24},
        command="gdbench compare HEAD~1 --env numba==0.65.1 --env numba==0.66.0",
        base=sides[0],
        head=sides[1],
        differences=differences(old, new),
    )


def test_every_view_names_both_environments_and_the_versions_that_differ() -> None:
    record = in_environments()
    for text in (printed(record), markdown.render(record), page.render(record)):
        words = joined(text)
        assert "numba 0.65.1 (commit 1f0c1f0c1f0c)" in words
        assert "numba 0.66.0 (commit 1f0c1f0c1f0c)" in words
        assert "Versions that differ: numba 0.65.1 against 0.66.0." in words
    assert "two processes of one environment" in page.render(record)
    assert "with the packages of the head" in markdown.render(record)


def test_environments_are_compared_again_on_the_commit_that_a_name_meant() -> None:
    assert markdown.reproduce(in_environments()) == (
        "gdbench compare 1f0c1f0c1f0c --env numba==0.65.1 --env numba==0.66.0"
    )


def test_other_comparisons_say_nothing_of_versions() -> None:
    record = make()
    for text in (printed(record), markdown.render(record), page.render(record)):
        assert "ersions that differ" not in text
    assert "in the processes of both sides" in page.render(record)
