"""The description of a machine: what a worker tells survives its file, and files of older versions are read."""

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest

from gdbench.basics.records import read, write
from gdbench.machine.environment import Environment, check_same_machine, commit, describe, observe, one_line
from gdbench.views.page import environment_lines
from kernels import InputError

from ..helpers import ROOT

KEPT = [ROOT / "reports" / name / "environment.json" for name in ("limits", "peers")]


def test_what_a_worker_tells_survives_its_file(tmp_path: Path) -> None:
    found = observe(1)
    assert found.blas_threads == found.numba_threads == 1
    write(tmp_path / "environment.json", found)
    assert read(tmp_path / "environment.json", Environment, remedy="") == found
    assert [*json.loads((tmp_path / "environment.json").read_bytes())] == [each.name for each in fields(Environment)]


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.parent.name)
def test_files_of_older_versions_lose_nothing_and_what_they_lack_is_not_recorded(path: Path) -> None:
    stored, found = json.loads(path.read_text(encoding="utf-8")), read(path, Environment, remedy="")
    assert stored.keys() <= {each.name for each in fields(Environment)}
    assert one_line(found).startswith(f"{stored['cpu']}, {stored['logical_cores']} logical cores")
    assert commit(found) == f"commit {stored['commit'][:12]}"
    lines = [*environment_lines(found)]
    assert sum(name == "blas" for name, _ in lines) == len(stored["blas"])
    assert ("caches", ", ".join(f"{name} {size}" for name, size in stored["caches"].items())) in lines


def test_a_field_of_another_type_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "environment.json").write_text('{"logical_cores": "two"}', encoding="utf-8")
    with pytest.raises(InputError, match=r"Expected `int \| null`, got `str` - at `\$.logical_cores`.*: measure again"):
        read(tmp_path / "environment.json", Environment, remedy="measure again")


def test_a_machine_that_cannot_be_described_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("GDBENCH_PATIENCE_SECONDS", "0.001")
        with pytest.raises(
            InputError, match=r"describes the machine said nothing for 0\.001 s and was stopped: see that"
        ):
            observe()
    pytest.importorskip("yaml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".numba_config.yaml").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"describes the machine raised \w+: .*: see that .* can be imported, and try"):
        observe()


def test_nothing_recorded_is_said_so() -> None:
    assert one_line(Environment()) == "not recorded"
    assert dict(environment_lines(Environment()))["cpu"] == "not recorded"


def test_a_run_goes_on_where_load_and_date_differ_but_nowhere_else() -> None:
    here = describe()
    check_same_machine(here, replace(here, date="later", load_1_minute=7.0, dirty=not here.dirty))
    with pytest.raises(InputError, match=r"blas_threads was \d+ when this run began and is 64 now: start a new run"):
        check_same_machine(here, replace(here, blas_threads=64))


def test_a_run_goes_on_only_under_the_settings_with_which_it_began() -> None:
    begun = replace(describe(), settings={"NUMBA_OPT": "0"})
    check_same_machine(begun, begun)
    told = "NUMBA_OPT was 0 when this run began and is not set now: set it as it was, or start a new run"
    with pytest.raises(InputError, match=told):
        check_same_machine(begun, replace(begun, settings={}))
    assert one_line(begun) == f"{one_line(replace(begun, settings={}))}, NUMBA_OPT=0"
