"""Blocks are measured on fresh builds, in runs of equal length, and some cases are confirmed whatever they show."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gdbench.compare.measure import stages
from gdbench.compare.measure.session import ComparisonSession
from gdbench.compare.record.tiers import STANDARD
from gdbench.compare.sides.builds import Build, copies
from gdbench.compare.sides.sides import Side
from gdbench.machine.environment import Environment

from ..comparison_records import block, cases


def test_copies_hold_the_kernels_and_nothing_that_was_compiled_or_certified(tmp_path: Path) -> None:
    root = tmp_path / "build"
    (root / "kernels" / "__pycache__").mkdir(parents=True)
    (root / "numba").mkdir()
    for name in ("kernels/jit.py", "kernels/__pycache__/jit.pyc", "numba/jit.nbc", "certificates.json"):
        (root / name).write_text("x", encoding="utf-8")
    build = Build(Side("jit", "variant", root, variant="jit"), root)
    base, head = copies((build, build), tmp_path, 3)
    for made in (base, head):
        assert [path.name for path in made.root.rglob("*") if path.is_file()] == ["jit.py"]
        assert made.numba_cache.is_dir()
    assert base.root != head.root
    assert len(str(base.root)) == len(str(head.root))


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ComparisonSession:
    """A session of 72 steady cases that notes on which builds its blocks are measured, and measures nothing."""
    family = SimpleNamespace(cases=tuple(cases()))
    setting: Any = SimpleNamespace(builds=("cached", "cached"), family=family, tier=STANDARD, seed=0)
    rng = np.random.default_rng(0)

    def measure(setting: Any, state: Any, cases: Any, *, index: int, builds: Any, **_: Any) -> Any:
        made = block({case.id: float(rng.normal(0, 0.002)) for case in cases})
        return replace(made, index=index, core=(builds[0],) if builds else ())

    monkeypatch.setattr(stages, "certify", lambda session: None)
    monkeypatch.setattr(stages, "measure_block", measure)
    monkeypatch.setattr(stages, "copies", lambda builds, place, number: (number, number))
    monkeypatch.setattr(stages, "compile_pair", lambda *_, **__: {"jit": [1.0, 1.0]})
    return ComparisonSession(setting, tmp_path, lambda step: None, environment=Environment())


def test_each_block_of_a_screen_has_a_build_of_its_own_and_three_in_turn_of_a_confirmation(
    session: ComparisonSession, tmp_path: Path
) -> None:
    stages.measure(session, tmp_path)
    assert [found.core[0] for found in session.measured.screen] == list(range(8))
    assert [found.core[0] for found in session.measured.confirm] == [i // 3 for i in range(24)]
    assert len(session.measured.compiled) == session.settings.layouts == 8
    assert [len(found.cases) for found in session.measured.confirm] == [stages.SAMPLED] * 24


def test_without_fresh_builds_blocks_run_on_those_of_the_cache_and_steady_cases_are_done(
    session: ComparisonSession, tmp_path: Path
) -> None:
    session.setting.tier = replace(STANDARD, layouts=1)  # type: ignore[misc]
    stages.measure(session, tmp_path)
    assert {found.core for found in (*session.measured.screen, *session.measured.confirm)} == {()}
    assert session.settings.layouts == 1
    assert {len(found.cases) for found in session.measured.confirm} == {0}
