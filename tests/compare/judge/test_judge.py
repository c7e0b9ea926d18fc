"""The judge is one pure function: verdicts, suite, groups, controls and exit code follow from blocks alone."""

import doctest
import math
import re
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gdbench.compare.judge import judge, rule
from gdbench.compare.judge.bias import bias_sd
from gdbench.compare.judge.cases import DRIFTED, LAYOUT, needs_confirmation
from gdbench.compare.judge.groups import BY_THEMSELVES, CANARIES_TOO, axes_of
from gdbench.compare.judge.location import pseudo_values
from gdbench.compare.judge.precision import Precision, both_stages, common_autocorrelation, layout_of, precision
from gdbench.compare.judge.terms import (
    BROKEN,
    IMPROVED,
    INSUFFICIENT,
    MISSING,
    REGRESSED,
    UNCHANGED,
    CaseBlocks,
    JudgeSettings,
    Verdicts,
)
from gdbench.compare.judge.visible import Stage, smallest_effect
from gdbench.compare.measure.blocks import block_datum
from gdbench.compare.record.tiers import QUICK, STANDARD, TIERS
from gdbench.experiments.cases import Case
from kernels import InputError

Floats = NDArray[np.float64]
MIRRORED = {REGRESSED: IMPROVED, IMPROVED: REGRESSED}
SETTINGS = JudgeSettings()
NAMES = tuple(
    f"mlp@mnist5k/{task}/{variant}/B={size}/float32/threads=1"
    for task in ("gradient", "epoch")
    for variant in ("jit", "tiled")
    for size in (1, 32, 512)
)


def drawn(seed: int, centres: Any, sd: float = 0.01, blocks: int = 8) -> Floats:
    centres = np.asarray(centres, float)
    return np.asarray(centres + sd * np.random.default_rng(seed).standard_normal((blocks, len(centres))))


def suite(seed: int, centres: Any, sd: float = 0.01) -> dict[str, CaseBlocks]:
    """Cases of the names above, all of them confirmed."""
    screen, confirm = drawn(seed, centres, sd), drawn(seed + 1, centres, sd, 24)
    return {name: CaseBlocks(screen[:, i], confirm[:, i]) for i, name in enumerate(NAMES[: len(screen.T)])}


def controls(canary: float = 0.0, spike: float = 0.1, sd: float = 0.005, seed: int = 100) -> dict[str, CaseBlocks]:
    values = drawn(seed, [canary, canary, canary, math.log1p(spike)], sd, 32)
    return {name: CaseBlocks(values[:8, i], values[8:, i]) for i, name in enumerate(("c 1", "c 2", "c 3", "spike-in"))}


def one(confirm: Any, screen: Any = (), chosen: JudgeSettings = SETTINGS) -> Any:
    """Judge one case alone."""
    return judge({"case": CaseBlocks(screen, tuple(confirm))}, {}, chosen).cases["case"]


def test_the_docstring_tells_how_to_call_it_with_synthetic_blocks() -> None:
    found = doctest.testmod(rule)
    assert found.attempted > 8
    assert found.failed == 0


def test_plain_lists_are_judged_like_records_of_blocks() -> None:
    blocks = suite(1, np.zeros(12))
    plain = {name: {"screen": list(case.screen), "confirm": list(case.confirm)} for name, case in blocks.items()}
    assert repr(judge(plain, {}, SETTINGS)) == repr(judge(blocks, {}, SETTINGS))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("centre", "verdict"),
    [(0.0, UNCHANGED), (0.05, REGRESSED), (-0.05, IMPROVED), (0.012, UNCHANGED), (-0.012, UNCHANGED)],
)
def test_a_case_alone_has_the_verdict_of_its_size(centre: float, verdict: str) -> None:
    found = one(drawn(2, [centre], 0.002, 24)[:, 0], drawn(3, [centre], 0.002)[:, 0])
    assert found.verdict == verdict
    assert found.low < math.exp(centre) < found.high
    assert found.stage == "confirm"
    assert found.pair_sd == pytest.approx(0.002, rel=0.5)


