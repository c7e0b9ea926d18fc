"""Steps and rates over the batch size: the form, the departure from it, and what is known of both."""

import math
from itertools import combinations, pairwise

import numpy as np
import pytest
from gdbench.pick.steps.allocation import MAX_RUNS, SWEEP_RUNS, runs_worth, sweep_rows
from gdbench.pick.steps.rate_law import guess_rate, rate_at

from gdbench.pick.steps.curve import (
    DEPARTURES,
    SYSTEMATIC,
    USUAL_SPREAD,
    Pooled,
    log_form,
    pool,
    scarcity,
    smooth_variances,
)
from kernels.contract import Array

SIZES = 2.0 ** np.arange(0, 13, 2)
EVERY = 2.0 ** np.arange(13)
FLOOR, CRITICAL = 300.0, 40.0
N_ROWS = 500
FINITE = np.array([1.0, 4.0, 16.0, 64.0, 256.0, 500.0])
Z90 = 1.645


def pooled(sizes: Array, logs: Array, error: float, wanted: Array, *, n_rows: int | None = None) -> Pooled:
    return pool(sizes, logs, np.full(len(sizes), error), wanted, n_rows=n_rows, departures=DEPARTURES)


def truth(sizes: Array, n_rows: int | None = None) -> Array:
    return np.log(FLOOR * (1 + CRITICAL * scarcity(sizes, n_rows)))


def test_scarcity_is_the_variance_of_the_mean_of_rows_drawn_without_replacement() -> None:
    rows = np.array([1.0, 4.0, -2.0, 7.0, 3.0])
    for size in range(1, 6):
        means = [np.mean(chosen) for chosen in combinations(rows, size)]
        assert scarcity(np.array([float(size)]), 5)[0] == pytest.approx(np.var(means) / np.var(rows), abs=1e-15)
    np.testing.assert_allclose(scarcity(np.array([1.0, 8.0]), None), [1.0, 0.125])
    assert scarcity(np.array([1.0]), 1)[0] == 0.0


@pytest.mark.parametrize(("sizes", "n_rows"), [(SIZES, None), (FINITE, N_ROWS)])
@pytest.mark.parametrize("critical", [1.0, 40.0, 1000.0])
def test_exact_steps_give_back_floor_and_critical_batch(sizes: Array, n_rows: int | None, critical: float) -> None:
    wanted = EVERY if n_rows is None else np.array([1.0, 3.0, 100.0, 400.0, 500.0])
    logs = log_form(scarcity(sizes, n_rows), FLOOR, critical)
    found = pooled(sizes, logs, 0.01, wanted, n_rows=n_rows)
    assert found.floor == pytest.approx(FLOOR, rel=1e-3)
    assert found.critical == pytest.approx(critical, rel=1e-3)
    assert found.identified
    np.testing.assert_allclose(found.mean, log_form(scarcity(wanted, n_rows), FLOOR, critical), atol=1e-3)


def test_all_rows_at_once_take_the_floor() -> None:
    found = pooled(FINITE, truth(FINITE, N_ROWS), 0.01, np.array([500.0]), n_rows=N_ROWS)
    assert math.exp(found.mean[0]) == pytest.approx(FLOOR, rel=1e-3)


@pytest.mark.parametrize("n_rows", [None, N_ROWS])
def test_intervals_hold_the_truth_as_often_as_they_say(n_rows: int | None) -> None:
    sizes = SIZES if n_rows is None else FINITE
    rng, inside, errors = np.random.default_rng(4), [], []
    for _ in range(60):
        found = pooled(sizes, truth(sizes, n_rows) + 0.1 * rng.normal(size=len(sizes)), 0.1, sizes, n_rows=n_rows)
        wrong = found.mean - truth(sizes, n_rows)
        inside.append(np.abs(wrong) < Z90 * np.sqrt(np.diag(found.covariance)))
        errors.append(wrong)
    assert 0.82 < np.mean(inside) < 0.99
    assert np.sqrt(np.mean(np.square(errors))) < 0.085  # pooling: less than the error of each


def test_where_data_depart_from_the_form_they_are_followed_and_where_they_do_not_the_form_is() -> None:
    bend = 0.25 * np.sin(np.log2(EVERY) / 2)
    at, logs = np.isin(EVERY, SIZES), truth(EVERY) + bend
    bent, straight = (pooled(SIZES, each[at], 0.02, EVERY) for each in (logs, truth(EVERY)))
    assert straight.departure == min(DEPARTURES)
    assert bent.departure > 0.04
    np.testing.assert_allclose(bent.mean, logs, atol=0.06)
    between = ~at
    assert np.diag(bent.covariance)[between].min() > np.diag(straight.covariance)[between].max()


def test_one_batch_size_out_of_line_moves_little_but_itself() -> None:
    logs = truth(SIZES)
    logs[0] += 1.0
    found = pooled(SIZES, logs, 0.05, SIZES)
    assert found.critical == pytest.approx(CRITICAL, rel=0.25)


def test_what_errs_alike_everywhere_is_common_to_all_pairs() -> None:
    found = pooled(SIZES, truth(SIZES), 0.01, EVERY)
    assert (found.covariance >= 0.3 * SYSTEMATIC**2).all()
    assert np.linalg.eigvalsh(found.covariance).min() > -1e-10
    np.testing.assert_array_equal(found.covariance, found.covariance.T)


def test_doubt_grows_away_from_the_data() -> None:
    found = pooled(np.array([8.0, 16.0, 32.0]), truth(np.array([8.0, 16.0, 32.0])), 0.05, EVERY)
    doubt = np.diag(found.covariance)
    assert doubt[[3, 4, 5]].max() < 0.06**2
    assert (np.diff(doubt[5:]) > 0).all()
    assert (np.diff(doubt[:4]) < 0).all()


