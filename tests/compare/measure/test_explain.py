"""--explain tells which task of a slower case moved, and more work from the same work that takes longer.

Two copies of the sources differ in what a variant does: head repeats its forward pass in the gradient. Instructions are
counted; times are given, since those of a busy machine prove nothing.
"""

import json
import math
from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from pathlib import Path

import numpy as np
import pytest

from gdbench.basics import records
from gdbench.basics.units import times
from gdbench.compare.judge.terms import REGRESSED
from gdbench.compare.measure import blocks, instructions
from gdbench.compare.measure.explain import BLOCKS, explanations, reading, task_entries, update_ratio
from gdbench.compare.measure.instructions import Count
from gdbench.compare.measure.session import StageProgress, open_session
from gdbench.compare.record.record import CaseResult, Explanation, MeasuredBlock, TaskRatio, axes_of
from gdbench.compare.record.tiers import TIERS
from gdbench.experiments.cases import Case
from gdbench.experiments.grid import Filters

from ...helpers import add_variant, copy_sources, keep_uncompiled
from ..comparison_records import block

WHY_NOT = instructions.why_not()
PASS = "    activations = _forward(network, theta, X)[1]\n"
"""In the gradient of ``vectorized``."""
TIER = replace(TIERS["quick"], case_seconds=0.002, quads=4)
RATIOS = {"small": 1.1, "repeats": 1.5}
"""Ratios of the rows that are explained, as if a comparison had just found them."""
TASK_RATIOS = {"forward": 1.0, "loss": 1.0, "gradient": 1.5, "epoch": 1.4}
LEVELS = np.array([1.0, 1.1, 0.9, 1.2, 1.0, 0.8, 1.1, 1.0])
"""Level of the machine in each of eight blocks."""


def _with_given_times() -> Callable[..., MeasuredBlock]:
    """Measure a first block, for what is in it, and make eight of it whose times are given."""
    kept = []

    def measure(setting, state, cases, *, stage: int, index: int) -> MeasuredBlock:
        if not kept:
            kept.append(blocks.measure_block(setting, state, cases, stage=stage, index=index))
        given = {key: replace(sample, **_times(key, LEVELS[index])) for key, sample in kept[0].cases.items()}
        return replace(kept[0], index=index, cases=given)

    return measure


def _times(key: str, level: float) -> dict[str, float]:
    ratio = next((ratio for task, ratio in TASK_RATIOS.items() if f"/{task}/" in key), 1.0) * level**0.1
    seconds = 4e-3 if "/epoch/" in key else 1e-3
    return {"log_ratio": math.log(ratio), "base_seconds": seconds * level, "head_seconds": seconds * level * ratio}


@pytest.fixture(scope="module")
def sides(tmp_path_factory) -> list[Path]:
    """Sources of base and head."""
    folder = tmp_path_factory.mktemp("explained")
    base, head = copy_sources(folder / "a"), copy_sources(folder / "b")
    for side, repeated in ((base, ""), (head, 3 * PASS)):
        keep_uncompiled(side)
        for name in RATIOS:
            add_variant(side, name, (PASS, repeated + PASS))
    return [base, head]


@pytest.fixture(scope="module")
def told(sides, tmp_path_factory) -> tuple[Path, list[StageProgress], dict[str, Explanation]]:
    """Folder of a comparison, its progress, and the explanations of its rows by variant, but for the smallest."""
    folder, steps = tmp_path_factory.mktemp("comparison"), []
    filters = Filters(
        network=("logistic",), dataset=("breast_cancer",), task=("gradient",), variant=tuple(RATIOS), batch_size=(32,)
    )
    texts = [str(side) for side in sides]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setattr("gdbench.compare.measure.explain.measure_block", _with_given_times())
        opened = open_session(*texts, folder=folder, tier=TIER, filters=filters, seed=1, report=steps.append)
        with opened as (session, _):
            rows = {case.id: _row(case) for case in session.setting.family.cases}
            found = {rows[key].variant: entry for key, entry in explanations(session, list(rows.values()), max_rows=1)}
    return folder, steps, found


def _row(case: Case) -> CaseResult:
    numbers = dict.fromkeys(field.name for field in fields(CaseResult) if field.default is MISSING)
    told = {"verdict": REGRESSED, "metric": "time", "ratio": RATIOS[case.variant]}
    return CaseResult(**(numbers | vars(axes_of(case)) | told))


def _tasks(explanation: Explanation) -> dict[str, TaskRatio]:
    return {entry.task: entry for entry in explanation.tasks}


@pytest.mark.slow
def test_every_task_has_the_ratio_of_its_blocks_and_the_one_that_was_made_slower_is_named(told):
    found = _tasks(told[2]["repeats"])
    for task, ratio in TASK_RATIOS.items():
        assert found[task].ratio == pytest.approx(ratio, rel=0.02)
        assert found[task].low <= found[task].ratio <= found[task].high
    said = told[2]["repeats"].reading
    assert "of the tasks gradient became slowest (1.5" in said
    assert said.endswith("forward and loss did not move beyond noise")