def test_six_blocks_are_the_fewest_with_an_interval() -> None:
    few, enough = one(np.linspace(0.2, 0.3, 5)), one(np.linspace(0.2, 0.3, 6))
    assert (few.verdict, few.reason, few.smallest_effect) == (INSUFFICIENT, "fewer than 6 blocks", math.inf)
    assert math.isnan(few.low)
    assert enough.verdict == REGRESSED


def test_the_screen_alone_never_proves_a_change_of_a_case() -> None:
    blocks = {"slow": CaseBlocks(np.linspace(0.3, 0.31, 12)), "same": CaseBlocks(np.linspace(-0.001, 0.001, 12))}
    found = judge(blocks, {}, SETTINGS)
    assert found.verdicts == {"slow": INSUFFICIENT, "same": UNCHANGED}
    assert {case.stage for case in found.cases.values()} == {"screen"}
    assert found.cases["slow"].smallest_effect == math.inf  # nothing was to be confirmed


def test_counts_that_are_equal_in_all_blocks_are_judged_too() -> None:
    for ratio, verdict in ((1.0, UNCHANGED), (1.5, REGRESSED), (0.5, IMPROVED)):
        found = one(np.full(8, math.log(ratio)), chosen=replace(SETTINGS, bias_sd=0.0))
        assert found.verdict == verdict
        assert (found.low, found.ratio, found.high) == pytest.approx((ratio, ratio, ratio))


def test_p_values_are_adjusted_over_all_cases_that_were_measured() -> None:
    blocks = suite(4, np.linspace(0, 0.03, 12))
    for name in NAMES[:4]:
        blocks[name] = replace(blocks[name], confirm=())
    found = judge(blocks, {}, SETTINGS)
    p = np.array([case.p if case.stage == "confirm" else 1.0 for case in found.cases.values()])
    adjusted = [min(min(1.0, len(p) * q / np.sum(p <= q)) for q in p if q >= own) for own in p]
    told = [case.p_adjusted for case in found.cases.values() if case.stage == "confirm"]
    np.testing.assert_allclose(
        told, [q for q, case in zip(adjusted, found.cases.values(), strict=True) if case.stage == "confirm"]
    )
    assert len(told) == 8


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 2))
def test_swapping_the_sides_mirrors_every_verdict(seed: int) -> None:
    blocks = suite(seed, np.linspace(-0.08, 0.08, 12), 0.02)
    mirrored = {name: CaseBlocks(-np.asarray(case.screen), -np.asarray(case.confirm)) for name, case in blocks.items()}
    found, other = judge(blocks, {}, SETTINGS), judge(mirrored, {}, SETTINGS)
    for name, case in found.cases.items():
        swapped = other.cases[name]
        assert swapped.verdict == MIRRORED.get(case.verdict, case.verdict)
        assert [1 / case.high, 1 / case.ratio, 1 / case.low] == pytest.approx(
            [swapped.low, swapped.ratio, swapped.high], rel=1e-9
        )
        assert (case.p, case.smallest_effect) == pytest.approx(
            (swapped.p, swapped.smallest_effect), rel=1e-6, abs=1e-12
        )
    assert other.suite.verdict == MIRRORED.get(found.suite.verdict, found.suite.verdict)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 2))
def test_the_order_of_cases_does_not_matter(seed: int) -> None:
    blocks = suite(seed, np.linspace(-0.05, 0.05, 12))
    order = np.random.default_rng(seed).permutation(NAMES).tolist()
    found, other = judge(blocks, {}, SETTINGS), judge({name: blocks[name] for name in order}, {}, SETTINGS)
    for name, case in found.cases.items():
        for field, value in asdict(case).items():
            same = getattr(other.cases[name], field)
            assert value == (pytest.approx(same, rel=1e-9, nan_ok=True) if isinstance(same, float) else same), field


