"""``gdbench pick`` from the command line: the answer and its files, the same steps wherever they run, and refusals."""

import json
import os
import subprocess
import sys
import time
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from threadpoolctl import threadpool_limits

from gdbench.basics.records import plain
from gdbench.cli import console, pick_show
from gdbench.cli import pick as cli_pick
from gdbench.cli.pick import command
from gdbench.cli.pick_options import question_of
from gdbench.machine import environment
from gdbench.pick import session
from gdbench.pick.data.source import describe
from gdbench.pick.finding import find_steps, known_target, least_loss, make_problem, start_loss
from gdbench.pick.progress import Clock, Doing
from gdbench.pick.quantities import read_bytes, read_seconds
from gdbench.pick.record.record import read_record
from gdbench.pick.replan import ask_again
from gdbench.pick.runners import cluster
from gdbench.pick.runners.serial import serial
from gdbench.pick.seconds.times import Times
from gdbench.pick.steps import tiers
from kernels import InputError

from ..helpers import LIMIT_SECONDS, WIDE, contents, finish, invoke, start
from .pick_records import make_record, make_times

DIABETES = ("--dataset", "diabetes", "--network", "linear")
CURRENT = 100
QUICK = ("--tier", "quick", "--current", str(CURRENT), "--budget", "2h")
"""So long a budget never ends a search."""
NEAR = ("--loss-target", "0.3", "--max-batch", "16")
"""So easy a target that searches are short; several files search for it."""
PICK = """
from dataclasses import replace
from functools import partial
from gdbench.cli import main
from gdbench.pick import session
from gdbench.pick.steps import tiers

tiers.TIERS["quick"] = replace(tiers.QUICK, times_seconds=0.5)
session.measure_step_time = partial(session.measure_step_time, processes=2)
main()
"""
"""The command, which spends less on seconds a step than usual, and has fewer processes for them."""
SHORT = {"times_seconds": 1e-3, "regret": 0.1, "error": 0.1, "rate_error": 0.1, "racing_runs": 16}
"""A tier of searches that content themselves with few runs."""
FILES = {"pick.json", "report.md", "pick.png", "pick.html"}


def cache_beside(cwd: Path) -> Path:
    return cwd.with_name(f"{cwd.name} cache")


def pick_here(*arguments: str, cwd: Path) -> Any:
    return invoke("pick", *arguments, cwd=cwd, GDBENCH_CACHE=str(cache_beside(cwd)))


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machine and pictures are no subject: a process visits each batch size once, and draws nothing."""
    be_short(monkeypatch)
    monkeypatch.setattr(cli_pick, "MAX_SECONDS", 1e-3)
    monkeypatch.setattr(session, "measure_step_time", partial(session.measure_step_time, processes=1))
    monkeypatch.setattr(session, "observe", lambda threads: environment.describe())
    monkeypatch.setattr(cli_pick, "write_views", lambda record, folder: ("pick.html",))


def be_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let searches content themselves with few runs."""
    monkeypatch.setitem(tiers.TIERS, "quick", replace(tiers.QUICK, **SHORT))


def strict(text: str) -> dict[str, Any]:
    """Read JSON as the standard has it: without NaN and Infinity."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    found: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return found


def close_to(value: Any) -> Any:
    """What compares equal to a record's part that another process computed: the same but for rounding."""
    if isinstance(value, dict):
        return {key: close_to(item) for key, item in value.items()}
    if isinstance(value, list):
        return [close_to(item) for item in value]
    return pytest.approx(value, rel=1e-9, abs=0) if isinstance(value, float) else value


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("picks")


@pytest.fixture(scope="module")
def done(folder: Path) -> Any:
    """A pick on small data, its trainings in processes."""
    command = [sys.executable, "-c", PICK, "pick", *DIABETES, *QUICK, "--json", "-", "--output", "one"]
    variables = {**os.environ, "GDBENCH_CACHE": str(folder / "cache"), "COLUMNS": WIDE}
    variables.pop("FORCE_COLOR", None)
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return finish(subprocess.Popen(command, cwd=folder, env=variables, text=True, encoding="utf-8", **streams))


@pytest.fixture(scope="module")
def record(done: Any) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    return strict(done.stdout)


