"""``gdbench calibrate`` stores this machine's noise, and comparisons use what it stored."""

import hashlib
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
from gdbench.compare.builds import Build
from gdbench.compare.calibration import Calibration, CaseNoise, bias_spread, machine_of, margin_from, smallest_effects
from gdbench.compare.conclusion import case_rows, conclude
from gdbench.compare.record import CaseResult, Measurements, read_record
from gdbench.compare.session import ComparisonSession
from gdbench.compare.sides import Side
from gdbench.compare.tiers import QUICK, STANDARD, TIERS, ComparisonTier
from gdbench.machine.environment import Environment
from kernels import InputError

from ..helpers import invoke
from .comparison_records import RULE, block, cases

PART = ("--network", "linear", "--task", "gradient", "--batch-size", "1,n", "--variant", "vectorized,buffered")
SHORT = replace(STANDARD, case_seconds=0.004)
FEW = replace(QUICK, screen_blocks=1, confirm_blocks=0, case_seconds=0.004, min_margin=0.0)


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
    assert stored["blocks"] == 6


@pytest.mark.slow
def test_the_margin_follows_from_the_spread_of_the_biases(stored: dict[str, Any]) -> None:
    assert stored["margin"] == max(0.005, 2 * stored["bias_sd"])


@pytest.mark.slow
def test_the_answer_says_what_each_tier_can_see(calibrated: Any) -> None:
    cwd, answer = calibrated
    found = records.read(cwd / "out.json", CalibrateAnswer, remedy="")
    assert len(found.smallest_effects) == len(found.cases) == 4
    for case, effects in found.smallest_effects.items():
        assert effects == pytest.approx(smallest_effects(found, case))
    for word in ("pair sd", "largest bias", "quick", "standard", "deep", "A change must exceed"):
        assert word in answer.stdout