def test_a_lost_block_costs_its_case_one_block() -> None:
    blocks = suite(5, np.zeros(12))
    torn = np.array(blocks[NAMES[0]].confirm)
    torn[3] = math.nan
    found = judge({**blocks, NAMES[0]: replace(blocks[NAMES[0]], confirm=torn)}, {}, SETTINGS)
    assert (found.cases[NAMES[0]].blocks, found.cases[NAMES[1]].blocks) == (23, 24)
    assert found.cases[NAMES[0]].verdict == UNCHANGED


def test_what_drifted_is_confirmed_and_not_believed_if_it_drifts_again() -> None:
    blocks = suite(6, np.zeros(12), 0.002)
    for flags, verdict in (((True, False), UNCHANGED), ((False, True), INSUFFICIENT)):
        drifted = {**blocks, NAMES[0]: replace(blocks[NAMES[0]], unsteady=flags)}
        assert judge(drifted, {}, SETTINGS).verdicts[NAMES[0]] == verdict
    assert judge(drifted, {}, SETTINGS).cases[NAMES[0]].reason == DRIFTED
    only = {name: replace(case, confirm=(), unsteady=(name == NAMES[3], False)) for name, case in blocks.items()}
    assert [name for name, wanted in needs_confirmation(only, SETTINGS).items() if wanted] == [NAMES[3]]


def test_what_a_screen_shows_slower_is_confirmed_though_it_lies_within_a_wide_gate() -> None:
    centres = [0.0, 0.05, 0.015, 0.12, -0.06, 0.0]
    screen = drawn(7, centres, 0.002)
    screen[:, 5] = np.linspace(-0.3, 0.3, 8)
    cases = {str(i): CaseBlocks(screen[:, i]) for i in range(6)}
    wanted = needs_confirmation({**cases, "gone": CaseBlocks(absent=(MISSING, "no"))}, QUICK.settings)
    assert wanted == {"0": False, "1": True, "2": False, "3": True, "4": True, "5": True, "gone": False}


# Builds and time


