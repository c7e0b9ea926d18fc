"""The command line: bad input is one sentence that names the remedy, and changes nothing; help, lists and dry runs."""

import json
import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

import kernels
from gdbench import cli
from gdbench.cli import console
from gdbench.experiments import datasets
from gdbench.experiments.grid import Filters, expand, networks, profile
from gdbench.experiments.tasks import TASKS
from gdbench.run.plan import make_plan, write_plan

from ..helpers import ROOT, WIDE, call, contents, gdbench

GRID = tomllib.loads((ROOT / "benchmarks" / "grid.toml").read_text(encoding="utf-8"))
SMOKE = "run --profile smoke --network logistic"
LINEAR = "train --dataset diabetes --network linear"
BAD = {
    "nonsense": "No such command 'nonsense'",
    "--nonsense": "No such option",
    "list --nonsense": "No such option",
    "list more": "unexpected extra argument",
    "list --json": "'--json' requires an argument",
    "list --json full": "name a file",
    "list --json file/below": "name another",
    "check --network mpl": "softmax, mlp",
    "check --dataset mnist": "digits, mnist5k",
    "check --variant fast": "choose one of reference",
    "check --dtype float16": "choose one of float32, float64",
    "check --variant": "'--variant' requires an argument",
    "check --batch-size 8": "No such option",
    "run --profile medium": "choose one of smoke, quick",
    "run --profile": "'--profile' requires an argument",
    "run --profile smoke --network mlp": "logistic on breast_cancer",
    "run --profile smoke --dataset digits": "logistic on breast_cancer",
    f"{SMOKE} --variant fast": "choose one of reference",
    f"{SMOKE} --task backward": "choose one of forward, loss, gradient, epoch",
    f"{SMOKE} --dtype float16": "choose one of float32, float64",
    f"{SMOKE} --batch-size 0": "at least 1",
    f"{SMOKE} --batch-size -1": "at least 1",
    f"{SMOKE} --batch-size few": "whole numbers such as",
    f"{SMOKE} --batch-size 1.5": "whole numbers such as",
    f"{SMOKE} --batch-size 1,": "whole numbers such as",
    f"{SMOKE} --batch-size 570": "ask for a smaller one, or for n",
    f"{SMOKE} --threads 0": "at least 1",
    f"{SMOKE} --threads n": "whole numbers such as",
    f"{SMOKE} --seed few": "not a whole number, such as 0",
    f"{SMOKE} --seed -1": "at least 0",
    f"{SMOKE} --output full": "is not empty",
    f"{SMOKE} --output file": "name another",
    f"{SMOKE} --output file/below": "name another",
    f"{SMOKE} --json full": "name a file",
    f"{SMOKE} --json file/below": "name another",
    "run --resume": "start one",
    "run --resume --output nowhere": "name a folder that gdbench run made",
    "run --resume --output full": "name a folder that gdbench run made",
    "run --resume --output broken": "name a folder that gdbench run made",
    "run --resume --seed 0": "leave out --seed",
    "run --resume --profile smoke --variant jit": "leave out --variant, --profile",
    "report": "make one with gdbench run",
    "report nowhere": "name a folder that gdbench run made",
    "report file": "name a folder that gdbench run made",
    "report broken": "name a folder that gdbench run made",
    "report one two": "unexpected extra argument",
    "train": "Missing option '--dataset'",
    "train --dataset diabetes": "Missing option '--network'",
    "train --dataset mnist --network mlp": "choose one of",
    "train --dataset diabetes --network lineal": "choose one of linear",
    f"{LINEAR} --variant fast": "choose one of reference",
    f"{LINEAR} --dtype float16": "choose one of float32, float64",
    f"{LINEAR} --init ones": "choose one of",
    f"{LINEAR} --batch-size 0": "from 1 to 442",
    f"{LINEAR} --batch-size 443": "from 1 to 442",
    f"{LINEAR} --batch-size few": "say n for all rows",
    f"{LINEAR} --learning-rate 0": "try 0.1",
    f"{LINEAR} --learning-rate nan": "try 0.1",
    f"{LINEAR} --learning-rate fast": "not a number, such as 0.1",
    f"{LINEAR} --epochs -1": "at least 1",
    f"{LINEAR} --seed -1": "try 0",
    f"{LINEAR} --hidden 8": "choose the network mlp",
    f"{LINEAR} --compare-descents --batch-size 1": "choose a batch size from 2 to 441",
    f"{LINEAR} --output file": "name another",
    f"{LINEAR} --json full": "name a file",
    "train --dataset diabetes --network softmax": "use sigmoid",
    "train --dataset diabetes --network mlp --hidden wide": "whole numbers of at least 1, such as 64,32",
    "train --dataset diabetes --network mlp --activation step": "choose one of sigmoid",
}
"""Command lines of somebody who stands in ``folder``, and a part of the remedy that each is told."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user stands: a file, a folder with something in it, and what is left of a run."""
    (tmp_path / "file").write_text("mine")
    for name, text in (("full/mine.txt", "mine"), ("broken/plan.json", "{")):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the consoles of this process have no colours and wrap no sentence, whatever terminal the tests run in."""
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", WIDE)
    for out in (console.stdout, console.stderr):
        monkeypatch.setattr(out, "_width", int(WIDE))  # which COLUMNS may have set when the module was imported


@pytest.mark.parametrize("line", BAD)
def test_bad_input_is_one_sentence_with_a_remedy_and_changes_nothing(
    line: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(folder)
    code = call(line, monkeypatch)
    printed = capsys.readouterr()
    assert (code, printed.out) == (2, "")
    assert printed.err.startswith("gdbench: ")
    assert printed.err.count("\n") == 1
    assert BAD[line] in printed.err
    assert contents(folder) == before


@pytest.mark.parametrize("line", ["report nowhere", "run --nonsense"])
def test_a_process_that_is_told_nonsense_says_the_same(line: str, folder: Path) -> None:
    before = contents(folder)
    answer = gdbench(*shlex.split(line), cwd=folder)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("gdbench: ")
    assert answer.stderr.count("\n") == 1
    assert contents(folder) == before


@pytest.mark.parametrize("text", ["", "import not_installed_anywhere\n"], ids=["imports", "fails"])
@pytest.mark.parametrize("name", ["kernels.py", "kernels/__init__.py"])
def test_another_package_called_kernels_is_refused_in_one_sentence(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "cwd").mkdir()
    (tmp_path / "other" / name).parent.mkdir(parents=True)
    (tmp_path / "other" / name).write_text(text)
    answer = gdbench("list", cwd=tmp_path / "cwd", sources=tmp_path / "other")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.count("\n") == 1
    assert f"another package called kernels, {tmp_path / 'other' / 'kernels'}" in answer.stderr
    assert "install gdbench in an environment of its own" in answer.stderr


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_help_of_every_command_shows_an_example(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(f"{command} --help", monkeypatch) == 0
    printed = capsys.readouterr().out
    assert "Example" in printed
    assert f"\n  gdbench {command}" in printed.replace("    gdbench", "  gdbench")


@pytest.mark.parametrize("command", ["", *cli.COMMANDS])
def test_help_fits_a_terminal_of_80_columns_and_cuts_no_sentence_off(command: str) -> None:
    context = click.Context(cli.gdbench, info_name="gdbench", terminal_width=80)
    found = cli.gdbench.get_command(context, command) or cli.gdbench
    _usage, *lines = found.get_help(click.Context(found, info_name="gdbench", terminal_width=80)).splitlines()
    assert [line for line in lines if len(line) > 80 or line.endswith("...")] == []


@pytest.mark.parametrize("line", ["", "--help", "-h"])
def test_help_of_gdbench_names_its_commands_and_exit_codes(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(line, monkeypatch) == 0
    printed = capsys.readouterr()
    assert all(f"\n  {command} " in printed.out for command in cli.COMMANDS)
    assert "\nExit codes: 0 fine," in printed.out.replace("\n  ", "\n")
    assert "\\b" not in printed.out
    assert printed.err == ""


def test_list_tells_everything_that_can_be_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("list --json -", monkeypatch) == 0
    answer = json.loads(capsys.readouterr().out)
    names = {kind: [row["name"] for row in rows] for kind, rows in answer.items()}
    files = {path.stem for path in Path(kernels.__path__[0], "variants").glob("[!_]*.py")}
    assert {*names["variants"], *names["unavailable"]} == files
    assert names["networks"] == list(GRID["networks"])
    assert names["profiles"] == list(GRID["profiles"])
    assert names["datasets"] == list(datasets.names())
    assert names["tasks"] == list(TASKS)
    assert all(row["about"] for kind in ("networks", "tasks", "profiles") for row in answer[kind])


@pytest.mark.parametrize(
    ("options", "sizes"), [("", 3), ("--batch-size 1,n,100000", 2), ("--batch-size 8 --batch-size 8", 1)]
)
def test_a_dry_run_counts_the_cases_and_writes_nothing(
    options: str, sizes: int, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(folder)
    assert call(f"{SMOKE} --dry-run {options}", monkeypatch) == 0
    cases = sizes * len(GRID["profiles"]["smoke"]["tasks"]) * len(kernels.variants())
    printed = capsys.readouterr().out
    assert f"\n{cases} cases, 6 blocks, about " in printed
    assert "Nothing was measured or written" in printed
    assert contents(folder) == before


def test_a_dry_run_answers_machines_in_json_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("run --profile smoke --dry-run --json -", monkeypatch) == 0
    answer = json.loads(capsys.readouterr().out)
    smoke = GRID["profiles"]["smoke"]
    axes = (smoke["experiments"], smoke["tasks"], smoke["batch_sizes"], smoke["dtypes"], kernels.variants())
    cases = 1
    for axis in axes:
        cases *= len(axis)
    assert (answer["cases"], answer["blocks"]) == (cases, smoke["blocks"] * len(smoke["experiments"]))
    assert answer["estimated_seconds"] > 0


def test_a_name_given_twice_is_measured_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = []
    twice = "--variant jit,jit --task epoch --task epoch --dtype float64,float64 --threads 1,1"
    for options in (twice, "--variant jit --task epoch --dtype float64 --threads 1"):
        assert call(f"{SMOKE} --dry-run {options}", monkeypatch) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]


def test_a_run_stopped_before_its_first_block_has_no_report_yet(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, cases = networks()["logistic"], expand(profile("smoke"), Filters(network=("logistic",)))
    plan = make_plan(cases, profile="smoke", command="gdbench run", rounds=6, case_seconds=0.001, seed=0)
    assert plan.networks == {"logistic": spec}
    write_plan(folder / "begun", plan)
    assert call("report begun", monkeypatch) == 2
    assert "before its first block: go on with it by --resume" in capsys.readouterr().err


def test_more_threads_than_cores_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(f"{SMOKE} --threads 9999 --dry-run", monkeypatch) == 2
    assert "cores may be used: add --threads" in capsys.readouterr().err


def test_a_fault_of_ours_keeps_its_traceback_and_has_an_exit_code_of_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gdbench.cli.list.inventory", lambda: 1 / 0)
    assert call("list", monkeypatch) == 70
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("end", [SystemExit("the last words of a library"), GeneratorExit()], ids=["words", "other"])
def test_whatever_ends_a_command_unforeseen_has_not_the_code_of_a_regression(
    end: BaseException, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_it() -> None:
        raise end

    monkeypatch.setattr("gdbench.cli.list.inventory", raise_it)
    assert call("list", monkeypatch) == 70


def _ended(arguments: str, error_file: Path | None = None, **variables: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "gdbench", *arguments.split()]
    environment = {**os.environ, **variables}
    with (error_file or Path(os.devnull)).open("w") as full:
        streams = {"stdout": subprocess.PIPE, "stderr": full if error_file else subprocess.PIPE}
        return subprocess.run(command, env=environment, text=True, check=False, **streams)


def test_settings_under_which_numpy_cannot_be_imported_are_one_sentence() -> None:
    both = {"NPY_DISABLE_CPU_FEATURES": "AVX2", "NPY_ENABLE_CPU_FEATURES": "AVX2"}  # on no processor
    done = _ended("list", **both)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert done.stderr.startswith("gdbench: NumPy cannot be imported under NPY_")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a file on a full disk")
def test_an_error_that_cannot_be_written_keeps_its_code() -> None:
    assert _ended("nonsense", Path("/dev/full")).returncode == 2