def test_the_answer_is_told_and_written_with_nothing_but_json_on_standard_output(
    done: Any, record: dict[str, Any], folder: Path
) -> None:
    assert (record["status"], record["complete"], record["exit_code"]) == ("reached", True, 0)
    assert {row["batch_size"] for row in record["steps"]["rows"]} >= {1, CURRENT, 442}
    assert record["sentences"][0] in done.stderr
    assert set(contents(folder / "one")) == FILES
    assert strict((folder / "one" / "pick.json").read_text(encoding="utf-8")) == record
    assert all(value > 0 for value in record["seconds"].values())


def test_no_process_is_left(done: Any, folder: Path) -> None:
    """All that the command starts inherit where its cache is."""

    def left() -> list[psutil.Process]:
        found = psutil.process_iter(["environ"])
        ours = str(folder / "cache")
        return [process for process in found if (process.info["environ"] or {}).get("GDBENCH_CACHE") == ours]

    end = time.monotonic() + LIMIT_SECONDS
    while left():
        assert time.monotonic() < end, left()
        time.sleep(0.05)


def test_the_cost_is_announced_before_anything_is_measured(done: Any) -> None:
    lines = done.stderr.splitlines()
    assert lines[0].startswith("linear, 10-1 on diabetes (n = 442, d = 10, k = 1)")
    assert "11 batch sizes from 1 to 442" in lines[1]
    assert "at most 2 h," in lines[1]
    assert lines[2].startswith("Picking: looking at the machine, at most")
    assert f"trainings at batch size {CURRENT}" in done.stderr


def steps_here(arguments: list[str], times: Times) -> Any:
    """Steps that the same question has with these seconds a step, its trials run in this process one after another.

    Its budget is so long that none of its decisions depend on the time.
    """
    question = question_of(options_of(arguments))
    with threadpool_limits(limits=1), serial() as runner:
        start, optimum = start_loss(question), least_loss(question)
        problem, target = make_problem(question, times, start, optimum), known_target(question, start, optimum)
        clock = Clock(1e6, lambda doing: None)
        found = find_steps(question, problem, target, start, times, runner=runner, clock=clock, reserve=0.0)
    return without_times(plain(found))


def without_times(steps: dict[str, Any]) -> dict[str, Any]:
    """All of a record's steps but how long it took to find them."""
    return {name: value for name, value in steps.items() if name != "look_share"}


def options_of(arguments: list[str]) -> dict[str, Any]:
    """Parse a command line as the command does."""
    return command.make_context("pick", [*arguments]).params  # it takes the list apart


@pytest.mark.usefixtures("record")
def test_the_steps_are_those_of_a_search_in_one_process(record: dict[str, Any], folder: Path) -> None:
    here = steps_here([*DIABETES, *QUICK], read_record(folder / "one").times)
    assert without_times(record["steps"]) == close_to(here)


def test_the_same_seed_has_the_same_steps_and_another_one_others(monkeypatch: pytest.MonkeyPatch) -> None:
    be_short(monkeypatch)
    times = make_times((1, 4, 16))
    first, again, other = (
        steps_here([*DIABETES, *QUICK, *NEAR, "--seed", seed], times)["rows"] for seed in ("0", "0", "1")
    )
    assert first == close_to(again)
    assert first != close_to(other)


@pytest.mark.usefixtures("hurried")
def test_a_new_plan_runs_no_trial_and_says_what_it_was_before(record: dict[str, Any], folder: Path) -> None:
    options = ("--replan", "one", "--variant", "vectorized", "--json", "-")
    found = pick_here(*options, cwd=folder)
    assert found.returncode == 0, found.stderr
    again = strict(found.stdout)
    assert again["steps"] == record["steps"]
    assert {row["variant"] for row in again["times"]["rows"]} == {"vectorized"}
    assert {row["variant"] for row in record["times"]["rows"]} != {"vectorized"}
    assert (folder / "cache" / "picks").exists()
    assert not (cache_beside(folder) / "picks").exists()
    assert again["seconds"]["steps"] is None
    assert again["earlier"]["batch_size"] == record["choice"]["batch_size"]
    assert "The steps are the same" in " ".join((*again["sentences"], *again["details"]))


