"""The same tree in two real environments: one that is made for it, from the package index, and that of the tests."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gdbench.compare.environments.packages import installed_here
from gdbench.compare.record.record import read_record
from gdbench.compare.record.tiers import QUICK, TIERS

from ..helpers import ROOT, copy_sources, invoke, keep_uncompiled

WISH = f"platformdirs<{installed_here().versions['platformdirs']}"
"""A package that no kernel computes with: nothing that is measured may differ."""
COMPARE = ("compare", "./tree", "--env", WISH, "--quick", "--network", "linear", "--task", "gradient")


@pytest.mark.slow
def test_an_environment_is_made_once_and_measured_against_that_of_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = copy_sources(tmp_path / "tree")
    keep_uncompiled(tree)
    (tree / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    monkeypatch.setitem(TIERS, "quick", replace(QUICK, screen_blocks=2, confirm_blocks=2, case_seconds=0.02))

    def compare(name: str) -> Any:
        options = ("--variant", "vectorized", "--batch-size", "n", "--output", name, "--json", f"{name}.json")
        return invoke(*COMPARE, *options, cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path), XDG_STATE_HOME=str(tmp_path))

    answer = compare("first")
    assert answer.returncode == 3, answer.stderr
    record = read_record(tmp_path / "first")
    assert [row.name for row in record.differences] == ["platformdirs"]
    assert (record.base.kind, record.head.kind) == ("environment", "environment")
    assert record.base.text == f"platformdirs {record.differences[0].base}"
    assert record.head.text == f"platformdirs {installed_here().versions['platformdirs']}"
    assert {row.verdict for row in record.cases} <= {"INSUFFICIENT EVIDENCE", "UNCHANGED"}
    assert record.environment.versions["numpy"] == installed_here().versions["numpy"]
    assert f"{record.base.text} (" in answer.stdout
    (made,) = [path for path in (tmp_path / "gdbench" / "environments").iterdir() if path.is_dir()]
    certified = list((tmp_path / "gdbench" / "builds").glob("*/*/certificates.json"))
    assert len(certified) == 2  # one in each environment
    block = json.loads((tmp_path / "first" / "raw" / "screen-000.json").read_text(encoding="utf-8"))
    assert len([name for name in block["cases"] if name.startswith(("canary", "spike-in"))]) == 4
    again = compare("second")
    assert again.returncode == 3, again.stderr
    assert "installing" in answer.stderr
    assert "installing" not in again.stderr
    assert made.exists()
