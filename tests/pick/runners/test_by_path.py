"""The workers of a Dask cluster read a file's rows themselves; where one cannot, all are sent them, and it is said."""

import pickle
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import distributed
import numpy as np
import pytest

from gdbench.basics.records import plain
from gdbench.pick import finding, session
from gdbench.pick.data import sampling
from gdbench.pick.data.file_rows import FileRows, file_rows
from gdbench.pick.data.source import RowSource
from gdbench.pick.record.record import read_record
from gdbench.pick.runners import by_path, cluster
from gdbench.pick.runners.fingerprint import fingerprint
from gdbench.pick.runners.pool import processes
from gdbench.pick.steps.problem import NetworkProblem
from gdbench.pick.steps.trials import Curves
from kernels import Network

from ...helpers import LIMIT_SECONDS
from ..data.user_files import numbers_file
from ..pick_records import make_times
from ..test_command import NEAR, QUICK, close_to, hurry, options_of, pick_here, question_of, steps_here, without_times
from .runner_cases import TRIALS, Cluster, identical

N, D = 20_000, 40
NAME = "houses.npy"
SEEN = Path("/proc/self/cwd", NAME)
"""An absolute path that is another file, or none, for a process in another folder, as on another machine."""
SMALL_BYTES = 20_000
"""Far below the 6.6 MB of the rows; half of it are the numbers of the rows that are monitored."""

needs_proc = pytest.mark.skipif(not SEEN.parent.exists(), reason="the folder of a process has no path here")


