"""The judge is as often wrong as it says, in simulated comparisons: the rows of the full study, at reduced counts."""

import re

import numpy as np
import pytest

from gdbench.compare.record.tiers import TIERS, ComparisonTier
from selftest.journal import Journal
from selftest.noises import NOISES
from selftest.verdicts.report import write_report
from selftest.verdicts.simulated_judge import PART, ROWS, Row, simulate
from selftest.verdicts.simulation import IDS, World, compare

QUIET = tuple(row for row in ROWS if not row.slowdown)
SLOWER = tuple(row for row in ROWS if row.slowdown)
WORLDS = (
    Row("standard", World(pair_sd=0.019)),
    Row("standard", World("AR(1), 0.5", 0.019)),
    Row("standard", World("one-sided spikes", 0.05)),
    Row("standard", World(pair_sd=0.01, fresh_sd=0.02)),
    Row("deep", World(pair_sd=0.01, lasting_sd=0.01)),
    Row("quick", World("t, 3 degrees", 0.019)),
)


@pytest.mark.parametrize("name", NOISES)
def test_noise_has_the_spread_that_it_is_scaled_by(name: str) -> None:
    drawn = NOISES[name](np.random.default_rng(0), (8, 20_000))
    assert np.std(drawn) == pytest.approx(1, rel=0.1)
    assert drawn.shape == (8, 20_000)


def test_a_suite_has_as_many_cases_as_are_compared_and_no_two_alike() -> None:
    assert len(set(IDS)) == len(IDS) == 150
    assert len({row.key for row in ROWS}) == len(ROWS)
    assert {row.tier for row in ROWS} == set(TIERS)


@pytest.mark.parametrize("row", WORLDS, ids=lambda row: row.key)
def test_nothing_that_did_not_change_is_called_changed_and_intervals_hold_the_truth(row: Row) -> None:
    found = simulate(np.random.default_rng(1), row, 4)
    assert found["alarms"] <= 1
    assert found["alarmed_suites"] <= 1
    assert 0.91 <= found["covered"] / found["cases"] <= 0.985
    assert found["invalid"] <= 1


@pytest.mark.parametrize("row", [Row("quick", World(pair_sd=0.01), 0.02), Row("standard", World(pair_sd=0.01), 0.01)])
def test_a_slowdown_that_all_cases_share_is_exit_code_1(row: Row) -> None:
    assert simulate(np.random.default_rng(2), row, 5)["exit_1"] == 5


def test_a_slowdown_in_all_cases_of_quick_is_proven_for_each_too() -> None:
    found = simulate(np.random.default_rng(3), Row("quick", World(pair_sd=0.01), 0.05), 2)
    assert found["alarms"] > 0.95 * found["cases"]


@pytest.mark.parametrize("tier", TIERS.values(), ids=TIERS)
def test_the_spike_in_of_a_simulated_suite_is_the_effect_of_its_tier(tier: ComparisonTier) -> None:
    found = compare(np.random.default_rng(6), tier, World(pair_sd=0.001), cases=12)
    (spike,) = (one for name, one in found.control_cases.items() if name.startswith("spike"))
    assert spike.ratio == pytest.approx(1 + tier.effect, abs=0.001)
    assert found.controls.status == "valid"


def test_a_suite_that_cannot_find_the_effect_of_its_tier_is_underpowered() -> None:
    assert simulate(np.random.default_rng(7), Row("deep", World(pair_sd=0.08)), 2)["underpowered"] == 2
    assert simulate(np.random.default_rng(7), Row("deep", World(pair_sd=0.01)), 2)["underpowered"] == 0


def test_an_effect_of_the_smallest_visible_size_is_found() -> None:
    found = simulate(np.random.default_rng(4), Row("standard", World(pair_sd=0.019)), 6)
    assert found["planted"] == 60
    assert found["planted_found"] >= 42


def test_the_bias_of_builds_is_told_as_it_is_though_cases_are_confirmed_for_what_their_screen_shows() -> None:
    world = World(pair_sd=0.019, lasting_sd=0.004)
    told = [compare(np.random.default_rng(seed), TIERS["standard"], world).bias_sd for seed in range(12)]
    assert np.mean(told) == pytest.approx(0.004, rel=0.2)


def test_the_report_has_a_row_for_each_world(tmp_path) -> None:
    for row in (SLOWER[0], QUIET[0]):
        counts = simulate(np.random.default_rng(5), row, 1)
        Journal(tmp_path).write(PART, f"{row.key}, 1 suites", slowdown=row.slowdown, **counts)
    del counts["spike_in"]
    Journal(tmp_path).write(PART, "of an older version, 1 suites", slowdown=0.0, **counts)
    text = write_report(tmp_path).read_text(encoding="utf-8")
    assert f"| {QUIET[0].key} | 1 | 0 of 0 | 0 % | 0 of 1 | 0 of 1 | 0 of 1 | " in text
    assert re.search(r"^\| of an older version \| 1 \| .* \| 0 of 1 \|  \| ", text, re.M)
    assert f"| {SLOWER[0].key} | 1 of 1 |" in text
