"""Blocks give the same values wherever they run, also when workers are killed, and a killed search goes on."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import distributed
import numpy as np
import psutil
import pytest
from gdbench.pick.steps.blocks import Block, Curves
from threadpoolctl import threadpool_info, threadpool_limits

from gdbench.experiments import datasets
from gdbench.pick.runners import cluster, fingerprint, journal
from gdbench.pick.runners.journal import Journal, Journaled
from gdbench.pick.runners.pool import processes
from gdbench.pick.runners.rounds import EngineRunner, one_thread
from gdbench.pick.runners.serial import serial
from gdbench.pick.steps.problem import NetworkProblem
from gdbench.processes.launch import thread_environment
from kernels import InputError, Network

from ...helpers import LIMIT_SECONDS, copy_sources, have_ended
from ..test_command import DIABETES, NEAR, QUICK, close_to, hurry, pick_here, steps_here

BLOCKS = [Block(size, (0.05, 0.1), (0, 1), 1e-6, 200) for size in (4, 8, 16, 32, 64, 128)]
"""No block reaches its goal."""
SAME = 1e-9
"""Relative difference that rounding explains."""
ENDLESS = replace(BLOCKS[0], most_steps=1_000_000_000)
"""It takes days."""
SEARCH = """
import sys
from pathlib import Path
from gdbench.experiments import datasets
from gdbench.pick.steps.blocks import Block
from gdbench.pick.runners.journal import Journal, Journaled
from gdbench.pick.runners.pool import processes
from gdbench.pick.steps.problem import NetworkProblem
from kernels import Network

if __name__ == "__main__":
    digits = datasets.load("digits")
    problem = NetworkProblem(Network.softmax(64, 10), digits.X, digits.Y, entropy=5)
    blocks = eval(sys.argv[2])
    try:
        with processes(2) as runner:
            Journaled(runner, Journal(Path(sys.argv[1]), problem.key)).run(problem, blocks)
    except KeyboardInterrupt:
        sys.exit(130)
