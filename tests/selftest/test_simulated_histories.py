"""Simulated histories are labelled right: rows of the full study (``run.py labels``), at reduced counts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gdbench.history.labels import SHARED
from gdbench.history.record import judge
from selftest.context import Context
from selftest.histories import study
from selftest.histories.scores import faults_of, score
from selftest.histories.worlds import EVENTS, history_of, nothing, single_step

HISTORIES = 4


@pytest.mark.parametrize("event", EVENTS)
def test_most_histories_are_labelled_right(event: str) -> None:
    found = [score(event, noise, 0.01, HISTORIES) for noise in ("normal", "t, 3 degrees")]
    assert sum(one.right for one in found) >= 2 * HISTORIES - 1


def test_what_is_not_told_has_another_label_or_is_made_up_is_a_fault() -> None:
    rng = np.random.default_rng(1)
    happened = single_step(rng)
    right = judge(history_of(rng, happened, "normal", 0.001))
    assert faults_of(right, happened) == (False, False, False)
    assert faults_of(right, nothing(rng)) == (False, False, True)
    assert faults_of(right, replace(happened, drifts=True)) == (True, False, False)
    assert faults_of(right, replace(happened, steps=dict.fromkeys(happened.steps, SHARED))) == (False, True, False)
    assert faults_of(replace(right, proposals=[]), happened) == (True, False, False)


def test_rows_that_are_there_are_not_simulated_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "SDS", (0.01,))
    monkeypatch.setattr(study, "NOISES", ("normal",))
    monkeypatch.setattr(study, "EVENTS", ("nothing",))
    said: list[str] = []
    context = Context(tmp_path, tmp_path, 0, "quick", said.append)
    study.measure(context, 1)
    study.measure(context, 1)
    assert len(said) == len(context.journal.entries(study.PART)) == 1
