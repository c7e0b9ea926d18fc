"""What results cover: environments, machines, clones, formats; each is judged and named, or said to be missing."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gdbench.history.asv_cases import case_of
from gdbench.history.changes import changes
from gdbench.results import collect
from kernels import InputError

from ..helpers import invoke
from .asv_results import (
    BENCHMARK,
    CASES,
    COMMITS,
    RESULTS,
    SLOW,
    STEP,
    git,
    make_repository,
    regressions,
    times,
    write_result,
)

WEAK = 1.0204
CASE = case_of(BENCHMARK["name"], [repr(value) for value in CASES[SLOW]])


def test_environments_of_one_commit_are_never_mixed_and_each_is_judged(tmp_path: Path) -> None:
    """Only the newer one steps, and it has fewer commits; the older one is fast on the commits that both have."""
    commits = make_repository(tmp_path, [str(i) for i in range(COMMITS)])
    for i, commit in enumerate(commits):
        slow = times(i, step_at=STEP, slow={SLOW: 1.5})
        if i < STEP + 2:
            write_result(tmp_path / RESULTS, commit, times(i, step_at=99, slow={}), environment="old")
        if i > 10:
            write_result(tmp_path / RESULTS, commit, slow, environment="new")
    done = regressions(tmp_path, "--json", "-", "--output", str(tmp_path / "page"))
    record = json.loads(done.stdout)
    assert record["environments"] == ["new", "old"]
    assert [(step["commit"], step["environment"]) for step in record["steps"]] == [(commits[STEP], "new")]
    assert (record["commits"], record["judged"]) == (COMMITS, 2 * len(CASES))
    assert "each in its environment: new, old" in done.stderr
    assert f"{CASE.id} in new" in done.stderr
    page = (tmp_path / "page" / "regressions.html").read_text(encoding="utf-8")
    assert f"{CASE.id} in new" in page
    only = json.loads(regressions(tmp_path, "--json", "-", "--environment", "old").stdout)
    assert (only["environments"], only["steps"], only["commits"]) == (["old"], [], STEP + 2)
    refused = regressions(tmp_path, "--environment", "another")
    assert (refused.returncode, refused.stderr) == (
        2,
        "gdbench: there are no results of the environment another: choose new, old\n",
    )


def test_the_error_rate_of_an_environment_is_the_same_where_only_that_one_is_asked_for(tmp_path: Path) -> None:
    """In noise of 1 %, twelve series would show this step, and it is not certain among twenty-four."""
    commits = make_repository(tmp_path, [str(i) for i in range(COMMITS)])
    rng = np.random.default_rng(5)
    for i, commit in enumerate(commits):
        for name in ("new", "old"):
            seconds = np.exp(0.01 * rng.normal(size=len(CASES)))
            seconds[SLOW] *= WEAK if (name, i >= STEP) == ("new", True) else 1.0
            write_result(tmp_path / RESULTS, commit, seconds.tolist(), environment=name)
    done = regressions(tmp_path, "--json", "-", "--environment", "new")
    only, both = json.loads(done.stdout), json.loads(regressions(tmp_path, "--json", "-").stdout)
    assert (only["judged"], only["n_series"], both["judged"], both["n_series"]) == (12, 24, 24, 24)
    assert only["steps"] == [step for step in both["steps"] if step["environment"] == "new"] == []
    assert "one error rate holds for all 24 cases of this machine, those of environments that were not" in done.stderr
    for path in (tmp_path / RESULTS / "here").glob("*-old.json"):
        path.unlink()
    (step,) = json.loads(regressions(tmp_path, "--json", "-").stdout)["steps"]
    assert step["case"] == CASE.id


def test_environments_that_follow_each_other_are_one_history(tmp_path: Path) -> None:
    """asv names an environment after its packages: one without a version was added when the time stepped."""
    commits = make_repository(tmp_path, [str(i) for i in range(COMMITS)])
    for i, commit in enumerate(commits):
        packages = {"somepackage": ""} if i >= STEP else {}
        write_result(tmp_path / RESULTS, commit, times(i, step_at=STEP, slow={SLOW: 1.5}), packages=packages)
    done = regressions(tmp_path, "--json", "-")
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
    done = regressions(tmp_path, "--json", "-")
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
    done = regressions(tmp_path)
    assert done.returncode == 3
    assert "on here in many: 0 regressions" in done.stdout
    told = "Few has 4 commits with results, too few to judge: measure 8 or more, or name another one by --environment."
    assert told in done.stdout
    assert regressions(tmp_path, "--environment", "many").returncode == 0
    assert regressions(tmp_path, "--environment", "few").returncode == 4


def test_without_git_commits_need_dates_of_their_own(tmp_path: Path) -> None:
    for i in range(COMMITS):
        commit = f"{(i * 7919) % 65536:04x}" * 10  # names of files, in another order
        write_result(tmp_path / RESULTS, commit, times(i, step_at=STEP, slow={SLOW: 1.5}), position=i)
    assert regressions(tmp_path).returncode == 0
    for path in (tmp_path / RESULTS).glob("here/*-*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**content, "date": None}), encoding="utf-8")
    done = regressions(tmp_path)
    assert done.returncode == 3
    assert "40 of 40 commits with results have no date of their own" in done.stdout
    for path in (tmp_path / RESULTS).glob("here/*-*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**content, "date": 1_700_000_000_000}), encoding="utf-8")
    assert regressions(tmp_path).returncode == 3


def test_a_checkout_behind_the_results_is_never_fine(tmp_path: Path, measured) -> None:
    folder, commits = measured
    git(tmp_path, "clone", "-q", f"file://{folder}", "clone")
    git(tmp_path / "clone", "checkout", "-q", commits[STEP - 2])
    done = regressions(tmp_path / "clone", "--results", str(folder / RESULTS))
    told = "14 of 37 commits with results are not among the ancestors of HEAD: git pull, or check out the branch"
    assert (done.returncode, told in done.stdout) == (3, True)
    git(tmp_path / "clone", "checkout", "-q", "main")
    assert regressions(tmp_path / "clone", "--results", str(folder / RESULTS)).returncode == 0


def test_a_few_kilobytes_of_memory_are_no_other_machine(tmp_path: Path) -> None:
    commits = make_repository(tmp_path, [str(i) for i in range(COMMITS)])
    for i, commit in enumerate(commits):
        machine = {"ram": str(8_000_000 + 4 * (i >= STEP)), "os": f"Linux 6.1.0-{30 + (i >= STEP)}-amd64"}
        write_result(tmp_path / RESULTS, commit, times(i, step_at=STEP, slow={SLOW: 1.5}), described=machine)
    (step,) = json.loads(regressions(tmp_path, "--json", "-").stdout)["steps"]
    assert (step["label"], step["commit"]) == ("REGRESSION", commits[STEP])


def test_what_somebody_adds_to_the_description_of_a_machine_changes_nothing(tmp_path: Path) -> None:
    commits = make_repository(tmp_path, [str(i) for i in range(COMMITS)])
    for i, commit in enumerate(commits):
        machine = {"note": "moved", "hostname": "b"} if i >= STEP else {"hostname": "a"}
        write_result(tmp_path / RESULTS, commit, times(i, step_at=STEP, slow={SLOW: 1.5}), described=machine)
    (step,) = json.loads(regressions(tmp_path, "--json", "-").stdout)["steps"]
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
    ({"python": "3.12"}, {"python": "3.12.1"}, ""),  # the same, told less exactly
    ({"python": "3.1"}, {"python": "3.12.1"}, "python 3.1 -> 3.12.1"),
    ({"python": "3.12.1"}, {"python": "3.12.2"}, "python 3.12.1 -> 3.12.2"),
    ({"numpy": "2.1"}, {"numpy": " 2.1 "}, ""),
    ({"numpy": "2.1"}, {"numpy": "==2.1"}, ""),
    ({"numpy": "2.1"}, {"numpy": "v2.1"}, ""),
    ({"numpy": "2.1"}, {"numpy": ">=2.1"}, "numpy 2.1 -> >=2.1"),
    ({"NumPy": "2.1"}, {"numpy": "2.1"}, ""),
    ({"numpy": "2.1"}, {"pip+numpy": "2.1"}, ""),
    ({"numpy": "2.1"}, {"pip+numpy": "2.2"}, "numpy 2.1 -> 2.2"),
    ({"ram": "16 GB"}, {"ram": "16,384 MB"}, ""),
    ({"arch": "x86_64"}, {"arch": "AMD64"}, ""),
    ({"arch": "x86_64"}, {"arch": "arm64"}, "arch x86_64 -> arm64"),
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
    done = regressions(clone, "--results", str(folder / RESULTS), "--markdown", str(tmp_path / "steps.md"))
    told = "This clone is shallow, so 26 of 37 commits with results are beyond its history: run git fetch --unshallow"
    assert done.returncode == 3
    assert told in done.stdout
    assert told in (tmp_path / "steps.md").read_text(encoding="utf-8")
    git(clone, "fetch", "-q", "--unshallow")
    done = regressions(clone, "--results", str(folder / RESULTS))
    assert (done.returncode, commits[STEP][:8] in done.stdout) == (0, True)


def test_a_clone_of_one_commit_without_results_is_never_fine(tmp_path: Path, measured) -> None:
    folder, _ = measured
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{folder}", "clone")
    git(tmp_path / "clone", "commit", "-q", "--allow-empty", "-m", "newer")
    shutil.copytree(folder / RESULTS, tmp_path / "clone" / RESULTS)
    for path in (tmp_path / "clone" / RESULTS).glob(f"*/{git(folder, 'rev-parse', '--short=8', 'HEAD').strip()}*"):
        path.unlink()
    done = regressions(tmp_path / "clone")
    assert (done.returncode, "run git fetch --unshallow" in done.stdout) == (3, True)


def test_a_repository_of_another_user_says_how_to_let_git_read_it_and_is_never_fine(measured) -> None:
    folder, _ = measured
    strangers = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = invoke("regressions", cwd=folder, **strangers)
    told = (
        f"Git reads nothing of {folder}, which belongs to another user: "
        f"run git config --global --add safe.directory {folder}."
    )
    assert (done.returncode, told in done.stdout) == (3, True)


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
    done = regressions(tmp_path)
    told = f"all 25 files of results in {RESULTS / 'here'} are in an older format of asv: run asv update"
    assert (done.returncode, told in done.stderr) == (2, True)
    with pytest.raises(
        InputError, match=r"is in an older format of asv: run asv update in the folder of asv\.conf\.json"
    ):
        collect(tmp_path / RESULTS)
    for i, commit in enumerate(commits[STEP:], STEP):
        write_result(tmp_path / RESULTS, commit, times(i, step_at=STEP, slow={SLOW: 1.5}))
    done = regressions(tmp_path)
    assert (done.returncode, "25 files are in an older format of asv" in done.stdout) == (3, True)
    config = '{"version": 1, "repo": ".", "project": "p", "results_dir": "reports/asv/results", "benchmark_dir": "b"}'
    (tmp_path / "asv.conf.json").write_text(config, encoding="utf-8")
    (tmp_path / "b").mkdir()
    command = [sys.executable, "-m", "asv", "update"]
    options = {"capture_output": True, "check": False}  # afterwards it asks for benchmarks, which are not here
    subprocess.run(command, cwd=tmp_path, env={**os.environ, "HOME": str(tmp_path)}, **options)
    done = regressions(tmp_path)
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
        done = regressions(tmp_path)
        said = f"no file of results in {RESULTS / 'here'} can be read: {path.relative_to(tmp_path)} {sentence}"
        assert (done.returncode, done.stderr) == (2, f"gdbench: {said}\n")


def test_of_the_folder_of_one_machine_the_one_above_is_named(tmp_path: Path) -> None:
    write_result(tmp_path / RESULTS, "a" * 40, times(0, step_at=9, slow={}))
    done = regressions(tmp_path, "--results", str(RESULTS / "here"))
    told = (
        f"{RESULTS / 'here'} is asv's folder of one machine, here: name the one above, {(tmp_path / RESULTS).resolve()}"
    )
    assert (done.returncode, done.stderr) == (2, f"gdbench: {told}\n")
