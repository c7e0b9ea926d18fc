"""Seconds of a step: what an epoch costs, shared by its steps; certified first; told with how sure it is."""

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import psutil
import pytest
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

import kernels
from gdbench.pick import step_process
from gdbench.pick.candidates import candidates
from gdbench.pick.fleet import NotTimed
from gdbench.pick.step_statistics import enough, precision, rows
from gdbench.pick.step_time import measure_step_time
from gdbench.pick.time_model import fit_time_model, predict
from gdbench.pick.times import Times
from kernels import InputError, Network, Variant
from kernels.contract import Array

from .helpers import LIMIT_SECONDS, add_variant, copy_sources, wait_for

Problem = tuple[Network, Array, Array]
POWERS = [2**exponent for exponent in range(12)]
SPIN = """

_epoch = None


def _spin(seconds):
    import time
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
"""
DIES = "import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)\n    "
GRADIENT = "    activations = _forward(network, theta, X)[1]\n    delta"
SCRIPT = """
import json, sys
from dataclasses import asdict
import numpy as np
from sklearn.datasets import load_diabetes
import kernels
from gdbench.pick.fleet import NotTimed
from gdbench.pick.step_time import measure_step_time

X, y = load_diabetes(return_X_y=True)
for variant in sys.argv[2:]:
    try:
        found = asdict(measure_step_time(
            kernels.Network.linear(10), X / X.std(), y[:, None] / y.std(), [1, 8, 64, 442],
            variant=variant, processes=2, most_seconds=float(sys.argv[1]),
        ))
    except NotTimed as error:
        found = {"error": str(error)}
    print(json.dumps(found))
"""


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Of BLAS in this process too, where some of the comparisons are computed."""
    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture(scope="module")
def digits() -> Problem:
    X, labels = load_digits(return_X_y=True)
    return Network.softmax(64, 10), X / 16, np.eye(10)[labels]


@pytest.fixture(scope="module")
def measured(digits: Problem) -> Times:
    """A measurement in which one process of three was killed by its id, once it had made samples."""
    known = set(psutil.Process().children())
    killed: list[int] = []

    def report(words: str, share: float) -> None:
        ours = sorted(set(psutil.Process().children()) - known, key=lambda process: process.pid)
        if words == "timing steps" and not killed and ours:
            killed.append(ours[0].pid)
            os.kill(ours[0].pid, signal.SIGKILL)

    sizes = candidates(len(digits[1]))
    found = measure_step_time(*digits, sizes, variant="vectorized", processes=3, most_seconds=4, report=report)
    assert set(psutil.Process().children()) == known
    return found


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sources whose variants have faults: tiled dies, jit is wrong, burdened spins in every step."""
    folder = copy_sources(tmp_path_factory.mktemp("sources"))
    add_variant(folder, "tiled", (GRADIENT, f"    {DIES}{GRADIENT.lstrip()}"))
    add_variant(folder, "jit", ("delta = (activations[-1] - Y) / len(X)", "delta = (Y - activations[-1]) / len(X)"))
    add_variant(folder, "burdened", (GRADIENT, f"    _spin(2e-4)\n{GRADIENT}"), end=SPIN)
    (folder / "measure.py").write_text(SCRIPT, encoding="utf-8")
    return folder