@pytest.mark.slow
def test_only_the_largest_are_explained(told):
    assert set(told[2]) == {"repeats"}


@pytest.mark.slow
def test_blocks_are_kept_and_progress_is_told(told):
    folder, steps, found = told
    kept = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((folder / "raw").glob("explain-*.json"))]
    assert len(kept) == BLOCKS
    assert all(len([key for key in block["cases"] if "/repeats/" in key]) == 4 for block in kept)
    words = [step.words for step in steps]
    assert "explaining: block 1 of 8" in words
    assert "explaining: counting instructions, 1 of 1" in words
    json.dumps(records.plain(found), allow_nan=False)  # is to be part of the record


@pytest.mark.slow
@pytest.mark.skipif(bool(WHY_NOT), reason=f"instructions cannot be counted: {WHY_NOT}")
def test_the_instructions_of_both_sides_are_counted_and_tell_of_more_work(told):
    more = told[2]["repeats"]
    counted = more.instructions
    assert counted is not None
    assert counted.ratio == counted.head / counted.base > 1.2
    assert more.reading.startswith(f"more work: {times(counted.ratio)} the instructions; ")


@pytest.mark.parametrize(
    ("ratio", "base", "head", "said"),
    [
        (1.3, 1000.0, 1250.0, "more work: 1.25x the instructions; "),
        (1.3, 1000.0, 1009.0, "same work (instructions within 1 %), placed or fed worse: 1.30x the time; "),
        (1.3, 1000.0, 1030.0, "more work (1.03x the instructions), but that is the smaller part of 1.30x the time; "),
        (1.3, 1000.0, 900.0, "less work (0.900x the instructions) that takes longer: 1.30x the time; "),
    ],
)
def test_the_reading_weighs_instructions_against_time(ratio, base, head, said):
    assert reading(ratio, [], (Count(base), Count(head))).startswith(said)


def test_the_reading_says_why_instructions_are_unknown():
    reason = "valgrind is not installed (apt install valgrind)"
    assert reading(1.3, [], (Count(None, reason),) * 2).startswith(f"instructions unknown: {reason}; ")
    assert "lost" in reading(1.3, [], (Count(1000.0), Count(None, "lost")))


def test_the_reading_names_the_slowest_task_and_those_that_did_not_move():
    entries = [_entry("forward", 1.0), _entry("loss", 1.004), _entry("gradient", 1.4), _entry("epoch", 1.3)]
    told = reading(1.4, entries, (Count(1.0), Count(1.4)))
    assert told.endswith(
        "; of the tasks gradient became slowest (1.40x the time), forward and loss did not move beyond noise"
    )
    assert reading(1.4, entries[:2], (Count(1.0), Count(1.4))).endswith("no task was slower beyond its noise")


def _entry(task: str, ratio: float) -> TaskRatio:
    return TaskRatio(task, ratio, ratio - 0.01, ratio + 0.01)


def test_the_update_is_what_an_epoch_does_beside_its_gradients():
    gradients = np.stack([LEVELS, LEVELS])
    epoch = gradients * [[2.0], [3.0]]  # once, then twice as long as the gradients beside them
    ratio, low, high = update_ratio(epoch, gradients, confidence=0.95)
    assert ratio == pytest.approx(2)
    assert 1.8 < low < ratio < high < 2.2


def test_a_slower_gradient_does_not_pass_for_a_slower_update():
    gradients = np.stack([LEVELS, 2 * LEVELS])
    epoch = 1.03 * gradients + 0.3 * LEVELS  # within an epoch each takes 3 % longer than alone
    ratio, low, high = update_ratio(epoch, gradients, confidence=0.95)
    assert ratio == pytest.approx(0.36 / 0.33)
    assert low < 1 < high


def test_no_update_is_told_where_an_epoch_takes_no_longer_than_its_gradients():
    gradients = np.ones((2, 8))
    noise = np.array([0.9, 1.1, 1.2, 0.8, 1.05, 0.95, 1.0, 1.01])
    for epoch in (np.stack([noise, noise]), np.stack([noise, 1.5 * noise]), np.full((2, 8), 1.04)):
        assert np.isnan(update_ratio(epoch, gradients, confidence=0.95)).all()


def test_blocks_that_lack_a_task_leave_it_out_and_nothing_else():
    case = Case("logistic", "breast_cancer", 569, "gradient", "vectorized", 32, "float32")
    keys = [replace(case, task=task).id for task in ("forward", "gradient")]
    blocks = [block(dict.fromkeys(keys, 0.1))] * 8
    assert [entry.task for entry in task_entries(blocks, case, confidence=0.95)] == ["forward", "gradient"]
    assert task_entries(blocks[:5], case, confidence=0.95) == []
    assert task_entries([], case, confidence=0.95) == []
