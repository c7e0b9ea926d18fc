"""The workflow for pull requests runs our own command safely, and turns its exit codes into the right answer."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gdbench.compare.views.markdown import MARK

from ..helpers import ROOT, invoke

FILE = ROOT / ".github" / "workflows" / "compare.yml"
HEADING = "Compare a pull request with its base"
PASSES = {0: 0, 1: 1, 2: 2, 3: 0, 4: 4, 70: 70, 130: 130}
"""What a job ends with for each exit code of gdbench."""
GH = """#!/bin/sh
printf '%s\\n' "$*" >> "$CALLS"
case "$*" in *--paginate*) printf '%s\\n' "$FORMER" ;; esac
"""
"""Stands in for GitHub's own command: writes down what it was asked, and answers with the comment's number."""


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def steps(workflow: dict[Any, Any]) -> dict[str, dict[str, Any]]:
    (job,) = workflow["jobs"].values()
    return {step.get("name", step.get("uses")): step for step in job["steps"]}


def run(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script as GitHub does."""
    path = f"{folder / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin"
    return subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder,
        env={"PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def command(folder: Path, name: str, text: str) -> None:
    (folder / "bin").mkdir(exist_ok=True)
    path = folder / "bin" / name
    path.write_text(text)
    path.chmod(0o755)


def ending_with(folder: Path, code: int) -> None:
    """Make a gdbench that writes its arguments and a comment, and ends with the code."""
    command(folder, "gdbench", f'#!/bin/sh\nprintf "%s\\n" "$@" > arguments\necho slower > compare.md\nexit {code}\n')


def test_it_runs_with_few_rights_on_code_that_anyone_may_propose(workflow, steps):
    assert workflow[True] == "pull_request"  # YAML reads the word "on" so; never pull_request_target
    assert workflow["permissions"] == {"contents": "read", "pull-requests": "write"}
    checkout = steps["actions/checkout@v4"]["with"]
    assert checkout == {"fetch-depth": 0, "persist-credentials": False}
    assert steps["Comment on the pull request"]["if"].count("head.repo.full_name == github.repository") == 1


def test_no_text_of_a_pull_request_becomes_part_of_a_script(steps):
    scripts = [step["run"] for step in steps.values() if "run" in step]
    assert len(scripts) == 5
    assert not [script for script in scripts if "${{" in script]


@pytest.mark.parametrize("code", PASSES)
def test_the_command_gets_the_base_and_its_exit_code_is_kept(steps, tmp_path, code):
    ending_with(tmp_path, code)
    done = run(steps["Compare"]["run"], tmp_path, GITHUB_OUTPUT=str(tmp_path / "outputs"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "outputs").read_text() == f"code={code}\n"
    assert (tmp_path / "arguments").read_text().splitlines()[:3] == ["compare", "HEAD^1", "HEAD"]


@pytest.mark.parametrize(("code", "ends"), PASSES.items())
def test_the_job_fails_where_it_must_and_says_why(steps, tmp_path, code, ends):
    done = run(steps["Judge"]["run"], tmp_path, CODE=str(code))
    assert done.returncode == ends
    levels = {0: "", 3: "::warning::"}
    assert done.stdout.startswith(levels.get(code, "::error::"))
    assert ("::" in done.stdout) == (code != 0)


def test_a_job_whose_comparison_left_no_code_fails_and_each_message_is_different(steps, tmp_path):
    assert run(steps["Judge"]["run"], tmp_path, CODE="").returncode == 70
    said = [run(steps["Judge"]["run"], tmp_path, CODE=str(code)).stdout for code in (0, 1, 2, 3, 4)]
    assert len(set(said)) == 5


@pytest.mark.parametrize("former", ["", "4711\n4712"])
def test_the_comment_is_written_once_and_then_changed(steps, tmp_path, former):
    command(tmp_path, "gh", GH)
    script, calls = steps["Comment on the pull request"]["run"], tmp_path / "calls"
    known = {"REPOSITORY": "us/ours", "NUMBER": "7", "CALLS": str(calls), "FORMER": former}
    assert run(script, tmp_path, **known).returncode == 0
    assert not calls.exists()  # nothing to say
    (tmp_path / "compare.md").write_text("slower")
    assert run(script, tmp_path, **known).returncode == 0
    asked, written = calls.read_text().splitlines()
    assert MARK in asked
    assert "repos/us/ours/issues/7/comments" in asked
    if former:
        assert written == "api --silent --method PATCH repos/us/ours/issues/comments/4711 -F body=@compare.md"
    else:
        assert written == "pr comment 7 --repo us/ours --body-file compare.md"


def test_a_comment_that_cannot_be_written_is_a_warning(steps, tmp_path):
    command(tmp_path, "gh", "#!/bin/sh\nexit 1\n")
    (tmp_path / "compare.md").write_text("slower")
    done = run(steps["Comment on the pull request"]["run"], tmp_path, REPOSITORY="us/ours", NUMBER="7")
    assert done.returncode == 0
    assert done.stdout.startswith("::warning::")


def test_the_command_knows_every_option_that_the_workflow_gives_it(steps, tmp_path):
    said = invoke("compare", "--help", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    options = re.findall(r"--[a-z]+", steps["Compare"]["run"])
    assert len(options) == 3
    assert [option for option in options if not re.search(rf"{option}\b", said.stdout)] == []


def documented() -> str:
    """The shell script below the heading, in whichever document has it."""
    for path in (ROOT / "docs").glob("*.md"):
        found = re.search(rf"^#+ {HEADING}$.*?^```sh\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S)
        if found:
            return found[1]
    pytest.fail(f"no document has a section '{HEADING}' with a shell script")


@pytest.mark.parametrize(("code", "ends"), PASSES.items())
def test_the_documented_script_ends_as_the_workflow_does(tmp_path, code, ends):
    ending_with(tmp_path, code)
    command(tmp_path, "git", "#!/bin/sh\nif [ $1 = merge-base ]; then echo f00d; fi\n")  # a fetch needs a real remote
    done = run(documented(), tmp_path)
    assert done.returncode == ends, done.stderr
    assert (tmp_path / "arguments").read_text().splitlines()[:3] == ["compare", "f00d", "HEAD"]