def _start(sources: Path, seconds: float, *variants: str) -> subprocess.Popen[str]:
    places = [str(sources), str(sources / "benchmarks"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}
    command = [sys.executable, str(sources / "measure.py"), str(seconds), *variants]
    return subprocess.Popen(
        command, cwd=sources, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def _measure(sources: Path, seconds: float, *variants: str) -> list[dict[str, Any]]:
    process = _start(sources, seconds, *variants)
    try:
        stdout, stderr = process.communicate(timeout=LIMIT_SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, stderr
    return [json.loads(line) for line in stdout.splitlines()]


@pytest.fixture(scope="module")
def faulty(sources: Path) -> dict[str, dict[str, Any]]:
    names = ("vectorized", "burdened", "jit", "auto")
    return dict(zip(names, _measure(sources, 2.5, *names), strict=True))


def _seconds(found: dict[str, Any]) -> dict[int, float]:
    return {row["batch_size"]: row["seconds"] for row in found["rows"]}


def test_candidates_are_the_powers_of_two_with_all_rows_and_ones_own() -> None:
    assert candidates(1) == (1,)
    assert candidates(2) == (1, 2)
    assert candidates(8) == (1, 2, 4, 8)
    assert candidates(100, current=33) == (1, 2, 4, 8, 16, 32, 33, 64, 100)
    assert candidates(100, most=64) == (1, 2, 4, 8, 16, 32, 64)
    assert candidates(100, most=40, current=50) == (1, 2, 4, 8, 16, 32)
    assert candidates(100, most=100)[-1] == 100


@pytest.mark.parametrize("options", [{"most": 0}, {"most": 11}, {"current": 0}, {"current": 11}, {"most": 2.5}])
def test_candidates_beyond_the_rows_are_refused_in_one_sentence(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"^--(max-batch|current) must be a whole number from 1 to 10 \(all rows\)"):
        candidates(10, **options)


def test_every_batch_size_is_timed_and_the_interval_holds_the_seconds(measured: Times, digits: Problem) -> None:
    assert [row.batch_size for row in measured.rows] == list(candidates(len(digits[1])))
    assert {row.variant for row in measured.rows} == {"vectorized"}
    for row in measured.rows:
        assert 0 < row.low <= row.seconds <= row.high
        assert row.samples > 0
    assert (measured.variant, measured.reason, measured.dtype, measured.threads) == ("vectorized", "", "float64", 1)
    assert json.loads(json.dumps(asdict(measured), allow_nan=False))["processes"] == measured.processes


def test_the_steps_of_an_epoch_take_what_an_epoch_takes(measured: Times, digits: Problem) -> None:
    """The plain way, for comparison: whole epochs of ``fit`` with their permutation, by the clock of the CPU's time."""
    network, X, Y = digits
    rng = np.random.default_rng(0)
    start, epoch = network.init(rng), kernels.get("vectorized").epoch
    for row in measured.rows[::3]:
        plain = math.inf
        for _ in range(4):
            begin = process_time()
            epoch(network, start, X, Y, rng.permutation(len(X)), row.batch_size, 0.01)
            plain = min(plain, process_time() - begin)
        assert row.seconds * len(X) / row.batch_size == pytest.approx(plain, rel=0.6)


def test_a_killed_process_is_told_and_costs_no_batch_size(measured: Times) -> None:
    (loss,) = [warning for warning in measured.warnings if "ended with code" in warning]
    assert "ended with code -9" in loss
    assert "its samples so far are kept" in loss
    assert measured.processes in (2, 3)  # the one that was killed may not have had its turn


def test_without_any_process_there_is_no_answer(digits: Problem) -> None:
    known = set(psutil.Process().children())

    def report(words: str, share: float) -> None:
        if words == "timing steps":
            for process in set(psutil.Process().children()) - known:
                process.kill()

    with pytest.raises(NotTimed, match=r"^no process that timed steps is left: the process of worker \d of 2 ended"):
        measure_step_time(*digits, [1, 8], variant="vectorized", processes=2, most_seconds=4, report=report)
    assert set(psutil.Process().children()) == known


def test_a_process_that_says_nothing_is_stopped(digits: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GDBENCH_PATIENCE_SECONDS", "0.01")
    with pytest.raises(NotTimed, match=r"said nothing for 0\.01 s and was stopped"):
        measure_step_time(*digits, [1], variant="vectorized", processes=1)


def _spin(seconds: float) -> None:
    end = process_time() + seconds
    while process_time() < end:
        pass


def _worker(problem: Problem, variant: Variant, folder: Path, monkeypatch: pytest.MonkeyPatch) -> step_process.Worker:
    network, X, Y = problem
    np.savez(folder / "problem.npz", X=X, Y=Y)
    monkeypatch.setattr(step_process, "get", lambda name: variant)
    worker = step_process.Worker()
    worker.load(str(folder / "problem.npz"), asdict(network), 0, 1)
    return worker


@pytest.mark.parametrize(("batch_size", "calls"), [(1, 0), (256, 0), (512, 1), (1797, 1)])
def test_what_a_call_costs_by_itself_is_shared_by_the_steps_of_an_epoch(
    batch_size: int, calls: int, digits: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether an epoch is timed as a whole (one call a sample) or by the difference of two calls (0)."""
    network, X, Y = digits
    plain = kernels.get("vectorized")

    def epoch(*arguments: Any) -> Array:
        _spin(10e-3)
        return plain.epoch(*arguments)

    worker = _worker(digits, replace(plain, epoch=epoch), tmp_path, monkeypatch)
    worker.prepare(batch_size, "burdened", 0.01)
    samples = [value for _ in range(2) for value in worker.sample(batch_size)[0]]
    assert worker.samplers[batch_size].calls == calls
    whole = []
    for _ in range(3):
        begin = process_time()
        epoch(network, network.init(np.random.default_rng(0)), X, Y, worker.stream.take(len(X)), batch_size, 0.01)
        whole.append(process_time() - begin)
    steps = math.ceil(len(X) / batch_size)
    assert np.median(samples) == pytest.approx(min(whole) / steps, rel=0.35)


def test_a_step_bears_its_share_of_the_permutation(
    digits: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = replace(kernels.get("vectorized"), epoch=lambda network, theta, *rest: theta)
    worker = _worker(digits, free, tmp_path, monkeypatch)
    shuffle = float(np.median(worker.stream.seconds))
    shares = {}
    for size in (1, 1797):
        worker.prepare(size, "free", 0.01)
        shares[size] = float(np.median(worker.sample(size)[0])) * len(digits[1]) / size
    assert all(0.5 * shuffle < share < 2 * shuffle for share in shares.values())


def test_every_call_takes_fresh_rows_and_whole_batches_of_them(
    digits: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, orders = kernels.get("vectorized"), []

    def epoch(network: Network, theta: Array, X: Array, Y: Array, order: Any, *rest: Any) -> Array:
        orders.append(order.copy())
        return plain.epoch(network, theta, X, Y, order, *rest)

    worker = _worker(digits, replace(plain, epoch=epoch), tmp_path, monkeypatch)
    worker.prepare(100, "watched", 0.01)
    worker.sample(100)
    assert all(len(order) % 100 == 0 for order in orders)
    stream = np.concatenate(orders)
    n = len(digits[1])
    for begin in range(0, len(stream) - n, n):
        assert len(np.unique(stream[begin : begin + n])) == n


def test_parameters_that_leave_their_range_begin_anew(
    digits: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, starts = kernels.get("vectorized"), []

    def epoch(network: Network, theta: Array, *rest: Any) -> Array:
        starts.append(theta)
        return np.full_like(theta, np.nan) if len(starts) % 5 == 0 else theta + 1

    worker = _worker(digits, replace(plain, epoch=epoch), tmp_path, monkeypatch)
    worker.prepare(64, "odd", 0.01)
    worker.sample(64)
    assert sum(start is worker.start for start in starts) > 2
    assert np.isfinite(worker.samplers[64].theta).all()


def test_work_in_every_step_raises_the_batch_size_of_half_the_speed(faulty: dict[str, dict[str, Any]]) -> None:
    plain, burdened = faulty["vectorized"], faulty["burdened"]
    for size, seconds in _seconds(plain).items():
        assert _seconds(burdened)[size] - seconds == pytest.approx(2e-4, rel=0.6)
    assert burdened["model"]["half_throughput"] > 2 * plain["model"]["half_throughput"]


def test_a_wrong_variant_is_not_timed(faulty: dict[str, dict[str, Any]]) -> None:
    assert faulty["jit"].keys() == {"error"}
    assert faulty["jit"]["error"].startswith("variant 'jit' is not certified on ")
    assert faulty["jit"]["error"].endswith("so it is not timed: choose another --variant, or see gdbench check")
    assert "gradient on " in faulty["jit"]["error"]


def test_auto_goes_on_to_a_variant_that_is_certified_and_says_so(faulty: dict[str, dict[str, Any]]) -> None:
    found = faulty["auto"]
    assert {row["variant"] for row in found["rows"]} == {"buffered"}
    assert found["reason"].startswith("auto takes buffered at B = 1 to 442: ")
    assert "tiled is not certified here (the process of worker 1 of 2 ended with code -9)" in found["reason"]
    assert "jit is not certified here (gradient on " in found["reason"]
    assert not [warning for warning in found["warnings"] if "ended" in warning]  # the lost one was replaced


def test_ctrl_c_ends_every_process(sources: Path) -> None:
    process = _start(sources, 60, "vectorized")
    wait_for(lambda: len(psutil.Process(process.pid).children()) == 2, process)
    children = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in stderr
    assert psutil.wait_procs(children, timeout=10)[1] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"candidates": [0]}, "the batch size must be a whole number from 1 to 1797"),
        ({"candidates": []}, "there is no batch size to time"),
        ({"variant": "fastest"}, "there is no variant 'fastest'"),
        ({"processes": 0}, "at least one process"),
        ({"threads": 4096}, "4096 threads are asked for"),
    ],
)
def test_bad_input_is_one_sentence_before_any_process_starts(
    digits: Problem, options: dict[str, Any], message: str
) -> None:
    network, X, Y = digits
    arguments: dict[str, Any] = {"candidates": [1], **options}
    with pytest.raises(InputError, match=f"^{message}"):
        measure_step_time(network, X, Y, **arguments)


def _samples(centre: float, *, spread: float, noise: float, processes: int, count: int) -> dict[int, list[float]]:
    rng = np.random.default_rng(0)
    own = centre * np.exp(spread * rng.normal(size=processes))
    return {number: list(own[number] * np.exp(noise * rng.normal(size=count))) for number in range(processes)}


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(0), []
    for _ in range(200):
        own = {size: {number: [np.exp(0.05 * rng.normal())] for number in range(4)} for size in (1, 2, 4, 8)}
        held += [row.low <= 1.0 <= row.high for row in rows(own, dict.fromkeys(own, "any"))]
    assert 0.85 <= np.mean(held) <= 0.95


def test_a_single_process_is_not_taken_for_certain() -> None:
    (row,) = rows({8: {0: [1.0, 1.0, 1.0]}}, {8: "any"})
    assert row.low < 0.95 < 1.05 < row.high


def test_samples_are_enough_when_they_are_many_and_agree() -> None:
    assert enough(_samples(1.0, spread=0.2, noise=0.02, processes=4, count=8))
    assert not enough(_samples(1.0, spread=0.0, noise=0.02, processes=4, count=7))
    assert not enough(_samples(1.0, spread=0.0, noise=0.2, processes=4, count=8))
    few, many = (_samples(1.0, spread=0.0, noise=0.1, processes=4, count=count) for count in (50, 200))
    assert precision(few) == pytest.approx(2 * precision(many), rel=0.3)


CLOCKS = {
    "a line": lambda B, half: half + B,
    "a cache knee": lambda B, half: half + B + 1.0 * max(0, B - 512),
    "two knees": lambda B, half: half + B + 1.5 * max(0, B - 256) - 1.2 * max(0, B - 1024),
    "threads from 512 on": lambda B, half: half + (B if B < 512 else 0.6 * B),
}
CELLS = [(clock, half) for clock in CLOCKS for half in (1, 4, 16, 64, 256)][:-1]  # in the last, both lines have a claim


@pytest.mark.parametrize(("clock", "half"), CELLS)
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_the_model_finds_the_batch_size_of_half_the_speed(clock: str, half: int, noise: float) -> None:
    jitter = np.exp(noise * np.random.default_rng(half).normal(size=len(POWERS)))
    seconds = 1e-6 * np.array([CLOCKS[clock](B, half) for B in POWERS]) * jitter
    model = fit_time_model(POWERS, list(seconds))
    assert half / 1.5 <= model.half_throughput <= 1.5 * half
    assert model.error <= 0.1
    for B, true in zip(POWERS, seconds, strict=True):
        assert predict(model, B, measured=(1, 2048)) == pytest.approx(true, rel=0.2)


def test_an_exact_line_has_no_knees_and_an_exact_knee_is_found() -> None:
    line = fit_time_model(POWERS[::-1], [3e-6 + 2e-7 * B for B in POWERS[::-1]])
    assert line.knees == ()
    assert (line.fixed, line.per_row) == (pytest.approx(3e-6), pytest.approx(2e-7))
    assert line.half_throughput == pytest.approx(15)
    bent = fit_time_model(POWERS, [3e-6 + 2e-7 * B + 3e-7 * max(0, B - 128) for B in POWERS])
    (knee,) = bent.knees
    assert (knee.batch_size, knee.seconds_per_row) == (128, pytest.approx(3e-7))


def test_a_step_that_is_constant_up_to_some_size_reaches_half_the_speed_there() -> None:
    model = fit_time_model(POWERS, [max(32.0, B) for B in POWERS])
    assert 16 <= model.half_throughput <= 48
    late = fit_time_model(POWERS, [256 + B + 2 * max(0, B - 64) for B in POWERS])  # 256 of the first line is beyond it
    assert late.half_throughput == pytest.approx(64)
    assert fit_time_model([1, 2, 4], [5.0, 5.0, 5.0]).half_throughput == 4


def test_few_points_are_a_line_and_the_model_knows_its_range() -> None:
    two = fit_time_model([1, 10], [2.0, 11.0])
    assert (two.fixed, two.per_row, two.knees) == (pytest.approx(1), pytest.approx(1), ())
    assert predict(two, 5, measured=(1, 10)) == pytest.approx(6)
    assert fit_time_model([7], [2.0]).fixed == 2.0
    for outside in (0.5, 11):
        with pytest.raises(InputError, match="was measured from B = 1 to 10"):
            predict(two, outside, measured=(1, 10))
    for sizes, seconds in (([], []), ([1, 1], [1.0, 2.0]), ([1, 2], [1.0]), ([1, 2], [1.0, 0.0]), ([1], [math.nan])):
        with pytest.raises(InputError, match="a positive time"):
            fit_time_model(sizes, seconds)
