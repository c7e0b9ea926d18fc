"""A slowdown beside a change of environment is its commit's, and what the change did is the environment's."""

from collections.abc import Mapping

import numpy as np
import pytest

from gdbench.history.labels import ENVIRONMENT, REGRESSION
from gdbench.history.record import judge
from selftest.histories.worlds import CASES, COMMITS, SLOW, Event, case_of, history_of

CHANGE = 50
FASTER = float(np.log(0.8))
VERSIONS = {CHANGE: "2.1"}


def _labels(
    seed: int, logs: np.ndarray, sd: float = 0.01, versions: Mapping[int, str] = VERSIONS
) -> list[tuple[str, int, str]]:
    made = history_of(np.random.default_rng(seed), Event(logs, versions=versions), "normal", sd)
    return [(one.label, one.step.at, one.step.case) for one in judge(made).proposals]


def _faster() -> np.ndarray:
    return FASTER * np.outer(np.arange(COMMITS) >= CHANGE, np.ones(CASES))


@pytest.mark.parametrize("by", [-2, 1, 2, 3])
def test_a_slowdown_beside_a_faster_machine_is_its_commits(by: int) -> None:
    logs = _faster()
    logs[CHANGE + by :, SLOW] += np.log(1.15)
    for seed in range(4):
        found = _labels(seed, logs)
        assert found[0] == (REGRESSION, CHANGE + by, case_of(SLOW).id)
        assert {label for label, *_ in found[1:]} == {ENVIRONMENT}


def test_a_later_step_of_the_case_does_not_hide_it() -> None:
    logs = _faster()
    logs[CHANGE + 1 :, SLOW] += np.log(1.08)
    logs[CHANGE + 22 :, SLOW] += np.log(1.3)
    for seed in range(8):
        assert (REGRESSION, CHANGE + 1, case_of(SLOW).id) in _labels(seed, logs)


def test_a_change_of_environment_alone_is_no_commits_though_it_helps_some_cases_less() -> None:
    logs = _faster()
    logs[CHANGE:, SLOW] -= FASTER / 2
    for seed in range(8):
        assert {label for label, *_ in _labels(seed, logs)} == {ENVIRONMENT}


def test_where_most_cases_became_slower_too_the_reference_tells_them_from_the_machine() -> None:
    logs = _faster()
    logs[CHANGE + 1 :, 2:] += np.log(1.15)
    slower = [one for one in _labels(3, logs) if one[0] != ENVIRONMENT]
    assert len(slower) >= 6
    assert {at for _, at, _ in slower} == {CHANGE + 1}


@pytest.mark.parametrize("again", [1, 2])
def test_a_slowdown_beside_two_changes_of_environment_is_told_once(again: int) -> None:
    logs = _faster()
    logs[CHANGE + 3 :, SLOW] += np.log(1.15)
    for seed in range(4):
        found = _labels(seed, logs, versions={**VERSIONS, CHANGE + again: "2.2"})
        assert [one for one in found if one[0] != ENVIRONMENT] == [(REGRESSION, CHANGE + 3, case_of(SLOW).id)]
