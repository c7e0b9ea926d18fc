"""Verdicts are quiet when nothing changed, sharp when something did, and as sure as they say: simulated, seeded."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from gdbench.compare import bootstrap, signed_rank
from gdbench.compare.planning import blocks_needed, smallest_effect
from gdbench.compare.verdicts import IMPROVED, INSUFFICIENT, REGRESSED, UNCHANGED, Judgement, Rule, common_shift

from .simulated_pairs import (
    CONFIRM_BLOCKS,
    MARGIN,
    RULE,
    SCREEN_BLOCKS,
    Floats,
    Noise,
    draw_blocks,
    quiet_sds,
    run_suite,
    share,
    verdicts_of,
)

CASES, PLANTED, RUNS = 200, 20, 80
NOISES = [Noise(), Noise(heavy=True), Noise(shared=0.5), Noise(heavy=True, shared=0.5)]


def _alarms(findings: list[Judgement]) -> int:
    return sum(finding.verdict in (REGRESSED, IMPROVED) for finding in findings)


def _plant(rng: np.random.Generator, slowdown: float, sd: float, noise: Noise) -> list[Judgement]:
    """Return the findings of slowed cases, among cases that nobody touched."""
    slowdowns, sds = np.zeros(CASES), quiet_sds(rng, CASES)
    slowdowns[:PLANTED], sds[:PLANTED] = slowdown, sd
    return run_suite(rng, slowdowns, sds, noise=noise)[:PLANTED]


def test_suites_in_which_nothing_changed_are_quiet_in_any_noise() -> None:
    rng = np.random.default_rng(1)
    alarms = [
        _alarms(run_suite(rng, np.zeros(CASES), rng.uniform(0, 0.08, CASES), noise=noise))
        for noise in NOISES
        for _ in range(8)
    ]
    assert np.mean(np.array(alarms) > 0) <= 0.05
    assert sum(alarms) <= 0.001 * CASES * len(alarms)


def test_on_a_quiet_machine_unchanged_cases_are_resolved_without_an_alarm() -> None:
    rng = np.random.default_rng(2)
    found = [run_suite(rng, np.zeros(CASES), quiet_sds(rng, CASES)) for _ in range(10)]
    assert sum(map(_alarms, found)) == 0
    assert np.mean([share(findings, UNCHANGED) for findings in found]) >= 0.85


def test_a_margin_of_twice_the_layout_bias_keeps_suites_quiet() -> None:
    def alarmed(margin: float, suites: int) -> float:
        rng, noise = np.random.default_rng(3), Noise(bias_sd=0.004)
        found = [
            run_suite(rng, np.zeros(CASES), quiet_sds(rng, CASES), noise=noise, margin=margin) for _ in range(suites)
        ]
        return float(np.mean([_alarms(findings) > 0 for findings in found]))

    with_margin = alarmed(0.008, suites=24)
    assert with_margin <= 0.15
    assert alarmed(0.0, suites=4) > with_margin  # repetition does not remove the bias: the margin does


@pytest.mark.parametrize("noise", NOISES[:3], ids=["normal", "heavy", "shared"])
def test_false_discoveries_are_a_twentieth_at_most(noise: Noise) -> None:
    """Cases that did not change lie at the margin itself, on either side, where the test errs most often."""
    rng, false = np.random.default_rng(4), []
    for _ in range(20):
        slowdowns = np.full(120, MARGIN) * rng.choice([-1, 1], 120)
        slowdowns[:30] = rng.choice([-1, 1], 30) * rng.uniform(0.03, 0.12, 30)
        found = run_suite(rng, slowdowns, rng.uniform(0.02, 0.06, 120), noise=noise)
        right = [
            finding.verdict == (REGRESSED if slow > 0 else IMPROVED)
            for finding, slow in zip(found, slowdowns, strict=True)
        ]
        false.append(1 - sum(right[:30]) / max(1, _alarms(found)))
    assert 0 < np.mean(false) <= 0.05


@pytest.mark.parametrize("blocks", [8, 24, 40])
@pytest.mark.parametrize("noise", NOISES[:2], ids=["normal", "heavy"])
def test_intervals_hold_the_true_ratio_as_often_as_they_say(noise: Noise, blocks: int) -> None:
    rng = np.random.default_rng(5)
    d = draw_blocks(rng, blocks, np.full(4000, math.log(1.03)), np.full(4000, 0.02), noise)
    ends = signed_rank.intervals(d, confidence=0.95)
    assert 0.93 <= np.mean((ends.low <= math.log(1.03)) & (math.log(1.03) <= ends.high)) <= 0.97


@pytest.mark.parametrize("noise", NOISES[:2], ids=["normal", "heavy"])
def test_bootstrap_intervals_nearly_do_and_agree(noise: Noise) -> None:
    rng = np.random.default_rng(6)
    d = draw_blocks(rng, CONFIRM_BLOCKS, np.full(200, 0.03), np.full(200, 0.02), noise)
    low, high = bootstrap.bca_intervals(d, confidence=0.95, min_blocks=6)
    assert 0.90 <= np.mean((low <= 0.03) & (high >= 0.03)) <= 0.97
    exact = signed_rank.intervals(d, confidence=0.95)
    apart = np.maximum(np.abs(low - exact.low), np.abs(high - exact.high))
    assert np.mean(apart > 0.005) <= 0.02


@pytest.mark.parametrize(
    ("slowdown", "sd", "power", "missed"),
    [
        (0.02, 0.015, 0.85, 0.05),
        (0.02, 0.03, 0, 0.05),
        (0.05, 0.02, 0.99, 0.001),
        (0.05, 0.04, 0.95, 0.001),
        (0.10, 0.04, 0.99, 0.001),
        (0.10, 0.08, 0.95, 0.001),
        (0.25, 0.08, 0.999, 0),
        (0.25, 0.15, 0.95, 0),
    ],
)
def test_planted_slowdowns_are_found(slowdown: float, sd: float, power: float, missed: float) -> None:
    rng = np.random.default_rng(7)
    found = [finding for noise in NOISES[:2] * 4 for finding in _plant(rng, slowdown, sd, noise)]
    assert share(found, REGRESSED) >= power
    assert share(found, UNCHANGED) <= missed
    assert share(found, IMPROVED) == 0


@pytest.mark.parametrize(("slowdown", "most_sd"), [(0.02, 0.04), (0.05, 0.08), (0.1, 0.15), (0.25, 0.15)])
def test_a_slowdown_is_never_called_an_improvement(slowdown: float, most_sd: float) -> None:
    rng = np.random.default_rng(8)
    sds = np.linspace(0.005, most_sd, 500)
    found = [finding for noise in NOISES[:2] for finding in run_suite(rng, np.full(500, slowdown), sds, noise=noise)]
    assert share(found, IMPROVED) == 0
    assert share(found, REGRESSED) > 0.5


NOISY_OTHERS = np.full(19, 0.2)
"""Pair standard deviations of cases that always go on to confirmation, so that a family has 20 members."""


def _found_alone(rng: np.random.Generator, slowdown: float, sd: float, confirm: int = CONFIRM_BLOCKS) -> Judgement:
    """Return the finding of one slowed case in a family of 20."""
    slowdowns = np.concatenate([[slowdown], np.zeros(len(NOISY_OTHERS))])
    return run_suite(rng, slowdowns, np.concatenate([[sd], NOISY_OTHERS]), confirm=confirm)[0]


@pytest.mark.parametrize("sd", [0.002, 0.02, 0.08])
def test_an_effect_of_the_smallest_visible_size_is_found_nine_times_in_ten(sd: float) -> None:
    rng = np.random.default_rng(9)
    size = smallest_effect(sd, MARGIN, family=20, screen=SCREEN_BLOCKS, blocks=CONFIRM_BLOCKS, rule=RULE)
    found = [_found_alone(rng, size, sd).verdict == REGRESSED for _ in range(RUNS)]
    assert np.mean(found) == pytest.approx(0.9, abs=0.07)


def test_so_is_one_of_the_size_that_a_run_reports_which_knows_the_noise_only_from_its_own_blocks() -> None:
    rng = np.random.default_rng(10)
    sds = quiet_sds(rng, RUNS)
    seen = [_found_alone(rng, 0.0, sd) for sd in sds]
    sizes = [
        smallest_effect(
            finding.pair_sd,
            MARGIN,
            family=20,
            screen=SCREEN_BLOCKS,
            blocks=CONFIRM_BLOCKS,
            rule=RULE,
            known_from=finding.blocks,
        )
        for finding in seen
    ]
    found = [_found_alone(rng, size, sd).verdict == REGRESSED for size, sd in zip(sizes, sds, strict=True)]
    assert np.mean(found) == pytest.approx(0.9, abs=0.07)


@pytest.mark.parametrize(("effect", "sd"), [(0.05, 0.04), (0.1, 0.08), (0.02, 0.015)])
def test_the_blocks_that_an_effect_needs_find_it_nine_times_in_ten(effect: float, sd: float) -> None:
    rng = np.random.default_rng(11)
    blocks = blocks_needed(sd, MARGIN, family=20, rule=Rule(effect=effect))
    assert blocks is not None
    found = [_found_alone(rng, effect, sd, confirm=blocks).verdict == REGRESSED for _ in range(RUNS)]
    assert np.mean(found) == pytest.approx(0.9, abs=0.07)


def test_more_blocks_of_the_same_slowdown_do_not_turn_regressed_into_unchanged() -> None:
    rng = np.random.default_rng(12)
    turned, regressed = 0, 0
    for _ in range(8):
        centres, sds = np.log1p(rng.uniform(0.02, 0.06, CASES)), quiet_sds(rng, CASES)
        screened = draw_blocks(rng, SCREEN_BLOCKS, centres, sds, Noise())
        more = draw_blocks(rng, 40, centres, sds, Noise())
        margins = np.full(CASES, MARGIN)
        early, late = (verdicts_of(screened, more[:blocks], margins=margins) for blocks in (CONFIRM_BLOCKS, 40))
        regressed += _alarms(early)
        turned += sum(a.verdict == REGRESSED and b.verdict == UNCHANGED for a, b in zip(early, late, strict=True))
    assert regressed > 800
    assert turned <= 0.001 * regressed


def test_a_regression_that_was_found_is_still_there_when_measured_again() -> None:
    rng = np.random.default_rng(13)
    pairs = [
        (first.verdict, second.verdict)
        for _ in range(10)
        for first, second in zip(_plant(rng, 0.05, 0.03, Noise()), _plant(rng, 0.05, 0.03, Noise()), strict=True)
    ]
    again = [second for first, second in pairs if first == REGRESSED]
    assert len(again) >= 100
    assert set(again) <= {REGRESSED, INSUFFICIENT}


def test_the_joint_test_is_quiet_about_noise_that_cases_share_and_sees_a_shift_that_they_share() -> None:
    rng = np.random.default_rng(14)

    def draw(shift: float) -> Floats:
        return draw_blocks(rng, 12, np.full(50, shift), np.full(50, 0.02), Noise(shared=0.5))

    quiet: NDArray[np.float64] = np.array([common_shift(draw(0.0)) for _ in range(100)])
    assert np.mean(quiet <= 0.05) == pytest.approx(0.05, abs=0.04)
    assert np.mean(quiet <= 0.5) == pytest.approx(0.5, abs=0.12)
    assert np.mean([common_shift(draw(0.03)) <= 0.05 for _ in range(40)]) >= 0.9
