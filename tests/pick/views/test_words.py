"""What is said of a pick says what its record holds: numbers, statuses, remedies, in every view and through JSON."""

import copy
import io
import json
import math
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from gdbench.cli.console import stdout
from gdbench.cli.pick_show import show as show_answer
from gdbench.pick.choose.choice import Tie
from gdbench.pick.choose.choose import choose
from gdbench.pick.choose.objectives import NAMES
from gdbench.pick.record.file import FILE, read_record, steps_from_record, times_from_record, write_record
from gdbench.pick.steps.answer import BUDGET, CAPPED, DIVERGED, MET, UNRELIABLE
from gdbench.pick.views import amounts
from gdbench.pick.views.markdown import render
from gdbench.pick.views.sentences import sentences
from gdbench.pick.views.tables import cells, table
from kernels import InputError

from ..pick_records import (
    CRITICAL,
    FIXED,
    LARGEST_RATE,
    N_ROWS,
    PER_ROW,
    SIZES,
    TARGET_WORDS,
    WIDE_TIE,
    make_record,
    make_steps,
    make_times,
    unreached,
)

Record = dict[str, Any]
STATUSES = (CAPPED, DIVERGED, UNRELIABLE, MET, BUDGET)
MEMORY = {"memory_bytes": 1e5, "bytes_needed": {size: 1000 * size for size in SIZES}}
LOST = make_steps(
    failed={1024: (UNRELIABLE, "3 of 10 runs failed"), 512: (CAPPED, "no")}, extrapolated=(1,), noise=0.02
)
RECORDS = {
    **{objective: make_record(objective=objective, options=MEMORY) for objective in NAMES},
    **{status: make_record(unreached(status, "some reason")) for status in STATUSES},
    "exact": make_record(make_steps(), make_times()),
    "noise": make_record(make_steps(noise=20.0), make_times(noise=20.0)),
    "lost": make_record(LOST),
    "interrupted": make_record(interrupted="stopped by Ctrl-C"),
    "interrupted before": make_record(unreached(BUDGET), interrupted="stopped by Ctrl-C"),
    "nothing": make_record(choice=None, steps=None),
    "open curve": make_record(make_steps(identified=False)),
    "no current": make_record(current=None),
    "endless": make_record(data={"name": "O2", "n_rows": None, "n_inputs": 3, "n_outputs": 1, "scaling": "none"}),
}


@pytest.fixture(params=RECORDS)
def record(request: pytest.FixtureRequest) -> Record:
    return copy.deepcopy(RECORDS[request.param])


def said(record: Record) -> str:
    return " ".join(record["sentences"])


def numbers(pattern: str, text: str) -> list[float]:
    """Numbers that stand in a text for the # of a pattern, which must be there once."""
    (found,) = re.finditer(pattern.replace("#", r"([\d.,]*\d)"), text)
    return [float(group.replace(",", "")) for group in found.groups()]


def shown(record: Record, width: int = 200) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(table(record, width=width))
    return out.getvalue()


def test_every_sentence_is_one(record: Record) -> None:
    texts = [*record["sentences"], *record["limits"]]
    assert texts
    for text in texts:
        assert re.fullmatch(r"[A-Z0-9].*[^. ]\.", text), text
        assert ".." not in text
        assert "\n" not in text


def test_what_is_no_number_is_written_nowhere(record: Record) -> None:
    report = re.sub(r"^- machine: .*$", "", render(record), flags=re.M)  # the environment's own words
    for text in (*record["sentences"], *record["limits"], report, shown(record)):
        assert not re.search(r"\b(nan|inf|None|null|True|False)\b|\de[+-]\d", text), text


def test_a_record_goes_through_json_unchanged(record: Record, tmp_path: Path) -> None:
    write_record(record, tmp_path / FILE)
    assert read_record(tmp_path) == read_record(tmp_path / FILE) == record


@pytest.mark.parametrize("seed", range(3))
def test_the_halves_come_back_from_json_and_give_the_same_choice(seed: int) -> None:
    steps = make_steps(noise=0.05, common=0.1, failed={1: (UNRELIABLE, "r")}, extrapolated=(2,), warnings=("w",))
    times = make_times(noise=0.02 * seed, warnings=("v",))
    back = json.loads(json.dumps(make_record(steps, times), allow_nan=False))
    assert steps_from_record(back) == steps
    assert times_from_record(back) == times
    read = steps_from_record(back), times_from_record(back)
    again = choose(*read, n_rows=N_ROWS, current=512, search_seconds=38.0, tie=WIDE_TIE)
    assert make_record(steps, times, choice=again) | {"environment": back["environment"]} == back  # it has the time
    assert {"w", "v"} <= set(back["warnings"])


