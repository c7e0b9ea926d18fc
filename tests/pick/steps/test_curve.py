"""The trade-off curve: what it is fitted to comes back, and it says when its critical batch size is not known."""

import math

import numpy as np
import pytest

from gdbench.pick.steps.curve import fit_curve, scarcity, steps_by

SIZES = 2.0 ** np.arange(0, 13, 2)
N_ROWS = 500
FINITE = np.array([1.0, 4.0, 16.0, 64.0, 256.0, 500.0])
FLOOR, CRITICAL = 300.0, 40.0


def steps_at(sizes: np.ndarray, n_rows: int | None = None, critical: float = CRITICAL) -> np.ndarray:
    return FLOOR * (1 + critical * scarcity(sizes, n_rows))


@pytest.mark.parametrize(("sizes", "n_rows"), [(SIZES, None), (FINITE, N_ROWS)])
@pytest.mark.parametrize("critical", [1.0, 40.0, 1000.0])
def test_exact_steps_give_back_both_parameters(sizes: np.ndarray, n_rows: int | None, critical: float) -> None:
    found = fit_curve(sizes, steps_at(sizes, n_rows, critical), np.full(len(sizes), 0.01), n_rows=n_rows)
    assert found.floor == pytest.approx(FLOOR, rel=1e-3)
    assert found.critical == pytest.approx(critical, rel=1e-3)
    assert found.worst_residual < 1e-3
    assert found.identified


@pytest.mark.parametrize("n_rows", [None, N_ROWS])
def test_steps_of_the_curve_are_those_that_it_was_fitted_to(n_rows: int | None) -> None:
    sizes = SIZES if n_rows is None else FINITE
    found = fit_curve(sizes, steps_at(sizes, n_rows), np.full(len(sizes), 0.01), n_rows=n_rows)
    for size in (1, 3, 100, 500):
        expected = float(steps_at(np.array([float(size)]), n_rows)[0])
        assert steps_by(found, size, n_rows) == pytest.approx(expected, rel=1e-3)


def test_all_rows_at_once_take_the_floor() -> None:
    found = fit_curve(FINITE, steps_at(FINITE, N_ROWS), np.full(6, 0.01), n_rows=N_ROWS)
    assert steps_by(found, N_ROWS, N_ROWS) == pytest.approx(FLOOR, rel=1e-3)


def test_parameters_follow_noisy_steps() -> None:
    rng, found = np.random.default_rng(4), []
    for _ in range(30):
        noisy = steps_at(SIZES) * np.exp(0.1 * rng.normal(size=len(SIZES)))
        found.append(fit_curve(SIZES, noisy, np.full(len(SIZES), 0.1), n_rows=None))
    floors, criticals = ([getattr(one, name) for one in found] for name in ("floor", "critical"))
    assert np.exp(np.mean(np.log(floors))) == pytest.approx(FLOOR, rel=0.05)
    assert np.exp(np.mean(np.log(criticals))) == pytest.approx(CRITICAL, rel=0.08)
    assert np.std(np.log(criticals)) < 0.2


def test_a_certain_batch_size_weighs_more_than_an_uncertain_one() -> None:
    steps, errors = steps_at(SIZES), np.full(len(SIZES), 0.01)
    steps[-1] *= 1.3
    certain = fit_curve(SIZES, steps, errors, n_rows=None)
    errors[-1] = 1.0
    uncertain = fit_curve(SIZES, steps, errors, n_rows=None)
    assert abs(uncertain.floor / FLOOR - 1) < abs(certain.floor / FLOOR - 1)


def test_one_batch_size_out_of_line_moves_little_and_is_told_as_a_residual() -> None:
    steps = steps_at(SIZES)
    steps[0] *= math.e
    found = fit_curve(SIZES, steps, np.full(len(SIZES), 0.05), n_rows=None)
    assert found.critical == pytest.approx(CRITICAL, rel=0.5)
    assert found.worst_residual > 1.0


@pytest.mark.parametrize(
    ("sizes", "critical"), [([1.0, 2.0, 4.0], 1e5), ([1024.0, 2048.0, 4096.0], 1.0), ([64.0], CRITICAL)]
)
def test_a_critical_batch_far_outside_of_the_data_is_not_known(sizes: list[float], critical: float) -> None:
    steps = steps_at(np.array(sizes), critical=critical)
    assert not fit_curve(sizes, steps, np.full(len(sizes), 0.01), n_rows=None).identified


@pytest.mark.parametrize("n_rows", [1, 2])
def test_one_or_two_rows_are_data_too(n_rows: int) -> None:
    sizes = np.arange(1.0, n_rows + 1)
    found = fit_curve(sizes, np.full(n_rows, 20.0), np.zeros(n_rows), n_rows=n_rows)
    assert steps_by(found, 1, n_rows) == pytest.approx(20.0, rel=0.05)


def test_scarcity_is_the_variance_of_a_mean_over_a_batch() -> None:
    """Without replacement: that of all subsets of so many rows, one by one."""
    rng, n = np.random.default_rng(0), 7
    values = rng.normal(size=n)
    for size in (1, 3, 7):
        means = [rng.permutation(values)[:size].mean() for _ in range(20_000)]
        expected = float(scarcity(np.array([float(size)]), n)[0]) * values.var()
        assert np.var(means) == pytest.approx(expected, rel=0.05, abs=1e-12)