"""


def make_problem() -> NetworkProblem:
    digits = datasets.load("digits")
    return NetworkProblem(Network.softmax(64, 10), digits.X, digits.Y, entropy=5)


@pytest.fixture(scope="module")
def problem() -> NetworkProblem:
    return make_problem()


@pytest.fixture(scope="module")
def expected(problem: NetworkProblem) -> list[Curves]:
    with serial() as runner:
        return runner.run(problem, BLOCKS)


def same(one: Sequence[Curves], other: Sequence[Curves], tolerance: float = 0.0) -> bool:
    """Whether all arrays are equal: what was computed once, and sent or kept since."""
    assert len(one) == len(other)
    pairs = [
        (np.asarray(getattr(a, f.name)), np.asarray(getattr(b, f.name)))
        for a, b in zip(one, other, strict=True)
        for f in fields(Curves)
    ]
    return all(a.shape == b.shape and np.allclose(a, b, rtol=tolerance, atol=0, equal_nan=True) for a, b in pairs)


def alike(one: Sequence[Curves], other: Sequence[Curves]) -> bool:
    """Whether all arrays are equal but for rounding: what two processes computed."""
    return same(one, other, SAME)


@dataclass
class Ear:
    """Hears of finished blocks, and does something at the first."""

    at_first: Callable[[], None] = lambda: None
    heard: dict[int, Curves] = field(default_factory=dict)
    calls: int = 0

    def __call__(self, place: int, curves: Curves) -> None:
        self.calls += 1
        self.heard[place] = curves
        if self.calls == 1:
            self.at_first()

    def agrees(self, results: list[Curves]) -> bool:
        """Whether it heard of each block once, in its place, and of what was returned."""
        return self.calls == len(results) and same([self.heard[place] for place in range(len(results))], results)


def pool_workers(parent: int | None = None) -> list[psutil.Process]:
    """Processes of a pool, of ours or of another process."""
    found = []
    for child in psutil.Process(parent).children():
        try:
            if "--multiprocessing-fork" in child.cmdline():
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def test_blocks_are_not_all_alike(expected: list[Curves]) -> None:
    assert not same(expected[:1], expected[1:2])


# --- processes of this machine ---


def test_processes_give_the_values_of_this_process_in_the_order_of_the_blocks(
    problem: NetworkProblem, expected: list[Curves], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And have one thread each, whatever the user wishes for this one, whose wishes stay."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    for name in names:
        monkeypatch.setenv(name, "2")
    ear, before = Ear(), dict(os.environ)
    with processes(2) as runner:
        found = runner.run(problem, BLOCKS[::-1], on_done=ear)
        assert alike(found, expected[::-1])
        assert ear.agrees(found)
        first = pool_workers()
        assert [child.environ()[name] for child in first for name in names] == ["1"] * 4
        other = replace(problem, entropy=6)
        assert not alike(runner.run(other, BLOCKS[-1:]), expected[-1:])  # not taken for the problem before
        assert pool_workers() == first  # the pool lives on
    assert have_ended(first)
    assert dict(os.environ) == before


def test_a_killed_process_costs_the_blocks_in_flight_only(problem: NetworkProblem, expected: list[Curves]) -> None:
    victims: list[psutil.Process] = []

    def kill() -> None:
        victims.append(pool_workers()[0])
        victims[0].kill()

    ear = Ear(at_first=kill)
    with processes(1) as runner:
        found = runner.run(problem, BLOCKS, on_done=ear)
        assert alike(found, expected)
        assert victims
        assert not victims[0].is_running()
        assert ear.agrees(found)  # each was heard of once: what was finished was not run again
        others = pool_workers()
        for child in others:  # and between two rounds
            child.kill()
        assert have_ended(others)
        assert alike(runner.run(problem, BLOCKS[-2:]), expected[-2:])


def test_processes_that_are_killed_again_and_again_end_in_one_sentence(problem: NetworkProblem) -> None:
    over, pids = threading.Event(), set()

    def kill() -> None:
        while not over.wait(0.01):
            for child in pool_workers():
                pids.add(child.pid)
                with suppress(psutil.NoSuchProcess):  # killed in the round before, and gone just now
                    child.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with (
            pytest.raises(InputError, match=r"killed again and again.* use fewer workers"),
            processes(1) as runner,
        ):
            runner.run(problem, [ENDLESS])
    finally:
        over.set()
        killer.join()
    assert len(pids) == 4  # it was run again three times


def test_an_error_in_a_block_is_told_and_ends_the_round(problem: NetworkProblem, expected: list[Curves]) -> None:
    wrong = replace(BLOCKS[0], batch_size=-1)
    with processes(1) as runner:
        with pytest.raises(ValueError, match="non-negative integer"):
            runner.run(problem, [wrong, *BLOCKS])
        assert have_ended(pool_workers())
        assert alike(runner.run(problem, BLOCKS[-1:]), expected[-1:])


# --- a search that is stopped ---


def has_stored(folder: Path, _process: subprocess.Popen[str]) -> bool:
    """Whether the first block is in the journal."""
    return bool(list(folder.glob("[0-9a-f]*.npz")))


def has_started(_folder: Path, process: subprocess.Popen[str]) -> bool:
    """Whether a worker is in the midst of its imports, where Ctrl-C would end in a traceback."""
    maps = [part.path for child in pool_workers(process.pid) for part in child.memory_maps()]
    return any("_multiarray_umath" in path for path in maps)


@contextmanager
def searching(
    folder: Path, blocks: list[Block], until: Callable[[Path, subprocess.Popen[str]], bool] = has_stored
) -> Iterator[subprocess.Popen[str]]:
    """A search in a process group of its own, which has come so far."""
    command = [sys.executable, "-c", SEARCH, str(folder), repr(blocks)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = thread_environment(1) | {"TMPDIR": str(folder)}  # what a killed search leaves there goes with it
    with subprocess.Popen(command, text=True, start_new_session=True, env=environment, **streams) as process:
        end = time.monotonic() + LIMIT_SECONDS
        while not until(folder, process):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.005)
        try:
            yield process
        finally:
            process.kill()


def test_a_search_that_is_killed_leaves_no_process_and_goes_on_to_the_same_values(
    problem: NetworkProblem, expected: list[Curves], tmp_path: Path
) -> None:
    with searching(tmp_path, [*BLOCKS, ENDLESS]) as process:
        workers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.communicate()
    assert len(workers) >= 2
    assert have_ended(workers)
    there = {path: path.stat().st_mtime_ns for path in tmp_path.glob("[0-9a-f]*.npz")}
    assert 1 <= len(there) <= len(BLOCKS)
    asked: list[Block] = []

    class Counting:
        def run(self, problem, blocks, *, on_done=None):
            asked.extend(blocks)
            with serial() as runner:
                return runner.run(problem, blocks, on_done=on_done)

    ear = Ear()
    kept = Journaled(Counting(), Journal(tmp_path, problem.key))
    resumed = kept.run(problem, BLOCKS, on_done=ear)
    assert alike(resumed, expected)
    assert ear.agrees(resumed)
    assert len(asked) == len(BLOCKS) - len(there)
    assert {path: path.stat().st_mtime_ns for path in there} == there
    asked.clear()
    assert same(kept.run(problem, BLOCKS), resumed)
    assert not asked
    assert [type(curves.rows) for curves in resumed] == [float] * len(BLOCKS)


@pytest.mark.parametrize(("until", "blocks"), [(has_started, [ENDLESS] * 2), (has_stored, [*BLOCKS, ENDLESS])])
def test_ctrl_c_in_the_terminal_ends_the_workers_and_keeps_what_was_finished(
    problem: NetworkProblem,
    expected: list[Curves],
    tmp_path: Path,
    until: Callable[[Path, subprocess.Popen[str]], bool],
    blocks: list[Block],
) -> None:
    with searching(tmp_path, blocks, until) as process:
        workers = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to every process of the group
        stdout, stderr = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, stdout, stderr) == (130, "", "")  # no worker printed a traceback
    assert have_ended(workers)
    found = [Journal(tmp_path, problem.key).load(block) for block in BLOCKS]
    pairs = [(kept, curves) for kept, curves in zip(found, expected, strict=True) if kept is not None]
    assert bool(pairs) == (until is has_stored)
    assert all(alike([kept], [curves]) for kept, curves in pairs)


class Finished:
    """An engine whose blocks have all finished, but for the last one, which has failed."""

    lost = ()
    remedy = "none"

    def __init__(self, results: list[Curves]) -> None:
        self.results = results
        self.abandoned = 0

    def submit(self, _problem: NetworkProblem, block: Block) -> Future[Curves]:
        future: Future[Curves] = Future()
        if block == BLOCKS[-1]:
            future.set_exception(KeyboardInterrupt())
        else:
            future.set_result(self.results[BLOCKS.index(block)])
        return future

    def abandon(self) -> None:
        self.abandoned += 1


def test_blocks_that_had_finished_when_a_round_ends_early_are_kept(
    problem: NetworkProblem, expected: list[Curves]
) -> None:
    engine, ear = Finished(expected), Ear()
    with pytest.raises(KeyboardInterrupt):
        EngineRunner(engine).run(problem, [BLOCKS[-1], *BLOCKS[:-1] * 4], on_done=ear)
    assert engine.abandoned == 1
    assert sorted(ear.heard) == [*range(1, 1 + 4 * len(BLOCKS[:-1]))]
    assert ear.calls == len(ear.heard)


# --- the journal ---


def test_the_journal_returns_what_was_stored_and_nothing_else(
    problem: NetworkProblem, expected: list[Curves], tmp_path: Path
) -> None:
    kept = Journal(tmp_path, problem.key)
    assert kept.load(BLOCKS[0]) is None
    kept.store(BLOCKS[0], expected[0])
    assert same([kept.load(BLOCKS[0])], expected[:1])
    assert Journal(tmp_path, replace(problem, entropy=6).key).load(BLOCKS[0]) is None
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 5},
        {"rates": (0.05, float(np.nextafter(0.1, 1)))},
        {"rates": (0.05,)},
        {"seeds": (0, 1, 3)},
        {"goal": float(np.nextafter(1e-6, 1))},
        {"most_steps": 601},
        {"slack": float(np.nextafter(1.5, 2))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_block_that_differs_in_one_bit_is_another_one(
    problem: NetworkProblem, expected: list[Curves], tmp_path: Path, change: dict[str, object]
) -> None:
    kept = Journal(tmp_path, problem.key)
    kept.store(BLOCKS[0], expected[0])
    assert kept.load(replace(BLOCKS[0])) is not None
    assert kept.load(replace(BLOCKS[0], **change)) is None


def test_a_damaged_entry_counts_as_absent(problem: NetworkProblem, expected: list[Curves], tmp_path: Path) -> None:
    kept = Journal(tmp_path, problem.key)
    kept.store(BLOCKS[0], expected[0])
    (path,) = tmp_path.iterdir()
    whole, rng, absent = path.read_bytes(), np.random.default_rng(0), 0
    for place in rng.choice(len(whole), 150, replace=False):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        found = kept.load(BLOCKS[0])
        assert found is None or same([found], expected[:1])  # a date in it may be damaged without harm
        absent += found is None
    assert absent > 75
    for damaged in (b"", b"no archive", whole[:-1], whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        assert kept.load(BLOCKS[0]) is None
    kept.store(BLOCKS[0], expected[0])
    assert same([kept.load(BLOCKS[0])], expected[:1])


ASK = """
import shutil, sys
from pathlib import Path
from gdbench.pick.steps import lockstep
from gdbench.pick.steps.blocks import Block
from gdbench.pick.runners.fingerprint import fingerprint
from gdbench.pick.runners.journal import Journal

