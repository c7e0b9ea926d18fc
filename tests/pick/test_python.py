"""``gdbench.pick`` asks what the command asks, from scripts and threads, and keeps what there is at Ctrl-C."""

import inspect
import os
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gdbench
from gdbench.basics.exit_codes import INTERRUPTED
from gdbench.cli.pick import command
from gdbench.cli.pick_options import question_of
from gdbench.experiments import datasets
from gdbench.machine import environment
from gdbench.pick import call, session
from gdbench.pick.data.arrays import read_arrays
from gdbench.pick.data.source import RowSource
from gdbench.pick.picked import Pick
from gdbench.pick.question import Question
from gdbench.pick.request import Request, build_question
from kernels import InputError, Network

from ..helpers import LIMIT_SECONDS, finish, invoke, wait_for

DIABETES = datasets.load("diabetes")
X, y = DIABETES.X, DIABETES.Y[:, 0]
EASY: dict[str, Any] = {
    "network": "linear",
    "loss_target": 0.3,
    "max_batch": 8,
    "tier": "quick",
    "budget": "2h",
    "variant": "vectorized",
    "workers": 1,
    "progress": False,
}
"""So easy a target that the search is short, and so long a budget that it never ends it."""
RENAMED = {"preset": "network", "scheme": "init", "no_standardise": "standardise"}
"""Parameters of the command that have another name in Python."""
FILES_ONLY = {"file", "dataset", "target", "no_header", "output", "replan", "json_path"}
"""Those that Python has no use for."""
SCRIPT = """
import sys
import numpy as np
import gdbench

print("beginning", __name__, flush=True)
rng = np.random.default_rng(0)
X = rng.normal(size=(300, 5))
y = X @ np.arange(5.0) + rng.normal(size=300)
found = gdbench.pick(X, y, network="linear", max_batch=8, variant="vectorized", fresh=True, **eval(sys.argv[1]))
print(found.exit_code, found.batch_size, found.record.complete, flush=True)
print("progress:", found.record.progress)
"""
"""It calls at its top level, without ``if __name__ == "__main__"``."""


