"""`gdbench regressions` reads what asv wrote, names the commit, and says plainly when it cannot."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from asv.step_detect import detect_steps

from gdbench.history.asv_cases import case_of, name_of
from gdbench.history.asv_files import choose_machine, results_folder
from gdbench.history.bisect import CONFIRMED, OPEN, Confirmation
from gdbench.history.changes import changes
from gdbench.history.confirmation import confirm_all, filters_of, finding_of, new_place
from gdbench.history.reading import read_histories
from gdbench.history.record import Judged, judge, make_record
from gdbench.history.series import History
from gdbench.history.spark import spark
from gdbench.results import collect
from kernels import InputError

from ..compare.comparison_records import make, uncontrolled
from ..helpers import ROOT, invoke
from .asv_results import BENCHMARK, CASES, git, make_repository, times, write_result

COMMITS, STEP, SLOW = 40, 25, 4
"""Commits, the one from which a case is slow, and which case."""
RESULTS = Path("reports", "asv", "results")
CASE = case_of(BENCHMARK["name"], [repr(value) for value in CASES[SLOW]])


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A repository whose commit 25 slows one case by a fifth; three commits have no result."""
    folder = tmp_path_factory.mktemp("history")
    commits = make_repository(folder, [f"Commit {i} | <b>{i}</b>" for i in range(COMMITS)])
    for i, commit in enumerate(commits):
        if i not in (3, 24, 30):
            write_result(folder / RESULTS, commit, times(i, step_at=STEP, slow={SLOW: 1.2}), position=COMMITS - i)
    return folder, commits


def _regressions(folder: Path, *options: str):
    return invoke("regressions", *options, cwd=folder)


def _history(results: Path, machine: str, repository: Path) -> History:
    (found,) = read_histories(results, machine, repository)
    return found


def test_a_slower_commit_is_named_in_every_output(measured, tmp_path: Path) -> None:
    folder, commits = measured
    options = ["--json", "-", "--markdown", str(tmp_path / "steps.md"), "--output", str(tmp_path)]
    done = _regressions(folder, *options)
    assert done.returncode == 0, done.stderr  # a proposal is no proof
    (step,) = json.loads(done.stdout)["steps"]
    assert (step["commit"], step["case"], step["label"]) == (commits[STEP], CASE.id, "REGRESSION")
    assert step["low"] < 1.2 < step["high"]
    assert step["commits_without_result"] == 1
    assert step["since"] == commits[STEP - 2]
    assert commits[STEP][:8] in done.stderr
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
    history = _history(folder / RESULTS, "here", folder)
    there = [commit for i, commit in enumerate(commits) if i not in (3, 24, 30)]
    assert [commit.commit for commit in history.commits] == there
    assert history.commits[0].subject.startswith("Commit 0")


def test_dates_order_commits_that_git_does_not_know(measured, tmp_path: Path) -> None:
    history = _history(measured[0] / RESULTS, "here", tmp_path)
    there = [commit for i, commit in enumerate(measured[1]) if i not in (3, 24, 30)]
    assert [commit.commit for commit in history.commits] == there[::-1]


def test_an_unreadable_file_is_a_gap_and_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    commits = make_repository(tmp_path, [str(i) for i in range(12)])
    paths = [
        write_result(tmp_path / RESULTS, commit, times(i, step_at=99, slow={})) for i, commit in enumerate(commits)
    ]
    paths[5].write_text(paths[5].read_text(encoding="utf-8")[:200], encoding="utf-8")
    history = _history(tmp_path / RESULTS, "here", tmp_path)
    assert len(history.commits) == 11
    assert any(paths[5].name in sentence for sentence in history.skipped)
    assert capfd.readouterr().out == ""


