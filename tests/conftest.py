"""Fixtures that several files of tests share: every variant, both dtypes, networks of 0 to 3 hidden layers.

Parameters come from the registry and from ``kernels.network``, so that a new variant, activation or
output and loss pair is tested without a change here.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from playwright.sync_api import Browser, sync_playwright

import kernels
from kernels.contract import Array
from kernels.network import HIDDEN, OUTPUT_LOSSES

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run"),
]
HIDDEN_SIZES = ((), (4,), (4, 3), (3, 4, 2))


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
    """Smallest distance of a relu's weighted sum from 0, where its derivative jumps; infinite without relu."""
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser, for the tests that look at pages."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("no browser is installed: install Debian's package chromium to look at the page")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, headless=True, args=BROWSER_ARGUMENTS)
        yield chromium
        chromium.close()