@pytest.mark.usefixtures("record")
def test_a_new_plan_keeps_what_is_not_named(folder: Path) -> None:
    kept = read_record(folder / "one")
    changed = ask_again(kept, {"objective": "compute", "dtype": "float32"})
    assert (changed.settings.objective, changed.settings.dtype) == ("compute", "float32")
    assert (changed.settings.current, changed.settings.tier) == (CURRENT, "quick")
    assert changed.batch_sizes == tuple(row.batch_size for row in kept.steps.rows)
    blend = replace(kept, settings=replace(kept.settings, objective="blend", time_weight=0.3))
    assert ask_again(blend, {}).settings.weight == 0.3
    with pytest.raises(InputError, match="has no steps: name a record of a search that found them"):
        ask_again(replace(kept, steps=None), {})


def test_a_new_plan_refuses_data_that_have_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), columns=["a", "b", "price"])
    rows.to_csv("houses.csv", index=False)
    question = question_of(options_of(["houses.csv", "--target", "price", "--network", "linear"]))
    kept = replace(
        make_record(times=make_times((8,)), objective="throughput"),
        data=describe(question.source, question.dataset, n_rows=question.n_rows),
        network=question.network,
        steps=None,
    )
    assert ask_again(kept, {}).dataset.sha256 == question.dataset.sha256
    Path("houses.csv").rename("moved.csv")
    with pytest.raises(InputError, match=r"no file houses\.csv"):
        ask_again(kept, {})
    assert ask_again(kept, {}, file="moved.csv").batch_sizes == (8,)
    (rows + 1e-9).to_csv("moved.csv", index=False)
    with pytest.raises(InputError, match="has changed since"):
        ask_again(kept, {}, file="moved.csv")


# --- statuses: what cannot be answered ---