def test_failed_and_skipped_cases_are_gaps(tmp_path: Path) -> None:
    commits = make_repository(tmp_path, ["0", "1"])
    write_result(tmp_path / RESULTS, commits[0], [None, float("nan"), *times(0, step_at=9, slow={})[2:]])
    write_result(tmp_path / RESULTS, commits[1], times(1, step_at=9, slow={}))
    history = _history(tmp_path / RESULTS, "here", tmp_path)
    missing = [name for name, values in history.values.items() if np.isnan(values[0])]
    assert missing == [name_of(BENCHMARK["name"], [repr(value) for value in case]) for case in CASES[:2]]
    assert all(np.isfinite(values[1]) for values in history.values.values())


def test_results_of_an_older_version_of_a_benchmark_are_not_mixed_in(tmp_path: Path) -> None:
    commits = make_repository(tmp_path, [str(i) for i in range(4)])
    for i, commit in enumerate(commits):
        write_result(tmp_path / RESULTS, commit, times(i, step_at=9, slow={}), version="1" if i < 2 else "2")
    values = _history(tmp_path / RESULTS, "here", tmp_path).values[CASE.id]
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


def test_environments_of_one_commit_are_never_mixed_and_each_is_judged(tmp_path: Path) -> None:
    """Only the newer one steps, and it has fewer commits; the older one is fast on the commits that both have."""
    commits = make_repository(tmp_path, [str(i) for i in range(COMMITS)])
    for i, commit in enumerate(commits):
        slow = times(i, step_at=STEP, slow={SLOW: 1.5})
        if i < STEP + 2:
            write_result(tmp_path / RESULTS, commit, times(i, step_at=99, slow={}), environment="old")
        if i > 10:
            write_result(tmp_path / RESULTS, commit, slow, environment="new")
    done = _regressions(tmp_path, "--json", "-", "--output", str(tmp_path / "page"))
    record = json.loads(done.stdout)
    assert record["environments"] == ["new", "old"]
    assert [(step["commit"], step["environment"]) for step in record["steps"]] == [(commits[STEP], "new")]
    assert (record["commits"], record["judged"]) == (COMMITS, 2 * len(CASES))
    assert "each in its environment: new, old" in done.stderr
    assert f"{CASE.id} in new" in done.stderr
    page = (tmp_path / "page" / "regressions.html").read_text(encoding="utf-8")
    assert f"{CASE.id} in new" in page
    only = json.loads(_regressions(tmp_path, "--json", "-", "--environment", "old").stdout)
    assert (only["environments"], only["steps"], only["commits"]) == (["old"], [], STEP + 2)
    refused = _regressions(tmp_path, "--environment", "another")
    assert (refused.returncode, refused.stderr) == (
        2,
        "gdbench: there are no results of the environment another: choose new, old\n",
    )


def test_environments_that_follow_each_other_are_one_history(tmp_path: Path) -> None:
    """asv names an environment after its packages: one without a version was added when the time stepped."""
    commits = make_repository(tmp_path, [str(i) for i in range(COMMITS)])
    for i, commit in enumerate(commits):
        packages = {"somepackage": ""} if i >= STEP else {}
        write_result(tmp_path / RESULTS, commit, times(i, step_at=STEP, slow={SLOW: 1.5}), packages=packages)
    done = _regressions(tmp_path, "--json", "-")
    (step,) = json.loads(done.stdout)["steps"]
    assert (step["label"], step["notes"]) == (
        "ENVIRONMENT",
        ["environment changed: somepackage added without a version"],
    )
    assert "on here in virtualenv-py3.11, then virtualenv-py3.11-somepackage: " in done.stderr


def test_environments_that_take_turns_are_judged_apart(tmp_path: Path) -> None:
    """Between neighbours the slower environment hides what the commit did in both."""
    commits = make_repository(tmp_path, [str(i) for i in range(COMMITS)])
    for i, commit in enumerate(commits):
        turn = {"environment": "slow", "scale": 2e-4} if i % 2 else {"environment": "fast", "scale": 1e-4}
        seconds = times(i, step_at=STEP, slow={SLOW: 1.5}, scale=turn["scale"])
        write_result(tmp_path / RESULTS, commit, seconds, environment=turn["environment"])
    done = _regressions(tmp_path, "--json", "-")
    steps = {step["environment"]: (step["commit"], step["label"]) for step in json.loads(done.stdout)["steps"]}
    assert steps == {"slow": (commits[STEP], "REGRESSION"), "fast": (commits[STEP + 1], "REGRESSION")}
    assert "each in its environment: fast, slow" in done.stderr


