"""``pytest benchmarks/speed`` times every case of a profile, certified first, in groups that a user asks for."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gdbench.experiments.grid import expand, profile

from ..helpers import DROPS_SHORT_BATCH

ROOT = Path(__file__).parents[2]
GROUP = re.compile(r"benchmark 'variant=(\w+) batch_size=(\w+)': (\d+) tests")


def _speed(*options: str, folder: Path = ROOT, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, in a checkout whose kernels and harness are the ones that are imported."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "GDBENCH_PROFILE"))}
    path = os.pathsep.join([str(folder), str(folder / "benchmarks")])
    return subprocess.run(
        [sys.executable, "-m", "pytest", "benchmarks/speed", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env={**kept, "PYTHONPATH": path, **changes},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[dict[str, Any]]]:
    """What the command printed with no flag that would make it time, and the entries of its file."""
    path = tmp_path_factory.mktemp("speed") / "speed.json"
    done = _speed("--benchmark-group-by=param:variant,param:batch_size", f"--benchmark-json={path}")
    assert done.returncode == 0, done.stdout
    return done.stdout, json.loads(path.read_text(encoding="utf-8"))["benchmarks"]


@pytest.mark.slow
def test_the_table_has_a_group_for_each_value_of_the_axes_that_are_asked_for(
    timed: tuple[str, list[dict[str, Any]]],
) -> None:
    cases = expand(profile("smoke"))
    groups = {(variant, size): int(count) for variant, size, count in GROUP.findall(timed[0])}
    assert groups == Counter((case.variant, str(case.batch_size)) for case in cases)
    assert all(f"test_speed[{case.id}]" in timed[0] for case in cases)


@pytest.mark.slow
def test_every_case_is_timed_for_real_and_params_are_the_columns_of_a_case(
    timed: tuple[str, list[dict[str, Any]]],
) -> None:
    assert [entry["params"] for entry in timed[1]] == [case.to_dict() for case in expand(profile("smoke"))]
    assert all(len(entry["stats"]["data"]) == entry["stats"]["rounds"] > 0 for entry in timed[1])
    assert all(entry["stats"]["median"] > 0 for entry in timed[1])


def test_a_variant_that_only_full_verification_finds_wrong_fails_and_is_in_no_table(tmp_path: Path) -> None:
    for part in ("kernels", "benchmarks"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "kernels" / "variants" / "specimen.py").write_text(DROPS_SHORT_BATCH, encoding="utf-8")
    done = _speed("-k", "wine and epoch and (specimen or buffered)", folder=tmp_path)
    assert done.returncode == 1, done.stdout
    assert "NotCertified: specimen: trajectory of 100 updates at batch size 7, error" in done.stdout
    table = done.stdout[done.stdout.index("Name (time in") : done.stdout.index("Legend:")]
    assert "/buffered/" in table
    assert "/specimen/" not in table
    assert re.search(r"= 3 passed, \d+ deselected, 3 errors in", done.stdout)


def test_an_unknown_profile_is_refused_with_the_names_that_exist() -> None:
    done = _speed(GDBENCH_PROFILE="fastest")
    assert done.returncode == 2
    assert "there is no profile 'fastest': choose one of smoke, quick" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "test_speed.py:" not in done.stdout


def test_pytest_alone_runs_the_tests_and_times_nothing(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.getini("testpaths") == ["tests"]
