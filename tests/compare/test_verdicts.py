"""Verdicts and controls follow from blocks alone: order, sides and repeats inside change nothing."""

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdbench.compare import signed_rank
from gdbench.compare.bootstrap import bca_intervals
from gdbench.compare.planning import Rule
from gdbench.compare.verdicts import (
    BROKEN,
    IMPROVED,
    INSUFFICIENT,
    MISSING,
    REGRESSED,
    UNCHANGED,
    ControlsVerdict,
    Judgement,
    block_datum,
    controls,
    judge,
    needs_confirmation,
)
from kernels import InputError

from .simulated_pairs import MARGIN, RULE, Floats, draw_stages, enumerated_p, judge_all, judge_one

MIRRORED = {REGRESSED: IMPROVED, IMPROVED: REGRESSED}


def _adjusted(p: Floats) -> list[float]:
    """Benjamini and Hochberg by its definition: the least rate at which a case would be among the discoveries."""
    return [min(min(1.0, len(p) * q / np.sum(p <= q)) for q in p if q >= own) for own in p]


def test_six_blocks_are_the_fewest_with_an_interval() -> None:
    assert signed_rank.min_blocks(0.95) == 6
    few, enough = judge_one(np.linspace(0.2, 0.3, 5)), judge_one(np.linspace(0.2, 0.3, 6))
    assert (few.verdict, few.reason, few.smallest_effect) == (INSUFFICIENT, "fewer than 6 blocks", math.inf)
    assert math.isnan(few.low)
    assert enough.verdict == REGRESSED
    assert 1.2 < enough.low < enough.high < 1.36


def test_p_values_are_adjusted_over_the_cases_that_were_confirmed_and_no_others() -> None:
    screened, confirmed = draw_stages(1, cases=40)
    found = [finding for finding in judge_all(screened, confirmed) if finding.stage == "confirm"]
    assert 3 < len(found) < 40
    p = np.array([finding.p for finding in found])
    np.testing.assert_allclose([finding.p_adjusted for finding in found], _adjusted(p), rtol=1e-12)
    small = [finding for finding in judge_all(screened, confirmed) if finding.stage == "screen"]
    assert all(math.isnan(finding.p) and finding.verdict == UNCHANGED for finding in small)


def test_p_is_twice_the_smaller_tail_against_the_margin() -> None:
    values = np.random.default_rng(3).normal(0.03, 0.02, 9)
    assert judge_one(values).p == pytest.approx(2 * enumerated_p(values - math.log1p(MARGIN)))
    assert judge_one(-values).p == pytest.approx(2 * enumerated_p(values - math.log1p(MARGIN)))
    assert judge_one(values, margin=0.03).p > judge_one(values).p


@pytest.mark.parametrize("sign", [1, -1])
def test_a_certain_difference_within_the_equivalence_is_unchanged(sign: int) -> None:
    noise = np.random.default_rng(4).normal(0, 0.001, 24)
    small, large = judge_one(sign * (0.012 + noise)), judge_one(sign * (0.03 + noise))
    assert small.verdict == UNCHANGED
    assert small.p_adjusted <= RULE.fdr
    assert large.verdict == (REGRESSED if sign > 0 else IMPROVED)


@pytest.mark.parametrize("ratio", [1.0, 1.5, 0.5])
def test_counts_that_are_equal_in_all_blocks_are_judged_too(ratio: float) -> None:
    found = judge_one(np.full(8, math.log(ratio)), margin=0.0)
    assert found.verdict == {1.0: UNCHANGED, 1.5: REGRESSED, 0.5: IMPROVED}[ratio]
    assert (found.low, found.ratio, found.high) == pytest.approx((ratio, ratio, ratio))
    assert found.pair_sd == pytest.approx(0, abs=1e-12)


def test_the_screen_alone_never_proves_a_change() -> None:
    screened = np.column_stack([np.linspace(0.3, 0.4, 12), np.linspace(-0.01, 0.01, 12)])
    for confirmed in (np.empty((0, 2)), np.full((5, 2), 0.3)):
        slow, same = judge(screened, confirmed, margins=[0.0, 0.0], rule=RULE)
        assert (slow.verdict, slow.stage, slow.blocks) == (INSUFFICIENT, "screen", 12)
        assert (same.verdict, same.stage) == (UNCHANGED, "screen")
        assert slow.smallest_effect == same.smallest_effect == math.inf  # nothing could be proven
        assert slow.blocks_needed


