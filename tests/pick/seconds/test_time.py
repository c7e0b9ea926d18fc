"""Seconds of a step: what an epoch costs, shared by its steps; certified first; told with how sure it is."""

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from sklearn.datasets import load_digits

import kernels
from gdbench.pick.seconds import measure
from gdbench.pick.seconds import process as step_process
from gdbench.pick.seconds.fleet import Fleet, NotTimed
from gdbench.pick.seconds.measure import measure_step_time
from gdbench.pick.seconds.model import fit_time_model, predict
from gdbench.pick.seconds.proof import certified
from gdbench.pick.seconds.statistics import enough, precision, rows
from gdbench.pick.seconds.times import Times
from gdbench.pick.steps.candidates import candidates
from gdbench.verify.stages import Certificate
from kernels import Choice, InputError, Network
from kernels.contract import Array

from ...helpers import add_variant, copy_sources, finish, have_ended, wait_for

Problem = tuple[Network, Array, Array]
POWERS = [2**exponent for exponent in range(12)]
MANY_SECONDS = 1e6
"""Given to a measurement that ends by its samples."""
COUNTED = '''"""A clock that moves as far as the work says, on any machine."""

now = 0.0


def spend(seconds):
    global now
    now += seconds


def read():
    return now
'''
TIME = "from time import get_clock_info, perf_counter, process_time"
FIXED, PER_ROW = 1e-5, 1e-7
"""Seconds of a step and of each of its rows by that clock."""
DIES = "import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)\n    "
GRADIENT = "    activations = _forward(network, theta, X)[1]\n    delta"
SCRIPT = """
import json, sys
from dataclasses import asdict
import numpy as np
import kernels
from gdbench.pick.seconds import measure

def timed(variant, processes):
    X, y = np.random.default_rng(0).normal(size=(442, 10)), np.ones((442, 1))
    options = {"variant": variant, "processes": processes, "most_seconds": 1e6}
    return measure.measure_step_time(kernels.Network.linear(10), X, y, [1, 8, 64, 442], **options)

if sys.argv[1] == "endless":
    measure.enough = lambda values: False
found = asdict(timed(sys.argv[2], 2))
try:
    timed("jit", 1)
except measure.NotTimed as error:
    found["refused"] = str(error)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def digits() -> Problem:
    X, labels = load_digits(return_X_y=True)
    return Network.softmax(64, 10), X / 16, np.eye(10)[labels]


@pytest.fixture(scope="module")
def measured(digits: Problem) -> Times:
    """A measurement in which one process of three was killed by its id, once there were samples."""
    known = set(psutil.Process().children())
    killed: list[int] = []

    def report(words: str, share: float) -> None:
        ours = sorted(set(psutil.Process().children()) - known, key=lambda process: process.pid)
        if words == "timing steps" and not killed and ours:
            killed.append(ours[0].pid)
            os.kill(ours[0].pid, signal.SIGKILL)

    options: dict[str, Any] = {"processes": 3, "most_seconds": MANY_SECONDS, "report": report}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "enough", lambda values: len(values) > 1)  # however noisy the machine
        found = measure_step_time(*digits, candidates(len(digits[1])), variant="vectorized", **options)
    assert set(psutil.Process().children()) == known
    return found


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sources that are timed by a counted clock, and whose variants have faults: tiled dies, jit is wrong."""
    folder = copy_sources(tmp_path_factory.mktemp("sources"))
    (folder / "counted.py").write_text(COUNTED, encoding="utf-8")
    timed = folder / "benchmarks" / "gdbench" / "pick" / "seconds" / "process.py"
    text = timed.read_text(encoding="utf-8")
    assert text.count(TIME) == 1
    counted = "from time import get_clock_info\nfrom counted import read as perf_counter, read as process_time"
    timed.write_text(text.replace(TIME, counted), encoding="utf-8")
    add_variant(folder, "tiled", (GRADIENT, f"    {DIES}{GRADIENT.lstrip()}"))
    add_variant(folder, "jit", ("delta = (activations[-1] - Y) / len(X)", "delta = (Y - activations[-1]) / len(X)"))
    cost = f"    spend({FIXED} + {PER_ROW} * len(X))\n{GRADIENT}"
    add_variant(folder, "buffered", (GRADIENT, cost), end="\n\nfrom counted import spend\n")
    (folder / "measure.py").write_text(SCRIPT, encoding="utf-8")
    return folder