def test_an_environment_with_too_few_results_is_named_as_not_judged_and_never_fine(tmp_path: Path) -> None:
    commits = make_repository(tmp_path, [str(i) for i in range(20)])
    for i, commit in enumerate(commits):
        write_result(tmp_path / RESULTS, commit, times(i, step_at=99, slow={}), environment="many")
        if i >= 16:
            seconds = times(i, step_at=17, slow={SLOW: 9.0})
            write_result(tmp_path / RESULTS, commit, seconds, environment="few")
    done = _regressions(tmp_path)
    assert done.returncode == 3
    assert "on here in many: 0 regressions" in done.stdout
    told = "Few has 4 commits with results, too few to judge: measure 8 or more, or name another one by --environment."
    assert told in done.stdout
    assert _regressions(tmp_path, "--environment", "many").returncode == 0
    assert _regressions(tmp_path, "--environment", "few").returncode == 4


def test_without_git_commits_need_dates_of_their_own(tmp_path: Path) -> None:
    for i in range(COMMITS):
        commit = f"{(i * 7919) % 65536:04x}" * 10  # names of files, in another order
        write_result(tmp_path / RESULTS, commit, times(i, step_at=STEP, slow={SLOW: 1.5}), position=i)
    assert _regressions(tmp_path).returncode == 0
    for path in (tmp_path / RESULTS).glob("here/*-*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**content, "date": None}), encoding="utf-8")
    done = _regressions(tmp_path)
    assert done.returncode == 3
    assert "40 of 40 commits with results have no date of their own" in done.stdout
    for path in (tmp_path / RESULTS).glob("here/*-*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**content, "date": 1_700_000_000_000}), encoding="utf-8")
    assert _regressions(tmp_path).returncode == 3


def test_a_checkout_behind_the_results_is_never_fine(tmp_path: Path, measured) -> None:
    folder, commits = measured
    git(tmp_path, "clone", "-q", f"file://{folder}", "clone")
    git(tmp_path / "clone", "checkout", "-q", commits[STEP - 2])
    done = _regressions(tmp_path / "clone", "--results", str(folder / RESULTS))
    told = "14 of 37 commits with results are not among the ancestors of HEAD: git pull, or check out the branch"
    assert (done.returncode, told in done.stdout) == (3, True)
    git(tmp_path / "clone", "checkout", "-q", "main")
    assert _regressions(tmp_path / "clone", "--results", str(folder / RESULTS)).returncode == 0


def test_a_few_kilobytes_of_memory_are_no_other_machine(tmp_path: Path) -> None:
    commits = make_repository(tmp_path, [str(i) for i in range(COMMITS)])
    for i, commit in enumerate(commits):
        machine = {"ram": str(8_000_000 + 4 * (i >= STEP)), "os": f"Linux 6.1.0-{30 + (i >= STEP)}-amd64"}
        write_result(tmp_path / RESULTS, commit, times(i, step_at=STEP, slow={SLOW: 1.5}), described=machine)
    (step,) = json.loads(_regressions(tmp_path, "--json", "-").stdout)["steps"]
    assert (step["label"], step["commit"]) == ("REGRESSION", commits[STEP])


CHANGES = [
    ({"ram": "8000000"}, {"ram": "8000004"}, ""),
    ({"ram": "8000000"}, {"ram": "8 GB"}, ""),
    ({"ram": "25276064"}, {"ram": "25276063744"}, ""),  # kilobytes, as asv wrote once, and bytes
    ({"ram": "7.6GiB"}, {"ram": "16GB"}, "ram 7.6GiB -> 16GB"),
    ({"ram": "plenty"}, {"ram": "16GB"}, "ram plenty -> 16GB"),
    ({"os": "Linux 6.8.0-45-generic"}, {"os": "Linux 6.8.0-47-generic"}, ""),
    ({"os": "Linux 6.8.0-45"}, {"os": "Linux 6.11.0-1"}, "os Linux 6.8.0-45 -> Linux 6.11.0-1"),
    ({"cpu": "A  CPU"}, {"cpu": "a CPU"}, ""),
    ({"cpu": "A CPU"}, {"cpu": "B CPU"}, "cpu A CPU -> B CPU"),
    ({"cpu": "Intel(R) Core(TM) i7-6700 CPU @ 3.40GHz"}, {"cpu": "Intel Core i7-6700"}, ""),
    ({"cpu": "Intel Core i7-6700"}, {"cpu": "Intel Core i7-7700"}, "cpu Intel Core i7-6700 -> Intel Core i7-7700"),
    ({"num_cpu": ""}, {"num_cpu": "8"}, ""),
    ({"numpy": "1.26"}, {"numpy": "1.26.0"}, ""),
    ({"numpy": "2"}, {"numpy": "20"}, "numpy 2 -> 20"),
    ({"numpy": "1.26"}, {"numpy": "1.26.4"}, "numpy 1.26 -> 1.26.4"),
    ({}, {"num_cpu": "8"}, ""),
    (
        {"numpy": "1.26"},
        {"numpy": "2.1", "dask": "", "jax": "0.6"},
        "numpy 1.26 -> 2.1, dask added without a version, jax 0.6 added",
    ),
    ({"numpy": "", "dask": ""}, {"numpy": "2.1"}, "numpy of any version -> 2.1, dask removed"),
    ({"numpy": ""}, {"numpy": ""}, ""),
    ({"python": "3.12"}, {"python": "3.13"}, "python 3.12 -> 3.13"),
]


@pytest.mark.parametrize(("before", "after", "said"), CHANGES)
def test_what_matters_of_an_environment_is_compared_and_named(
    before: dict[str, str], after: dict[str, str], said: str
) -> None:
    assert changes(before, after) == said


def test_a_shallow_clone_says_how_to_get_its_history_and_is_never_fine(tmp_path: Path, measured) -> None:
    folder, commits = measured
    git(tmp_path, "clone", "-q", "--depth", "12", f"file://{folder}", "clone")
    clone = tmp_path / "clone"
    done = _regressions(clone, "--results", str(folder / RESULTS), "--markdown", str(tmp_path / "steps.md"))
    told = "This clone is shallow, so 26 of 37 commits with results are beyond its history: run git fetch --unshallow"
    assert done.returncode == 3
    assert told in done.stdout
    assert told in (tmp_path / "steps.md").read_text(encoding="utf-8")
    git(clone, "fetch", "-q", "--unshallow")
    done = _regressions(clone, "--results", str(folder / RESULTS))
    assert (done.returncode, commits[STEP][:8] in done.stdout) == (0, True)


def test_a_clone_of_one_commit_without_results_is_never_fine(tmp_path: Path, measured) -> None:
    folder, _ = measured
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{folder}", "clone")
    git(tmp_path / "clone", "commit", "-q", "--allow-empty", "-m", "newer")
    shutil.copytree(folder / RESULTS, tmp_path / "clone" / RESULTS)
    for path in (tmp_path / "clone" / RESULTS).glob(f"*/{git(folder, 'rev-parse', '--short=8', 'HEAD').strip()}*"):
        path.unlink()
    done = _regressions(tmp_path / "clone")
    assert (done.returncode, "run git fetch --unshallow" in done.stdout) == (3, True)


def test_values_of_zero_or_less_are_left_out_beside_a_series_that_steps(tmp_path: Path) -> None:
    commits = make_repository(tmp_path, [str(i) for i in range(COMMITS)])
    for i, commit in enumerate(commits):
        seconds = times(i, step_at=STEP, slow={SLOW: 1.5})
        seconds[:4] = [0.0, -1.0, float(i % 2), 3.0]  # none, a number that is no time, a flag, a constant
        write_result(tmp_path / RESULTS, commit, seconds)
    done = _regressions(tmp_path, "--json", "-")
    record = json.loads(done.stdout)
    assert [(step["commit"], step["case"]) for step in record["steps"]] == [(commits[STEP], CASE.id)]
    (said,) = record["skipped"]
    assert said.startswith("100 values of zero or less are left out, since a step is a ratio: ")


def _older(results: Path) -> None:
    """Write all results as the first version of asv did."""
    for path in results.glob("*/*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        if path.name != "machine.json":
            values = {name: {"result": row[0], "params": row[1]} for name, row in content.pop("results").items()}
            content = {**content, "results": values, "benchmark_version": {}, "version": 1}
            path.write_text(json.dumps(content), encoding="utf-8")


def test_files_of_an_older_format_are_to_be_updated_and_never_fine(tmp_path: Path) -> None:
    commits = make_repository(tmp_path, [str(i) for i in range(COMMITS)])
    for i, commit in enumerate(commits[:STEP]):
        write_result(tmp_path / RESULTS, commit, times(i, step_at=STEP, slow={SLOW: 1.5}))
    _older(tmp_path / RESULTS)
    done = _regressions(tmp_path)
    told = f"all 25 files of results in {RESULTS / 'here'} are in an older format of asv: run asv update"
    assert (done.returncode, told in done.stderr) == (2, True)
    with pytest.raises(
        InputError, match=r"is in an older format of asv: run asv update in the folder of asv\.conf\.json"
    ):
        collect(tmp_path / RESULTS)
    for i, commit in enumerate(commits[STEP:], STEP):
        write_result(tmp_path / RESULTS, commit, times(i, step_at=STEP, slow={SLOW: 1.5}))
    done = _regressions(tmp_path)
    assert (done.returncode, "25 files are in an older format of asv" in done.stdout) == (3, True)
    config = '{"version": 1, "repo": ".", "project": "p", "results_dir": "reports/asv/results", "benchmark_dir": "b"}'
    (tmp_path / "asv.conf.json").write_text(config, encoding="utf-8")
    (tmp_path / "b").mkdir()
    command = [sys.executable, "-m", "asv", "update"]
    options = {"capture_output": True, "check": False}  # afterwards it asks for benchmarks, which are not here
    subprocess.run(command, cwd=tmp_path, env={**os.environ, "HOME": str(tmp_path)}, **options)
    done = _regressions(tmp_path)
    assert (done.returncode, commits[STEP][:8] in done.stdout) == (0, True)


def test_files_of_a_newer_asv_or_in_another_encoding_are_said_with_their_own_remedy(tmp_path: Path) -> None:
    path = write_result(tmp_path / RESULTS, "a" * 40, times(0, step_at=9, slow={}))
    text = path.read_text(encoding="utf-8")
    newer = json.dumps({**json.loads(text), "version": 3})
    told = {
        newer.encode("utf-8"): "was written by a newer asv than the one that is here: update asv",
        text.encode("utf-16"): "is not in UTF-8, in which asv writes: save it as UTF-8",
        text.encode(
            "utf-8-sig"
        ): "begins with a byte order mark, which asv does not read: save it as UTF-8 without one",
    }
    for content, sentence in told.items():
        path.write_bytes(content)
        done = _regressions(tmp_path)
        said = f"no file of results in {RESULTS / 'here'} can be read: {path.relative_to(tmp_path)} {sentence}"
        assert (done.returncode, done.stderr) == (2, f"gdbench: {said}\n")


def test_of_the_folder_of_one_machine_the_one_above_is_named(tmp_path: Path) -> None:
    write_result(tmp_path / RESULTS, "a" * 40, times(0, step_at=9, slow={}))
    done = _regressions(tmp_path, "--results", str(RESULTS / "here"))
    told = (
        f"{RESULTS / 'here'} is asv's folder of one machine, here: name the one above, {(tmp_path / RESULTS).resolve()}"
    )
    assert (done.returncode, done.stderr) == (2, f"gdbench: {told}\n")


def test_commits_of_other_branches_are_left_out_and_told(tmp_path: Path) -> None:
    commits = make_repository(tmp_path, ["0", "1"])
    git(tmp_path, "checkout", "-q", "-b", "aside", commits[0])
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "aside")
    other = git(tmp_path, "rev-parse", "HEAD").strip()
    git(tmp_path, "checkout", "-q", "main")
    for commit in (*commits, other):
        write_result(tmp_path / RESULTS, commit, times(0, step_at=9, slow={}))
    history = _history(tmp_path / RESULTS, "here", tmp_path)
    assert [commit.commit for commit in history.commits] == commits
    assert history.incomplete[0].startswith("1 of 3 commits with results are not among the ancestors of HEAD")


def test_no_results_is_one_sentence_that_says_how_to_make_them(tmp_path: Path) -> None:
    done = _regressions(tmp_path)
    assert done.returncode == 2
    assert "asv run" in done.stderr
    assert "Traceback" not in done.stderr


def test_too_few_results_are_exit_code_4(tmp_path: Path) -> None:
    commits = make_repository(tmp_path, [str(i) for i in range(3)])
    for i, commit in enumerate(commits):
        write_result(tmp_path / RESULTS, commit, times(i, step_at=9, slow={}))
    done = _regressions(tmp_path)
    assert done.returncode == 4
    assert "too few results" in done.stdout


def test_the_folder_of_results_is_that_of_asvs_configuration(tmp_path: Path) -> None:
    assert results_folder(ROOT) == ROOT / RESULTS
    assert results_folder(tmp_path) == tmp_path / RESULTS
    (tmp_path / "asv.conf.json").write_text('{\n  // kept elsewhere\n  "results_dir": "found"\n}', encoding="utf-8")
    assert results_folder(tmp_path) == tmp_path / "found"
    (tmp_path / "asv.conf.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="--results"):
        results_folder(tmp_path)


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
    history = _history(measured[0] / RESULTS, "here", measured[0])
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
    history = _history(tmp_path / RESULTS, "here", tmp_path)
    found, told, said = judge(history).proposals, {}, []
    confirm_all(history, found, told, tier="quick", folder=None, report=said.append)
    assert [(entry.status, entry.comparisons) for entry in told.values()] == [(OPEN, 0)]
    assert "other.time_it" in said[0]


def test_a_comparison_is_asked_for_one_case_and_counts_only_with_valid_controls(tmp_path: Path) -> None:
    asked = filters_of(CASE)
    assert (asked.network, asked.batch_size, asked.threads) == ((CASE.network,), (CASE.batch_size,), (1,))
    quiet = make([CASE])
    row = replace(quiet.cases[0], verdict="REGRESSED", ratio=1.2, low=1.1, high=None)
    record = replace(quiet, cases=(replace(row, metric="memory", verdict="UNCHANGED"), row))
    found = finding_of(record, CASE.id)
    assert (found.verdict, found.ratio) == ("REGRESSED", 1.2)
    assert np.isnan(found.high)
    assert finding_of(uncontrolled(record, "canaries differ"), CASE.id).verdict == "INVALID"
    assert finding_of(record, "another").verdict == "MISSING"
    (tmp_path / "aaaaaaaa-bbbbbbbb").mkdir()
    assert new_place(tmp_path, "a" * 40, "b" * 40).name == "aaaaaaaa-bbbbbbbb-2"


def test_a_size_beyond_percentages_is_written_as_a_factor(tmp_path: Path) -> None:
    commits = make_repository(tmp_path, [str(i) for i in range(30)])
    for i, commit in enumerate(commits):
        seconds = times(i, step_at=15, slow={SLOW: 1e6})
        write_result(tmp_path / RESULTS, commit, seconds)
    done = _regressions(tmp_path, "--markdown", "steps.md")
    assert done.returncode == 0
    written = (tmp_path / "steps.md").read_text(encoding="utf-8")
    assert " times (" in written
    assert "times %" not in written