@pytest.mark.slow
def test_a_comparison_uses_what_was_stored(
    calibrated: Any, stored: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    cwd, _ = calibrated
    monkeypatch.setitem(TIERS, "quick", FEW)
    monkeypatch.setattr("gdbench.compare.stages.confirm_blocks", lambda *_: 0)
    monkeypatch.setattr("gdbench.compare.stages.SPARE_BLOCKS", 0)
    answer = run(cwd, "compare", "buffered", "vectorized", "--quick", *PART[:-2], "--output", "out")
    record = read_record(cwd / "out")
    assert answer.returncode == record.exit_code
    assert record.settings.margin == stored["margin"]
    assert record.settings.margin_source == f"calibration of {stored['date'][:10]}"


def test_too_few_blocks_are_refused(tmp_path: Path) -> None:
    answer = run(tmp_path, "calibrate", "--blocks", "5")
    assert answer.returncode == 2
    assert "ask for at least 6" in answer.stderr


def some(**changes: Any) -> Calibration:
    cases = {f"case {number}": CaseNoise(0.01, 0.0) for number in range(10)}
    stored = Calibration("2026-01-31T00:00:00", None, machine_of(Environment()), 16, 0.1, 0.0, 0.001, 0.005, cases)
    return replace(stored, **changes)


def rows(spread: float) -> list[CaseResult]:
    (row, *_), _, _ = case_rows(cases(), Measurements(), margin=0.0, rule=RULE)
    return [replace(row, case=f"case {number}", pair_sd=spread) for number in range(10)]


def margin_of_a_comparison(tier: ComparisonTier, folder: Path) -> tuple[float, str]:
    """The margin, and where it is from, with which a comparison ends that has measured nothing."""
    sides = [Build(Side("jit", "variant", folder, variant="jit"), folder)] * 2
    family = SimpleNamespace(cases=(), note="")
    setting: Any = SimpleNamespace(builds=sides, family=family, tier=tier, seed=0)
    session = ComparisonSession(setting, folder, lambda step: None, environment=Environment())
    settings = conclude(session, complete=False).settings
    return settings.margin, settings.margin_source


def test_the_margin_of_a_comparison_is_the_stored_one_where_the_tier_has_no_larger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert margin_of_a_comparison(STANDARD, tmp_path) == (0.005, "default")
    calibration.keep(some(margin=0.02), Environment(), part=False)
    assert margin_of_a_comparison(STANDARD, tmp_path) == (0.02, "calibration of 2026-01-31")
    assert margin_of_a_comparison(QUICK, tmp_path) == (QUICK.min_margin, "tier quick")


def test_a_machine_that_has_become_noisier_is_told() -> None:
    assert calibration.warnings(some(), rows(0.014), case_seconds=0.1) == []
    (sentence,) = calibration.warnings(some(), rows(0.03), case_seconds=0.1)
    assert sentence.startswith("Pairs spread 3.0 times as much as when this machine was calibrated (2026-01-31)")


def test_a_tier_that_samples_otherwise_is_not_called_noisier() -> None:
    assert calibration.warnings(some(), rows(0.03), case_seconds=0.05) == []


def test_a_calibration_of_a_part_keeps_the_rest() -> None:
    part = some(cases={"case 0": CaseNoise(0.01, 0.1), "new": CaseNoise(0.01, 0.0)}, blocks=8)
    both = calibration.merged(some(), part)
    assert len(both.cases) == 11
    assert both.cases["case 0"].bias == 0.1
    assert both.margin == margin_from(both.bias_sd) > some().margin
    assert both.blocks == 8


KEEPS = """
import sys
from gdbench.compare.calibration import Calibration, CaseNoise, keep, machine_of
from gdbench.machine.environment import Environment

sys.stdin.readline()
for number in range(40):
    cases = {f"{sys.argv[1]} {number}": CaseNoise(0.01, 0.0)}
    part = Calibration("2026-01-31", None, machine_of(Environment()), 16, 0.1, 0.0, 0.0, 0.005, cases)
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
    (sentence,) = calibration.warnings(some(bias_sd=0.008, margin=0.016), rows(0.01), case_seconds=0.1)
    assert "nothing below 1.6 % is claimed" in sentence


def test_noise_alone_is_no_bias_and_bias_is_found_in_noise() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(scale=0.01, size=(16, 400))
    sds = list(noise.std(axis=0, ddof=1))
    assert bias_spread(list(np.median(noise, axis=0)), sds, 16) < 0.001
    biased = noise + rng.normal(scale=0.006, size=400)
    assert math.isclose(bias_spread(list(np.median(biased, axis=0)), sds, 16), 0.006, rel_tol=0.1)


def test_the_margin_is_never_below_half_a_per_cent() -> None:
    assert margin_from(0.0) == 0.005
    assert margin_from(0.01) == 0.02


@pytest.mark.parametrize("sd", [0.001, 0.01, 0.03, 0.1, 0.5, 2.0])
def test_a_longer_tier_finds_smaller_slowdowns(sd: float) -> None:
    found = smallest_effects(some(cases={"case 0": CaseNoise(sd, 0.0)}, blocks=6), "case 0")
    assert found["deep"] <= 1.02 * found["standard"] <= 1.05 * found["quick"]  # where 2 % bounds them, alike
    assert sd < 0.1 or found["deep"] < 0.7 * found["quick"]


def test_a_noisier_case_hides_larger_slowdowns() -> None:
    quiet, loud = some(), some(cases={"case 0": CaseNoise(0.04, 0.0)})
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


def test_a_calibration_that_an_older_version_stored_under_the_bytes_of_memory_is_found_until_a_newer_one_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    here = Environment(cpu="A CPU", logical_cores=2, memory_bytes=16_694_595_584, system="Linux", python="3.12.1")
    digest = hashlib.sha256(b'["A CPU", 2, 16694595584, "Linux", "3.12.1"]').hexdigest()
    records.write(tmp_path / "gdbench" / f"calibration-{digest[:16]}.json", some(margin=0.02))
    assert calibration.read(here) == some(margin=0.02)
    part = some(cases={"new": CaseNoise(0.01, 0.0)})
    kept = calibration.keep(part, here, part=True)
    assert kept.former == some(margin=0.02)
    assert set(kept.stored.cases) == {*some().cases, "new"}
    assert calibration.read(here) == kept.stored


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