def _start(sources: Path, *arguments: str) -> subprocess.Popen[str]:
    places = [str(sources), str(sources / "benchmarks"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}
    command = [sys.executable, str(sources / "measure.py"), *arguments]
    return subprocess.Popen(
        command, cwd=sources, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.fixture(scope="module")
def counted(sources: Path) -> dict[str, Any]:
    """Times of auto, by the counted clock, and what is said of jit."""
    done = finish(_start(sources, "enough", "auto"))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


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
        measure_step_time(*digits, [1, 8], variant="vectorized", processes=2, report=report)
    assert set(psutil.Process().children()) == known


def test_a_process_that_says_nothing_is_stopped(digits: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GDBENCH_PATIENCE_SECONDS", "0.01")
    with pytest.raises(NotTimed, match=r"said nothing for 0\.01 s and was stopped"):
        measure_step_time(*digits, [1], variant="vectorized", processes=1)


@dataclass
class Clock:
    """The two clocks of ``step_process``, which move as they are told."""

    wall: float = 0.0
    used: float = 0.0

    def spend(self, seconds: float, others: float = 0.0) -> None:
        """Let a process work, and other programs work meanwhile."""
        self.used += seconds
        self.wall += seconds + others


class Shuffling:
    """A generator of permutations that cost time."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.rng = clock, np.random.default_rng(0)

    def permutation(self, n: int) -> Array:
        self.clock.spend(SHUFFLE)
        return self.rng.permutation(n)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(step_process, "perf_counter", lambda: found.wall)
    monkeypatch.setattr(step_process, "process_time", lambda: found.used)
    return found


Epoch = Callable[..., Array]
MakeWorker = Callable[..., step_process.Worker]


@pytest.fixture
def make_worker(digits: Problem, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeWorker:
    """Return a function that makes a worker whose variants all have a given epoch."""

    def make(epoch: Epoch, threads: int = 1) -> step_process.Worker:
        network, X, Y = digits
        np.save(tmp_path / "X.npy", X)
        np.save(tmp_path / "Y.npy", Y)
        variant = replace(kernels.get("vectorized"), epoch=epoch)
        monkeypatch.setattr(step_process, "get", lambda name: variant)
        worker = step_process.Worker()
        worker.load(str(tmp_path), network, 0, threads)
        worker.stream = step_process.Stream(len(X), Shuffling(clock))  # type: ignore[arg-type]
        return worker

    return make


SHUFFLE, STEP, ROW = 3e-5, 5e-5, 1e-7
"""Seconds of a permutation, of a step, and of each of its rows."""


def _costing(clock: Clock, call: float, others: float = 0.0) -> Epoch:
    """Return an epoch that takes seconds a call, a step and a row; other programs take more for each of its own."""

    def epoch(network: Network, theta: Array, X: Array, Y: Array, order: Any, batch_size: int, rate: float) -> Array:
        own = call + math.ceil(len(order) / batch_size) * STEP + len(order) * ROW
        clock.spend(own, others * own)
        return theta

    return epoch


@pytest.mark.parametrize(
    ("call", "batch_size", "calls"),
    [
        *((10e-3, 1, 0), (10e-3, 256, 0), (10e-3, 512, 1), (10e-3, 1797, 1)),
        *((1e-5, 1, 0), (1e-5, 16, 0), (1e-5, 256, 4), (1e-5, 1797, 9)),
    ],
)
def test_the_steps_of_an_epoch_take_what_an_epoch_takes(
    call: float, batch_size: int, calls: int, digits: Problem, clock: Clock, make_worker: MakeWorker
) -> None:
    """Its permutation and its call too, whether timed as a whole or by the difference of two calls (0 whole ones)."""
    worker = make_worker(_costing(clock, call))
    worker.prepare(batch_size, "costing", 0.01)
    values, share = worker.sample(batch_size)
    assert worker.samplers[batch_size].calls == calls
    steps = math.ceil(len(digits[1]) / batch_size)
    own = STEP + batch_size * ROW + call / steps
    assert values == pytest.approx([own + SHUFFLE * batch_size / len(digits[1])] * len(values))
    assert share == pytest.approx(1)


@pytest.mark.parametrize(("threads", "factor"), [(1, 1), (2, 4)])
@pytest.mark.parametrize("batch_size", [1, 1797])
def test_what_other_programs_take_is_left_out_as_far_as_it_can_be_known(
    threads: int, factor: int, batch_size: int, digits: Problem, clock: Clock, make_worker: MakeWorker
) -> None:
    """Others have the cores for three quarters of the time; the CPU times of several threads would add up."""
    worker = make_worker(_costing(clock, 0.0, others=3.0), threads)
    worker.prepare(batch_size, "costing", 0.01)
    values, share = worker.sample(batch_size)
    shuffle = SHUFFLE * batch_size / len(digits[1])
    assert values == pytest.approx([factor * (STEP + batch_size * ROW) + shuffle] * len(values))
    assert share == pytest.approx(0.25)


def test_every_call_takes_fresh_rows_and_whole_batches_of_them(
    digits: Problem, clock: Clock, make_worker: MakeWorker
) -> None:
    costing, orders = _costing(clock, 0.0), []

    def epoch(network: Network, theta: Array, X: Array, Y: Array, order: Any, *rest: Any) -> Array:
        orders.append(order.copy())
        return costing(network, theta, X, Y, order, *rest)

    worker = make_worker(epoch)
    worker.prepare(100, "watched", 0.01)
    worker.sample(100)
    assert all(len(order) % 100 == 0 for order in orders)
    stream = np.concatenate(orders)
    n = len(digits[1])
    assert len(stream) > 3 * n
    for begin in range(0, len(stream) - n, n):
        assert len(np.unique(stream[begin : begin + n])) == n


def test_parameters_that_leave_their_range_begin_anew(clock: Clock, make_worker: MakeWorker) -> None:
    costing, starts = _costing(clock, 0.0), []

    def epoch(network: Network, theta: Array, *rest: Any) -> Array:
        starts.append(theta)
        costing(network, theta, *rest)
        return np.full_like(theta, np.nan) if len(starts) % 5 == 0 else theta + 1

    worker = make_worker(epoch)
    worker.prepare(64, "odd", 0.01)
    worker.sample(64)
    assert sum(start is worker.start for start in starts) > 2
    assert np.isfinite(worker.samplers[64].theta).all()


def test_seconds_are_those_of_the_clock_in_every_process(counted: dict[str, Any]) -> None:
    assert counted["processes"] == 2
    for row in counted["rows"]:
        assert row["seconds"] == pytest.approx(FIXED + PER_ROW * row["batch_size"])
    assert counted["model"]["half_throughput"] == pytest.approx(FIXED / PER_ROW)
    assert counted["drift"] == pytest.approx(0, abs=1e-6)


class WrongFleet(Fleet):
    """One process, in which no variant is certified."""

    def __init__(self) -> None:
        self.network, self.size, self.alive = Network.linear(10), 1, {0: None}  # type: ignore[dict-item]

    def fill(self) -> None:
        """Need nothing."""

    def ask_each(self, numbers: Any, name: str, arguments: Any) -> dict[int, Any]:
        proof = Certificate("jit", "10-1", "float64", 2.0, 1e-15, certified=False, where="gradient on rows")
        ((whole, quick),) = arguments
        return {0: dict.fromkeys([*whole, *quick], proof)}


def test_a_wrong_variant_is_not_timed() -> None:
    sentence = (
        r"^variant 'jit' is not certified on 10-1 .*gradient on rows.*so it is not timed: choose another --variant"
    )
    with pytest.raises(NotTimed, match=sentence):
        certified(WrongFleet(), {8: Choice(("jit",), "")})
    with pytest.raises(
        NotTimed, match=r"^none of tiled, jit is certified on 10-1 .*, so nothing is timed: see gdbench"
    ):
        certified(WrongFleet(), {8: Choice(("tiled", "jit"), "")})


def test_auto_goes_on_to_a_variant_that_is_certified_and_says_so(counted: dict[str, Any]) -> None:
    assert {row["variant"] for row in counted["rows"]} == {"buffered"}
    assert counted["reason"].startswith("auto takes buffered at B = 1 to 442: ")
    assert "tiled is not certified here (the process of worker 1 of 2 ended with code -9)" in counted["reason"]
    assert "jit is not certified here (gradient on " in counted["reason"]
    assert not [warning for warning in counted["warnings"] if "ended" in warning]  # the lost one was replaced


def test_a_variant_that_was_asked_for_and_is_wrong_is_refused_by_its_name(counted: dict[str, Any]) -> None:
    assert counted["refused"].startswith("variant 'jit' is not certified on 10-1 ")
    assert "(gradient on " in counted["refused"]
    assert "so it is not timed: choose another --variant" in counted["refused"]


def test_ctrl_c_ends_every_process(sources: Path) -> None:
    process = _start(sources, "endless", "vectorized")
    wait_for(lambda: len(psutil.Process(process.pid).children()) == 2, process)
    children = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGINT)
    done = finish(process)
    assert done.returncode != 0
    assert "KeyboardInterrupt" in done.stderr
    assert have_ended(children)


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