kept, block = Journal(Path(sys.argv[1]), sys.argv[2]), eval(sys.argv[3])
print(kept.load(block) is not None)
changed = Path(lockstep.__file__)
text = changed.read_bytes()
shutil.copy(sys.argv[4], changed)
fingerprint.cache_clear()
print(kept.load(block) is not None)
changed.write_bytes(text)
"""


def test_entries_of_other_sources_are_not_used(
    problem: NetworkProblem, expected: list[Curves], tmp_path: Path, other_sources: Path
) -> None:
    """Unless the same sources lie elsewhere: so it is once the remark has gone."""
    Journal(tmp_path, problem.key).store(BLOCKS[0], expected[0])
    ours = str(Path(journal.__file__).parents[1] / "steps" / "lockstep.py")
    command = [sys.executable, "-c", ASK, str(tmp_path), problem.key, repr(BLOCKS[0]), ours]
    environment = environment_of(other_sources)
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=True)
    assert done.stdout.split() == ["False", "True"]


@pytest.fixture(scope="module")
def other_sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources with a remark in one that computes blocks."""
    folder = copy_sources(tmp_path_factory.mktemp("other"))
    with (folder / "benchmarks" / "gdbench" / "pick" / "steps" / "lockstep.py").open("a", encoding="utf-8") as file:
        file.write("# a remark\n")
    return folder