def test_blocks_are_spread_over_builds_in_runs_of_equal_length() -> None:
    assert [layout_of(i, 8, 8) for i in range(8)] == list(range(8))
    assert [layout_of(i, 24, 8) for i in range(24)] == [i // 3 for i in range(24)]
    assert {layout_of(i, 12, 1) for i in range(12)} == {0}
    assert [layout_of(i, 3, 8) for i in range(3)] == [0, 1, 2]


def test_builds_that_differ_widen_the_interval_and_blocks_within_one_do_not_narrow_it() -> None:
    rng = np.random.default_rng(8)
    builds = np.repeat(rng.normal(0, 0.02, (8, 40)), 3, axis=0)
    d = builds + rng.normal(0, 0.002, (24, 40))
    by_builds, by_blocks = precision(d, 8), precision(d, 1, autocorrelation=0.0)
    assert np.sqrt(np.mean(by_builds.variance)) == pytest.approx(0.02 / math.sqrt(8), rel=0.15)
    assert np.mean(by_blocks.variance) < 0.6 * np.mean(by_builds.variance)
    quiet = precision(rng.normal(0, 0.01, (24, 40)), 8)
    assert np.sqrt(np.mean(quiet.variance)) == pytest.approx(0.01 / math.sqrt(24), rel=0.1)
    assert np.median(quiet.dof) > 12  # steadied by what all cases have in common


def test_autocorrelation_is_found_from_many_short_series() -> None:
    rng = np.random.default_rng(9)
    for true in (0.0, 0.3, 0.6):
        d = rng.standard_normal((8, 400))
        for i in range(1, 8):
            d[i] = true * d[i - 1] + math.sqrt(1 - true**2) * d[i]
        assert common_autocorrelation(d) == pytest.approx(true, abs=0.06)
    assert common_autocorrelation(d[:3]) == 0.0


def test_a_bias_that_all_builds_share_is_seen_in_the_spread_of_cases_and_changed_cases_are_no_part_of_it() -> None:
    rng = np.random.default_rng(10)
    noise, bias = rng.normal(0, 0.003, 150), rng.normal(0, 0.01, 150)
    variances = np.full(150, 0.003**2)
    assert bias_sd(noise, variances, 0.0) < 0.0015
    assert bias_sd(noise + bias, variances, 0.0) == pytest.approx(0.01, rel=0.2)
    changed = np.where(np.arange(150) < 40, 0.1, 0.0)
    assert bias_sd(noise + bias + changed, variances, 0.0) == pytest.approx(0.01, rel=0.2)
    assert bias_sd(noise + 0.05, variances, 0.0) < 0.0015  # what all share is no bias of a case
    assert bias_sd(noise[:3], variances[:3], 0.004) == pytest.approx(0.004)


def test_cases_that_all_changed_by_unlike_amounts_do_not_hide_each_other_as_bias() -> None:
    centres = np.log([1.05, 1.11, 1.22, 1.35, 1.49, 1.82])
    assert bias_sd(centres, np.full(6, 1e-8), 0.0025) < 0.05
    found = judge(suite(21, centres, 0.001), controls(), SETTINGS)
    assert list(found.verdicts.values()).count(REGRESSED) >= 4


def test_both_stages_together_have_what_they_tell_apart_and_share_what_is_of_builds() -> None:
    def told(centre: list[float], variance: list[float], excess: float = 1.0) -> Precision:
        at, of = np.array(centre), np.array(variance)
        return Precision(at, of, np.full(4, 7.0), np.full(4, 8.0), np.sqrt(of), excess, 0.0)

    lost = math.nan
    screen = told([0.01, 0.02, lost, 0.03], [4e-4, 4e-4, lost, 0.0])
    confirm = told([0.06, lost, 0.05, 0.03], [1e-4, lost, 1e-4, 0.0])
    centre, variance = both_stages(screen, confirm)
    assert centre.tolist() == pytest.approx(
        [0.05, 0.02, 0.05, 0.03]
    )  # the first weighs four times what the screen does
    assert variance.tolist() == pytest.approx([0.8e-4, 4e-4, 1e-4, 0.0])
    for unknown in (replace(confirm, excess=math.nan), replace(confirm, blocks=np.full(4, 5.0))):
        assert both_stages(screen, unknown)[1][0] == pytest.approx(4e-4)
    of_builds = both_stages(screen, replace(confirm, excess=2.0))[1][0]
    assert of_builds == pytest.approx(0.5e-4 + 1 / (1 / 3.5e-4 + 1 / 0.5e-4))


def test_what_cannot_be_told_from_builds_says_so() -> None:
    rng = np.random.default_rng(11)
    blocks = {}
    for i in range(60):
        centre = rng.normal(0, 0.015)
        blocks[f"case {i}"] = CaseBlocks(rng.normal(centre, 0.003, 8), rng.normal(centre, 0.003, 24))
    found = judge(blocks, {}, SETTINGS)
    assert set(found.verdicts.values()) <= {INSUFFICIENT, UNCHANGED}
    assert sum(case.reason == LAYOUT for case in found.cases.values()) > 40
    assert found.bias_sd == pytest.approx(0.015, rel=0.3)


def test_spikes_do_not_move_a_location_and_values_that_are_alike_stay_as_they_are() -> None:
    rng = np.random.default_rng(12)
    d = rng.normal(0, 0.01, (24, 200))
    spiked = np.where(np.arange(24)[:, None] % 12 == 0, d + 1.0, d)
    assert np.max(np.abs(pseudo_values(spiked).mean(axis=0) - pseudo_values(d).mean(axis=0))) < 0.008
    assert pseudo_values(np.full((8, 1), 0.3)).mean() == 0.3
    assert np.isnan(pseudo_values(np.array([[math.nan], [1.0], [1.1], [0.9]]))[0, 0])


# The suite and what shares something


def test_a_shift_that_no_case_shows_is_found_in_the_suite_and_decides_the_exit_code() -> None:
    blocks = suite(13, np.full(12, math.log(1.01)), 0.01)
    found = judge(blocks, controls(), SETTINGS)
    assert REGRESSED not in found.verdicts.values()
    assert (found.suite.by, found.suite.verdict, found.exit_code) == ("suite", REGRESSED, 1)
    assert 1.0 < found.suite.low < 1.01 < found.suite.high
    same = judge(suite(13, np.zeros(12)), controls(), SETTINGS)
    assert (same.suite.verdict, same.exit_code) == (UNCHANGED, 0)


def test_a_group_that_alone_became_slower_is_named() -> None:
    centres = [0.02 if "/jit/" in name else 0.0 for name in NAMES]
    found = judge(suite(14, centres, 0.006), controls(), SETTINGS)
    slower = max((group for group in found.groups if group.verdict == REGRESSED), key=lambda group: group.ratio or 0)
    assert (slower.by, slower.name) == ("variant", "jit")
    assert {group.verdict for group in found.groups if group.name == "tiled"} == {UNCHANGED}
    assert {group.by for group in found.groups} == {"variant", "task", "batch_size"}  # all have one network and dtype
    assert found.exit_code == 1


def test_one_case_that_is_much_slower_makes_no_group_slower() -> None:
    found = judge(suite(19, [0.3] + [0.0] * 11, 0.002), controls(), SETTINGS)
    assert found.suite.ratio is not None
    assert found.suite.ratio > 1.02
    assert {group.verdict for group in (found.suite, *found.groups)} == {INSUFFICIENT, UNCHANGED}
    assert found.suite.reason == BY_THEMSELVES
    assert found.exit_code == 1  # by the case
    most = judge(suite(19, [0.3] * 11 + [0.0], 0.002), controls(), SETTINGS)
    assert most.suite.verdict == REGRESSED


def test_the_suite_is_not_blamed_for_what_the_canaries_do_too() -> None:
    found = judge(suite(15, np.full(12, 0.009), 0.004), controls(canary=0.008, sd=0.002), SETTINGS)
    assert found.controls.status == "valid"
    assert (found.suite.verdict, found.suite.reason) == (INSUFFICIENT, CANARIES_TOO)
    assert found.exit_code != 1


def test_a_suite_that_moved_far_beyond_the_canaries_is_not_excused_by_them() -> None:
    found = judge(suite(15, np.full(12, 0.06), 0.004), controls(canary=0.008, sd=0.002), SETTINGS)
    assert found.controls.status == "valid"
    assert (found.suite.verdict, found.suite.reason) == (REGRESSED, "")


def test_a_suite_that_changed_by_its_interval_alone_says_what_a_verdict_takes() -> None:
    found = judge(suite(20, np.full(12, 0.012), 0.02), {}, SETTINGS)
    assert found.suite.low is not None
    assert found.suite.low > 1
    assert (found.suite.verdict, found.suite.reason) == (
        INSUFFICIENT,
        "a verdict takes 99.5 % certainty of more than 0.25 %",
    )


def test_ids_of_the_grid_tell_what_cases_share() -> None:
    case = Case("mlp", "mnist5k", 5000, "epoch", "jit", 32, "float64")
    assert axes_of(case.id) == {
        "variant": "jit",
        "network": "mlp@mnist5k",
        "task": "epoch",
        "dtype": "float64",
        "batch_size": "32",
    }
    assert axes_of("case 1") == {}


# Controls and exit codes


def judged(**changes: Any) -> Verdicts:
    return judge(suite(16, [0.0] * 11 + [0.1]), controls(**changes), SETTINGS)


def test_a_run_is_valid_if_identical_code_is_alike_and_extra_work_is_found() -> None:
    found = judged()
    assert (found.controls.status, found.verdicts[NAMES[11]], found.exit_code) == ("valid", REGRESSED, 1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"canary": 0.05}, r"identical code was found to differ by \+5"),
        ({"canary": -0.05}, r"identical code was found to differ by -4"),
        ({"canary": 0.0145, "sd": 0.002}, r"identical code differed by \+1\.\d % in the median"),
        ({"spike": -0.1}, "extra work was found to be faster"),
    ],
)
def test_an_invalid_run_claims_nothing_of_time(changes: dict[str, float], reason: str) -> None:
    found = judged(**changes)
    assert found.controls.status == "invalid"

    assert re.search(reason, found.controls.reason)
    assert set(found.verdicts.values()) == {INSUFFICIENT}
    assert not any(case.claimable for case in found.cases.values())
    assert {found.suite.verdict, *(group.verdict for group in found.groups)} == {INSUFFICIENT}
    assert found.exit_code == 4