@pytest.mark.parametrize("size", [1.0, 64.0, 500.0])
@pytest.mark.parametrize("n_rows", [None, N_ROWS])
def test_one_batch_size_tells_its_own_steps_and_no_critical_batch(size: float, n_rows: int | None) -> None:
    found = pooled(np.array([size]), np.log([1234.0]), 0.05, np.array([size, 7.0]), n_rows=n_rows)
    assert math.exp(found.mean[0]) == pytest.approx(1234.0, rel=0.01)
    assert math.sqrt(found.covariance[0, 0]) < 0.08
    assert found.covariance[1, 1] > 10 * found.covariance[0, 0]
    assert not found.identified


def test_a_critical_batch_far_outside_of_the_data_is_not_known() -> None:
    small, large = np.array([1.0, 2.0, 4.0]), np.array([1024.0, 2048.0, 4096.0])
    assert not pooled(small, log_form(1 / small, 1.0, 1e5), 0.01, small).identified
    assert not pooled(large, log_form(1 / large, 500.0, 1.0), 0.01, large).identified


def test_one_row_is_a_data_set_too() -> None:
    found = pooled(np.array([1.0]), np.log([20.0]), 0.01, np.array([1.0]), n_rows=1)
    assert math.exp(found.mean[0]) == pytest.approx(20.0, rel=1e-3)


def test_variances_known_from_many_runs_stay_and_those_from_few_become_what_is_usual() -> None:
    usual = USUAL_SPREAD**2 / (1 + SIZES / CRITICAL)
    own = np.full(len(SIZES), 4.0)
    few, many = (smooth_variances(SIZES, own, np.full(len(SIZES), n), critical=CRITICAL) for n in (2.0, 1e6))
    np.testing.assert_allclose(many, own, rtol=1e-3)
    assert (np.abs(few - usual) < np.abs(few - own)).all()
    np.testing.assert_allclose(smooth_variances(SIZES, usual, np.full(7, 5.0), critical=1e9), USUAL_SPREAD**2, rtol=0.7)


def test_a_variance_that_is_small_by_luck_is_that_of_its_neighbours() -> None:
    own = np.full(len(SIZES), 0.06)
    own[3] = 1e-6
    found = smooth_variances(SIZES, own, np.full(len(SIZES), 10.0), critical=1e9)
    assert found[3] > 0.02


def test_a_single_run_stands_where_all_are_the_same() -> None:
    counts = np.array([5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 1.0])
    found = smooth_variances(SIZES, np.full(7, 0.04), counts, critical=CRITICAL)
    assert found[-1] == 0.0
    assert (found[:-1] > 0).all()


# rates


def law(size: float) -> float:
    return 0.8 / (1 + 25 / size)


@pytest.mark.parametrize("size", [1, 30, 1000])
def test_from_one_known_rate_the_law_is_followed(size: int) -> None:
    assert guess_rate({16: law(16)}, size, batch=25) == pytest.approx(law(size))


def test_from_two_known_rates_the_slope_is_followed_but_never_downwards_nor_more_than_in_proportion() -> None:
    assert guess_rate({4: 0.1, 16: 0.2}, 64, batch=25) == pytest.approx(0.4)
    assert guess_rate({4: 0.1, 16: 0.2}, 1, batch=25) == pytest.approx(0.05)
    assert guess_rate({4: 0.1, 16: 0.09}, 64, batch=25) == pytest.approx(0.09)
    assert guess_rate({4: 0.1, 16: 1.6}, 64, batch=25) == pytest.approx(6.4)
    assert guess_rate({1: 9.0, 4: 0.1, 16: 0.2}, 64, batch=25) == pytest.approx(0.4)  # the nearest two


def test_rates_between_known_ones_are_monotone_and_beyond_them_constant() -> None:
    known = {1: 0.01, 8: 0.05, 64: 0.051, 512: 0.3}
    found = [rate_at(known, size) for size in range(1, 513)]
    assert all(before <= after * (1 + 1e-12) for before, after in pairwise(found))
    for size, rate in known.items():
        assert rate_at(known, size) == pytest.approx(rate)
    assert rate_at(known, 4096) == pytest.approx(0.3)
    assert rate_at({8: 0.05, 64: 0.07}, 1) == pytest.approx(0.05)
    assert rate_at({8: 0.05}, 64) == 0.05


# runs


@pytest.mark.parametrize("critical", [1.0, 40.0, 1000.0])
@pytest.mark.parametrize("share", [0.01, 0.03])
def test_runs_cost_the_share_of_a_sweep_that_they_are_meant_to(critical: float, share: float) -> None:
    candidates = tuple(2**power for power in range(13))
    runs = [runs_worth(size, candidates, critical=critical, share=share, least=0) for size in candidates]
    assert all(before >= after for before, after in pairwise(runs))
    if max(runs) < MAX_RUNS:
        rows = [critical + size for size in candidates]
        assert np.dot(runs, rows) == pytest.approx(share * SWEEP_RUNS * sum(rows), rel=0.25)


def test_runs_are_never_fewer_or_more_than_allowed() -> None:
    candidates = (1, 64, 4096)
    for least in (1, 3):
        runs = [runs_worth(size, candidates, critical=40, share=0.02, least=least) for size in candidates]
        assert runs[-1] == least
        assert runs[0] == MAX_RUNS
    assert sweep_rows(np.array([100.0, 50.0])) == pytest.approx(150 * SWEEP_RUNS)