def test_only_cases_that_are_not_proven_unchanged_go_on() -> None:
    spread = np.linspace(-1, 1, 8)[:, None]
    screened = np.array([0, 0.013, 0.017, 0.1, -0.1, 0]) + spread * [0.005, 0.005, 0.005, 0.01, 0.01, 0.2]
    assert needs_confirmation(screened, RULE).tolist() == [False, False, True, True, True, True]
    assert needs_confirmation(screened[:5], RULE).all()
    assert not needs_confirmation(screened, Rule(equivalence=1.0)).any()


def test_lost_blocks_count_for_nothing() -> None:
    screened, confirmed = draw_stages(6)
    kept = [np.concatenate([column[~np.isnan(column)], np.full(3, np.nan)]) for column in confirmed.T]
    for case, column in enumerate(kept):
        alone = [
            judge(screened[:, [case]], d[:, None], margins=[MARGIN], rule=RULE) for d in (confirmed[:, case], column)
        ]
        if alone[0][0].stage == "confirm":
            assert alone[0] == alone[1]


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_swapping_the_sides_mirrors_every_verdict(seed: int) -> None:
    screened, confirmed = draw_stages(seed)
    for one, other in zip(judge_all(screened, confirmed), judge_all(-screened, -confirmed), strict=True):
        assert other.verdict == MIRRORED.get(one.verdict, one.verdict)
        assert (other.stage, other.blocks, other.blocks_needed) == (one.stage, one.blocks, one.blocks_needed)
        assert [1 / one.high, 1 / one.ratio, 1 / one.low] == pytest.approx(
            [other.low, other.ratio, other.high], rel=1e-14
        )
        np.testing.assert_array_equal([one.p, one.p_adjusted], [other.p, other.p_adjusted])
        assert one.smallest_effect == pytest.approx(other.smallest_effect, rel=1e-12)


def test_swapping_the_sides_mirrors_the_bootstrap() -> None:
    _, confirmed = draw_stages(7)
    low, high = bca_intervals(confirmed, confidence=0.95, min_blocks=6)
    mirrored_low, mirrored_high = bca_intervals(-confirmed, confidence=0.95, min_blocks=6)
    assert np.sum(~np.isnan(low)) > 3
    np.testing.assert_array_equal(low, -mirrored_high)
    np.testing.assert_array_equal(high, -mirrored_low)


@settings(max_examples=5)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_cases_and_of_blocks_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    screened, confirmed = draw_stages(seed, cases=6)
    order = rng.permutation(6)
    expected = judge_all(screened, confirmed, resamples=99)
    found = judge_all(rng.permutation(screened)[:, order], rng.permutation(confirmed)[:, order], resamples=99)
    for one, other in zip(found, (expected[case] for case in order), strict=True):
        for name, value in asdict(one).items():
            same = getattr(other, name)
            assert value == (pytest.approx(same, rel=1e-12, nan_ok=True) if isinstance(same, float) else same), name


@settings(max_examples=50)
@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.floats(1e-6, 1e6),
    quads=st.integers(1, 20),
    times=st.integers(1, 10),
)
def test_neither_scale_nor_repeats_inside_a_block_change_its_datum(
    seed: int, scale: float, quads: int, times: int
) -> None:
    base, head = np.random.default_rng(seed).lognormal(10, 0.3, (2, quads, 2))
    datum = block_datum(base, head)
    assert block_datum(scale * base, scale * head) == pytest.approx(datum, abs=1e-12)
    assert block_datum(np.repeat(base, times, axis=1), np.repeat(head, times, axis=1)) == pytest.approx(
        datum, abs=1e-12
    )
    assert block_datum(np.repeat(base, times, axis=0), np.repeat(head, times, axis=0)) == pytest.approx(
        datum, abs=1e-12
    )
    assert block_datum(head, base) == -datum
    assert block_datum(base, 2 * head) == pytest.approx(datum + math.log(2), abs=1e-12)


