"""Change points in simulated histories: quiet where nothing changed, found where something did, better than others."""

from functools import cache

import numpy as np
import pytest

from gdbench.history.detection import detectors, vote
from gdbench.history.detection.noise import from_differences, from_residuals
from gdbench.history.detection.shifts import shift
from gdbench.history.detection.vote import change_points
from gdbench.history.steps import steps_of

from .simulated_histories import History, asv_steps, f1, history, noise, otava_steps

NOISES, SIZES = (0.01, 0.03, 0.06), (0.05, 0.10, 0.25)
SERIES = 30
"""Per cell of the grid."""
FOUND = {(0.01, 0.05): 0.95, (0.03, 0.10): 0.90, (0.01, 0.25): 0.95, (0.03, 0.25): 0.95, (0.06, 0.25): 0.95}
"""F1 within three commits that must be reached, by noise and size of the step."""


@cache
def _cell(sd: float, size: float) -> tuple[History, ...]:
    """Series of a hundred commits with one step up or down."""
    rng = np.random.default_rng([int(1000 * sd), int(1000 * size)])
    return tuple(history(rng, sd=sd, sizes=[size * rng.choice([-1, 1])]) for _ in range(SERIES))


@cache
def _score(sd: float, size: float) -> float:
    return f1(_cell(sd, size), change_points)


def _any_history(rng: np.random.Generator, **changes) -> History:
    """Series of 60 to 200 commits, with gaps."""
    settings = {
        "n": int(rng.integers(60, 201)),
        "sd": rng.choice(NOISES),
        "autocorrelation": rng.uniform(0, 0.6),
        "missing": rng.uniform(0, 0.4),
    }
    return history(rng, **settings | changes)


def test_nothing_is_found_where_nothing_changed() -> None:
    rng = np.random.default_rng(1)
    stable = [history(rng, sd=sd, autocorrelation=rng.uniform(0, 0.6)) for sd in NOISES for _ in range(100)]
    assert sum(len(change_points(one.seconds)) for one in stable) <= 0.02 * len(stable)


@pytest.mark.parametrize(("sd", "size"), FOUND)
def test_one_step_is_found_within_three_commits(sd: float, size: float) -> None:
    assert _score(sd, size) >= FOUND[sd, size]


@pytest.mark.parametrize("values", [8, 10, 12])
def test_a_level_that_comes_and_goes_is_found(values: int) -> None:
    """No split in two stands out where the ranks on both sides of a stretch move alike."""
    rng, found = np.random.default_rng(values), 0
    for _ in range(SERIES):
        at = int(rng.integers(15, 85 - values))
        logs = 0.02 * rng.standard_normal(100)
        logs[at : at + values] += np.log(1.15)
        points = change_points(np.exp(logs))
        found += len(points) == 2 and abs(points[0] - at) <= 1 and abs(points[1] - at - values) <= 1
    assert found >= 0.96 * SERIES


def test_better_than_asv_and_otava_over_the_grid() -> None:
    cells = [(sd, size) for sd in NOISES for size in SIZES]
    ours = np.array([_score(*cell) for cell in cells])
    theirs = np.array([[f1(_cell(*cell), detect) for detect in (asv_steps, otava_steps)] for cell in cells])
    assert ours.mean() >= theirs.mean(axis=0).max() + 0.10
    best = theirs.max(axis=1)
    assert (ours >= best - 0.03)[best >= 0.5].all()


def test_several_steps_of_both_signs_are_found_in_series_with_gaps() -> None:
    rng = np.random.default_rng(2)
    sizes = ([0.25], [0.1, -0.1], [0.1, 0.25, -0.2])
    many = [_any_history(rng, n=150, sd=0.01, sizes=sizes[i % 3]) for i in range(60)]
    assert f1(many, change_points) >= 0.95


def test_the_slowest_detector_is_asked_about_half_of_the_series_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """asv's takes nearly all the time: 15 ms for two hundred commits."""
    asked = []
    monkeypatch.setattr(detectors, "asv_steps", lambda logs: asked.append(logs) or [])
    rng = np.random.default_rng(3)
    many = [history(rng, n=200, sd=0.03, sizes=[0.1] if i % 2 else []) for i in range(100)]
    for one in many:
        change_points(one.seconds)
    assert 0 < len(asked) <= 0.5 * len(many)


def test_a_gap_moves_no_step() -> None:
    values = history(np.random.default_rng(4), sd=0.01, sizes=[0.2], positions=[50]).seconds
    assert change_points(values) == [50]
    values[[3, 40, 41, 60, 99]] = np.nan
    assert change_points(values) == [50]
    values[48:53] = np.nan
    (step,) = steps_of("case", values)
    assert (step.since, step.at) == (47, 53)


def test_a_scale_changes_nothing_and_time_reversed_changes_the_sign() -> None:
    rng = np.random.default_rng(5)
    values = history(rng, sd=0.02, sizes=[0.25], positions=[40]).seconds
    (step,) = steps_of("case", values)
    (scaled,) = steps_of("case", 1e6 * values)
    assert (scaled.at, scaled.ratio) == (step.at, pytest.approx(step.ratio))
    (mirrored,) = steps_of("case", values[::-1])
    assert mirrored.at == len(values) - step.at
    assert mirrored.ratio == pytest.approx(1 / step.ratio)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_too_few_results_have_no_steps(count: int) -> None:
    values = np.full(30, np.nan)
    values[:count] = np.linspace(1, 9, count)
    assert change_points(values) == []


def test_a_series_without_noise_is_no_error() -> None:
    assert change_points(np.ones(50)) == []
    assert change_points(np.repeat([1.0, 1.2], 20)) == [20]


def test_neither_one_outlier_nor_two_are_a_step() -> None:
    rng = np.random.default_rng(6)
    for start, stop in ((30, 31), (30, 32), (99, 100), (98, 100)):
        values = np.exp(0.01 * rng.normal(size=100))
        values[start:stop] *= 1.5
        assert change_points(values) == []


def test_one_detector_alone_proposes_nothing() -> None:
    assert vote.agreed([[20, 50], [], []]) == []
    assert vote.agreed([[20, 50], [22], [80]]) == [21]
    assert vote.agreed([[20], [22], [21]]) == [21]
    assert vote.agreed([[20, 21], [50], []]) == []


def test_intervals_of_sizes_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(400):
        values = noise(rng, 60, sd=0.03, autocorrelation=0.4)
        values[30:] += np.log(1.1)
        found = shift(values[:30], values[30:], noise=from_residuals(values, [30]))
        held += found.low <= np.log(1.1) <= found.high
    assert 0.92 <= held / 400 <= 0.99


def test_noise_is_estimated_whatever_steps_there_are() -> None:
    rng = np.random.default_rng(8)
    for autocorrelation in (0.0, 0.5):
        values = noise(rng, 2000, sd=0.02, autocorrelation=autocorrelation)
        values += 0.2 * (np.arange(2000) // 100 % 2)
        points = list(range(100, 2000, 100))
        for found, rel, near in ((from_differences(values), 0.4, 0.25), (from_residuals(values, points), 0.1, 0.1)):
            assert found.sd == pytest.approx(0.02, rel=rel)
            assert found.autocorrelation == pytest.approx(autocorrelation, abs=near)
