"""The least training loss of a convex network: no hidden layer, and a loss that is convex in the pre-activations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg, optimize

import kernels
from kernels import Network

Values = npt.NDArray[np.float64]
COARSE, FINE = 1e-4, 1e-7
"""Where the two passes of the descent end: largest partial derivative, relative to that of zero parameters."""
VERIFIED = 1e-6
"""Norm of the gradient that is taken for zero, relative to that of zero parameters; a little above ``FINE``."""
MAX_MOVEMENT = 1.0
"""Change of a pre-activation between the two passes, above which parameters are on their way to infinity. There
the gradient falls as exp(-z), so z grows by ln(COARSE / FINE) = 6.9; at a minimum it hardly changes."""
MAX_PRODUCTS = 1e10
"""Products n * p of all evaluations of one pass: a few seconds."""
MIN_EVALUATIONS, MAX_EVALUATIONS = 100, 5_000
PAIRS = 20
"""Pairs of steps and changes of the gradient that L-BFGS keeps."""


@dataclass(frozen=True)
class Optimum:
    """Parameters of the least training loss, or close to it."""

    theta: Values
    """(p,)"""
    value: float
    """Loss at theta."""
    gradient_norm: float
    """Euclidean norm of the gradient at theta, zero at a minimum but for rounding."""
    attained: bool
    """Whether theta is a minimum. If not, the loss has its infimum at infinity (a plane separates the classes, a class
    never occurs) or the evaluations were spent; ``value`` is then an upper bound, as a rule close to the infimum."""


def find_optimum(network: Network, X: Values, Y: Values) -> Optimum | None:
    """Find the least training loss, or return None unless the network is convex.

    Squared error is solved by ``scipy.linalg.lstsq``, cross-entropy by L-BFGS (Liu and Nocedal 1989) from zero
    parameters, both on columns of mean 0 and variance 1, which changes the parameters but not the least loss; the
    parameters returned are those for X as given. The same input gives the same output.

    Parameters
    ----------
    network : Network
        What is computed.
    X : array, (n, d)
        Inputs.
    Y : array, (n, k)
        Targets, finite like X.
    """
    solve = SOLVERS[network.output, network.loss]
    if network.n_layers > 1 or solve is None:
        return None
    X, Y = np.ascontiguousarray(X, np.float64), np.ascontiguousarray(Y, np.float64)
    centre, spread = _scale(X)
    theta, settled = solve(network, (X - centre) / spread, Y)
    theta = _unscaled(network, theta, centre, spread)
    kernel = kernels.get("vectorized")
    norm = _norm(network, theta, X, Y)
    verified = norm <= VERIFIED * _norm(network, np.zeros_like(theta), X, Y)
    return Optimum(theta, kernel.loss(network, theta, X, Y), norm, attained=settled and verified)


def _scale(X: Values) -> tuple[Values, Values]:
    """Mean and standard deviation (d,) of the columns; 1 for those that are constant but for rounding."""
    centre, spread = X.mean(axis=0), X.std(axis=0)
    rounding = len(X) * np.finfo(np.float64).eps * np.abs(X).max(axis=0)
    return centre, np.where(spread > rounding, spread, 1.0)


def _unscaled(network: Network, theta: Values, centre: Values, spread: Values) -> Values:
    """Parameters (p,) that give on X the sums that theta gives on (X - centre) / spread."""
    ((W, b),) = network.unpack(theta)
    W = W / spread[:, None]
    return np.concatenate([W.ravel(), b - centre @ W])


def _norm(network: Network, theta: Values, X: Values, Y: Values) -> float:
    return float(np.linalg.norm(kernels.get("vectorized").gradient(network, theta, X, Y)))


def _solve(network: Network, X: Values, Y: Values) -> tuple[Values, bool]:
    """Least squares, of least norm where columns depend on each other; a minimum always exists."""
    rows = np.column_stack([X, np.ones(len(X))])
    solution = linalg.lstsq(rows, Y, cond=max(rows.shape) * np.finfo(np.float64).eps)[0]
    return solution.ravel(), True  # rows are those of W, then b: the layout of theta


def _descend(network: Network, X: Values, Y: Values) -> tuple[Values, bool]:
    """Descend in two passes; the second tells whether the parameters have settled."""
    kernel, zero = kernels.get("vectorized"), np.zeros(network.n_parameters)
    steepest = float(np.abs(kernel.gradient(network, zero, X, Y)).max())
    coarse = _minimise(network, zero, X, Y, COARSE * steepest)
    fine = _minimise(network, coarse, X, Y, FINE * steepest)
    ((W, b),) = network.unpack(fine - coarse)
    return fine, bool(np.abs(X @ W + b).max() < MAX_MOVEMENT)


def _minimise(network: Network, start: Values, X: Values, Y: Values, steepest: float) -> Values:
    kernel = kernels.get("vectorized")

    def evaluate(theta: Values) -> tuple[float, Values]:
        return kernel.loss(network, theta, X, Y), kernel.gradient(network, theta, X, Y)

    evaluations = int(np.clip(MAX_PRODUCTS / (len(X) * start.size), MIN_EVALUATIONS, MAX_EVALUATIONS))
    limits = {"maxiter": evaluations, "maxfun": evaluations, "gtol": steepest, "ftol": 0.0, "maxcor": PAIRS}
    # A line search that rounding defeats and spent evaluations are no errors: the gradient is looked at afterwards.
    found = optimize.minimize(evaluate, start, jac=True, method="L-BFGS-B", options=limits)
    return np.asarray(found.x, np.float64)


SOLVERS: dict[tuple[str, str], Callable[[Network, Values, Values], tuple[Values, bool]] | None] = {
    ("identity", "squared_error"): _solve,
    ("sigmoid", "cross_entropy"): _descend,
    ("sigmoid", "squared_error"): None,
    ("softmax", "cross_entropy"): _descend,
}
"""Returns the parameters (p,) of the least loss and whether they are a minimum; None where the loss of a network
without hidden layers is not convex in the parameters."""
