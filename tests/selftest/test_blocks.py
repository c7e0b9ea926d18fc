"""The blocks that a self-test keeps of a comparison are whole, small, and enough to reach its verdicts again."""

from collections.abc import Collection
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from gdbench.compare.conclusion import case_rows, judge_measured
from gdbench.compare.judge.terms import REGRESSED, JudgeSettings, Verdicts
from gdbench.compare.measure.session import State
from gdbench.compare.record.record import (
    RAW,
    CaseResult,
    Comparison,
    ComparisonSettings,
    Measurements,
    write_block,
    write_record,
)
from gdbench.compare.record.tiers import QUICK
from selftest import blocks

from ..compare import comparison_records as simulated

LOST = "it died"


def _write(place: Path, settings: JudgeSettings, *, tier: str = "standard", broken: Collection[str] = ()) -> Comparison:
    """Write the folder of a comparison of twelve cases, of which one is slower, and return its record."""
    chosen = simulated.cases()[:12]
    keys = [*(case.id for case in chosen), *simulated.CONTROLS]
    effects = [0.0] * 15 + [simulated.SPIKE.ratio - 1]
    effects[3] = 0.2
    found = simulated.measure(keys, effects, [simulated.QUIET] * len(keys), np.random.default_rng(0))
    state = State(broken=dict.fromkeys(broken, LOST))
    judged = judge_measured(chosen, found, state, settings, controls=simulated.CONTROLS)
    names = [one.name for one in fields(ComparisonSettings) if hasattr(settings, one.name) and one.name != "bias_sd"]
    record = simulated.assemble(judged, chosen, found, {"tier": tier})
    told = {name: getattr(settings, name) for name in names}
    record = replace(record, settings=replace(record.settings, **told, bias_expected=settings.bias_sd))
    write_record(place, record)
    for name, stage in (("screen", found.screen), ("confirm", found.confirm)):
        for index, block in enumerate(stage):
            write_block(place, name, replace(block, index=index))
    return record


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a comparison of twelve cases, of which one is slower and one broken."""
    place = tmp_path_factory.mktemp("comparison")
    _write(place, simulated.SETTINGS, broken=[simulated.cases()[5].id])
    return place


def _rows(found: Verdicts, kept: blocks.KeptComparison) -> tuple[list[CaseResult], list[CaseResult]]:
    return case_rows(simulated.cases()[:12], found, Measurements([*kept.screen], [*kept.confirm]))


def test_the_verdicts_of_a_comparison_follow_from_its_kept_blocks(folder: Path, tmp_path: Path) -> None:
    path = blocks.file_of(tmp_path, "quick-unchanged-0")
    blocks.keep(folder, path)
    kept = blocks.read(path)
    record = kept.record
    found = blocks.judge_anew(kept)
    assert [block.index for block in kept.screen] == [*range(8)]
    assert [block.index for block in kept.confirm] == [*range(24)]
    rows, controls = _rows(found, kept)
    assert [(row.case, row.verdict, row.p, row.low) for row in rows] == [
        (row.case, row.verdict, row.p, row.low) for row in record.of_metric("time")
    ]
    assert tuple(controls) == record.controls.cases
    assert (found.suite, found.groups, found.exit_code) == (record.suite, record.groups, record.exit_code)
    assert rows[3].verdict == REGRESSED
    assert rows[5].reason == LOST


@pytest.mark.parametrize(
    "settings",
    [
        QUICK.asked_about(0.04).settings,
        replace(QUICK.settings, margin=0.01, suite_margin=0.001, equivalence=0.05, fdr=0.001, bias_sd=0.01),
    ],
    ids=["another effect", "other margins and levels"],
)
def test_the_settings_are_those_that_the_comparison_was_judged_with(settings: JudgeSettings, tmp_path: Path) -> None:
    """Those of the tier may have changed since, and a question about a smaller effect narrows its gate."""
    record = _write(tmp_path, settings, tier="quick")
    blocks.keep(tmp_path, tmp_path / "kept.json.gz")
    kept = blocks.read(tmp_path / "kept.json.gz")
    found = blocks.judge_anew(kept)
    assert _rows(found, kept) == (record.of_metric("time"), [*record.controls.cases])
    assert (found.suite, found.exit_code) == (record.suite, record.exit_code)


@pytest.mark.parametrize("name", simulated.CONTROLS)
def test_a_control_that_was_lost_is_lost_again(name: str, tmp_path: Path) -> None:
    """Blocks that were measured before its process ended are kept, and prove nothing of the run."""
    record = _write(tmp_path, simulated.SETTINGS, broken=[name])
    blocks.keep(tmp_path, tmp_path / "kept.json.gz")
    found = blocks.judge_anew(blocks.read(tmp_path / "kept.json.gz"))
    assert record.controls.status != "valid"
    assert (found.controls.status, found.controls.reason) == (record.controls.status, record.controls.reason)
    assert found.control_cases[name].reason == LOST
    assert (found.suite, found.exit_code) == (record.suite, record.exit_code)


def test_kept_blocks_are_one_small_file(folder: Path, tmp_path: Path) -> None:
    one = blocks.file_of(tmp_path, "run")
    blocks.keep(folder, one)
    assert one.stat().st_size < sum(path.stat().st_size for path in (folder / RAW).iterdir()) / 3
    assert [path.name for path in one.parent.iterdir()] == ["run.json.gz"]