def environment_of(sources: Path) -> dict[str, str]:
    return thread_environment(1) | {"PYTHONPATH": os.pathsep.join([str(sources), str(sources / "benchmarks")])}


def test_the_fingerprint_covers_every_module_that_a_block_needs() -> None:
    code = "import sys, gdbench.pick.steps.blocks; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    names = subprocess.run(command, env=thread_environment(1), text=True, capture_output=True, check=True).stdout
    loaded = {name.split(".")[-1] for name in names.split() if name.startswith("gdbench.pick.steps.")}
    assert loaded == set(fingerprint.COMPUTING)


def test_the_fingerprint_covers_the_version_of_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    make = fingerprint.fingerprint.__wrapped__
    assert make() == fingerprint.fingerprint()
    monkeypatch.setattr(np, "__version__", "0.1")
    assert make() != fingerprint.fingerprint()


def test_old_entries_are_removed_when_a_journal_is_opened(
    problem: NetworkProblem, expected: list[Curves], tmp_path: Path
) -> None:
    kept = Journal(tmp_path, problem.key)
    kept.store(BLOCKS[0], expected[0])
    (old,) = tmp_path.iterdir()
    kept.store(BLOCKS[1], expected[1])
    left_over, other = tmp_path / f".{old.name}.x1y2", tmp_path / "notes.txt"
    left_over.touch()
    other.touch()
    for path in (old, left_over, other):
        os.utime(path, times=(time.time() - 31 * 86_400,) * 2)
    kept = Journal(tmp_path, problem.key)
    assert (kept.load(BLOCKS[0]), kept.load(BLOCKS[1]) is None) == (None, False)
    assert not left_over.exists()
    assert other.exists()  # not one of ours