def test_numbers_that_json_has_not_come_back_as_no_numbers() -> None:
    times = make_times()
    lost = make_record(times=times, seconds={"total": math.inf})
    assert lost["seconds"] == {"total": None}
    lost["times"]["drift"] = None
    assert math.isnan(times_from_record(lost).drift)
    lost["steps"]["curve"] = None
    assert steps_from_record(lost).curve is None


def test_the_answer_says_batch_size_rate_time_and_target() -> None:
    found = make_record()
    choice = found["choice"]
    first, *_ = found["sentences"]
    assert (choice["batch_size"], found["exit_code"], found["complete"]) == (32, 0, True)
    assert first == "Use batch size 32 with learning rate 0.311, for the least time to the target."
    assert TARGET_WORDS in said(found)
    times = numbers(r"# ms \(90 % interval # to # ms\)", said(found))
    assert times == pytest.approx([1e3 * choice[name] for name in ("seconds", "seconds_low", "seconds_high")], rel=0.01)
    row = next(row for row in choice["table"] if row["chosen"])
    parts = numbers(r"that is # steps \(# passes over the data\) of # µs", said(found))
    assert parts == pytest.approx([row["steps"], row["epochs"], 1e6 * row["seconds_per_step"]], rel=0.03)


def test_the_answer_says_what_it_ties_with_and_why_the_smaller_was_taken() -> None:
    found = make_record()
    assert found["choice"]["fastest"] == 64
    (text,) = (text for text in found["sentences"] if text.startswith("64 is best"))
    best, taken = (next(row for row in found["choice"]["table"] if row["batch_size"] == size) for size in (64, 32))
    assert f"at {1e3 * best['seconds']:.0f} ms, but 32 was taken" in text
    assert f"within {math.ceil(100 * (taken['seconds'] / best['seconds'] - 1))} % of 64" in text
    assert f"{100 * (1 - taken['examples'] / best['examples']):.0f} % fewer rows" in text
    assert "is best" not in said(make_record(make_steps(), make_times(), options={"tie": Tie()}))


def test_the_answer_says_why() -> None:
    text = said(make_record())
    half = FIXED / PER_ROW
    assert f"{half:.0f} rows per step to reach half of its top speed" in text
    assert f"well above {CRITICAL:.0f} rows mostly repeat information" in text
    assert f"√({half:.0f} · {CRITICAL:.0f}) ≈ {math.sqrt(half * CRITICAL):.0f} rows" in text
    assert f"{100 * half / (half + 32):.0f} % of a step is fixed cost" in text
    assert f"{100 * CRITICAL / (CRITICAL + 32):.0f} % of the steps only average out gradient noise" in text
    assert "overhead binds" in text
    open_curve = said(RECORDS["open curve"])
    assert "do not fix the critical batch size" in open_curve
    assert "balance point" not in open_curve


def test_the_answer_compares_with_what_people_use() -> None:
    found = make_record()
    leads = (r"Full batch \(1797\)", "One row at a time", r"Your current batch size \(512\)")
    for entry, lead in zip(found["choice"]["against"], leads, strict=True):
        told = numbers(rf"{lead}: # times as long \(90 % interval # to #\)", said(found))
        assert told == pytest.approx([entry["ratio"], entry["low"], entry["high"]], rel=0.01)
    lost = said(RECORDS["lost"])
    assert "Your current batch size (512): no number, since no." in lost
    assert "One row at a time" in lost
    assert "its steps taken from the fitted curve" in lost
    assert "Left out: batch size 1024 (unreliable: 3 of 10 runs failed)." in lost
    assert "is the choice itself" in said(make_record(current=32))


def test_the_answer_says_how_the_rate_goes_with_the_batch_size() -> None:
    rate = LARGEST_RATE / (1 + CRITICAL / 512)
    assert f"0.700 / (1 + 40 / B), which is {rate:.3f} at 512" in said(make_record())
    rate = LARGEST_RATE / (1 + CRITICAL / 128)
    assert f"which is {rate:.3f} at 128" in said(make_record(current=None))
    assert "learning rate" not in said(RECORDS["throughput"])


