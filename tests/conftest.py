"""Fixtures that several files of tests share: every variant, both dtypes, networks of 0 to 3 hidden layers.

Parameters come from the registry and from ``kernels.network``, so that a new variant, activation or
output and loss pair is tested without a change here.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, sync_playwright
from threadpoolctl import threadpool_limits

import kernels
from gdbench.processes.launch import allowed_cores
from kernels.contract import Array
from kernels.network import DTYPES, HIDDEN, OUTPUT_LOSSES

from .helpers import LIMIT_SECONDS, gdbench

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run"),
]
SMOKE_VARIANTS = tuple(name for name in kernels.variants() if name not in ("sparse", "tiled"))
"""One compiled variant stands for all: each takes a second of every block to load."""
SMOKE_RUN = (
    *("run", "--profile", "smoke", "--network", "logistic", "--variant", ",".join(SMOKE_VARIANTS)),
    *("--batch-size", "1,n", "--dtype", "float32,float64"),
)
TWO_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "2")
"""Wishes of a user, which the processes that measure must not take over."""
HIDDEN_SIZES = ((), (4,), (4, 3), (3, 4, 2))
COMPILE = """
import sys, numpy as np, kernels
rng, n = np.random.default_rng(0), 6
for network in (kernels.Network.logistic(20), kernels.Network((20, 4, 3))):
    theta, Y = network.init(rng, sys.argv[1]), np.zeros((n, network.n_outputs), sys.argv[1])
    X = (rng.random((n, 20)) < 0.2).astype(sys.argv[1])  # dense rows sparse would leave to tiled
    for variant in map(kernels.get, kernels.variants()):
        for function in (variant.forward, variant.loss, variant.gradient):
            function(network, theta, X, *(() if function is variant.forward else (Y,)))
        variant.epoch(network, theta, X, Y, np.arange(n), 2, 0.1)
"""

# A core for each process that runs tests, and for all that they start: BLAS threads that wait for each other on a busy
# machine take many times as long. Workers of pytest-xdist inherit it before they import NumPy.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")


settings.register_profile(
    "gdbench", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("gdbench")  # the same examples everywhere, however slow the machine is


def pytest_xdist_auto_num_workers() -> int:
    """Processes that run tests side by side: one for each core that may be used, which containers restrict."""
    return int(os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS", len(allowed_cores()) or os.cpu_count() or 1))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Fill Numba's cache before the whole suite, a process for each dtype: copies of the sources take it along."""
    whole = session.config.args_source is pytest.Config.ArgsSource.TESTPATHS and not session.config.option.collectonly
    if whole and "PYTEST_XDIST_WORKER" not in os.environ:
        processes = [subprocess.Popen([sys.executable, "-c", COMPILE, dtype]) for dtype in DTYPES]
        for process in processes:
            process.wait()  # a variant that fails here fails in its tests, which say so


@dataclass(frozen=True)
class Problem:
    """A network with parameters and rows to compute on."""

    network: kernels.Network
    theta: Array
    X: Array
    Y: Array

    def astype(self, dtype: type) -> "Problem":
        return Problem(self.network, self.theta.astype(dtype), self.X.astype(dtype), self.Y.astype(dtype))

    def copies(self) -> tuple[Array, Array, Array]:
        return self.theta.copy(), self.X.copy(), self.Y.copy()


def make_networks() -> list[kernels.Network]:
    return [
        kernels.Network((3, *sizes, 2), hidden, *pair)
        for sizes in HIDDEN_SIZES
        for hidden in (HIDDEN if sizes else HIDDEN[:1])
        for pair in OUTPUT_LOSSES
    ]


def make_problem(network: kernels.Network, *, n: int, seed: int = 0) -> Problem:
    """Random rows, targets that the loss can take, and parameters with biases that are not zero."""
    rng = np.random.default_rng(seed)
    theta = network.init(rng) + 0.3 * rng.normal(size=network.n_parameters)
    X = rng.normal(size=(n, network.n_inputs))
    if network.output == "softmax":
        Y = rng.dirichlet(np.ones(network.n_outputs), size=n)
    else:
        Y = rng.random((n, network.n_outputs))
    return Problem(network, theta, X, Y)


def find_kink_distance(problem: Problem) -> float:
    """Smallest distance of a relu's pre-activation from 0, where its derivative jumps; infinite without relu."""
    distance, A = np.inf, problem.X
    layers = problem.network.unpack(problem.theta)
    for (W, b), name in zip(layers[:-1], problem.network.activations, strict=False):
        if name != "relu":
            break
        Z = A @ W + b
        distance, A = min(distance, float(np.abs(Z).min())), np.maximum(Z, 0)
    return distance


@pytest.fixture(scope="session", params=kernels.variants())
def variant(request: pytest.FixtureRequest) -> kernels.Variant:
    return kernels.get(request.param)


@pytest.fixture(scope="session", params=[np.float32, np.float64], ids=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> type:
    return request.param


@pytest.fixture(scope="session", params=make_networks(), ids=lambda network: str(network).replace(" ", "_"))
def network(request: pytest.FixtureRequest) -> kernels.Network:
    return request.param


@pytest.fixture(scope="session")
def problem_of():
    """Make a ``Problem``: problem_of(network, n=..., seed=...)."""
    return make_problem


@pytest.fixture(scope="session")
def kink_distance():
    """Distance of a ``Problem`` from the nearest kink of a relu."""
    return find_kink_distance


@pytest.fixture(scope="session", autouse=True)
def _one_blas_thread() -> Iterator[None]:
    """Sums are rounded alike whatever the number of cores, and files of tests that run side by side do not wait."""
    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture(scope="session", autouse=True)
def _hear_signals() -> None:
    """Processes that tests start hear Ctrl-C and a closed terminal, also where the tests themselves do not.

    A shell's ``&`` has them ignore the first, and ``nohup`` the second; what they start would inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda _number, _frame: None)


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Folder and answer of one run of the real command, for several files to read: copy what you would change.

    The first that asks makes it, also among the processes of pytest-xdist.
    """
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "smoke_run"
    place.mkdir(exist_ok=True)
    kept = place / "answer.json"
    with FileLock(place / "lock"):
        if not kept.exists():
            (place / "cwd").mkdir(exist_ok=True)
            answer = gdbench(*SMOKE_RUN, "--output", "run", "--json", "-", cwd=place / "cwd", **TWO_THREADS)
            kept.write_text(json.dumps(vars(answer)), encoding="utf-8")
    return place / "cwd" / "run", subprocess.CompletedProcess(**json.loads(kept.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser, for the tests that look at pages."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("no browser is installed: install Debian's package chromium to look at the page")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=path, headless=True, args=BROWSER_ARGUMENTS, timeout=1000 * LIMIT_SECONDS
        )
        yield chromium
        chromium.close()
