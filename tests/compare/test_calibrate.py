"""``gdbench calibrate`` stores this machine's noise, and comparisons use what it stored."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gdbench.basics import records
from gdbench.cli.calibrate import CalibrateAnswer
from gdbench.compare import calibration
from gdbench.compare.calibration import Calibration, CaseNoise, bias_spread, machine_of, noise_of, smallest_effects
from gdbench.compare.conclusion import case_rows, conclude, judge_measured
from gdbench.compare.judge.terms import JudgeSettings
from gdbench.compare.measure.session import ComparisonSession, State
from gdbench.compare.record.record import CaseResult, Measurements, read_record
from gdbench.compare.record.tiers import QUICK, STANDARD, TIERS, ComparisonTier
from gdbench.compare.sides.builds import Build
from gdbench.compare.sides.sides import Side
from gdbench.machine.environment import Environment
from kernels import InputError

from ..helpers import invoke
from .comparison_records import SETTINGS, block, cases

PART = ("--network", "linear", "--task", "gradient", "--batch-size", "1,n", "--variant", "vectorized,buffered")
SHORT = replace(STANDARD, case_seconds=0.004)
FEW = replace(QUICK, screen_blocks=1, confirm_blocks=0, case_seconds=0.004)


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A calibration in a folder without git: of the tree that runs."""
    cwd = tmp_path_factory.mktemp("calibrated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TIERS, "standard", SHORT)
        answer = run(cwd, "calibrate", *PART, "--blocks", "6", "--json", "out.json")
    assert answer.returncode == 0, answer.stderr
    return cwd, answer


def run(cwd: Path, *arguments: str) -> Any:
    return invoke(*arguments, cwd=cwd, XDG_CACHE_HOME=str(cwd / "cache"), XDG_STATE_HOME=str(cwd / "state"))


@pytest.fixture(scope="module")
def stored(calibrated: Any) -> dict[str, Any]:
    (path,) = (calibrated[0] / "state" / "gdbench").glob("*.json")
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_every_case_has_its_spread_and_bias(stored: dict[str, Any]) -> None:
    assert len(stored["cases"]) == 4
    assert all(entry["pair_sd"] > 0 and math.isfinite(entry["bias"]) for entry in stored["cases"].values())
    assert {entry["blocks"] for entry in stored["cases"].values()} == {6}


@pytest.mark.slow
def test_the_answer_says_what_each_tier_can_see(calibrated: Any) -> None:
    cwd, answer = calibrated
    found = records.read(cwd / "out.json", CalibrateAnswer, remedy="")
    assert len(found.smallest_effects) == len(found.cases) == 4
    for case, effects in found.smallest_effects.items():
        assert effects == pytest.approx(smallest_effects(found, case))
    for word in ("pair sd", "largest bias", "quick", "standard", "deep", "builds differ by"):
        assert word in answer.stdout


@pytest.mark.slow
def test_a_comparison_uses_what_was_stored(
    calibrated: Any, stored: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    cwd, _ = calibrated
    monkeypatch.setitem(TIERS, "quick", FEW)
    answer = run(cwd, "compare", "buffered", "vectorized", "--quick", *PART[:-2], "--output", "out")
    record = read_record(cwd / "out")
    assert answer.returncode == record.exit_code
    assert record.settings.bias_expected == max(JudgeSettings.bias_sd, stored["bias_sd"])
    assert record.settings.bias_source == f"calibration of {stored['date'][:10]}"


def test_too_few_blocks_are_refused(tmp_path: Path) -> None:
    answer = run(tmp_path, "calibrate", "--blocks", "5")
    assert answer.returncode == 2
    assert "ask for at least 6" in answer.stderr


def noise(pair_sd: float = 0.01, bias: float = 0.0, blocks: int = 16) -> CaseNoise:
    return CaseNoise(pair_sd, bias, math.log1p(bias) ** 2, blocks)


def some(**changes: Any) -> Calibration:
    cases = {f"case {number}": noise() for number in range(10)}
    stored = Calibration("2026-01-31T00:00:00", None, machine_of(Environment()), 0.1, 0.0, 0.001, cases)
    return replace(stored, **changes)


def rows(spread: float) -> list[CaseResult]:
    found = judge_measured(cases()[:1], Measurements(), State(), SETTINGS, controls=())
    ((row,), _) = case_rows(cases()[:1], found, Measurements())
    return [replace(row, case=f"case {number}", pair_sd=spread) for number in range(10)]


def bias_expected_by(tier: ComparisonTier, folder: Path, layouts: int = 0) -> tuple[float, str]:
    """The spread of biases that a comparison expects, and where it is from; it has measured nothing."""
    sides = [Build(Side("jit", "variant", folder, variant="jit"), folder)] * 2
    family = SimpleNamespace(cases=(), note="")
    setting: Any = SimpleNamespace(builds=sides, family=family, tier=tier, seed=0)
    session = ComparisonSession(setting, folder, lambda step: None, environment=Environment())
    session.layouts = [(setting.builds[0], setting.builds[1])] * layouts
    settings = conclude(session, complete=False).settings
    return settings.bias_expected, settings.bias_source


def test_a_comparison_expects_the_bias_that_was_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert bias_expected_by(STANDARD, tmp_path) == (JudgeSettings.bias_sd, "default")
    calibration.keep(some(bias_sd=0.02), Environment(), part=False)
    for tier in (STANDARD, QUICK):
        assert bias_expected_by(tier, tmp_path) == (0.02, "calibration of 2026-01-31")
    assert bias_expected_by(STANDARD, tmp_path, layouts=4)[0] == 0.01  # each of which lies elsewhere


def test_a_machine_that_has_become_noisier_is_told() -> None:
    assert calibration.warnings(some(), rows(0.014), case_seconds=0.1) == []
    (sentence,) = calibration.warnings(some(), rows(0.03), case_seconds=0.1)
    assert sentence.startswith("Pairs spread 3.0 times as much as when this machine was calibrated (2026-01-31)")


def test_a_tier_that_samples_otherwise_is_not_called_noisier() -> None:
    assert calibration.warnings(some(), rows(0.03), case_seconds=0.05) == []


def test_a_calibration_of_a_part_keeps_the_rest() -> None:
    part = some(cases={"case 0": noise(bias=0.02, blocks=6), "new": noise(blocks=6)})
    former = some(cases={f"case {number}": noise(bias=0.01 * (-1) ** number) for number in range(10)})
    both = calibration.merged(former, part)
    assert len(both.cases) == 11
    assert both.cases["case 0"].bias == 0.02
    assert both.bias_sd == pytest.approx(0.01, rel=0.2)  # what the rest has told still counts
    assert [both.cases[name].blocks for name in ("case 0", "case 1")] == [6, 16]


KEEPS = """
import sys
from gdbench.compare.calibration import Calibration, CaseNoise, keep, machine_of
from gdbench.machine.environment import Environment

sys.stdin.readline()
for number in range(40):
    cases = {f"{sys.argv[1]} {number}": CaseNoise(0.01, 0.0, 0.0, 16)}
    part = Calibration("2026-01-31", None, machine_of(Environment()), 0.1, 0.0, 0.0, cases)
    keep(part, Environment(), part=True)
"""


def test_calibrations_of_parts_at_once_are_all_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    command = [sys.executable, "-c", KEEPS]
    started = [subprocess.Popen([*command, name], stdin=subprocess.PIPE, text=True) for name in "abc"]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in started:
        process.communicate()
    assert [process.returncode for process in started] == [0, 0, 0]
    kept = calibration.read(Environment())
    assert kept is not None
    assert set(kept.cases) == {f"{name} {number}" for name in "abc" for number in range(40)}


def test_a_calibration_that_cannot_be_stored_is_refused_before_it_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("gdbench.compare.calibration.open_session", None)  # nothing is begun
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"file is no folder: set XDG_STATE_HOME to another folder$"):
        calibration.calibrate()


def test_a_machine_whose_builds_differ_by_themselves_is_told() -> None:
    (sentence,) = calibration.warnings(some(bias_sd=0.008), rows(0.01), case_seconds=0.1)
    assert "differ by 0.8 % on this machine" in sentence


@pytest.mark.parametrize("heavy", [False, True])
def test_noise_alone_is_no_bias_and_bias_is_found_in_noise_of_any_kind(*, heavy: bool) -> None:
    rng = np.random.default_rng(0)
    noise = 0.006 * rng.standard_t(3, (16, 400)) if heavy else rng.normal(0, 0.01, (16, 400))
    assert bias_spread([noise_of(column) for column in noise.T]) < 0.0015
    biased = noise + rng.normal(scale=0.006, size=400)
    assert bias_spread([noise_of(column) for column in biased.T]) == pytest.approx(0.006, rel=0.15)
    wild = np.column_stack([biased, np.full((16, 4), 0.5)])
    assert bias_spread([noise_of(column) for column in wild.T]) < 0.01
    assert bias_spread([]) == 0.0


def test_quick_promises_nothing_that_its_gate_lets_pass() -> None:
    quiet = some(cases={f"case {number}": noise(0.002) for number in range(100)})
    found = smallest_effects(quiet, "case 0")
    assert found["quick"] > QUICK.margin > found["standard"] > 0.015


@pytest.mark.parametrize("sd", [0.001, 0.01, 0.03, 0.1, 0.5, 2.0])
def test_a_longer_tier_finds_smaller_slowdowns(sd: float) -> None:
    found = smallest_effects(some(cases={"case 0": noise(sd)}), "case 0")
    assert found["deep"] <= 1.02 * found["standard"] <= 1.05 * found["quick"]  # where 2 % bounds them, alike
    assert sd < 0.1 or found["deep"] < 0.7 * found["quick"]


def test_a_noisier_case_hides_larger_slowdowns() -> None:
    quiet, loud = some(), some(cases={"case 0": noise(0.04)})
    assert smallest_effects(loud, "case 0")["standard"] > 1.5 * smallest_effects(quiet, "case 0")["standard"]


def test_a_calibration_outlives_some_kilobytes_of_memory_and_belongs_to_one_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    here = Environment(cpu="A CPU", logical_cores=2, memory_bytes=16_694_595_584, system="Linux", python="3.12.1")
    calibration.keep(some(), here, part=False)
    assert calibration.read(replace(here, memory_bytes=here.memory_bytes - 4096)) == some()
    for change in ({"cpu": "B CPU"}, {"logical_cores": 4}, {"system": "Darwin"}, {"settings": {"NUMBA_OPT": "0"}}):
        assert calibration.read(replace(here, **change)) is None


def test_a_damaged_file_is_no_calibration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = calibration.keep(some(), Environment(), part=False).path
    assert calibration.read(Environment()) == some()
    path.write_text("{", encoding="utf-8")
    assert calibration.read(Environment()) is None


def test_a_case_of_which_one_block_alone_is_known_has_no_spread_and_is_left_out() -> None:
    several, once = cases()[:2]
    blocks = [block({several.id: 0.01, once.id: 0.02}), block({several.id: 0.02})]
    measured: Any = SimpleNamespace(
        left=lambda: [several, once],
        measured=Measurements(screen=blocks),
        environment=Environment(),
        setting=SimpleNamespace(builds=[SimpleNamespace(side=SimpleNamespace(commit=None))]),
        tier=QUICK,
    )
    found = calibration.calibration_of(measured)
    assert [*found.cases] == [several.id]
    assert records.parse(records.plain(found), Calibration) == found