def test_a_run_that_misses_extra_work_calls_nothing_unchanged() -> None:
    found = judged(spike=0.0)
    assert found.controls.status == "underpowered"
    assert UNCHANGED not in {*found.verdicts.values(), found.suite.verdict}
    assert found.verdicts[NAMES[11]] == REGRESSED
    assert found.exit_code == 1


def test_extra_work_within_what_counts_as_unchanged_is_found_if_it_is_proven() -> None:
    small = judged(spike=0.014, sd=0.002)
    assert small.control_cases["spike-in"].high < 1.02
    assert small.control_cases["spike-in"].verdict == REGRESSED
    assert small.controls.status == "valid"
    assert {judged(spike=-0.014, sd=0.002).controls.reason} == {"extra work was found to be faster"}
    same = judged(spike=0.004, sd=0.002)  # less than the margin: no claim is made of it
    assert same.control_cases["spike-in"].verdict == UNCHANGED
    assert same.controls.status == "underpowered"
    canary = judged(canary=0.009, sd=0.002)
    assert {canary.control_cases[name].verdict for name in ("c 1", "c 2", "c 3")} == {UNCHANGED}
    assert canary.controls.status == "valid"


def test_extra_work_is_held_to_the_rate_of_the_cases_by_itself() -> None:
    there, quiet = controls(spike=0.02, sd=0.025, seed=101), suite(18, np.zeros(12))
    found = judge(quiet, there, SETTINGS)
    spike = found.control_cases["spike-in"]
    assert rule.CONTROL_LEVEL < spike.p == spike.p_adjusted <= SETTINGS.fdr
    assert (spike.verdict, found.controls.status) == (REGRESSED, "valid")
    assert judge(quiet, there, replace(SETTINGS, fdr=spike.p / 2)).controls.status == "underpowered"
    drifted = {**there, "spike-in": replace(there["spike-in"], unsteady=(True, True))}
    assert judge(quiet, drifted, SETTINGS).control_cases["spike-in"].reason == DRIFTED
    assert judge(quiet, drifted, SETTINGS).controls.status == "underpowered"


