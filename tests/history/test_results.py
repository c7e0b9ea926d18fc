"""`gdbench regressions` reads what asv wrote, names the commit, and says plainly when it cannot."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from asv.step_detect import detect_steps

from gdbench.experiments.cases import Case
from gdbench.history.asv_cases import case_of, name_of
from gdbench.history.asv_folders import choose_machine, results_folder
from gdbench.history.confirm.bisect import CONFIRMED, OPEN, Confirmation
from gdbench.history.confirmation import MAX_ASKED, confirm_all, filters_of, finding_of, new_place
from gdbench.history.record import Judged, judge, make_record
from gdbench.history.series import History, Measured
from gdbench.history.spark import spark
from kernels import InputError

from ..compare.comparison_records import make, uncontrolled
from ..helpers import ROOT
from .asv_results import (
    BENCHMARK,
    CASES,
    RESULTS,
    SLOW,
    STEP,
    git,
    history_of,
    make_repository,
    regressions,
    times,
    write_result,
)

CASE = case_of(BENCHMARK["name"], [repr(value) for value in CASES[SLOW]])


def test_a_slower_commit_is_named_in_every_output(measured, tmp_path: Path) -> None:
    folder, commits = measured
    options = ["--json", "-", "--markdown", str(tmp_path / "steps.md"), "--output", str(tmp_path)]
    done = regressions(folder, *options)
    assert done.returncode == 0, done.stderr  # a proposal is no proof
    (step,) = json.loads(done.stdout)["steps"]
    assert (step["commit"], step["case"], step["label"]) == (commits[STEP], CASE.id, "REGRESSION")
    assert step["low"] < 1.2 < step["high"]
    assert step["commits_without_result"] == 1
    assert step["since"] == commits[STEP - 2]
    assert commits[STEP][:8] in done.stderr
    assert f"{tmp_path / 'regressions.html'}\n" in done.stderr
    assert spark(np.array([1.0, 8.0])) == "▁█"
    assert step["spark"][-1] in "▇█"
    markdown = (tmp_path / "steps.md").read_text(encoding="utf-8")
    assert f"| {commits[STEP][:8]} |" in markdown
    assert "<b>" not in markdown
    page = (tmp_path / "regressions.html").read_text(encoding="utf-8")
    assert commits[STEP][:8] in page
    assert "<b>25</b>" not in page
    assert len(page) < 3e6


def test_order_is_that_of_git_though_dates_say_otherwise(measured) -> None:
    folder, commits = measured
    history = history_of(folder / RESULTS, "here", folder)
    there = [commit for i, commit in enumerate(commits) if i not in (3, 24, 30)]
    assert [commit.commit for commit in history.commits] == there
    assert history.commits[0].subject.startswith("Commit 0")


def test_dates_order_commits_that_git_does_not_know(measured, tmp_path: Path) -> None:
    history = history_of(measured[0] / RESULTS, "here", tmp_path)
    there = [commit for i, commit in enumerate(measured[1]) if i not in (3, 24, 30)]
    assert [commit.commit for commit in history.commits] == there[::-1]


def test_an_unreadable_file_is_a_gap_and_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    commits = make_repository(tmp_path, [str(i) for i in range(12)])
    paths = [
        write_result(tmp_path / RESULTS, commit, times(i, step_at=99, slow={})) for i, commit in enumerate(commits)
    ]
    paths[5].write_text(paths[5].read_text(encoding="utf-8")[:200], encoding="utf-8")
    history = history_of(tmp_path / RESULTS, "here", tmp_path)
    assert len(history.commits) == 11
    assert any(paths[5].name in sentence for sentence in history.incomplete)
    assert capfd.readouterr().out == ""


def test_failed_and_skipped_cases_are_gaps(tmp_path: Path) -> None:
    commits = make_repository(tmp_path, ["0", "1"])
    write_result(tmp_path / RESULTS, commits[0], [None, float("nan"), *times(0, step_at=9, slow={})[2:]])
    write_result(tmp_path / RESULTS, commits[1], times(1, step_at=9, slow={}))
    history = history_of(tmp_path / RESULTS, "here", tmp_path)
    missing = [name for name, values in history.values.items() if np.isnan(values[0])]
    assert missing == [name_of(BENCHMARK["name"], [repr(value) for value in case]) for case in CASES[:2]]
    assert all(np.isfinite(values[1]) for values in history.values.values())


def test_results_of_an_older_version_of_a_benchmark_are_not_mixed_in(tmp_path: Path) -> None:
    commits = make_repository(tmp_path, [str(i) for i in range(4)])
    for i, commit in enumerate(commits):
        write_result(tmp_path / RESULTS, commit, times(i, step_at=9, slow={}), version="1" if i < 2 else "2")
    values = history_of(tmp_path / RESULTS, "here", tmp_path).values[CASE.id]
    assert np.isfinite(values).tolist() == [False, False, True, True]


def test_machines_are_never_mixed(tmp_path: Path) -> None:
    commits = make_repository(tmp_path, ["0"])
    for machine in ("one", "two"):
        write_result(tmp_path / RESULTS, commits[0], times(0, step_at=9, slow={}), machine=machine)
    with pytest.raises(InputError, match=r"several machines.*one, two by --machine"):
        choose_machine(tmp_path / RESULTS, None)
    assert choose_machine(tmp_path / RESULTS, "two") == "two"
    with pytest.raises(InputError, match="no results of a machine called three"):
        choose_machine(tmp_path / RESULTS, "three")
    (tmp_path / RESULTS / "one" / "machine.json").unlink()
    assert choose_machine(tmp_path / RESULTS, None) == "two"


def test_commits_of_other_branches_are_left_out_and_told(tmp_path: Path) -> None:
    commits = make_repository(tmp_path, ["0", "1"])
    git(tmp_path, "checkout", "-q", "-b", "aside", commits[0])
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "aside")
    other = git(tmp_path, "rev-parse", "HEAD").strip()
    git(tmp_path, "checkout", "-q", "main")
    for commit in (*commits, other):
        write_result(tmp_path / RESULTS, commit, times(0, step_at=9, slow={}))
    history = history_of(tmp_path / RESULTS, "here", tmp_path)
    assert [commit.commit for commit in history.commits] == commits
    assert history.incomplete[0].startswith("1 of 3 commits with results are not among the ancestors of HEAD")


def test_no_results_is_one_sentence_that_says_how_to_make_them(tmp_path: Path) -> None:
    done = regressions(tmp_path)
    assert done.returncode == 2
    assert "asv run" in done.stderr
    assert "Traceback" not in done.stderr


def test_too_few_results_are_exit_code_4(tmp_path: Path) -> None:
    commits = make_repository(tmp_path, [str(i) for i in range(3)])
    for i, commit in enumerate(commits):
        write_result(tmp_path / RESULTS, commit, times(i, step_at=9, slow={}))
    done = regressions(tmp_path)
    assert done.returncode == 4
    assert "too few results" in done.stdout


def test_the_folder_of_results_is_that_of_asvs_configuration(tmp_path: Path) -> None:
    assert results_folder(ROOT) == ROOT / RESULTS
    assert results_folder(tmp_path) == tmp_path / RESULTS
    (tmp_path / "asv.conf.json").write_text('{\n  // kept elsewhere\n  "results_dir": "found"\n}', encoding="utf-8")
    assert results_folder(tmp_path) == tmp_path / "found"
    (tmp_path / "asv.conf.json").write_text('{"version": 1}', encoding="utf-8")
    assert results_folder(tmp_path) == tmp_path / "results", "asv's own default"
    for wrong in ("{", '{"results_dir": null}', '{"results_dir": 5}'):
        (tmp_path / "asv.conf.json").write_text(wrong, encoding="utf-8")
        with pytest.raises(InputError, match="--results"):
            results_folder(tmp_path)
    (tmp_path / "asv.conf.jsonc").write_text('{"results_dir": "elsewhere"}  // asv reads both', encoding="utf-8")
    with pytest.raises(InputError, match=r"neither of .*json and .*jsonc while both are there"):
        results_folder(tmp_path)
    (tmp_path / "asv.conf.json").unlink()
    assert results_folder(tmp_path) == tmp_path / "elsewhere"


BENCHMARKS = """
import json
from suite import experiments
found = {name: value.params for name, value in vars(experiments).items() if hasattr(value, "params")}
print(json.dumps({f"experiments.{name}.time_task": [[repr(v) for v in axis] for axis in axes]
                  for name, axes in found.items()}))
