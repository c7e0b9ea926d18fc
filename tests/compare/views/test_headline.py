"""A comparison's headline and the sentences beside it: what was found first, how sure, and what is still open."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from gdbench.compare.judge.cases import LAYOUT
from gdbench.compare.judge.terms import BROKEN, INSUFFICIENT, REGRESSED
from gdbench.compare.measure.controls import spike_in
from gdbench.compare.record.tiers import QUICK
from gdbench.compare.views.headline import headline
from gdbench.compare.views.sentences import details
from gdbench.compare.views.tables import case_name, percent, ratio_text

from ..comparison_records import BASE_BYTES, MUCH_SLOWER, SPIKE, WRONG, cases, make, with_compile, with_memory


def test_a_quiet_comparison_says_so_with_its_numbers(quiet):
    assert quiet.exit_code == 0
    shared = f"The suite is unchanged: {ratio_text(quiet.suite)}."
    assert headline(quiet) == f"{shared} No regression: 72 of 72 cases unchanged within 2 %."
    (seen,) = details(quiet)
    worst = max(row.smallest_effect for row in quiet.cases)
    assert f"{percent(worst)} in the worst" in seen


def test_one_slower_case_is_the_headline_with_its_interval():
    record = make(effects={MUCH_SLOWER: 0.24})
    row = record.cases[MUCH_SLOWER]
    assert row.verdict == REGRESSED
    shared = f"The suite is unchanged: {ratio_text(record.suite)}."
    assert headline(record) == f"{shared} 1 of 72 cases is slower: {case_name(row)}, {ratio_text(row)}."
    assert re.search(r"1\.2\d+x \(1\.2\d+ to 1\.2\d+\)", headline(record))


def test_the_headline_tells_what_is_broken_then_slower_in_every_metric(mixed):
    said = headline(mixed)
    places = [said.index(words) for words in ("is broken", "are slower, most of all mlp", "compiles more", "allocates")]
    assert places == sorted(places)
    assert case_name(mixed.cases[MUCH_SLOWER]) in said
    assert "2.00x" in said  # bytes are counted, so their ratio has no interval
    assert "\n" not in said


def test_an_underpowered_comparison_names_the_extra_work_that_it_did_not_find():
    record = make(spike=0.0)
    lost = "UNDERPOWERED: extra work was not found (spike-in: 5 % more work). No case can be called unchanged: "
    assert headline(record).endswith(f"{lost}compare again on a quieter machine.")
    assert f"{lost}compare with --standard, which claims 5 %, or on" in headline(replace(record, tier="deep"))


def test_the_underpowered_example_of_the_documents_is_in_the_words_that_a_quick_run_has_today():
    record = replace(make(spike=0.0), tier=QUICK.name)
    names = {SPIKE.name: spike_in(QUICK.effect).name}
    controls = tuple(replace(row, case=names.get(row.case, row.case)) for row in record.controls.cases)
    record = replace(record, controls=replace(record.controls, cases=controls))
    told = headline(record).partition("UNDERPOWERED: ")[2]
    assert told.startswith("extra work was not found (spike-in: 10 % more work).")
    page = (Path(__file__).parents[3] / "docs" / "commands" / "compare.md").read_text(encoding="utf-8")
    assert f"UNDERPOWERED: {told}" in " ".join(page.split())


def test_too_little_evidence_is_the_headline_and_says_how_long_it_would_take():
    record = make(spreads=dict.fromkeys(range(40), 0.3))
    unresolved = [row for row in record.cases if row.verdict == INSUFFICIENT]
    assert record.exit_code == 3
    assert "Not enough evidence, and no regression proven: " in headline(record)
    assert f"{len(unresolved)} without enough evidence" in headline(record)
    longest = round(max(row.minutes_needed for row in unresolved))
    assert f"{longest} minutes for the worst" in " ".join(details(record))


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


def test_a_shift_that_cases_share_is_in_the_headline_with_the_groups_that_moved():
    jit = [i for i, case in enumerate(cases()) if case.variant == "jit"]
    record = make(effects=dict.fromkeys(jit, 0.015))
    (slower,) = [group for group in record.groups if group.name == "jit"]
    assert (slower.verdict, record.exit_code) == (REGRESSED, 1)
    assert f"Slower together: variant jit {ratio_text(slower)}" in headline(record)
    assert headline(record).index("The suite") < headline(record).index("Slower together")


def test_remarks_that_are_alike_are_counted():
    record = make(effects=dict(enumerate(np.random.default_rng(0).normal(0, 0.015, len(cases())).tolist())))
    rows = [row for row in record.cases if row.reason]
    assert rows
    assert {row.reason for row in rows} == {LAYOUT}
    assert f"Remarks: {len(rows)} cases ({LAYOUT})." in details(record)


def test_something_from_nothing_is_a_regression_without_a_ratio(quiet):
    record = with_memory(quiet, {5: 8 * BASE_BYTES}, base_bytes=0)
    assert "allocate" in headline(record)
    assert "0 B to 3.06 MiB" in headline(record)