def test_without_a_place_for_a_journal_the_search_goes_on_and_says_so(
    problem: NetworkProblem, expected: list[Curves], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    kept = Journal(tmp_path / "file" / "picks", problem.key)
    assert kept.warning == ""
    with serial() as runner:
        assert alike(Journaled(runner, kept).run(problem, BLOCKS[-2:]), expected[-2:])
    assert "cannot be kept" in kept.warning
    assert "set GDBENCH_CACHE" in kept.warning


def test_a_disk_that_is_full_leaves_no_half_an_entry(
    problem: NetworkProblem, expected: list[Curves], tmp_path: Path
) -> None:
    kept = Journal(tmp_path, problem.key)
    kept.store(BLOCKS[1], expected[1])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))  # bytes; writing more fails as on a full disk
    try:
        kept.store(BLOCKS[0], expected[0])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "File too large" in kept.warning
    assert len(list(tmp_path.iterdir())) == 1
    kept.store(BLOCKS[0], expected[0])
    assert kept.load(BLOCKS[0]) is None  # it has given up
    assert same([kept.load(BLOCKS[1])], expected[1:2])  # but still tells what it has


def test_the_journal_lies_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GDBENCH_CACHE", str(tmp_path))
    assert journal.default_folder() == tmp_path / "picks"
    monkeypatch.delenv("GDBENCH_CACHE")
    assert journal.default_folder().parent.name == "gdbench"


def test_a_journal_of_another_problem_is_refused(problem: NetworkProblem, tmp_path: Path) -> None:
    with serial() as runner, pytest.raises(ValueError, match="another problem"):
        Journaled(runner, Journal(tmp_path, "0" * 64)).run(problem, BLOCKS)


# --- one thread ---


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_blas_has_one_thread_until_the_last_of_overlapping_blocks_has_ended() -> None:
    with threadpool_limits(limits=2, user_api="blas"):
        assert blas_threads() == {2}
        inside, leave = threading.Event(), threading.Event()

        def run() -> None:
            with one_thread():
                inside.set()
                leave.wait(LIMIT_SECONDS)

        other = threading.Thread(target=run)
        other.start()
        assert inside.wait(LIMIT_SECONDS)
        with one_thread():
            leave.set()
            other.join()  # the one that came first goes first
            assert blas_threads() == {1}
        assert blas_threads() == {2}


# --- a Dask cluster ---