def test_the_answer_says_what_the_search_cost_and_when_it_pays_back() -> None:
    found = make_record()
    payback = found["choice"]["payback"]
    assert "The search took 38 s" in said(found)
    assert 300 < payback["trainings"] < 320
    assert "pays the search back after 310 trainings" in said(found)
    assert "than with your current 512" in said(found)
    assert "than with the full batch of 1797" in said(make_record(current=None))
    assert "no training becomes shorter" in said(make_record(current=32))


def test_throughput_is_not_called_a_time_to_a_target() -> None:
    found = RECORDS["throughput"]
    assert "This is no time to a target" in said(found)
    assert "Expected time" not in said(found)
    assert all("learning rate" not in text and "target" not in text for text in found["limits"])


@pytest.mark.parametrize("status", STATUSES)
def test_a_target_that_was_not_reached_has_status_reason_and_remedy_and_no_number(status: str) -> None:
    found = RECORDS[status]
    assert (found["choice"], found["status"], found["exit_code"]) == (None, status, 3)
    first, *others = found["sentences"]
    assert first.startswith("No batch size can be recommended: ")
    assert "some reason" in said(found)
    assert not re.search(r"\d", said(found).replace(TARGET_WORDS, ""))
    remedies = {"--loss-target", "--budget", "standardised"}
    assert any(word in others[-1] for word in remedies)
    head, body = cells(found).head, cells(found).rows
    assert len(body) == len(SIZES)
    assert all(row[head.index("time to target")] == "-" for row in body)
    assert all(row[head.index("remark")] == f"{status}: some reason" for row in body)
    assert not {"steps", "rate", "passes", "rows read"} & set(head)


@pytest.mark.parametrize("status", [CAPPED, DIVERGED, UNRELIABLE, MET])
def test_columns_that_were_left_as_they_are_are_named(status: str) -> None:
    record = make_record(unreached(status, "some reason"))
    left = {**record, "data": {**record["data"], "source": {"standardise": False}}}
    assert "leave out --no-standardise" in " ".join(sentences(left))
    assert "--no-standardise" not in " ".join(sentences(record))


def test_a_target_that_was_met_says_what_to_do_by_where_it_came_from() -> None:
    record = make_record(unreached(MET, "some reason"))
    assert "take another --init" in sentences(record)[-1]
    given = {**record, "settings": {**record["settings"], "loss_target": 0.5}}
    assert "Ask for a lower --loss-target, or for auto" in sentences(given)[-1]


def test_brackets_of_names_and_reasons_are_printed_as_they_are() -> None:
    record = make_record(unreached(CAPPED, "[bold]some[/] reason [/red]"))
    with redirect_stdout(StringIO()) as out:
        show_answer({**record, "warnings": ["[i]of[/i] rows"]}, stdout)
    assert "What was seen: [bold]some[/] reason [/red]" in out.getvalue()
    assert out.getvalue().count("[/red]") > len(SIZES)  # in the table too, which wraps
    assert "[i]of[/i] rows" in out.getvalue()


def test_statuses_are_told_apart() -> None:
    assert len({RECORDS[status]["sentences"][0] for status in STATUSES}) == len(STATUSES)


def test_an_interrupted_search_says_so_beside_its_answer_or_instead_of_it() -> None:
    found = RECORDS["interrupted"]
    assert (found["exit_code"], found["complete"]) == (130, False)
    assert found["sentences"][1].startswith("Stopped early (stopped by Ctrl-C; 120 runs of 10 rounds)")
    before = RECORDS["interrupted before"]
    assert before["exit_code"] == 130
    assert before["sentences"][0].startswith("Stopped before there was an answer (stopped by Ctrl-C")


def test_a_search_that_ran_out_of_budget_says_so_beside_its_answer() -> None:
    found = make_record(make_steps(status=BUDGET, reason="only two rounds were affordable"))
    assert found["exit_code"] == 0
    assert "The search ended before it was sure: only two rounds were affordable." in found["sentences"]


def test_another_variant_with_the_same_steps_says_why_the_answer_differs() -> None:
    before = make_record()
    after = make_record(times=make_times(fixed=1.5e-6, noise=0.01, variant="jit"), earlier=before)
    assert (before["choice"]["batch_size"], after["choice"]["batch_size"]) == (32, 8)
    assert "With vectorized the answer was 32, with jit it is 8." in after["sentences"]
    assert "vectorized reaches half of its top speed at 64 rows per step, jit at 1.5 rows" in said(after)
    assert "smaller batches suit it" in said(after)
    same = make_record(earlier=before)
    assert "The answer was the same with vectorized before: 32." in same["sentences"]
    assert "suit" not in said(same)