@pytest.fixture(scope="module")
def hurried() -> Any:
    """The machine is no subject: one process times steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "measure_step_time", partial(session.measure_step_time, processes=1))
        patch.setattr(session, "observe", lambda threads: environment.describe())
        yield


@pytest.fixture(scope="module")
def picked(hurried: None, tmp_path_factory: pytest.TempPathFactory) -> Pick:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GDBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        return gdbench.pick(X, y, **EASY, current=5)


def test_arrays_get_an_answer(picked: Pick) -> None:
    assert picked.exit_code == 0
    assert picked.batch_size in picked.table["batch_size"].tolist()
    assert picked.table["batch_size"].tolist() == [1, 2, 4, 5, 8]
    row = picked.table[picked.table["chosen"]].iloc[0]
    assert (row["batch_size"], row["learning_rate"]) == (picked.batch_size, picked.learning_rate)
    assert row["measured"]
    assert row["steps"] >= 1
    assert picked.variant == "vectorized"
    assert picked.seconds.total > 0


def test_what_was_found_reaches_the_target_in_about_the_steps_that_are_told(picked: Pick) -> None:
    row = picked.table[picked.table["chosen"]].iloc[0]
    theta, made, steps = np.zeros(X.shape[1] + 1), 0, []
    for seed in range(20):
        rng, theta, made = np.random.default_rng(seed), np.zeros(X.shape[1] + 1), 0
        while ((X @ theta[:-1] + theta[-1] - y) ** 2).mean() / 2 > EASY["loss_target"]:
            rows = rng.choice(len(X), picked.batch_size)
            error = X[rows] @ theta[:-1] + theta[-1] - y[rows]
            theta -= picked.learning_rate * np.append(error @ X[rows], error.sum()) / len(rows)
            made += 1
        steps.append(made)
    assert 0.5 < np.median(steps) / row["steps"] < 2


def test_the_options_are_those_of_the_command_with_the_same_defaults() -> None:
    parameters = inspect.signature(gdbench.pick).parameters
    given = {RENAMED.get(each.name, each.name): each.default for each in command.params if each.name not in FILES_ONLY}
    assert {*parameters} == {"X", "y", "progress", *given}
    assert all(p.kind is p.KEYWORD_ONLY for name, p in parameters.items() if name not in ("X", "y"))
    usual = {name: p.default for name, p in parameters.items()}
    assert usual["network"] is inspect.Parameter.empty  # always to be named
    options = command.make_context("pick", ["--network", "mlp"]).params
    for name, value in usual.items():
        if name in given and name not in ("network", "standardise"):
            assert options[{new: old for old, new in RENAMED.items()}.get(name, name)] == value, name
    assert usual["standardise"] is (not options["no_standardise"])
    fields = Request.__dataclass_fields__
    assert {name: usual[name] for name in fields if name != "network"} == {
        name: each.default for name, each in fields.items() if name != "network"
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"network": "linear"}, "--network linear"),
        ({"network": "mlp", "hidden": (6, 5), "activation": "relu", "init": "he", "seed": np.int64(3)},
         "--network mlp --hidden 6,5 --activation relu --init he --seed 3"),
        ({"network": "mlp", "hidden": 7, "validation": 0.25, "loss_target": 0.4, "dtype": np.float32},
         "--network mlp --hidden 7 --validation 0.25 --loss-target 0.4 --dtype float32"),
        ({"network": "linear", "objective": "memory", "memory_limit": "1MB", "budget": 90, "standardise": False},
         "--network linear --objective memory --memory-limit 1MB --budget 90s --no-standardise"),
        ({"network": "mlp", "output_activation": "sigmoid", "loss": "cross_entropy", "kind": "classification"},
         "--network mlp --output-activation sigmoid --loss cross_entropy --kind classification"),
        ({"network": Network.linear(10, 1), "max_batch": 16, "current": 9},
         "--network linear --max-batch 16 --current 9"),
        ({"network": Network.mlp(10, 8, 1, output="identity", loss="squared_error")}, "--network mlp --hidden 8"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_the_question_is_that_of_the_command_with_the_same_words(
    options: dict[str, Any], words: str, tmp_path: Path
) -> None:
    classes = (y > 0).astype(int) if options.get("kind") else y
    np.savez(tmp_path / "data.npz", X=X, y=classes)
    there = question_of(command.make_context("pick", [str(tmp_path / "data.npz"), *words.split()]).params)
    here = asked(classes, **options)
    assert here.settings == there.settings
    assert (here.network, here.label, here.batch_sizes) == (there.network, there.label, there.batch_sizes)
    for found, expected in zip(
        (*here.rows, *(here.held_out or ())), (*there.rows, *(there.held_out or ())), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def asked(targets: Any, **options: Any) -> Question:
    request = Request(**options)
    dataset = read_arrays(X, targets, kind=request.usual_kind, standardise=request.standardise)
    return build_question(request, request.settings, RowSource(standardise=request.standardise), dataset)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"network": "linar"}, "there is no network 'linar': choose one of linear, logistic, softmax, mlp"),
        ({"network": 3}, "network must be a name or a kernels.Network, got 3: correct it"),
        ({"network": None}, "no network is named: add network with one of linear"),
        ({"network": "linear", "hidden": 3}, "the network linear takes no hidden layers: leave this out"),
        ({"network": "mlp", "hidden": (3, 2.5)}, "hidden must be a whole number, got 2.5"),
        ({"network": Network.linear(9, 1)}, "the network 9-1 identity+squared_error has 9 inputs, but the data 10"),
        ({"network": Network.linear(10, 1), "hidden": 4}, "has all of its layers, so leave out hidden"),
        ({"network": "softmax", "y": np.arange(442) % 2}, "softmax needs two outputs or more, but arrays has one"),
        ({"threads": "2"}, "threads must be a whole number, got '2': correct it or leave it out"),
        ({"threads": 0}, "threads must be at least 1, got 0: correct it or leave it out"),
        ({"seed": 1.5}, "seed must be a whole number, got 1.5"),
        ({"validation": "0.2"}, "validation must be a number, got '0.2'"),
        ({"validation": 1.2}, "validation must be a share of the rows between 0 and 1, got 1.2: try 0.2"),
        ({"standardise": "no"}, "standardise must be True or False, got 'no'"),
        ({"tier": "fast"}, "there is no tier 'fast': choose one of quick, standard, thorough"),
        ({"tier": ["quick"]}, "tier must be a text, got ['quick']"),
        ({"budget": "soon"}, "a time is a positive number with s, m or h, such as 2m, got 'soon': correct it"),
        ({"budget": -1}, "a time is a positive number with s, m or h, such as 2m, got -1: correct it"),
        ({"loss_target": None}, "loss_target must be a finite number or the word auto, got None: correct it"),
        ({"memory_limit": 1e6}, 'memory_limit belongs to objective="memory": leave one out or add the other'),
        ({"dtype": int}, "there is no dtype 'int64': choose one of float32, float64"),
        ({"variant": "torch"}, "there is no variant 'torch': choose one of"),
        ({"workers": 0}, "workers must be at least 1, got 0: correct it or leave it out"),
        ({"workers": "two"}, "workers must be a whole number, got 'two'"),
        ({"workers": 1, "scheduler": "tcp://127.0.0.1:1"}, "workers is for this machine, and a cluster has its own"),
        ({"X": np.where(X.max() == X, np.nan, X)}, "1 of 442 rows of X have missing values (in X[:, "),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)  # fmt: skip
def test_bad_input_is_one_sentence_in_the_words_of_python(options: dict[str, Any], sentence: str) -> None:
    arrays = {"X": X, "y": y, "network": "linear", "progress": False} | options
    with pytest.raises(InputError, match=re.escape(sentence)) as refused:
        gdbench.pick(**arrays)
    told = str(refused.value)
    assert "--" not in told
    assert "save the file" not in told
    assert "\n" not in told


@pytest.mark.usefixtures("hurried")
def test_where_nothing_has_to_be_trained_the_pick_says_so() -> None:
    found = gdbench.pick(X, y, network="linear", loss_target=0.01, progress=False)
    assert (found.batch_size, found.exit_code) == (None, 3)
    assert "No batch size can be recommended" in repr(found)
    assert "loss_target" in " ".join(found.record.sentences)
    assert found.record.command == "gdbench.pick(X, y, network='linear', loss_target=0.01)"


@pytest.mark.usefixtures("hurried")
def test_progress_is_told_on_standard_error_unless_it_is_not_wanted(capfd: pytest.CaptureFixture[str]) -> None:
    options = {"network": "linear", "loss_target": 0.01}
    gdbench.pick(X, y, **options, progress=False)
    assert capfd.readouterr() == ("", "")
    gdbench.pick(X, y, **options)
    out, err = capfd.readouterr()
    assert out == ""
    assert "looking for the least loss, at most" in err


@pytest.mark.usefixtures("hurried")
def test_it_works_in_a_thread_and_leaves_signals_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GDBENCH_CACHE", str(tmp_path))
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)}
    with ThreadPoolExecutor(1) as threads:
        found = threads.submit(gdbench.pick, X, y, **EASY).result()
    assert found.exit_code == 0
    assert {number: signal.getsignal(number) for number in before} == before
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("gdbench-pick")]


@pytest.mark.usefixtures("hurried")
def test_the_steps_of_a_saved_pick_are_taken_over_by_the_command(picked: Pick, tmp_path: Path) -> None:
    picked.save(tmp_path / "kept")
    np.savez(tmp_path / "data.npz", X=X, y=y)
    refused = invoke("pick", "--replan", "kept", cwd=tmp_path)
    assert refused.returncode == 2
    assert "numpy.savez('data.npz', X=X, y=y), and name that file" in refused.stderr
    again = invoke("pick", "--replan", "kept", "data.npz", "--objective", "steps", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "Use batch size" in again.stdout
    np.savez(tmp_path / "data.npz", X=X, y=-y)
    other = invoke("pick", "--replan", "kept", "data.npz", cwd=tmp_path)
    assert "data.npz has changed since the steps of this record were found" in other.stderr


def run(code: str, *arguments: str, cwd: Path) -> subprocess.Popen[str]:
    script = cwd / "script.py"
    script.write_text(code, encoding="utf-8")
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, str(script), *arguments], cwd=cwd, text=True, **streams)


def test_a_script_calls_it_at_its_top_level_and_begins_once(tmp_path: Path) -> None:
    done = finish(run(SCRIPT, repr({"loss_target": 0.3, "tier": "quick", "budget": "2h", "workers": 2}), cwd=tmp_path))
    assert done.returncode == 0, done.stderr
    first, second, _ = done.stdout.splitlines()
    assert first == "beginning __main__"
    assert re.fullmatch(r"0 [1248] True", second)


def test_ctrl_c_keeps_what_there_is_and_the_script_goes_on(tmp_path: Path) -> None:
    process = run(SCRIPT, repr({"loss_target": 0.26, "tier": "thorough", "budget": "2h"}), cwd=tmp_path)
    told: list[str] = []
    reader = threading.Thread(target=lambda: told.extend(iter(process.stderr.readline, "")))  # type: ignore[union-attr]
    reader.start()
    wait_for(lambda: any("finding a learning rate" in line or "all batch sizes" in line for line in told), process)
    process.send_signal(signal.SIGINT)
    assert process.wait(LIMIT_SECONDS) == 0
    reader.join()
    assert process.stdout
    _, answer, progress = process.stdout.read().splitlines()
    process.stdout.close()
    with suppress(AttributeError):
        process.stderr.close()
    assert answer.split()[0] == str(INTERRUPTED)
    assert answer.split()[2] == "False"
    assert progress.startswith("progress: stopped by Ctrl-C; last stage: ")


ONE_NAME = """
import sys
import gdbench

assert "numpy" not in sys.modules, "workers pin themselves before they import NumPy"
assert "pick" in dir(gdbench)
{first}
{second}
assert callable(gdbench.pick)
assert gdbench.pick.steps.tiers.QUICK.name == "quick"
import gdbench.pick.steps.answer as answer
assert answer.BUDGET
try:
    gdbench.picks
except AttributeError as error:
    print(error)
"""


@pytest.mark.parametrize("order", [1, -1], ids=["called first", "imported first"])
def test_the_name_is_that_of_the_package_and_of_what_is_called(order: int) -> None:
    first, second = ["assert callable(gdbench.pick)", "from gdbench.pick.steps.tiers import QUICK"][::order]
    code = ONE_NAME.format(first=first, second=second)
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, env=os.environ, check=False)
    assert (done.stdout, done.stderr) == ("module 'gdbench' has no attribute 'picks'\n", "")


def test_another_package_called_kernels_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise ImportError("Python finds another package called kernels")

    monkeypatch.setattr("gdbench.pick.check_kernels", refuse)
    with pytest.raises(ImportError, match="another package called kernels"):
        gdbench.pick(X, y, network="linear")
    assert call.answer
