"""The choice follows from the two halves alone: exact without noise, never a batch size that was not measured."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gdbench.pick.choose.binding import binding, shares
from gdbench.pick.choose.choice import (
    ARITHMETIC,
    NOISE,
    NOT_TIMED,
    NOT_TRIED,
    OVERHEAD,
    TOO_LARGE,
    BatchSizeChoice,
    NoChoice,
    Row,
)
from gdbench.pick.choose.choose import choose
from gdbench.pick.choose.estimates import join
from gdbench.pick.choose.objectives import NAMES, training_bytes
from gdbench.pick.seconds.times import Times
from gdbench.pick.steps.answer import BUDGET, CAPPED, DIVERGED, MET, UNRELIABLE, Steps
from kernels import InputError, Network

from ..pick_records import CRITICAL, FIXED, FLOOR, N_ROWS, PER_ROW, SIZES, Z90, make_steps, make_times, unreached

POWERS = tuple(2**power for power in range(13))
WIDE = 0.05
"""Tolerance with which 32 ties with 64."""
positive = st.floats(-6, 6).map(lambda power: 2.0**power)


def chosen(steps: Steps | None, times: Times, objective: str = "time", **options: object) -> BatchSizeChoice:
    found = choose(steps, times, objective, **({"tolerance": 0.0} | options))  # type: ignore[arg-type]
    assert isinstance(found, BatchSizeChoice)
    return found


def row(choice: BatchSizeChoice | NoChoice, size: int) -> Row:
    return next(row for row in choice.table if row.batch_size == size)


def time_of(size: float, *, floor: float = FLOOR, critical: float = CRITICAL, half: float = FIXED / PER_ROW) -> float:
    """The truth, written down once more: S (1 + Bn / B) (a + b B), the first of them whole steps."""
    steps = floor * (1 + critical / size)
    return math.ceil(steps - 1e-9 * steps) * PER_ROW * (half + size)


@settings(max_examples=40)
@given(critical=positive.map(lambda x: 40 * x), half=positive.map(lambda x: 40 * x), floor=st.floats(1e6, 1e9))
def test_without_noise_it_is_the_least_time_and_within_root_two_of_the_balance(
    critical: float, half: float, floor: float
) -> None:
    found = chosen(make_steps(POWERS, critical=critical, floor=floor), make_times(POWERS, fixed=half * PER_ROW))
    truth = {size: time_of(size, floor=floor, critical=critical, half=half) for size in POWERS}
    assert truth[found.batch_size] == pytest.approx(min(truth.values()), rel=1e-12)
    assert found.seconds == pytest.approx(truth[found.batch_size])
    inside = min(max(math.sqrt(critical * half), POWERS[0]), POWERS[-1])
    assert 1 / 1.0001 <= found.batch_size / inside * math.sqrt(2) <= 2.0001
    assert found.regret_expected == found.regret_p90 == 0


def test_the_smallest_of_those_within_the_tolerance_is_taken() -> None:
    ratio = time_of(32) / time_of(64)
    assert 1.03 < ratio < WIDE + 1
    exact = chosen(make_steps(), make_times(), tolerance=0.02)
    assert (exact.batch_size, exact.fastest, exact.tolerance) == (64, 64, 0.02)
    assert not any(entry.tied for entry in exact.table)
    wide = chosen(make_steps(), make_times(), tolerance=WIDE)
    assert (wide.batch_size, wide.fastest) == (32, 64)
    assert row(wide, 32).ratio == pytest.approx(ratio)
    assert [entry.batch_size for entry in wide.table if entry.tied] == [32, 64]


def test_no_noise_however_large_makes_ties_of_bad_batch_sizes() -> None:
    found = chosen(make_steps(noise=50.0), make_times(noise=50.0), tolerance=WIDE)
    assert found.batch_size == 32
    assert found.seconds_low is not None
    assert found.seconds_high is not None
    assert found.seconds_low < time_of(32) / 1e10
    assert found.seconds_high > time_of(32) * 1e10
    assert math.isfinite(found.regret_expected)
    assert found.regret_p90 > 1e6


@pytest.mark.parametrize(
    ("objective", "value"),
    [
        ("time", lambda K, t, B: K * t),
        ("compute", lambda K, t, B: K * B),
        ("steps", lambda K, t, B: K),
        ("throughput", lambda K, t, B: t / B),
    ],
)
def test_every_objective_is_minimised(objective: str, value: object) -> None:
    sizes = np.array(SIZES, float)
    K, t = np.ceil(FLOOR * (1 + CRITICAL / sizes)), FIXED + PER_ROW * sizes
    wanted = value(K, t, sizes)  # type: ignore[operator]
    found = chosen(make_steps(), make_times(), objective)
    assert found.batch_size == SIZES[int(np.argmin(wanted))]
    assert found.value == pytest.approx(wanted.min())
    assert [entry.ratio for entry in found.table] == pytest.approx(wanted / wanted.min())


def test_throughput_needs_no_steps_and_says_nothing_of_a_target() -> None:
    found = chosen(None, make_times(), "throughput")
    assert found == chosen(make_steps(), make_times(), "throughput")
    assert (found.seconds, found.learning_rate, found.critical_batch) == (None, None, None)
    assert all(entry.seconds is None and entry.steps is None and entry.measured for entry in found.table)
    unlearnt = chosen(unreached(), make_times(), "throughput")
    assert unlearnt.batch_size == N_ROWS


def test_blend_goes_from_compute_to_time_with_its_weight() -> None:
    picks = [chosen(make_steps(), make_times(), "blend", weight=w).batch_size for w in (0, 0.25, 0.5, 1)]
    assert picks[0] == chosen(make_steps(), make_times(), "compute").batch_size == 1
    assert picks[-1] == chosen(make_steps(), make_times()).batch_size == 64
    assert picks == sorted(picks)
    assert 1 < picks[2] < 64


def test_memory_is_time_among_those_that_fit() -> None:
    needed = {size: 1000 * size for size in SIZES}
    found = chosen(make_steps(), make_times(), "memory", memory_bytes=20_000, bytes_needed=needed)
    assert found.batch_size == 16
    assert {entry.batch_size for entry in found.table if entry.status == TOO_LARGE} == {s for s in SIZES if s > 20}
    ratio = row(found, 64).ratio
    assert ratio is not None
    assert ratio < 1  # faster, but not allowed: never chosen, never hidden
    none = choose(make_steps(), make_times(), "memory", memory_bytes=10, bytes_needed=needed)
    assert isinstance(none, NoChoice)
    assert none.status == TOO_LARGE


def test_a_step_needs_its_batch_its_layers_twice_and_parameters_twice() -> None:
    network = Network(sizes=(3, 4, 2), hidden="tanh", output="softmax", loss="cross_entropy")
    parameters = 3 * 4 + 4 + 4 * 2 + 2
    assert training_bytes(network, 5, np.float32) == 4 * (5 * (3 + 2 + 2 * (4 + 2)) + 2 * parameters)


@pytest.mark.parametrize("status", [UNRELIABLE, CAPPED, DIVERGED, BUDGET])
def test_a_batch_size_without_number_is_never_chosen_and_has_none(status: str) -> None:
    failed = {64: (status, "because"), 32: (status, "because")}
    found = chosen(make_steps(failed=failed), make_times(), current=64)
    assert found.batch_size == 128  # 7.56e-2 s against 8.40e-2 s at 16
    lost = row(found, 64)
    assert (lost.status, lost.reason, lost.measured) == (status, "because", False)
    numbers = (lost.steps, lost.seconds, lost.seconds_low, lost.seconds_high, lost.value, lost.ratio, lost.examples)
    assert set(numbers) == {None}
    assert not any((lost.tied, lost.chosen, lost.fastest))
    current = next(entry for entry in found.against if entry.name == "current")
    assert (current.ratio, current.seconds, current.reason) == (None, None, "because")


@pytest.mark.parametrize("status", [UNRELIABLE, CAPPED, DIVERGED, BUDGET, MET])
def test_a_target_that_was_reached_nowhere_has_a_status_and_no_number(status: str) -> None:
    found = choose(unreached(status, "because"), make_times(), n_rows=N_ROWS, current=8)
    assert isinstance(found, NoChoice)
    assert (found.status, found.reason) == (status, "because")
    assert all(entry.seconds is None and entry.value is None and entry.steps is None for entry in found.table)


def test_only_what_was_measured_in_both_halves_can_be_chosen() -> None:
    found = chosen(make_steps((1, 2, 4, 64)), make_times((2, 4, 8, 128)))
    assert found.batch_size == 4
    assert [(entry.batch_size, entry.status) for entry in found.table] == [
        *((1, NOT_TIMED), (2, "reached"), (4, "reached")),
        *((8, NOT_TRIED), (64, NOT_TIMED), (128, NOT_TRIED)),
    ]
    apart = choose(make_steps((1, 2)), make_times((4, 8)))
    assert isinstance(apart, NoChoice)
    assert apart.status == NOT_TIMED


def test_a_batch_size_that_no_run_confirmed_is_never_chosen_ranked_or_compared_with() -> None:
    lucky = [K * (0.01 if size in (1, 64) else 1) for size, K in zip(SIZES, range(400, 40, -30), strict=True)]
    steps = make_steps(extrapolated=(1, 64, N_ROWS), steps=lucky)
    found = chosen(steps, make_times(), n_rows=N_ROWS, current=64, tolerance=1e9)
    assert not {1, 64, N_ROWS} & {found.batch_size, found.fastest}
    for size in (1, 64, N_ROWS):
        guessed = row(found, size)
        assert not any((guessed.measured, guessed.tied, guessed.fastest, guessed.runs))
        assert guessed.steps is not None
        assert guessed.seconds is guessed.seconds_low is guessed.value is guessed.ratio is guessed.examples is None
    assert {entry.ratio for entry in found.against} == {None}
    assert {entry.reason for entry in found.against} == {"it was not measured"}
    assert found.payback is None
    assert isinstance(choose(make_steps((8,), extrapolated=(8,)), make_times((8,))), NoChoice)


def test_one_batch_size_is_enough_and_ties_with_nothing() -> None:
    found = chosen(make_steps((16,), noise=0.1), make_times((16,), noise=0.1), n_rows=16)
    assert (found.batch_size, found.fastest) == (16, 16)
    assert (found.regret_expected, found.regret_p90) == (0, 0)
    assert [entry.tied for entry in found.table] == [False]
    full, one = found.against
    assert (full.ratio, full.reason) == (1.0, "it is the choice")
    assert (one.ratio, one.reason) == (None, "it was not measured")


def test_steps_and_times_may_go_up_and_down() -> None:
    sizes = (1, 2, 4, 8)
    found = chosen(make_steps(sizes, steps=(100, 120, 40, 90)), make_times(sizes, seconds=(1.0, 0.5, 2.0, 0.7)))
    assert found.batch_size == 2
    assert [entry.seconds for entry in found.table] == pytest.approx([100, 60, 80, 63])


def test_intervals_add_the_variances_of_both_halves() -> None:
    found = chosen(make_steps(noise=0.05), make_times(noise=0.12), n_rows=N_ROWS)
    assert found.seconds is not None
    assert found.seconds_high == pytest.approx(found.seconds * math.exp(Z90 * 0.13), rel=1e-3)  # steps are whole
    assert found.seconds_low == pytest.approx(found.seconds * math.exp(-Z90 * 0.13), rel=1e-3)
    full = found.against[0]
    assert full.ratio is not None
    apart = math.sqrt(2) * 0.13
    assert full.high == pytest.approx(full.ratio * math.exp(Z90 * apart), rel=0.02)  # of samples


def test_an_interval_goes_to_the_whole_steps_on_either_side() -> None:
    """The mean of the runs is at the goal after 15.2 ± 0.4 steps: sixteen are told, and fifteen may be enough."""
    steps = make_steps((32,), steps=(16,), noise=0.016)
    row = replace(steps.rows[0], low=14.8, high=16.0)
    found = chosen(replace(steps, rows=(row,)), make_times((32,), seconds=(0.5,)))
    assert (found.seconds_low, found.seconds, found.seconds_high) == pytest.approx((7.5, 8.0, 8.0))


@pytest.mark.parametrize(("crossing", "error"), [(3.005, 0.002), (3.98, 0.01)])
def test_an_interval_that_is_cut_at_the_whole_number_tells_where_the_crossing_is(crossing: float, error: float) -> None:
    """As a search tells it: with no end beyond the steps themselves."""
    steps = make_steps((32,), steps=(crossing,), noise=error)
    row = replace(steps.rows[0], low=crossing / math.exp(Z90 * error), high=max(crossing * math.exp(Z90 * error), 4.0))
    found = join(replace(steps, rows=(row,)), make_times((32,)), (32,))
    assert np.exp(found.log_crossing[0]) == pytest.approx(crossing)


def test_noise_about_a_whole_number_of_steps_is_told_as_what_a_step_more_costs() -> None:
    """Four steps or five at 32 rows, by a hair: the choice may be 11 % worse or better than it."""
    steps, times = make_steps((16, 32), steps=(7.5, 3.99), noise=0.004), make_times((16, 32), seconds=(1.0, 1.8))
    found = chosen(steps, times, current=16)
    current = next(entry for entry in found.against if entry.name == "current")
    assert (found.batch_size, current.ratio) == (32, pytest.approx(8 / 7.2))
    assert found.regret_expected > 0.01
    assert current.low == pytest.approx(8 / 9)
    assert current.high == pytest.approx(8 / 7.2)


def test_the_regret_is_that_of_draws_from_the_stated_noise() -> None:
    steps, times = make_steps(noise=0.1), make_times(noise=0.05)
    found = chosen(steps, times, draws=20_000)
    rng = np.random.default_rng(123)
    truth = np.log([time_of(size) for size in SIZES])
    drawn = np.exp(truth + math.hypot(0.1, 0.05) * rng.standard_normal((20_000, len(SIZES))))
    regret = drawn[:, SIZES.index(found.batch_size)] / drawn.min(axis=1) - 1
    assert found.regret_expected == pytest.approx(regret.mean(), rel=0.05)
    assert found.regret_p90 == pytest.approx(np.quantile(regret, 0.9), rel=0.05)


def test_the_same_halves_give_the_same_choice() -> None:
    first, second = (chosen(make_steps(noise=0.1), make_times(noise=0.1), n_rows=N_ROWS) for _ in range(2))
    assert first == second


def _elasticities(size: float, a: float, b: float, critical: float) -> Sequence[float]:
    """By differences: the relative change of the time to the target per relative change of a, b and Bn."""

    def log_time(fixed: float, per_row: float, noise: float) -> float:
        return math.log((1 + noise / size) * (fixed + per_row * size))

    step, found = 1e-6, []
    for place in range(3):
        more = [a, b, critical]
        more[place] *= 1 + step
        found.append((log_time(*more) - log_time(a, b, critical)) / math.log1p(step))
    return found


@settings(max_examples=50)
@given(size=st.integers(1, 5000), a=positive, b=positive, critical=positive.map(lambda x: 40 * x))
def test_shares_are_what_the_time_loses_with_each_part(size: int, a: float, b: float, critical: float) -> None:
    found = shares(size, a + b * size, a, critical)
    assert (found.overhead, found.arithmetic, found.noise) == pytest.approx(
        _elasticities(size, a, b, critical), rel=1e-3, abs=1e-7
    )


@settings(max_examples=50)
@given(half=positive.map(lambda x: 40 * x), critical=positive.map(lambda x: 40 * x), off=st.floats(0.51, 2.0))
def test_near_the_balance_overhead_binds_up_to_half_throughput_and_arithmetic_beyond(
    half: float, critical: float, off: float
) -> None:
    size = off * math.sqrt(half * critical)
    assume(abs(size / half - 1) > 1e-9)  # shares that differ in last bits only
    found = binding(shares(size, half + size, half, critical))  # type: ignore[arg-type]
    assert found == (OVERHEAD if size <= half else ARITHMETIC)


def test_gradient_noise_binds_where_no_batch_large_enough_is_left() -> None:
    found = chosen(make_steps((1, 2, 4, 8), critical=5000), make_times((1, 2, 4, 8), fixed=1e-6), n_rows=8)
    assert (found.batch_size, found.binding) == (8, NOISE)
    assert chosen(make_steps(critical=10), make_times()).binding == OVERHEAD
    assert chosen(make_steps(critical=4000), make_times()).binding == ARITHMETIC


def test_a_curve_that_the_data_do_not_fix_names_no_critical_batch() -> None:
    found = chosen(make_steps(identified=False), make_times())
    assert found.critical_batch is None
    assert found.shares.noise is None
    assert found.binding in (OVERHEAD, ARITHMETIC)


def test_the_search_pays_back_by_what_each_training_saves() -> None:
    options = {"n_rows": N_ROWS, "search_seconds": 38.0}
    payback = chosen(make_steps(), make_times(), current=512, **options).payback
    saved = time_of(512) - time_of(64)
    assert payback is not None
    assert (payback.name, payback.saved_seconds) == ("current", pytest.approx(saved))
    assert payback.trainings == math.ceil(38.0 / saved)
    without = chosen(make_steps(), make_times(), **options).payback
    assert without is not None
    assert (without.name, without.batch_size) == ("full batch", N_ROWS)
    same = chosen(make_steps(), make_times(), current=64, **options).payback
    assert same is not None
    assert same.trainings is None
    assert chosen(make_steps(failed={512: (CAPPED, "no")}), make_times(), current=512, **options).payback is None


def test_what_an_objective_needs_is_asked_for() -> None:
    for objective in set(NAMES) - {"throughput"}:
        with pytest.raises(InputError, match="ask for throughput"):
            choose(None, make_times(), objective)
    with pytest.raises(InputError, match="say how many bytes"):
        choose(make_steps(), make_times(), "memory")
    with pytest.raises(InputError, match="choose one of time, compute"):
        choose(make_steps(), make_times(), "speed")
