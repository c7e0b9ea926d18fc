"""The blocks that a self-test keeps of a comparison are whole, small, and enough to reach its verdicts again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gdbench.compare.conclusion import case_rows, judge_measured
from gdbench.compare.judge.terms import REGRESSED
from gdbench.compare.measure.session import State
from gdbench.compare.record.record import RAW, Measurements, write_block, write_record
from selftest import blocks

from ..compare import comparison_records as simulated

LOST = "it died"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a comparison of twelve cases, of which one is slower and one broken."""
    chosen, place = simulated.cases()[:12], tmp_path_factory.mktemp("comparison")
    keys = [*(case.id for case in chosen), *simulated.CONTROLS]
    effects = [0.0] * 15 + [simulated.SPIKE.ratio - 1]
    effects[3] = 0.2
    found = simulated.measure(keys, effects, [simulated.QUIET] * len(keys), np.random.default_rng(0))
    state = State(broken={chosen[5].id: LOST})
    judged = judge_measured(chosen, found, state, simulated.SETTINGS, controls=simulated.CONTROLS)
    write_record(place, simulated.assemble(judged, chosen, found, {}))
    for name, stage in (("screen", found.screen), ("confirm", found.confirm)):
        for index, block in enumerate(stage):
            write_block(place, name, replace(block, index=index))
    return place


def test_the_verdicts_of_a_comparison_follow_from_its_kept_blocks(folder: Path, tmp_path: Path) -> None:
    path = blocks.file_of(tmp_path, "quick-unchanged-0")
    blocks.keep(folder, path)
    kept = blocks.read(path)
    record = kept.record
    found = blocks.judge_anew(kept)
    assert [block.index for block in kept.screen] == [*range(8)]
    assert [block.index for block in kept.confirm] == [*range(24)]
    rows, controls = case_rows(simulated.cases()[:12], found, Measurements([*kept.screen], [*kept.confirm]))
    assert [(row.case, row.verdict, row.p, row.low) for row in rows] == [
        (row.case, row.verdict, row.p, row.low) for row in record.of_metric("time")
    ]
    assert tuple(controls) == record.controls.cases
    assert (found.suite, found.groups, found.exit_code) == (record.suite, record.groups, record.exit_code)
    assert rows[3].verdict == REGRESSED
    assert rows[5].reason == LOST


def test_kept_blocks_are_one_small_file(folder: Path, tmp_path: Path) -> None:
    one = blocks.file_of(tmp_path, "run")
    blocks.keep(folder, one)
    assert one.stat().st_size < sum(path.stat().st_size for path in (folder / RAW).iterdir()) / 3
    assert [path.name for path in one.parent.iterdir()] == ["run.json.gz"]
