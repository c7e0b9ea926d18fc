"""The judge is as often wrong as it says, in simulated comparisons: the rows of the full study, at reduced counts."""

import numpy as np
import pytest

from gdbench.compare.record.tiers import TIERS
from selftest.journal import Journal
from selftest.noises import NOISES
from selftest.verdicts.report import write_report
from selftest.verdicts.simulated_judge import PART, ROWS, Row, simulate
from selftest.verdicts.simulation import IDS, World

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


def test_an_effect_of_the_smallest_visible_size_is_found() -> None:
    found = simulate(np.random.default_rng(4), Row("standard", World(pair_sd=0.019)), 6)
    assert found["planted"] == 60
    assert found["planted_found"] >= 42


def test_the_report_has_a_row_for_each_world(tmp_path) -> None:
    for row in (QUIET[0], SLOWER[0]):
        counts = simulate(np.random.default_rng(5), row, 1)
        Journal(tmp_path).write(PART, f"{row.key}, 1 suites", slowdown=row.slowdown, **counts)
    text = write_report(tmp_path).read_text(encoding="utf-8")
    assert f"| {QUIET[0].key} | 1 | 0 of 0 |" in text
    assert f"| {SLOWER[0].key} | 1 of 1 |" in text