def write(folder: Path, seed: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    np.save(folder / NAME, np.random.default_rng(seed).normal(size=(N, D + 1)))
    return folder / NAME


def problem_of(file: Path) -> tuple[NetworkProblem, FileRows]:
    source = RowSource(file=str(file), kind="regression")
    rows = file_rows(source, source.load(), validation=None, seed=0, dtype="float64")
    assert rows is not None
    variants = {trial.batch_size: "vectorized" for trial in TRIALS}
    return NetworkProblem(Network.linear(D), *rows.read(), variants, 5, sample=np.arange(1000)), rows


@dataclass
class Sent:
    """What was said, and the bytes of all that was sent to be kept by workers."""

    bytes: list[int] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    found, scatter = Sent(), distributed.Client.scatter

    def weigh(self: distributed.Client, data: Any, **options: Any) -> Any:
        found.bytes.append(len(pickle.dumps(data)))
        return scatter(self, data, **options)

    monkeypatch.setattr(distributed.Client, "scatter", weigh)
    return found


@pytest.fixture
def nothing_kept() -> Iterator[None]:
    """This process reads for itself, as a worker does."""
    by_path._kept.clear()
    yield
    by_path._kept.clear()


def run_there(dask: Cluster, problem: NetworkProblem, rows: FileRows, sent: Sent) -> list[Curves]:
    with cluster.cluster(dask.address, rows, tell=sent.told.append, warn=sent.warned.append) as runner:
        return runner.run(problem, TRIALS)


def run_in_processes(problem: NetworkProblem) -> list[Curves]:
    with processes(2) as runner:
        return runner.run(problem, TRIALS)


def n_kept() -> int:
    return len(by_path._kept)


def kept_by_workers(dask: Cluster) -> set[int]:
    """Return how many problems each worker keeps."""
    with distributed.Client(dask.address, set_as_default=False) as client:
        return set(client.run(n_kept).values())


def test_workers_are_sent_a_path_and_give_the_curves_of_local_processes_bit_for_bit(
    own_dask: Cluster, tmp_path: Path, sent: Sent
) -> None:
    problem, rows = problem_of(write(tmp_path))
    expected = run_in_processes(problem)
    own_dask.start_worker()
    own_dask.start_worker()
    own_dask.wait_for(2)
    with cluster.cluster(own_dask.address, rows, tell=sent.told.append, warn=sent.warned.append) as runner:
        assert runner.run(problem, []) == []
        (tmp_path / NAME).unlink()  # each process has read it, once
        runner.engine.abandon()
        assert identical(runner.run(problem, TRIALS), expected)
        assert kept_by_workers(own_dask) == {1}
    assert len(sent.bytes) == 2
    assert max(sent.bytes) < SMALL_BYTES < problem.X.nbytes / 100
    assert sent.told == [f"waiting for the workers to read {tmp_path / NAME}"] * 2
    assert not sent.warned
    end = time.monotonic() + LIMIT_SECONDS
    while kept_by_workers(own_dask) != {0}:  # the cluster outlives the search, and its memory is others' too
        assert time.monotonic() < end
        time.sleep(0.05)


def test_where_the_file_has_changed_since_the_rows_that_were_read_are_sent(
    own_dask: Cluster, tmp_path: Path, sent: Sent
) -> None:
    problem, rows = problem_of(write(tmp_path))
    expected = run_in_processes(problem)
    write(tmp_path, seed=1)
    own_dask.start_worker()
    own_dask.start_worker()
    own_dask.wait_for(2)
    assert identical(run_there(own_dask, problem, rows, sent), expected)
    assert sent.bytes[0] > problem.X.nbytes
    (sentence,) = sent.warned
    assert sentence.startswith("2 of 2 workers, such as tcp://")
    assert f", read other rows from {tmp_path / NAME}, so the rows (6.6 MB) were sent to each: put" in sentence


@needs_proc
def test_where_a_worker_has_no_such_file_the_rows_are_sent(
    own_dask: Cluster, tmp_path: Path, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if it was not there yet when the others were asked: its first trial tells."""
    monkeypatch.chdir(write(tmp_path).parent)
    problem, rows = problem_of(SEEN)
    expected = run_in_processes(problem)
    (tmp_path / "elsewhere").mkdir()
    own_dask.start_worker(cwd=tmp_path)
    own_dask.start_worker(cwd=tmp_path / "elsewhere")
    own_dask.wait_for(2)
    assert identical(run_there(own_dask, problem, rows, sent), expected)
    sentence = f"1 of 2 workers, such as tcp://127.0.0.1:\\d+, could not read {SEEN}, so the rows .* were sent to each"
    assert [bool(re.match(sentence, words)) for words in sent.warned] == [True]
    assert sent.bytes[0] > problem.X.nbytes

    late, run = Sent(), distributed.Client.run

    def ask_nobody_once(self: distributed.Client, function: Any, *arguments: Any, **options: Any) -> Any:
        if function is by_path.failure:
            monkeypatch.setattr(distributed.Client, "run", run)
            return {}
        return run(self, function, *arguments, **options)

    monkeypatch.setattr(distributed.Client, "run", ask_nobody_once)
    sent.bytes.clear()
    assert identical(run_there(own_dask, problem, rows, late), expected)
    assert len(late.warned) == 1
    assert sent.bytes[0] < SMALL_BYTES < problem.X.nbytes < sent.bytes[1]


@needs_proc
def test_the_answer_says_that_the_rows_were_sent_and_is_that_of_this_process(
    own_dask: Cluster, tmp_path: Path, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    folder = tmp_path / "here"
    rng = np.random.default_rng(3)
    X = rng.normal(size=(400, 3))
    folder.mkdir()
    np.save(folder / NAME, np.column_stack([X, X.sum(axis=1) + rng.normal(size=400)]))
    arguments = [str(SEEN), "--network", "linear", *QUICK, *NEAR, "--validation", "0.2", "--variant", "vectorized"]
    own_dask.start_worker(cwd=folder)
    own_dask.wait_for(1)
    warnings, find = [], session.find_steps
    sent_before = []

    def find_steps(*arguments: Any, **options: Any) -> Any:
        sent_before.append(len(sent.bytes))
        return find(*arguments, **options)

    monkeypatch.setattr(session, "find_steps", find_steps)
    for name in ("seen", "unseen"):
        options = ("--scheduler", own_dask.address, "--json", f"{name}.json", "--fresh")
        found = pick_here(*arguments, *options, cwd=folder)
        assert found.returncode == 0, found.stderr
        there = read_record(folder / f"{name}.json")
        monkeypatch.chdir(folder)
        assert without_times(plain(there.steps)) == close_to(steps_here(arguments, there.times))
        warnings.append([words for words in there.warnings if str(SEEN) in words])
        own_dask.start_worker(cwd=tmp_path)
        own_dask.wait_for(2)
    assert warnings[0] == []
    assert len(warnings[1]) == 1
    assert "1 of 2 workers" in warnings[1][0]
    assert sent.bytes[0] < sent.bytes[1]
    assert sent_before == [1, 2]  # while the clock is stopped


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".npy", ".npz", ".parquet"])
@pytest.mark.parametrize(
    ("options", "limit"),
    [((), None), (("--validation", "0.25", "--seed", "3"), None), (("--dtype", "float32", "--no-standardise"), 1400)],
    ids=["whole", "held out", "sample"],
)
def test_rows_are_the_same_bit_for_bit_whatever_the_file(
    ending: str, options: tuple[str, ...], limit: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, targets = numbers_file(tmp_path, ending)
    if limit is not None and ending != ".npz":  # which is never a sample
        monkeypatch.setattr(sampling, "WHOLE_BYTES", limit)
    target = [word for name in targets or () for word in ("--target", name)]
    monkeypatch.chdir(tmp_path)
    question = question_of(options_of([file.name, *target, "--network", "linear", *options]))
    assert (question.dataset.n_in_file is not None) == (limit is not None and ending != ".npz")
    monkeypatch.setattr(finding, "_variants", lambda question, times: {1: "vectorized"})
    problem = finding.make_problem(question, make_times((1,)), 1.0, None)
    rows = question.file_rows
    assert rows is not None
    assert Path(str(rows.source.file)).is_absolute()
    monkeypatch.setattr(sampling, "WHOLE_BYTES", 1 << 30)  # the worker's memory does not matter
    sent = pickle.loads(pickle.dumps(by_path.by_path(problem, rows)))
    found = by_path.with_rows(sent)
    assert isinstance(found, NetworkProblem)
    assert found.key == problem.key
    assert (found.V is found.X) == (problem.V is problem.X)
    for ours, theirs in ((problem.X, found.X), (problem.Y, found.Y), (problem.V, found.V), (problem.T, found.T)):
        assert (ours.dtype, ours.shape, ours.tobytes()) == (theirs.dtype, theirs.shape, theirs.tobytes())
    assert by_path.with_rows(replace(sent)) is found


def test_rows_of_no_file_are_sent_themselves(tmp_path: Path) -> None:
    question = question_of(options_of(["--dataset", "diabetes", "--network", "linear"]))
    assert question.file_rows is None
    arrays = RowSource()
    assert file_rows(arrays, question.dataset, validation=None, seed=0, dtype="float64") is None


@pytest.mark.usefixtures("nothing_kept")
def test_a_process_keeps_the_rows_of_few_problems_and_a_trial_tells_that_there_are_none(tmp_path: Path) -> None:
    problem, rows = problem_of(write(tmp_path))
    for entropy in range(by_path.MAX_KEPT + 1):
        by_path.with_rows(by_path.by_path(replace(problem, entropy=entropy), rows))
    assert n_kept() == by_path.MAX_KEPT
    lost = replace(rows, source=replace(rows.source, file=str(tmp_path / "lost.npy")))
    with pytest.raises(by_path.NotRead, match=by_path.UNREADABLE):
        cluster._run_checked(by_path.by_path(replace(problem, entropy=9), lost), TRIALS[0], fingerprint())