def test_extra_work_that_is_found_makes_identical_code_no_likelier_to_be_alarmed() -> None:
    """Their p would be halved in one family with a p of nearly 0."""
    given = controls(canary=0.0, spike=0.3)
    for shift in np.linspace(0.0, 0.02, 81):
        moved = {**given, "c 1": CaseBlocks(given["c 1"].screen, np.asarray(given["c 1"].confirm) + shift)}
        found = judge(suite(17, np.zeros(12)), moved, SETTINGS).control_cases
        alone = judge(suite(17, np.zeros(12)), {name: moved[name] for name in ("c 1", "c 2", "c 3")}, SETTINGS)
        assert found["c 1"].p_adjusted == pytest.approx(alone.control_cases["c 1"].p_adjusted)


def test_what_one_degree_of_freedom_shows_is_no_number_that_overflows() -> None:
    assert smallest_effect(None, Stage(0.02, 1, 1), family=2, settings=SETTINGS) > 1
    assert smallest_effect(None, Stage(0.2, 1, 1), family=150, settings=SETTINGS) == math.inf


def test_a_confirmation_of_few_cases_has_the_autocorrelation_of_the_screen_of_all() -> None:
    rng = np.random.default_rng(22)
    d = rng.standard_normal((8, 12))
    for i in range(1, 8):
        d[i] = 0.8 * d[i - 1] + 0.6 * d[i]
    blocks = {name: CaseBlocks(0.01 * d[:, i]) for i, name in enumerate(NAMES)}
    still = {name: CaseBlocks(0.01 * rng.standard_normal(8)) for name in NAMES}
    quick = replace(SETTINGS, layouts=1)
    found = (judge(cases, controls(), quick).control_cases["c 1"] for cases in (blocks, still))
    moved, quiet = (math.log(one.high / one.low) for one in found)
    assert moved > 1.3 * quiet


