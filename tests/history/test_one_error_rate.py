"""One error rate holds for all series that are judged together: the more there are, the larger a step must be."""

from dataclasses import replace

import numpy as np
import pytest

from gdbench.history.detection.certainty import MAX_ALONE, threshold
from gdbench.history.detection.vote import change_points
from gdbench.history.drifts import without_drift
from gdbench.history.labels import REGRESSION
from gdbench.history.record import judge, judge_all
from gdbench.history.series import History, Measured
from selftest.histories.worlds import COMMITS, SLOW, case_of, history_of, nothing, step_after_faster_machine

from .simulated_histories import noise


@pytest.mark.parametrize("kind", ["normal", "AR(1), 0.5"])
def test_a_hundred_quiet_series_have_no_step_and_no_drift(kind: str) -> None:
    rng = np.random.default_rng(1)
    found = [judge(history_of(rng, nothing(rng, 100), kind, 0.02)) for _ in range(6)]
    assert sum(bool(one.proposals or one.drifts) for one in found) <= 1


def test_the_threshold_grows_with_the_number_of_series_and_slower_than_it() -> None:
    found = [threshold(n_series) for n_series in (1, MAX_ALONE, 10, 100, 1000)]
    assert found[0] == found[1]
    assert found[1:] == sorted({*found[1:]})
    assert found[-1] < 2 * found[0]


def _weak_step(sizes: float) -> np.ndarray:
    """Make noise whose level steps by so many of its standard deviations."""
    logs = 0.01 * np.random.default_rng(2).normal(size=COMMITS)
    logs[COMMITS // 2 :] += 0.01 * sizes
    return np.asarray(np.exp(logs))


def test_a_weak_step_is_told_of_one_series_and_not_among_many() -> None:
    weak = [values for values in map(_weak_step, np.arange(0.5, 2, 0.05)) if change_points(values)]
    assert change_points(weak[0], n_series=1000) == []
    assert change_points(weak[-1], n_series=1000) == change_points(weak[-1])


def test_series_of_other_environments_count() -> None:
    values = next(values for values in map(_weak_step, np.arange(0.5, 2, 0.05)) if change_points(values))
    commits = tuple(Measured(f"{i:040x}", "Change", "2026-01-01", {}, i) for i in range(COMMITS))
    alone = History("here", commits, {"case": values}, {})
    quiet = {f"{i}": np.exp(0.01 * np.random.default_rng(i).normal(size=COMMITS)) for i in range(60)}
    (found,) = judge_all([alone])
    assert [one.label for one in found.proposals] == [REGRESSION]
    found, _ = judge_all([alone, replace(alone, values=quiet)])
    assert found.proposals == []
    (found,) = judge_all([replace(alone, n_series=61)])
    assert found.proposals == []


def test_a_weak_drift_is_told_of_one_series_and_not_among_many() -> None:
    logs = noise(np.random.default_rng(3), COMMITS, sd=0.01, autocorrelation=0.0)
    commits = tuple(Measured(f"{i:040x}", "Change", "2026-01-01", {}, i) for i in range(COMMITS))
    sizes = np.arange(0.01, 0.06, 0.002)
    made = [History("here", commits, {"case": np.exp(logs + np.linspace(0, size, COMMITS))}, {}) for size in sizes]
    told = [one for one in made if without_drift(one, n_series=1).drifts]
    assert without_drift(told[0], n_series=1000).drifts == ()
    assert without_drift(told[-1], n_series=1000).drifts == without_drift(told[-1], n_series=1).drifts


def test_what_a_change_of_environment_did_is_not_known_so_well_that_the_rest_of_it_is_a_slowdown() -> None:
    """In the fourth history the controls are off by 1 %, and one case has three slow results before the change."""
    rng = np.random.default_rng([0, 8, 0, 100, 10])
    for _ in range(4):
        made = judge(history_of(rng, step_after_faster_machine(rng), "normal", 0.01))
        assert [one.step.case for one in made.proposals if one.label == REGRESSION] == [case_of(SLOW).id]