@dataclass
class Cluster:
    """A scheduler and workers, each a process of its own."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    address: str = ""

    def start_scheduler(self) -> None:
        file = self.folder / "scheduler.json"
        self._start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
        end = time.monotonic() + LIMIT_SECONDS
        while not self.address:
            assert time.monotonic() < end
            time.sleep(0.05)
            try:
                self.address = json.loads(file.read_text(encoding="utf-8"))["address"]
            except (OSError, ValueError):  # not there yet, or not whole
                continue

    def start_worker(self, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        options = ("--no-nanny", "--nthreads", "1", "--local-directory", str(self.folder))
        return self._start("dask_worker", self.address, *options, environment=environment)

    def _start(self, program: str, *options: str, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{program}", *options, "--no-dashboard"]
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.processes.append(subprocess.Popen(command, env=environment or thread_environment(2), **streams))
        return self.processes[-1]

    def worker(self, number: int) -> subprocess.Popen[bytes]:
        """Return a worker by its number, which is started unless a test before has."""
        return self.processes[number] if number < len(self.processes) else self.start_worker()

    def stop_workers(self) -> None:
        for process in self.processes[1:]:
            self.stop(process)
        del self.processes[1:]
        self.wait_for(0)

    def wait_for(self, workers: int) -> None:
        with distributed.Client(self.address, set_as_default=False) as client:
            end = time.monotonic() + LIMIT_SECONDS
            while len(client.nthreads()) != workers:
                assert time.monotonic() < end
                time.sleep(0.05)

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    found = Cluster(tmp_path_factory.mktemp("dask"))
    try:
        found.start_scheduler()
        yield found
    finally:
        for process in found.processes:
            found.stop(process)


@pytest.fixture
def dask(scheduler: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """The scheduler, which may take long to answer on a busy machine, with workers that all tests may ask."""
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", LIMIT_SECONDS)
    return scheduler


@pytest.fixture
def own_dask(dask: Cluster) -> Iterator[Cluster]:
    """The same for a test that kills workers, or starts such as no other may ask: none of them is left."""
    yield dask
    dask.stop_workers()


def test_a_dask_cluster_gives_the_command_the_steps_of_this_process(
    dask: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hurry(monkeypatch)
    dask.worker(1)
    dask.wait_for(1)
    arguments = [*DIABETES, *QUICK, *NEAR]
    options = ("--scheduler", dask.address, "--variant", "vectorized", "--json", "there.json")
    found = pick_here(*arguments, *options, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    steps = json.loads((tmp_path / "there.json").read_text(encoding="utf-8"))["steps"]
    assert steps == close_to(steps_here(arguments))


def test_a_dask_cluster_gives_the_values_of_this_process_also_when_its_workers_are_killed(
    own_dask: Cluster, problem: NetworkProblem, expected: list[Curves], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the last one is: that ends in one sentence."""

    def stop_the_last() -> None:
        own_dask.stop(third)
        monkeypatch.setenv("GDBENCH_PATIENCE_SECONDS", "0.5")

    first, second = own_dask.worker(1), own_dask.worker(2)
    own_dask.wait_for(2)
    with cluster.cluster(own_dask.address) as runner:
        third = own_dask.worker(3)  # it comes when it comes
        ear = Ear(at_first=lambda: own_dask.stop(first))
        found = runner.run(problem, BLOCKS, on_done=ear)
        assert alike(found, expected)
        assert first.returncode == -signal.SIGKILL
        assert ear.agrees(found)

        ear = Ear(at_first=lambda: own_dask.stop(second))  # perhaps the only one that holds the problem
        found = runner.run(problem, BLOCKS, on_done=ear)
        assert alike(found, expected)
        assert ear.agrees(found)

        ear = Ear(at_first=stop_the_last)
        with pytest.raises(InputError, match="lost all its workers: start some"):
            runner.run(problem, [*BLOCKS, ENDLESS], on_done=ear)
        assert 1 <= ear.calls <= len(BLOCKS)


def test_a_worker_with_other_sources_is_refused(
    own_dask: Cluster, problem: NetworkProblem, other_sources: Path
) -> None:
    own_dask.stop_workers()
    own_dask.start_worker(environment_of(other_sources))
    own_dask.wait_for(1)
    with (
        pytest.raises(InputError, match=r"1 of the workers, such as tcp://.* other versions"),
        cluster.cluster(own_dask.address),
    ):
        pass
    with pytest.raises(InputError, match="other versions"):  # as on a worker that joins later
        cluster._run_checked(problem, BLOCKS[0], "0" * 64)


def test_a_scheduler_without_workers_ends_in_one_sentence(dask: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    dask.stop_workers()
    check = cluster._check_workers

    def check_at_once(client: distributed.Client, address: str) -> None:
        monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.2)
        check(client, address)

    monkeypatch.setattr(cluster, "_check_workers", check_at_once)
    sentence = f"has no workers: start some with dask worker {dask.address}"
    with pytest.raises(InputError, match=sentence), cluster.cluster(dask.address):
        pass


@pytest.mark.parametrize("address", ["rubbish", "tcp://127.0.0.1:{port}", "127.0.0.1:{port}"])
def test_an_address_without_scheduler_ends_in_one_sentence_when_its_time_is_up(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.3)
    with socket.socket() as held:  # bound, so that no other process takes it, but deaf
        held.bind(("127.0.0.1", 0))
        address = address.format(port=held.getsockname()[1])
        with pytest.raises(InputError, match=f"no Dask scheduler answers at {address}"), cluster.cluster(address):
            pass


def test_an_address_of_something_else_ends_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")
                connection.recv(1)

        greeter = threading.Thread(target=greet)
        greeter.start()
        with pytest.raises(InputError, match="no Dask scheduler answers"), cluster.cluster(address):
            pass
        greeter.join()


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'gdbench\[cluster\]'"), cluster.cluster("tcp://127.0.0.1:1"):
        pass