def test_limits_name_rate_loss_machine_threads_and_variant() -> None:
    text = " ".join(make_record(times=make_times(threads=2, variant="jit"))["limits"])
    for words in ("learning rate is constant", "training loss", "this machine with 2 threads, float64 and variant jit"):
        assert words in text
    held_out = " ".join(make_record(validation=0.2)["limits"])
    assert "20 % of the rows, held out" in held_out
    assert "training loss" not in held_out


def test_the_table_holds_a_row_per_batch_size_with_the_numbers_of_the_record() -> None:
    found = make_record()
    text = cells(found)
    assert [row[0] for row in text.rows] == [str(size) for size in SIZES]
    for row, written in zip(found["choice"]["table"], text.rows, strict=True):
        assert dict(zip(text.head, written, strict=True))["against best"] == f"{amounts.number(row['ratio'], 3)}x"
        assert float(written[text.head.index("rate")]) == pytest.approx(row["rate"], rel=0.005)
    assert text.chosen == SIZES.index(32)
    assert [written[-1] for written in text.rows][5:7] == ["chosen", "best, tied"]


@pytest.mark.parametrize("width", [200, 120, 100, 80, 64])
def test_the_terminal_cuts_no_number_whatever_its_width(record: Record, width: int) -> None:
    lines = shown(record, width)
    assert "…" not in lines
    assert max(map(len, lines.splitlines())) <= width


def test_markdown_holds_every_sentence_and_row(record: Record) -> None:
    text = render(record).replace("\\", "").replace("**", "")
    for told in (*record["sentences"], *record["limits"]):
        assert told in text
    for row in cells(record).rows:
        assert f"| {' | '.join(row)} |" in text
    assert record["command"] in text


def test_markdown_takes_names_for_what_they_are() -> None:
    text = render(make_record(data={**make_record()["data"], "name": "a|b <i>*c* @me"}))
    assert "a\\|b &lt;i>\\*c\\* @\N{ZERO WIDTH SPACE}me" in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "holds no record"),
        ("{", "holds no record"),
        ("[1]", "is not a record"),
        ('{"format": 1}', "is not a record"),
        ('{"format": 99, "steps": null, "times": null, "settings": {}}', "another version"),
    ],
)
def test_a_file_that_is_no_record_is_refused_in_a_sentence(tmp_path: Path, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / FILE).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=words) as caught:
        read_record(tmp_path / FILE)
    assert "\n" not in str(caught.value)


def test_a_binary_file_is_no_record(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="holds no record"):
        read_record(tmp_path)


def _damages() -> dict[str, Any]:
    return {
        "no rows": lambda steps: steps.pop("rows"),
        "rows of another kind": lambda steps: steps.update(rows=[1, 2]),
        "a row without a field": lambda steps: steps["rows"][0].pop("status"),
        "a field too many": lambda steps: steps.update(more=1),
        "a covariance of another size": lambda steps: steps["covariance"].pop(),
        "a covariance of text": lambda steps: steps.update(covariance="text"),
        "no target": lambda steps: steps.update(target=None),
    }


@pytest.mark.parametrize("damage", _damages())
def test_damaged_steps_are_refused_in_a_sentence(damage: str) -> None:
    found = copy.deepcopy(make_record())
    _damages()[damage](found["steps"])
    with pytest.raises(InputError, match="steps of this record are damaged"):
        steps_from_record(found)


def test_damaged_or_missing_times_are_refused_in_a_sentence() -> None:
    found = copy.deepcopy(make_record())
    found["times"]["model"] = 3
    with pytest.raises(InputError, match="times of this record are damaged"):
        times_from_record(found)
    with pytest.raises(InputError, match="has no times"):
        times_from_record({**found, "times": None})


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
        (amounts.plain(12_300.0, 11_741, 12_886), "12,300"),
        (amounts.plain_interval(12_300.0, 11_741, 12_886), "11,700 to 12,900"),
        (amounts.number(0.0312, 2), "0.031"),
        (amounts.number(99.6, 2), "100"),
        (amounts.share(0.0003), "less than 0.1 %"),
        (amounts.share(0.0399), "4.0 %"),
        (amounts.share(2.5), "250 %"),
        (amounts.listed(["1", "2", "4"]), "1, 2 and 4"),
        (amounts.rows(1), "1 row"),
    ],
)
def test_amounts_by_hand(text: str, wanted: str) -> None:
    assert text == wanted