"""
"""Names and parameters as asv finds them, whose names for values are their ``repr``."""


def test_every_benchmark_of_the_suite_is_a_case_of_the_grid() -> None:
    command = [sys.executable, "-c", BENCHMARKS]
    found = subprocess.run(command, cwd=ROOT / "benchmarks", capture_output=True, text=True, check=True)
    names = json.loads(found.stdout)
    assert names
    for name, axes in names.items():
        case = case_of(name, [axis[0] for axis in axes])
        assert case is not None
        assert f"{case.network}_{case.dataset}" == name.split(".")[1]
    assert case_of("other.time_task", []) is None
    assert name_of("other.time_it", ["'a'", "3"]) == "other.time_it(a, 3)"


def test_asvs_step_detection_gives_what_is_used_of_it() -> None:
    values = [1.0, 1.01, 0.99, 1.0, 1.01, 1.0, 2.0, 2.01, 1.99, 2.0, 2.01, 2.0]
    assert [step[:2] for step in detect_steps(values)] == [(0, 6), (6, 12)]


def test_exit_codes_after_measuring_again(measured) -> None:
    history = history_of(measured[0] / RESULTS, "here", measured[0])
    proposals = judge(history).proposals

    def code(*statuses: str) -> int:
        told = {i: Confirmation(status, "", None, 1.2, 1.1, 1.3, 1) for i, status in enumerate(statuses)}
        return make_record([Judged(history, proposals, told)], confirmed=True).exit_code

    assert [code(), code("refuted"), code(OPEN), code(CONFIRMED, OPEN)] == [0, 0, 3, 1]
    assert make_record([judge(history)]).exit_code == 0


def test_a_case_of_another_suite_cannot_be_measured_again_and_is_left_open(tmp_path: Path) -> None:
    commits = make_repository(tmp_path, [str(i) for i in range(30)])
    foreign = {"name": "other.time_it", "version": "1", "params": []}
    for i, commit in enumerate(commits):
        write_result(tmp_path / RESULTS, commit, [times(i, step_at=15, slow={0: 1.5})[0]], benchmark=foreign)
    history = history_of(tmp_path / RESULTS, "here", tmp_path)
    found, told, said = judge(history).proposals, {}, []
    confirm_all(history, found, told, tier="quick", folder=None, report=said.append)
    assert [(entry.status, entry.comparisons) for entry in told.values()] == [(OPEN, 0)]
    assert "other.time_it" in said[0]


def test_a_shared_step_goes_to_the_next_case_where_the_first_cannot_be_measured_but_not_to_all() -> None:
    """None can here, since the commits are of no repository."""
    rng = np.random.default_rng(0)
    cases = [
        Case("mlp", "mnist5k", 5000, "gradient", name, size, "float64")
        for name in ("jit", "tiled")
        for size in (1, 8, 32)
    ]
    commits = [Measured(f"{i:040x}", "a change", "2026-01-01", {}, i) for i in range(60)]
    values = {case.id: np.exp(rng.normal(0, 0.002, 60) + np.where(np.arange(60) < 30, 0.0, 0.2)) for case in cases}
    history = History("here", tuple(commits), values, {case.id: case for case in cases})
    found, told = judge(history).proposals, {}
    assert {proposal.label for proposal in found} == {"SHARED"}
    confirm_all(history, found, told, tier="quick", folder=None, report=lambda text: None)
    assert (len(told), len(found)) == (MAX_ASKED, len(cases))
    assert {(entry.status, entry.comparisons) for entry in told.values()} == {(OPEN, 0)}


def test_a_comparison_is_asked_for_one_case_and_does_not_count_where_identical_code_differed(tmp_path: Path) -> None:
    asked = filters_of(CASE)
    assert (asked.network, asked.batch_size, asked.threads) == ((CASE.network,), (CASE.batch_size,), (1,))
    quiet = make([CASE])
    row = replace(quiet.cases[0], verdict="REGRESSED", ratio=1.2, low=1.1, high=None)
    record = replace(quiet, cases=(replace(row, metric="memory", verdict="UNCHANGED"), row))
    found = finding_of(record, CASE.id)
    assert (found.verdict, found.ratio) == ("REGRESSED", 1.2)
    assert np.isnan(found.high)
    assert finding_of(uncontrolled(record, "canaries differ"), CASE.id).verdict == "INVALID"
    weak = replace(record, controls=replace(record.controls, status="underpowered", reason="extra work was not found"))
    assert finding_of(weak, CASE.id).verdict == "REGRESSED"
    assert finding_of(record, "another").verdict == "MISSING"
    (tmp_path / "aaaaaaaa-bbbbbbbb").mkdir()
    assert new_place(tmp_path, "a" * 40, "b" * 40).name == "aaaaaaaa-bbbbbbbb-2"


def test_a_size_beyond_percentages_is_written_as_a_factor(tmp_path: Path) -> None:
    commits = make_repository(tmp_path, [str(i) for i in range(30)])
    for i, commit in enumerate(commits):
        seconds = times(i, step_at=15, slow={SLOW: 1e6})
        write_result(tmp_path / RESULTS, commit, seconds)
    done = regressions(tmp_path, "--markdown", "steps.md")
    assert done.returncode == 0
    written = (tmp_path / "steps.md").read_text(encoding="utf-8")
    assert " times (" in written
    assert "times %" not in written