def test_repeats_inside_a_block_change_no_p_value() -> None:
    times = np.random.default_rng(8).lognormal(10, 0.05, (24, 2, 16, 2))
    once = [block_datum(*block) for block in times]
    ten = [block_datum(*np.repeat(block, 10, axis=2)) for block in times]
    assert judge_one(once).p == judge_one(ten).p
    assert judge_one(once).p > 0.001  # where 768 independent samples would have been sure of something


def test_one_wild_sample_does_not_move_a_block() -> None:
    base, head = np.full((16, 2), 3e6), np.full((16, 2), 3.3e6)
    head[3, 0] *= 100
    assert block_datum(base, head) == pytest.approx(math.log(1.1))


def test_findings_are_the_same_every_time_and_the_second_interval_is_near_the_first() -> None:
    screened, confirmed = draw_stages(9)
    first, second = judge_all(screened, confirmed, resamples=499), judge_all(screened, confirmed, resamples=499)
    assert repr(first) == repr(second)
    for finding in first:
        apart = max(abs(finding.low - finding.bootstrap_low), abs(finding.high - finding.bootstrap_high))
        assert ("bootstrap" in finding.reason) == (apart > 0.005)
        if finding.stage == "confirm":
            assert apart < finding.high - finding.low


def test_intervals_that_disagree_are_said_to() -> None:
    skewed = np.random.default_rng(10).exponential(0.3, 12) ** 2
    assert "bootstrap" in judge_one(skewed).reason
    assert judge_one(0.05 + np.linspace(-0.005, 0.005, 12)).reason == ""


def _control(ratio: float, *, sd: float = 0.005, seed: int = 0) -> Judgement:
    return judge_one(math.log(ratio) + sd * np.random.default_rng(seed).standard_normal(24))


def test_a_run_is_valid_if_identical_code_is_alike_and_extra_work_is_found() -> None:
    canaries = [_control(1.0, seed=seed) for seed in range(3)]
    assert controls(canaries, _control(1.1)) == ControlsVerdict("valid", "")
    assert controls(canaries, _control(1.0)).status == "underpowered"
    assert controls(canaries, _control(1.1, sd=0.3)).status == "underpowered"
    assert controls(canaries, replace(_control(1.1), verdict=MISSING)).status == "underpowered"
    assert controls(canaries, _control(1 / 1.1)).status == "invalid"


def test_a_run_is_invalid_if_identical_code_differs_or_was_not_measured() -> None:
    canaries, spike = [_control(1.0, seed=seed) for seed in range(3)], _control(1.1)
    for tampered in (1.05, 1 / 1.05):
        found = controls([*canaries, _control(tampered)], spike)
        assert found.status == "invalid"
        assert f"{100 * (_control(tampered).ratio - 1):+.1f} %" in found.reason
    shifted = [_control(1.015, seed=seed) for seed in range(3)]
    assert [canary.verdict for canary in shifted] == [UNCHANGED] * 3
    assert controls(shifted, spike).status == "invalid"
    assert controls([], spike).status == "invalid"
    assert controls([*canaries, replace(canaries[0], verdict=BROKEN)], spike).status == "invalid"
    assert controls([*canaries, replace(canaries[0], ratio=math.nan)], spike).status == "invalid"
    noisy = [_control(1.0, sd=0.3, seed=seed) for seed in range(3)]
    assert controls(noisy, spike).status == "valid"  # noise is no proof of a shift


@pytest.mark.parametrize(
    "call",
    [
        lambda: block_datum([[1.0, 0.0]], [[1.0, 1.0]]),
        lambda: block_datum([[1.0, 1.0]], [[1.0, 1.0, 1.0]]),
        lambda: block_datum([], []),
        lambda: judge(np.zeros((8, 2)), np.zeros((8, 3)), margins=[0.0, 0.0], rule=RULE),
        lambda: judge(np.zeros((8, 2)), np.zeros((8, 2)), margins=[0.0], rule=RULE),
        lambda: judge(np.zeros((8, 1)), np.zeros((8, 1)), margins=[-0.1], rule=RULE),
        lambda: judge(np.zeros(8), np.zeros((8, 1)), margins=[0.0], rule=RULE),
        lambda: needs_confirmation([[math.inf]], RULE),
    ],
)
def test_numbers_that_make_no_sense_are_refused_with_a_remedy(call: object) -> None:
    with pytest.raises(InputError, match=r"^[^.]+: \w+ .+$|with a row for each block"):
        call()  # type: ignore[operator]
