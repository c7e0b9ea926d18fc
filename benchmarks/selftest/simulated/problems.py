"""The problems that are simulated: rows, a network, where its runs start, and the loss to reach.

Convex problems are to come within a share of the way from the start to the least loss: 1 %, or more where 1 % would
take thousands of passes, since the classes can be separated and the least loss is 0, far out. Networks are to reach a
loss that batches of 32 at their best learning rate reach within 5 to 10 passes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

from kernels import Network

Values = npt.NDArray[np.float64]
SOFTMAX, LOGISTIC, NETWORK = "softmax", "logistic", "network"
FAMILIES = (SOFTMAX, LOGISTIC, NETWORK)


@dataclass(frozen=True, eq=False)
class Problem:
    """A network on rows, and the training loss to reach: that of all rows, by the mean over runs.

    Attributes
    ----------
    number : int
        Fixes the randomness of its runs, together with a seed.
    scheme : str
        Of ``Network.init``: ``zeros`` for convex problems.
    share : float
        Of the way from the start to the least loss, that may be left; 0 where ``loss`` is given.
    loss : float
        To reach; 0 where ``share`` is given.
    """

    name: str
    family: str
    number: int
    network: Network
    X: Values
    Y: Values
    scheme: str = "zeros"
    share: float = 0.0
    loss: float = 0.0

    @property
    def n_rows(self) -> int:
        """Rows n."""
        return len(self.X)

    @property
    def candidates(self) -> tuple[int, ...]:
        """1, the powers of two below n, and n."""
        return (*(2**power for power in range(self.n_rows.bit_length()) if 2**power < self.n_rows), self.n_rows)

    def is_certain(self, batch_size: int) -> bool:
        """Whether all runs are the same: they start alike and take all rows at once."""
        return self.scheme == "zeros" and batch_size == self.n_rows


def one_hot(labels: npt.NDArray[np.int64], k: int) -> Values:
    """(n, k) targets of class numbers."""
    return np.eye(k)[labels]


def standardised(X: Values) -> Values:
    """Columns with mean 0 and standard deviation 1; constant ones are 0."""
    spread = X.std(axis=0)
    return np.ascontiguousarray((X - X.mean(axis=0)) / np.where(spread > 0, spread, 1))


def _wine() -> Problem:
    X, labels = load_wine(return_X_y=True)
    return Problem("wine-softmax", SOFTMAX, 1, Network.softmax(13, 3), standardised(X), one_hot(labels, 3), share=0.01)


def _breast_cancer() -> Problem:
    X, labels = load_breast_cancer(return_X_y=True)
    Y = labels[:, None].astype(np.float64)
    return Problem("breast_cancer-logistic", LOGISTIC, 2, Network.logistic(30), standardised(X), Y, share=0.08)


def _unbalanced() -> Problem:
    """Three overlapping classes: 85, 10 and 5 % of the rows."""
    rng = np.random.default_rng(1_206)
    labels = rng.choice(3, 1500, p=(0.85, 0.10, 0.05))
    X = (rng.standard_normal((3, 8))[labels] * 0.8 + rng.standard_normal((1500, 8))) * np.geomspace(1, 0.4, 8)
    return Problem("unbalanced-softmax", SOFTMAX, 6, Network.softmax(8, 3), X, one_hot(labels, 3), share=0.01)


def _iris() -> Problem:
    X, labels = load_iris(return_X_y=True)
    network = Network.mlp(4, 16, 3, hidden="relu", output="softmax", loss="cross_entropy")
    return Problem("iris-4-16-3", NETWORK, 8, network, standardised(X), one_hot(labels, 3), scheme="he", loss=0.1)


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "wine-softmax": _wine,
    "breast_cancer-logistic": _breast_cancer,
    "unbalanced-softmax": _unbalanced,
    "iris-4-16-3": _iris,
}
"""Makers by name. A problem that changes gets a new name: what is stored belongs to it."""