def test_noise_of_canaries_is_no_proof_of_a_shift_and_a_lost_canary_is_one() -> None:
    noisy = {**controls(), **{name: case for name, case in controls(sd=0.2).items() if name.startswith("c")}}
    assert judge(suite(17, np.zeros(12)), noisy, SETTINGS).controls.status == "valid"
    lost = {**controls(), "c 2": CaseBlocks(absent=(BROKEN, "it died"))}
    assert judge(suite(17, np.zeros(12)), lost, SETTINGS).controls.reason == "a canary could not be measured"
    only = {"spike-in": controls()["spike-in"]}
    assert judge(suite(17, np.zeros(12)), only, SETTINGS).controls.reason == "no canary"


def test_exit_codes_follow_from_verdicts() -> None:
    quiet, there = suite(18, np.zeros(12)), controls()
    assert judge(quiet, there, SETTINGS).exit_code == 0
    assert judge(quiet, there, replace(SETTINGS, complete=False)).exit_code == 3
    broken = {**quiet, "case": CaseBlocks(absent=(BROKEN, "it died"))}
    assert judge(broken, there, SETTINGS).exit_code == 4
    missing = {**quiet, "case": CaseBlocks(absent=(MISSING, "base lacks it"))}
    assert judge(missing, there, SETTINGS).exit_code == 0
    assert judge({}, there, SETTINGS).exit_code == 4
    noisy = judge(suite(18, np.zeros(12), 0.3), there, SETTINGS)
    assert noisy.exit_code == 3
    assert rule.exit_code(judge(quiet, there, SETTINGS), [REGRESSED], SETTINGS) == 1


def test_the_settings_of_a_tier_are_the_judges() -> None:
    for tier in TIERS.values():
        assert tier.settings.effect == tier.effect
    assert STANDARD.settings.screened_out == 0.02
    assert QUICK.settings.screened_out == 0.10


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-6, 1e6), quads=st.integers(1, 20), times=st.integers(1, 10))
def test_neither_scale_nor_repeats_inside_a_block_change_its_datum(
    seed: int, scale: float, quads: int, times: int
) -> None:
    base, head = np.random.default_rng(seed).lognormal(10, 0.3, (2, quads, 2))
    datum = block_datum(base, head)
    assert block_datum(scale * base, scale * head) == pytest.approx(datum, abs=1e-12)
    for axis in (0, 1):
        again = block_datum(np.repeat(base, times, axis=axis), np.repeat(head, times, axis=axis))
        assert again == pytest.approx(datum, abs=1e-12)
    assert block_datum(head, base) == -datum
    assert block_datum(base, 2 * head) == pytest.approx(datum + math.log(2), abs=1e-12)


def test_one_wild_sample_does_not_move_a_block() -> None:
    base, head = np.full((16, 2), 3e6), np.full((16, 2), 3.3e6)
    head[3, 0] *= 100
    assert block_datum(base, head) == pytest.approx(math.log(1.1))


@pytest.mark.parametrize(
    "call",
    [
        lambda: block_datum([[1.0, 0.0]], [[1.0, 1.0]]),
        lambda: block_datum([[1.0, 1.0]], [[1.0, 1.0, 1.0]]),
        lambda: block_datum([], []),
        lambda: one([math.inf] * 6),
    ],
)
def test_numbers_that_make_no_sense_are_refused_with_a_remedy(call: Any) -> None:
    with pytest.raises(InputError, match=r"^[^.]+: \w+ .+$"):
        call()
