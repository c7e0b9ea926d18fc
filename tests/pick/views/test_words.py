"""What is said of a pick says what its record holds: numbers, statuses, remedies, in every view and through JSON."""

import io
import math
import re
import signal
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from gdbench.cli.console import stdout
from gdbench.cli.pick_show import show as show_answer
from gdbench.pick.choose.objectives import NAMES
from gdbench.pick.data.source import RowSource
from gdbench.pick.record.record import PickRecord
from gdbench.pick.steps.answer import BUDGET, CAPPED, DIVERGED, MET, UNRELIABLE
from gdbench.pick.steps.measure import ENDED
from gdbench.pick.views import amounts
from gdbench.pick.views.markdown import render
from gdbench.pick.views.sentences import MAX_SENTENCES, in_words
from gdbench.pick.views.tables import cells, table

from ..pick_records import (
    CRITICAL,
    FIXED,
    N_ROWS,
    PER_ROW,
    SIZES,
    TARGET_WORDS,
    make_record,
    make_steps,
    make_times,
    unreached,
)

STATUSES = (CAPPED, DIVERGED, UNRELIABLE, MET, BUDGET)
MEMORY = {"memory_bytes": 1e5, "bytes_needed": {size: 1000 * size for size in SIZES}}
LOST = make_steps(
    failed={1024: (UNRELIABLE, "3 of 10 runs failed"), 512: (CAPPED, "no")}, extrapolated=(1, N_ROWS), noise=0.02
)
RECORDS = {
    **{objective: make_record(objective=objective, options=MEMORY) for objective in NAMES},
    **{status: make_record(unreached(status, "some reason")) for status in STATUSES},
    "exact": make_record(make_steps(), make_times()),
    "noise": make_record(make_steps(noise=20.0), make_times(noise=20.0)),
    "lost": make_record(LOST),
    "interrupted": make_record(stopped_by=signal.SIGINT),
    "interrupted before": make_record(unreached(BUDGET), stopped_by=signal.SIGINT),
    "nothing": in_words(replace(make_record(), choice=None, steps=None, times=None, status=BUDGET, reason="no time")),
    "open curve": make_record(make_steps(identified=False)),
    "no current": make_record(current=None),
    "easy": make_record(make_steps(steps=[1 + 9 // size for size in SIZES], noise=0.01)),
}


@pytest.fixture(params=RECORDS)
def record(request: pytest.FixtureRequest) -> PickRecord:
    return RECORDS[request.param]


def said(record: PickRecord) -> str:
    return " ".join((*record.sentences, *record.apart, *record.details))


def shown(record: PickRecord, width: int = 200) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(table(record, width=width))
    return out.getvalue()


def test_every_sentence_is_one_and_they_are_few(record: PickRecord) -> None:
    texts = [*record.sentences, *record.apart, *record.details, *record.limits]
    assert 0 < len(record.sentences) <= MAX_SENTENCES == 7
    for text in texts:
        assert re.fullmatch(r"[A-Z0-9].*[^. ]\.", text), text
        assert ".." not in text
        assert "\n" not in text


def test_what_is_no_number_is_written_nowhere(record: PickRecord) -> None:
    report = re.sub(r"^- machine: .*$", "", render(record), flags=re.M)  # the environment's own words
    for text in (said(record), *record.limits, report, shown(record)):
        assert not re.search(r"\b(nan|inf|None|null|True|False)\b|\de[+-]\d", text), text


def test_the_first_sentence_is_the_whole_answer() -> None:
    found = make_record()
    choice = found.choice
    assert choice is not None
    assert (choice.batch_size, found.exit_code, found.complete) == (32, 0, True)
    first = found.sentences[0]
    assert first.startswith("Use batch size 32 with learning rate 0.311 for the least time to the target: ")
    told = re.fullmatch(r".*: (\d+) ms \(90 % interval (\d+) to (\d+) ms\)\.", first)
    assert told is not None
    assert [float(text) for text in told.groups()] == pytest.approx([1e3 * end for end in choice.row.time], rel=0.01)


def test_the_answer_says_target_steps_and_passes() -> None:
    found = make_record()
    row = found.choice.row
    assert f"Target: {TARGET_WORDS}; that takes {row.steps:,} steps, or {row.epochs:.0f} passes" in said(found)


def test_the_answer_says_what_it_ties_with_and_why_the_smaller_was_taken() -> None:
    found = make_record()
    best, taken = (next(row for row in found.choice.table if row.batch_size == size) for size in (64, 32))
    fewer = 100 * (1 - taken.examples / best.examples)
    assert "64 is as good within 5 %; the smallest was taken, which needs less memory" in said(found)
    assert f"and reads {fewer:.0f} % fewer rows than 64, the best." in said(found)
    assert "as good" not in said(make_record(options={"tolerance": 0.0}))


def test_the_answer_says_why() -> None:
    text = said(make_record())
    half = FIXED / PER_ROW
    assert f"up to {half:.0f} rows the fixed cost of a step prevails" in text
    assert f"beyond {CRITICAL:.0f} rows more mostly repeat the others" in text
    assert f"{math.sqrt(half * CRITICAL):.0f} rows balance both" in text
    assert f"{100 * half / (half + 32):.0f} % of a step is fixed cost" in text
    assert f"{100 * CRITICAL / (CRITICAL + 32):.0f} % of the steps only average out gradient noise" in text
    assert "less fixed cost per step would help most" in text
    none = said(make_record(times=make_times(fixed=1e-6, variant="jit")))
    assert "a step has hardly any fixed cost (jit" in none
    assert "balance" not in none  # there is nothing to weigh against more rows
    open_curve = said(RECORDS["open curve"])
    assert "the runs do not tell" in open_curve
    assert "balance" not in open_curve


def test_the_answer_compares_with_what_people_use() -> None:
    found = make_record()
    full, one, current = (amounts.number(entry.ratio) for entry in found.choice.against)
    assert (
        f"The full batch (1,797) takes {full} times as long, one row at a time {one} times, "
        f"your current batch size (512) {current} times."
    ) in found.sentences
    per_row = next(text for text in RECORDS["throughput"].sentences if text.startswith("The full batch"))
    assert "times as long per row" in per_row


def test_what_no_run_confirmed_is_told_apart_and_compared_with_nothing() -> None:
    found = RECORDS["lost"]
    assert "The full batch (1,797) and one row at a time were not measured." in found.sentences
    assert "Your current batch size (512) gave no number: no." in found.sentences
    by_curve = [row.steps for row in found.choice.table if row.batch_size in (1, N_ROWS)]
    assert found.apart[0] == (
        f"Not measured: batch sizes 1 and 1,797, where the curve alone would have {by_curve[0]:,} and {by_curve[1]} "
        "steps."
    )
    assert "Left out: batch size 1,024 (unreliable: 3 of 10 runs failed)." in found.apart
    assert [row[0] for row in cells(found).rows] == [str(size) for size in SIZES if size not in (1, 512, 1024, N_ROWS)]
    assert found.choice.payback is None


def test_too_large_batch_sizes_are_told_apart() -> None:
    (text,) = RECORDS["memory"].apart
    assert text == (
        "Left out: batch sizes 128, 256, 512, 1,024 and 1,797 (too large: a step needs more memory than allowed)."
    )


def test_the_answer_says_what_the_search_cost_and_when_it_pays_back() -> None:
    found = make_record()
    payback = found.choice.payback
    assert 300 < payback.trainings < 320
    saved = amounts.seconds(payback.saved_seconds)
    assert f"The search took 38 s, which 310 trainings pay back: each is {saved} shorter than with your" in said(found)
    assert "than with the full batch of 1,797" in said(make_record(current=None))
    assert "no training becomes shorter" in said(make_record(current=32))


def test_throughput_is_not_called_a_time_to_a_target() -> None:
    found = RECORDS["throughput"]
    assert "This is no time to a target" in said(found)
    assert "least time per row" in found.sentences[0]
    assert all("learning rate" not in text and "target" not in text for text in found.limits)
    assert set(cells(found).head) == {"batch size", "time per step", "time per row", ""}


@pytest.mark.parametrize("status", STATUSES)
def test_a_target_that_was_not_reached_has_status_reason_and_remedy_and_no_number(status: str) -> None:
    found = RECORDS[status]
    assert (found.choice, found.status, found.exit_code) == (None, status, 3)
    first, *others = found.sentences
    assert first.startswith("No batch size can be recommended: ")
    assert "some reason" in said(found)
    assert not re.search(r"\d", said(found).replace(TARGET_WORDS, ""))
    assert any(word in others[-1] for word in ("--loss-target", "--budget", "standardised"))
    assert cells(found).rows == ()


@pytest.mark.parametrize("status", [CAPPED, DIVERGED, UNRELIABLE, MET])
def test_columns_that_were_left_as_they_are_are_named(status: str) -> None:
    record = make_record(unreached(status, "some reason"))
    source = RowSource(file="houses.csv", standardise=False)
    left = in_words(replace(record, data=replace(record.data, source=source)))
    assert "leave out --no-standardise" in said(left)
    assert "--no-standardise" not in said(record)


def test_a_target_that_was_met_says_what_to_do_by_where_it_came_from() -> None:
    assert "take another --init" in make_record(unreached(MET, "some reason")).sentences[-1]
    given = make_record(unreached(MET, "some reason"), asked={"loss_target": 0.5})
    assert "Ask for a lower --loss-target, or for auto" in given.sentences[-1]


def test_brackets_of_names_and_reasons_are_printed_as_they_are() -> None:
    record = make_record(unreached(CAPPED, "[bold]some[/] reason [/red]"), warnings=["[i]of[/i] rows"])
    with redirect_stdout(StringIO()) as out:
        show_answer(record, stdout)
    assert "What was seen: [bold]some[/] reason [/red]" in out.getvalue()
    assert "Warning: [i]of[/i] rows" in out.getvalue()


def test_the_terminal_has_the_answer_the_table_and_what_stands_apart() -> None:
    with redirect_stdout(StringIO()) as out:
        show_answer(RECORDS["lost"], stdout)
    found, lines = RECORDS["lost"], out.getvalue().split("\n")
    assert [line.strip() for line in lines[1 : 1 + len(found.sentences)]] == list(found.sentences)
    assert all(text in out.getvalue() for text in found.apart)
    assert "chosen" in out.getvalue()
    assert not any(text in out.getvalue() for text in (*found.details, *found.limits))


def test_statuses_are_told_apart() -> None:
    assert len({RECORDS[status].sentences[0] for status in STATUSES}) == len(STATUSES)


def test_a_search_that_failed_in_several_ways_says_where() -> None:
    failed = {size: (DIVERGED, "all 10 runs diverged") if size < 8 else (CAPPED, "too slow") for size in SIZES}
    found = make_record(make_steps(failed=failed, status=CAPPED, reason="too slow"))
    assert found.apart[0] == "Left out: batch sizes 1, 2 and 4 (diverged: all 10 runs diverged)."


def test_an_interrupted_search_says_so_beside_its_answer_or_instead_of_it() -> None:
    found = RECORDS["interrupted"]
    assert (found.exit_code, found.complete) == (130, False)
    assert found.sentences[1].startswith("Stopped early (stopped by Ctrl-C; 120 runs of 10 rounds)")
    before = RECORDS["interrupted before"]
    assert before.exit_code == 130
    assert before.sentences[0].startswith("Stopped before there was an answer (stopped by Ctrl-C")


def test_a_search_that_ran_out_of_budget_says_so_beside_its_answer() -> None:
    found = make_record(make_steps(status=BUDGET, reason="only two rounds were affordable"))
    assert found.exit_code == 0
    assert "The search ended before it was sure: only two rounds were affordable." in found.sentences
    assert not any("What was seen" in said for said in make_record(unreached(BUDGET, ENDED)).sentences)
    few = (1, 32, 1024)  # so far apart that none ties
    sure = make_record(make_steps(few), make_times(few))
    late = make_record(make_steps(few, status=BUDGET, reason=ENDED), make_times(few))
    assert "Time was up before the answer was sure: search longer with --tier or --budget." in late.sentences
    none_better = "What noise there is hides no better one among those measured."
    assert (none_better in sure.sentences, none_better in late.sentences) == (True, False)


def test_another_variant_with_the_same_steps_says_why_the_answer_differs() -> None:
    before = make_record()
    after = make_record(times=make_times(fixed=1.5e-6, noise=0.01, variant="jit"), earlier=before)
    assert (before.choice.batch_size, after.choice.batch_size) == (32, 8)
    assert "With vectorized the answer was 32, with jit it is 8." in after.sentences
    assert "half of the top speed was at 64 rows per step, now at 1.5 rows" in said(after)
    assert "smaller batches suit it" in said(after)
    same = make_record(earlier=before)
    assert "The answer was the same before, with vectorized: 32." in same.sentences
    assert "suit" not in said(same)


def test_limits_name_rate_loss_machine_threads_and_variant() -> None:
    text = " ".join(make_record(times=make_times(threads=2, variant="jit")).limits)
    for words in ("learning rate is constant", "training loss", "this machine with 2 threads, float64 and variant jit"):
        assert words in text
    held_out = " ".join(make_record(asked={"validation": 0.2}).limits)
    assert "20 % of the rows, held out" in held_out
    assert "training loss" not in held_out


def test_the_table_holds_the_numbers_of_the_record() -> None:
    found = make_record()
    text = cells(found)
    assert [row[0] for row in text.rows] == [f"{size:,}" for size in SIZES]
    for row, cell in zip(found.choice.table, text.rows, strict=True):
        written = dict(zip(text.head, cell, strict=True))
        assert float(written["learning rate"]) == pytest.approx(row.learning_rate, rel=0.005)
        assert written["steps"] == f"{row.steps:,}"
        assert written["time to target"] == amounts.seconds(*row.time)
        assert written["interval (90 %)"] == amounts.seconds_interval(*row.time)
        assert written["time per step"] == amounts.seconds(row.seconds_per_step)
        assert written["runs"] == "10"
    assert text.chosen == SIZES.index(32)
    assert [written[-1] for written in text.rows][5:7] == ["chosen", "best"]


@pytest.mark.parametrize("width", [200, 120, 100, 80, 64])
def test_the_terminal_cuts_no_number_whatever_its_width(record: PickRecord, width: int) -> None:
    lines = shown(record, width)
    assert "…" not in lines
    assert max(map(len, lines.splitlines())) <= width
    for row in cells(record).rows:  # batch size and time to the target are never left out
        assert any(line.split()[:1] == [row[0]] and row[-1] in line for line in lines.splitlines())


def test_markdown_holds_every_sentence_and_row(record: PickRecord) -> None:
    text = render(record).replace("\\", "").replace("**", "")
    for told in (*record.sentences, *record.apart, *record.details, *record.limits):
        assert told in text
    for row in cells(record).rows:
        assert f"| {' | '.join(row)} |" in text
    assert record.command in text


def test_markdown_takes_names_for_what_they_are() -> None:
    text = render(make_record(data=replace(make_record().data, name="a|b <i>*c* @me")))
    assert "a\\|b &lt;i>\\*c\\* @\N{ZERO WIDTH SPACE}me" in text


@settings(max_examples=200)
@given(st.floats(1e-8, 1e5), st.floats(0, 0.6))
def test_amounts_round_to_their_interval_and_no_further(value: float, spread: float) -> None:
    low, high = value * math.exp(-spread), value * math.exp(spread)
    scales = {unit: scale for scale, unit in amounts.SCALES}
    number, unit = amounts.seconds(value, low, high).split()
    read = float(number.replace(",", "")) * scales[unit]
    assert abs(read - value) <= max(0.51 * (high - low), 0.00501 * value) + 1e-15
    assert abs(read - value) <= 0.0501 * value
    assert len(re.sub(r"\D", "", number).lstrip("0").rstrip("0")) <= 3
    ends = amounts.seconds_interval(value, low, high)
    first, last = re.fullmatch(r"([\d.,]+)(?: \S+)? to ([\d.,]+) \S+", ends).groups()  # type: ignore[union-attr]
    assert float(first.replace(",", "")) <= float(last.replace(",", "")) or high / low > amounts.WIDE


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (amounts.seconds(0.0648, 0.0617, 0.0681), "65 ms"),
        (amounts.seconds(0.43, 0.40, 0.46), "430 ms"),
        (amounts.seconds(12.345), "12 s"),
        (amounts.seconds(12.345, 12.34, 12.35), "12.3 s"),
        (amounts.seconds(119), "120 s"),
        (amounts.seconds(125), "2.1 min"),
        (amounts.seconds(7300), "2.0 h"),
        (amounts.seconds(9.996e-4), "1.0 ms"),
        (amounts.number(0.0312, 2), "0.031"),
        (amounts.number(99.6, 2), "100"),
        (amounts.share(0.0003), "less than 0.1 %"),
        (amounts.share(0.0006), "0.1 %"),
        (amounts.share(0.0099), "1.0 %"),
        (amounts.share(0.0399), "4.0 %"),
        (amounts.share(2.5), "250 %"),
        (amounts.listed(["1", "2", "4"]), "1, 2 and 4"),
        (amounts.rows(1), "1 row"),
    ],
)
def test_amounts_by_hand(text: str, wanted: str) -> None:
    assert text == wanted