STATUSES = {
    "unreachable": ((*DIABETES, "--loss-target", "0.1"), "capped", "the least training loss there is"),
    "met": ((*DIABETES, "--loss-target", "9"), "met at the start", "nothing to train"),
    "budget": ((*DIABETES, "--budget", "0.01s"), "budget", "Give a larger --budget"),
}


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("name", STATUSES)
def test_without_an_answer_there_is_a_status_a_reason_and_no_number(name: str, tmp_path: Path) -> None:
    options, status, words = STATUSES[name]
    found = pick_here(*options, "--tier", "quick", "--variant", "vectorized", "--json", "a.json", cwd=tmp_path)
    assert found.returncode == 3, found.stderr
    kept = strict((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert (kept["status"], kept["choice"], kept["complete"], kept["exit_code"]) == (status, None, True, 3)
    assert words in found.stdout
    assert "Use batch size" not in found.stdout
    assert name != "unreachable" or "longer" not in found.stdout  # no search is long enough


def test_two_at_once_in_a_folder_lose_no_answer(tmp_path: Path) -> None:
    """A target that is met needs no training, so that both write in the same moment."""
    (tmp_path / "cache").mkdir()
    sizes = ("4", "8")
    options = ("--dataset", "diabetes", "--network", "mlp", "--loss-target", "1e9")
    both = [
        start("pick", *options, "--hidden", size, cwd=tmp_path, GDBENCH_CACHE=str(tmp_path / "cache")) for size in sizes
    ]
    found = [finish(process) for process in both]
    assert [process.returncode for process in found] == [3, 3], [process.stderr for process in found]
    records = [json.loads(path.read_text(encoding="utf-8")) for path in tmp_path.glob("picks/*/pick.json")]
    assert sorted(record["network"]["sizes"][1] for record in records) == [4, 8]
    assert all(len(list(path.iterdir())) == 4 for path in (tmp_path / "picks").iterdir())


# --- refusals: one sentence, and nothing is written ---


def write_files(folder: Path) -> None:
    """Files that users have, with what is wrong in their names."""
    rng = np.random.default_rng(0)
    good = pd.DataFrame(rng.normal(size=(20, 3)), columns=["a", "b", "price"])
    good.to_csv(folder / "good.csv", index=False)
    good.iloc[:1].to_csv(folder / "one_row.csv", index=False)
    good.iloc[:2].to_csv(folder / "two_rows.csv", index=False)
    good.assign(kind="one").to_csv(folder / "one_class.csv", index=False)
    good.assign(a=good["a"].mask(good["a"] > 1)).to_csv(folder / "missing.csv", index=False)
    (good * [1e60, 1, 1]).to_csv(folder / "huge.csv", index=False)
    (good * [1e160, 1, 1]).to_csv(folder / "overflowing.csv", index=False)
    (folder / "binary.csv").write_bytes(rng.bytes(1000))


LINEAR = ("--target", "price", "--network", "linear")
REFUSED = {
    "no data": (("--network", "linear"), "--dataset or a file"),
    "both": (("good.csv", *DIABETES), "not both"),
    "no network": (("--dataset", "diabetes"), "add --network"),
    "no file": (("no.csv", *LINEAR), "no file no.csv"),
    "binary": (("binary.csv", *LINEAR), "not text in UTF-8"),
    "no target": (("good.csv", "--target", "value", "--network", "linear"), "no column 'value'"),
    "one class": (("one_class.csv", "--target", "kind", "--network", "softmax"), "of one class"),
    "one row": (("one_row.csv", *LINEAR), "fewer than 2 rows"),
    "one row left": (("two_rows.csv", *LINEAR, "--validation", "0.5"), "a single row is left"),
    "missing": (("missing.csv", *LINEAR), "missing values"),
    "float32": (("huge.csv", *LINEAR, "--no-standardise", "--dtype", "float32"), "beyond the range of float32"),
    "overflow": (("overflowing.csv", *LINEAR, "--no-standardise"), "loss before the first step is not finite"),
    "target of a data set": ((*DIABETES, "--target", "x"), "--target belongs to a file"),
    "objective": ((*DIABETES, "--objective", "speed"), "no objective 'speed'"),
    "memory": ((*DIABETES, "--objective", "memory"), "add --memory-limit"),
    "too little memory": ((*DIABETES, "--objective", "memory", "--memory-limit", "10B"), "more than --memory-limit"),
    "memory without need": ((*DIABETES, "--memory-limit", "1GB"), "belongs to --objective memory"),
    "weight": ((*DIABETES, "--objective", "blend", "--time-weight", "2"), "from 0 to 1"),
    "variant": ((*DIABETES, "--variant", "fast"), "no variant 'fast'"),
    "variant that does not fit": (
        (
            *("--dataset", "breast_cancer", "--network", "mlp", "--output-activation", "sigmoid"),
            *("--loss", "squared_error", "--variant", "sklearn_partial_fit"),
        ),
        "does not compute",
    ),
    "tier": ((*DIABETES, "--tier", "slow"), "no tier 'slow'"),
    "budget": ((*DIABETES, "--budget", "2x"), "such as 2m"),
    "no time": ((*DIABETES, "--budget", "0"), "a positive number"),
    "loss": ((*DIABETES, "--loss-target", "low"), "--loss-target must be"),
    "negative loss": ((*DIABETES, "--loss-target", "-1"), "--loss-target must be at least 0"),
    "current": ((*DIABETES, "--current", "443"), "--current must be a whole number from 1 to 442"),
    "max batch": ((*DIABETES, "--max-batch", "0"), "--max-batch must be"),
    "validation": ((*DIABETES, "--validation", "1"), "between 0 and 1"),
    "seed": ((*DIABETES, "--seed", "-1"), "the seed must be"),
    "threads": ((*DIABETES, "--threads", "0"), "--threads must be at least 1"),
    "workers": ((*DIABETES, "--workers", "0"), "--workers must be at least 1"),
    "two places": ((*DIABETES, "--workers", "2", "--scheduler", "tcp://127.0.0.1:1"), "leave out --workers"),
    "scheduler": ((*DIABETES, "--scheduler", "tcp://127.0.0.1:1"), "no Dask scheduler answers"),
    "no record": (("--replan", "nowhere"), "name a pick.json that gdbench pick wrote"),
    "replan with data": (("--replan", "nowhere", *DIABETES), "does not go with --replan"),
    "output": ((*DIABETES, "--output", "good.csv/x"), "is no folder"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_is_one_sentence_and_leaves_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.3)
    options, words = REFUSED[name]
    write_files(tmp_path)
    before = contents(tmp_path)
    found = pick_here(*options, cwd=tmp_path)
    said = found.stderr.splitlines()
    assert found.returncode == 2, said
    assert said[-1].startswith("gdbench: ")
    assert words in said[-1]
    assert len(said) == (1 if name != "scheduler" else len(said))
    assert contents(tmp_path) == before


def test_help_has_examples(tmp_path: Path) -> None:
    done = pick_here("--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "gdbench pick --dataset mnist5k --network mlp --hidden 128" in done.stdout
    assert "gdbench pick houses.parquet --target price" in done.stdout
    assert "gdbench pick --replan" in done.stdout


# --- pieces ---


def test_amounts_are_read_with_their_units() -> None:
    assert [read_seconds(text) for text in ("30s", "2m", "1.5h", "90", "1 min")] == [30, 120, 5400, 90, 60]
    assert [read_bytes(text) for text in ("512MB", "2GiB", "1000", "3 kB")] == [512e6, 2 * 2**30, 1000, 3000]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("hidden", ["8", "8,4"])
def test_hidden_layers_that_no_gradient_reaches_are_refused(activation: str, hidden: str) -> None:
    arguments = ["--dataset", "diabetes", "--network", "mlp", "--hidden", hidden, "--activation"]
    with pytest.raises(InputError, match=r"no gradient reaches the hidden layers, .*: add another --init, such as"):
        question_of(options_of([*arguments, activation, "--init", "zeros"]))
    for name, init in ((activation, "he"), ("sigmoid", "zeros")):
        assert question_of(options_of([*arguments, name, "--init", init])).settings.scheme == init
    idle = ("--init", "zeros", "--objective", "throughput")  # nothing is trained
    assert not question_of(options_of([*arguments, activation, *idle])).settings.needs_steps


def test_names_in_brackets_are_announced_as_they_are(tmp_path: Path) -> None:
    labels = np.resize(["[red]", "[/red]", "[link=x]y[/link]"], 30)
    path = tmp_path / "[bold]a b%20[].csv"
    frame = pd.DataFrame({"[i]": np.arange(30.0) ** 2, "[/]": np.arange(30.0), "[b]": labels})
    frame.to_csv(path, index=False)
    question = question_of(options_of([str(path), "--target", "[b]", "--network", "softmax"]))
    with redirect_stdout(StringIO()) as out:
        pick_show.announce(question, console.stdout)
    first, second, *_ = out.getvalue().splitlines()
    assert first.startswith("softmax, 2-3 on [bold]a b%20[].csv (n = 30")
    assert second == "read: [bold]a b%20[].csv, target [b] (classes [/red], [link=x]y[/link], [red])"


def test_held_out_rows_are_fixed_by_the_seed_and_apart_from_those_trained_on() -> None:
    found = [question_of(options_of([*DIABETES, "--validation", "0.2", "--seed", seed])) for seed in ("0", "0", "1")]
    held = [np.column_stack(question.held_out) for question in found]
    assert len(held[0]) == 88
    assert np.array_equal(held[0], held[1])
    assert not np.array_equal(held[0], held[2])
    both = np.vstack([held[0], np.column_stack(found[0].rows)])
    everything = np.column_stack([found[0].dataset.X, found[0].dataset.Y])
    assert sorted(map(tuple, both)) == sorted(map(tuple, everything))
    assert found[0].batch_sizes[-1] == 354


def test_numbers_in_a_file_are_classes_for_a_network_of_classes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "d.npz", X=rng.normal(size=(30, 2)), y=rng.integers(3, size=30))
    found = question_of(options_of([str(tmp_path / "d.npz"), "--network", "softmax"]))
    assert (found.dataset.kind, found.network.sizes) == ("classification", (2, 3))
    assert question_of(options_of([str(tmp_path / "d.npz"), "--network", "linear"])).dataset.kind == "regression"


def test_the_clock_tells_time_left_and_never_less_than_none() -> None:
    told: list[Doing] = []
    Clock(1e-9, told.append).tell("racing")
    assert (told[0].words, told[0].share, told[0].seconds_left) == ("racing", 1.0, 0.0)


def test_what_passes_while_the_clock_is_stopped_is_not_spent() -> None:
    clock = Clock(LIMIT_SECONDS, lambda doing: None)
    begun = clock.begun
    with clock.stopped():
        time.sleep(0.05)
    assert 0.05 <= clock.begun - begun <= time.monotonic() - begun


def test_the_line_on_a_machine_leaves_out_libraries_without_a_version() -> None:
    pools = environment.Pool("openblas", "0.3.30"), environment.Pool("openmp", None)
    found = replace(environment.describe(), blas=pools)
    assert "openblas 0.3.30 on" in environment.one_line(found)
    assert "None" not in environment.one_line(found)
