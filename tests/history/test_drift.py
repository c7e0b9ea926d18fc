"""Slow drift is told apart from a step, and blamed on no commit."""

import numpy as np
import pytest

from gdbench.history.detection.drift import find_drift
from gdbench.history.detection.scale import scaled
from gdbench.history.labels import DRIFT, REGRESSION
from gdbench.history.record import Record, judge, make_record
from gdbench.history.series import History, Measured
from gdbench.history.tables import headline, remarks, rows

from .simulated_histories import history, noise

COMMITS, SIZE = 100, float(np.log(1.1))
LINE = np.linspace(0, SIZE, COMMITS)


def _series(seed: int, logs: np.ndarray, sd: float = 0.01) -> np.ndarray:
    return np.asarray(1e-3 * np.exp(logs + noise(np.random.default_rng(seed), len(logs), sd=sd, autocorrelation=0.2)))


def _record(values: dict[str, np.ndarray]) -> Record:
    n = len(next(iter(values.values())))
    commits = tuple(Measured(f"{i:040x}", f"subject {i}", "2026-01-01", {"numpy": "2"}, i) for i in range(n))
    return make_record([judge(History("here", commits, values, {}))])


def test_a_line_is_a_drift_of_its_size_and_no_step() -> None:
    found = [_record({"case": _series(seed, LINE)}) for seed in range(20)]
    assert sum(not one.steps for one in found) >= 18
    assert sum(len(one.drifts) == 1 for one in found) >= 19
    assert np.median([one.drifts[0].ratio for one in found if one.drifts]) == pytest.approx(1.1, abs=0.02)


def test_a_drift_in_the_middle_has_its_ends() -> None:
    ramp = SIZE * np.clip((np.arange(COMMITS) - 30) / 40, 0, 1)
    found = [find_drift(scaled(_series(seed, ramp))) for seed in range(9)]
    assert np.median([one.start for one in found if one]) == pytest.approx(30, abs=6)
    assert np.median([one.stop for one in found if one]) == pytest.approx(70, abs=6)


def test_a_step_is_no_drift() -> None:
    rng = np.random.default_rng(1)
    made = [history(rng, sizes=[size], autocorrelation=0.2) for size in (0.05, 0.1, 0.25, -0.1) for _ in range(8)]
    found = [_record({"case": one.seconds}) for one in made]
    assert sum(bool(one.drifts) for one in found) <= 1
    assert sum(len(one.steps) == 1 for one in found) >= 30


def test_a_step_in_a_drift_is_found_with_its_own_size() -> None:
    logs = LINE + SIZE * (np.arange(COMMITS) >= 60)
    found = [_record({"case": _series(seed, logs, 0.005)}) for seed in range(10)]
    right = [one.steps for one in found if [step.label for step in one.steps] == [REGRESSION]]
    assert len(right) >= 9
    sizes = [step.ratio for (step,) in right if step.ratio]
    assert np.median(sizes) == pytest.approx(1.1, abs=0.02)
    for (step,) in right:
        assert step.after / step.before == pytest.approx(step.ratio, rel=0.01)


def test_what_all_drift_is_seen_though_each_is_noisy_and_told_once() -> None:
    values = {f"case {i}": _series(100 + i, LINE, 0.03) for i in range(12)}
    record = _record(values)
    assert record.steps == ()
    (shared,) = record.drifts
    assert (shared.shared, len(shared.cases)) == (True, 12)
    (row,) = rows(record)
    assert row[1:2] + row[3:4] == ("all 12 cases", DRIFT)
    assert "no commit's fault" in row[4]
    assert headline(record).endswith("0 improvements proposed, 1 drift")
    assert record.exit_code == 0


def test_cases_that_step_one_after_another_do_not_drift_together() -> None:
    """The median of staggered steps is nearly a line, but no case has it."""
    own = {f"case {i}": _series(200 + i, SIZE * (np.arange(COMMITS) >= 10 + 10 * i), 0.005) for i in range(9)}
    record = _record(own)
    assert not any(drift.shared for drift in record.drifts)
    assert sum(step.label == REGRESSION for step in record.steps) >= 8


@pytest.mark.parametrize("values", [np.ones(50), np.full(50, np.nan), np.linspace(-1, 1, 50), np.ones(3)])
def test_series_without_noise_ratios_or_results_do_not_drift(values: np.ndarray) -> None:
    assert _record({"case": values, "other": np.ones(len(values))}).drifts == ()


def test_what_looks_like_a_drift_is_said_once_for_all_that_drift() -> None:
    own = {name: _series(i, slope * LINE, 0.005) for i, (name, slope) in enumerate({"a": 1, "b": -1, "c": 0}.items())}
    record = _record(own)
    assert len(record.drifts) == 2
    (told,) = [text for text in remarks(record) if "several small steps look like a drift" in text]
    assert told.startswith("a and b: ")
    assert [*remarks(_record({"c": own["c"]}))] == []
