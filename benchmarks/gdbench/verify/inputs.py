"""Inputs on which every variant must agree with the reference: ordinary ones and nasty ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from kernels import Network, get
from kernels.contract import Array

ROWS = 13
"""Rows of an ordinary batch: odd, so that short last batches occur."""
LARGEST_SUM = 1e4
"""Pre-activations of the last layer in the saturated situation."""


def _any_number(rng: np.random.Generator, rows: int, k: int) -> Array:
    return rng.normal(size=(rows, k))


TARGETS: dict[tuple[str, str], Callable[[np.random.Generator, int, int], Array]] = {
    ("identity", "squared_error"): _any_number,
    ("sigmoid", "cross_entropy"): lambda rng, rows, k: rng.random((rows, k)),
    ("sigmoid", "squared_error"): _any_number,
    ("softmax", "cross_entropy"): lambda rng, rows, k: rng.dirichlet(np.ones(k), size=rows),
}
"""Soft targets (rows, k) that a loss can take."""
HAS_CLASSES: dict[tuple[str, str], bool] = {
    ("identity", "squared_error"): False,
    ("sigmoid", "cross_entropy"): True,
    ("sigmoid", "squared_error"): False,
    ("softmax", "cross_entropy"): True,
}
"""Whether the targets of a loss are shares of classes, not numbers."""


@dataclass(frozen=True, eq=False)
class Situation:
    """Arguments of the kernels, all of one dtype: theta (p,), X (n, d), Y (n, k)."""

    name: str
    theta: Array
    X: Array
    Y: Array

    def wide(self) -> tuple[Array, Array, Array]:
        """Return theta, X, Y in float64: the very same numbers, for computing the truth."""
        return self.theta.astype(float), self.X.astype(float), self.Y.astype(float)


def situations(
    network: Network, dtype: npt.DTypeLike, *, data: tuple[Array, Array] | None = None, seed: int = 0
) -> Iterator[Situation]:
    """Yield the situations of a network; rows of real data take part where they are given."""
    ordinary = random_situation(network, dtype, rows=ROWS, seed=seed)
    yield ordinary
    if data is not None:
        yield Situation("rows of the data", ordinary.theta, *(values.astype(dtype) for values in data))
    yield random_situation(network, dtype, rows=1, seed=seed + 1, name="one row")
    yield _saturated(network, ordinary)
    X = ordinary.X.copy()
    X[:, ::2] = X[0, ::2]
    X[3:] *= np.random.default_rng(seed).random(X[3:].shape) < 0.2
    X[-1] = 0
    yield replace(ordinary, name="constant columns, sparse rows and an empty row", X=X)
    yield replace(ordinary, name="parameters of zero", theta=np.zeros_like(ordinary.theta))
    Y = random_targets(network, ROWS, np.random.default_rng(seed + 2)).astype(dtype)
    yield replace(ordinary, name="targets at the ends of their range", Y=Y)
    yield replace(
        ordinary,
        name="arrays that are not contiguous",
        theta=np.repeat(ordinary.theta, 2)[::2],
        X=np.asfortranarray(ordinary.X),
        Y=np.repeat(ordinary.Y, 3, axis=0)[::3],
    )


def random_situation(
    network: Network, dtype: npt.DTypeLike, *, rows: int, seed: int, name: str = "random rows"
) -> Situation:
    """Inputs of length about 2, so that pre-activations are of order 1 whatever the width; soft targets."""
    rng = np.random.default_rng(seed)
    X = rng.normal(scale=2 / np.sqrt(network.n_inputs), size=(rows, network.n_inputs))
    Y = TARGETS[network.output, network.loss](rng, rows, network.n_outputs)
    theta = network.init(rng, dtype)
    for _, b in network.unpack(theta):  # biases of zero would hide a bias that is forgotten
        b[:] = rng.normal(scale=0.5, size=b.shape)
    return Situation(name, theta, X.astype(dtype), Y.astype(dtype))


def with_labels(network: Network, situation: Situation) -> Situation:
    """Return the situation with shares of classes made one-hot, for kernels that learn from classes alone."""
    Y = situation.Y
    if not HAS_CLASSES[network.output, network.loss]:
        return situation
    if ((Y == 0) | (Y == 1)).all() and (network.n_outputs == 1 or (Y.sum(axis=1) == 1).all()):
        return situation
    return replace(situation, Y=random_targets(network, len(Y), np.random.default_rng(0)).astype(Y.dtype))


def random_targets(network: Network, rows: int, rng: np.random.Generator) -> Array:
    """Targets of exactly 0 and 1, a single 1 in each row where the outputs are classes."""
    if network.n_outputs == 1:
        return rng.integers(0, 2, (rows, 1)).astype(float)
    return np.eye(network.n_outputs)[rng.integers(0, network.n_outputs, rows)]


def _saturated(network: Network, ordinary: Situation) -> Situation:
    """Hidden units at their limits, and pre-activations of the last layer up to 1e4 of either sign."""
    theta = ordinary.theta.copy()
    *below, (W, b) = network.unpack(theta)
    for weights, biases in below:
        weights *= 50
        biases *= 50
    sums = Network(network.sizes, network.hidden, "identity", "squared_error")
    largest = np.abs(get("reference").forward(sums, theta, ordinary.X)).max()
    scale = theta.dtype.type(LARGEST_SUM / largest)
    W *= scale
    b *= scale
    return replace(ordinary, name="saturated activations", theta=theta)
