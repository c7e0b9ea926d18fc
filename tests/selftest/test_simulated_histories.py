"""Simulated histories are labelled right: rows of the full study (``run.py labels``), at reduced counts."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from gdbench.history.labels import SHARED
from gdbench.history.record import judge
from selftest.context import Context
from selftest.histories import study
from selftest.histories.report import report
from selftest.histories.scores import Score, faults_of, score
from selftest.histories.worlds import EVENTS, SLOW, drift_of_one, history_of, nothing, single_step
from selftest.journal import Journal

HISTORIES = 4


@pytest.mark.parametrize("event", EVENTS)
def test_most_histories_are_labelled_right(event: str) -> None:
    found = [score(event, noise, 0.01, HISTORIES) for noise in ("normal", "t, 3 degrees")]
    assert sum(one.right for one in found) >= 2 * HISTORIES - 1


def test_what_is_not_told_has_another_label_or_is_made_up_is_a_fault() -> None:
    rng = np.random.default_rng(1)
    happened = single_step(rng)
    (step,) = happened.steps
    right = judge(history_of(rng, happened, "normal", 0.001))
    assert faults_of(right, happened) == (False, False, False)
    assert faults_of(right, nothing(rng)) == (False, False, True)
    assert faults_of(right, replace(happened, drifting=(SLOW,))) == (True, False, False)
    assert faults_of(right, replace(happened, steps=(replace(step, label=SHARED),))) == (False, True, False)
    assert faults_of(replace(right, proposals=[]), happened) == (True, False, False)


def test_what_is_told_of_another_case_is_a_fault() -> None:
    rng = np.random.default_rng(2)
    happened = single_step(rng)
    (step,) = happened.steps
    right = judge(history_of(rng, happened, "normal", 0.001))
    both = replace(step, cases=(SLOW, SLOW + 1))
    assert faults_of(right, replace(happened, steps=(replace(step, cases=(SLOW + 1,)),))) == (True, False, True)
    assert faults_of(right, replace(happened, steps=(both,))) == (True, False, False)
    assert faults_of(right, replace(happened, steps=(replace(both, hidden=(SLOW + 1,)),))) == (False, False, False)
    drifting = drift_of_one(rng)
    found = judge(history_of(rng, drifting, "normal", 0.001))
    assert faults_of(found, drifting) == (False, False, False)
    assert faults_of(found, replace(drifting, drifting=(SLOW + 1,))) == (True, False, True)
    assert faults_of(replace(found, drifts=found.drifts * 2), drifting) == (False, False, True)


def test_rows_that_are_there_are_not_simulated_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = [row for row in study.rows() if (row.noise, row.cases, row.sd) == ("normal", 1, 0.02)]
    monkeypatch.setattr(study, "rows", lambda: iter(chosen))
    said: list[str] = []
    context = Context(tmp_path, tmp_path, 0, "quick", said.append)
    study.measure(context, 1, 1)
    study.measure(context, 1, 1)
    assert len(said) == len(context.journal.entries(study.PART)) == len(chosen) == 1


def test_each_row_has_a_name_of_its_own() -> None:
    keys = [row.key(1) for row in study.rows()]
    assert len({*keys}) == len(keys)


def test_the_report_has_a_share_of_each_noise_and_counts_faults(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    assert report(journal) == ""
    counts = {"cases": 10, "histories": 8, "right": 6, "missed": 0, "mislabelled": 1, "invented": 2}
    found = asdict(Score("nothing", "normal", 0.02, **counts))
    journal.write(study.PART, "a", **found)
    journal.write(study.PART, "b", **found | {"noise": "AR(1), 0.5", "right": 8, "mislabelled": 0, "invented": 0})
    journal.write(study.PART, "c", **found | {"cases": 100, "right": 4, "invented": 4})
    lines = [line for line in report(journal).splitlines() if line.startswith("| nothing")]
    shares = ["75 %", "-", "-", "-", "100 %", "-", "0", "1", "2"]
    assert [line.strip("| ").split(" | ") for line in lines] == [
        ["nothing", "10", "2 %", *shares],
        ["nothing", "100", "2 %", "50 %", *["-"] * 5, "0", "1", "4"],
    ]
