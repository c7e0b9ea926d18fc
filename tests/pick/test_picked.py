"""``Pick`` shows its record: attributes, a pandas table, a picture, HTML for a notebook and the command's files."""

import pickle
import re
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib import pyplot
from playwright.sync_api import Browser

from gdbench.basics.records import plain
from gdbench.pick.in_python import in_python, record_in_python
from gdbench.pick.picked import COLUMNS, Pick
from gdbench.pick.record.record import read_record
from gdbench.pick.steps.answer import CAPPED
from gdbench.pick.views.markdown import render
from gdbench.pick.views.sentences import in_words
from kernels import InputError

from ..helpers import quiet_page
from .pick_records import SIZES, make_record, make_steps, make_times

UNREACHED = dict.fromkeys(SIZES, (CAPPED, "not within 100,000 steps"))
FILES = {"pick.json", "report.md", "pick.png", "pick.html"}


@pytest.fixture(scope="module")
def answered() -> Pick:
    return Pick(make_record(make_steps(noise=0.05, extrapolated=(1,)), make_times(noise=0.02)))


@pytest.fixture(scope="module")
def unanswered() -> Pick:
    return Pick(record_in_python(make_record(make_steps(failed=UNREACHED, status=CAPPED), make_times())))


def test_the_attributes_have_the_names_and_values_of_the_json(answered: Pick) -> None:
    found = plain(answered.record)
    assert answered.exit_code == found["exit_code"] == 0
    assert answered.seconds.total == found["seconds"]["total"]
    for name in ("batch_size", "learning_rate", "variant"):
        assert getattr(answered, name) == found["choice"][name]
    rows = found["choice"]["table"]
    assert answered.steps == next(row["steps"] for row in rows if row["chosen"])
    table = answered.table
    assert list(table)[: len(COLUMNS)] == list(COLUMNS)
    assert set(table) == set(rows[0])
    again = table.astype(object).where(table.notna(), None).to_dict("records")
    assert again == [{name: row[name] for name in table} for row in rows]


def test_the_table_can_be_computed_with(answered: Pick) -> None:
    table = answered.table
    assert table.loc[table["chosen"], "batch_size"].tolist() == [answered.batch_size]
    assert not table.loc[0, "measured"]
    assert pd.isna(table.loc[0, "seconds"])
    assert {name: str(table[name].dtype) for name in ("batch_size", "steps", "seconds", "chosen")} == {
        "batch_size": "int64",
        "steps": "Int64",
        "seconds": "float64",
        "chosen": "bool",
    }
    fastest = table.loc[table["seconds"].idxmin()]
    assert fastest["seconds"] == pytest.approx(fastest["steps"] * fastest["seconds_per_step"])
    table.loc[:, "chosen"] = False
    assert answered.table["chosen"].sum() == 1  # another copy


def test_a_pick_without_an_answer_says_why_and_has_no_number(unanswered: Pick) -> None:
    assert {unanswered.batch_size, unanswered.learning_rate, unanswered.steps, unanswered.variant} == {None}
    assert unanswered.exit_code == 3
    assert repr(unanswered).startswith("<Pick: No batch size can be recommended: the target was not reached at any")
    assert "None" not in repr(unanswered)
    assert unanswered.table["status"].tolist() == [CAPPED] * len(SIZES)
    assert not unanswered.table["chosen"].any()
    assert "Name a higher loss_target" in unanswered._repr_html_()
    assert unanswered.plot().figure.axes


def test_a_pick_of_which_nothing_is_known_is_empty_and_can_be_shown() -> None:
    nothing = Pick(in_words(replace(make_record(), steps=None, times=None, choice=None)))
    assert nothing.table.empty
    assert list(nothing.table)[: len(COLUMNS)] == list(COLUMNS)
    assert nothing._repr_html_()
    assert nothing.plot() is not None


def test_a_pick_is_short_in_a_terminal_and_cannot_be_changed(answered: Pick) -> None:
    assert repr(answered) == f"<Pick: {answered.record.sentences[0]}>"
    with pytest.raises(FrozenInstanceError):
        answered.record = None
    assert [field.name for field in fields(answered)] == ["record"]
    assert pickle.loads(pickle.dumps(answered)) == answered


def test_the_picture_is_a_figure_of_pyplot_whose_last_panel_is_the_time(answered: Pick) -> None:
    with mpl.rc_context({"backend": "agg"}):
        axes = answered.plot()
    try:
        assert pyplot.figure(axes.figure.number) is axes.figure
        steps, _, time = axes.figure.axes
        assert axes is time
        assert "time to the target" in axes.get_title("left")
        assert "Steps to the target" in steps.get_title("left")
    finally:
        pyplot.close(axes.figure)


def test_the_files_are_those_of_the_command(answered: Pick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answered.save(tmp_path / "one") == tmp_path / "one"
    assert {path.name for path in (tmp_path / "one").iterdir()} == FILES
    assert read_record(tmp_path / "one") == answered.record
    assert (tmp_path / "one" / "report.md").read_text(encoding="utf-8") == render(answered.record)
    monkeypatch.chdir(tmp_path)
    assert re.fullmatch(r"picks/\d{4}-\d\d-\d\d-digits-softmax", answered.save().as_posix())
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file") as refused:
        answered.save(tmp_path / "file" / "inside")
    assert "--" not in str(refused.value)


def test_the_html_shows_the_head_and_the_table_and_styles_nothing_else(
    answered: Pick, browser: Browser, tmp_path: Path
) -> None:
    page = tmp_path / "cell.html"
    around = "<table id=other><tr><td>other</td></tr></table>"
    page.write_text(f"<!DOCTYPE html><meta charset=utf-8>{answered._repr_html_()}{around}", encoding="utf-8")
    with quiet_page(browser, page, ".gdbench-pick table") as tab:
        head = tab.inner_text("#answer")
        assert answered.record.sentences[0] in head
        assert f"batch size {answered.batch_size}" in head
        rows = tab.locator(".gdbench-pick tbody tr")
        measured = answered.table[answered.table["measured"]]
        assert rows.count() == len(measured)
        chosen = tab.locator(".gdbench-pick tr.chosen")
        assert chosen.locator("th").inner_text() == str(answered.batch_size)
        background = "element => getComputedStyle(element).backgroundColor"
        assert chosen.locator("td").first.evaluate(background) != tab.locator("#other td").evaluate(background)
        assert tab.locator("#other td").evaluate("element => getComputedStyle(element).fontWeight") == "400"
        answer = tab.locator("#answer").bounding_box()
        assert answer
        assert tab.locator(".gdbench-pick table").bounding_box()["y"] >= answer["y"] + answer["height"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("add --dtype float64, or let", 'add dtype="float64", or let'),
        ("--validation 0.2 of 178 rows", "validation=0.2 of 178 rows"),
        ("such as --memory-limit 512MB", 'such as memory_limit="512MB"'),
        ("leave out --no-standardise, or scale", "leave out standardise=False, or scale"),
        ("choose another --variant, or auto", "choose another variant, or auto"),
        ("--replan measures them elsewhere", "gdbench pick --replan measures them elsewhere"),
        ("fill the values in, and save the file again", "fill the values in"),
        ("a batch - of 3 -- rows", "a batch - of 3 -- rows"),
    ],
)
def test_sentences_name_options_as_python_does(said: str, told: str) -> None:
    assert in_python(said) == told
