"""Where the search for a learning rate begins: from how fast the gradient of a batch can change.

Expected smoothness (Gower et al. 2019, SGD: General Analysis and Improved Rates, arXiv 1901.09401) for batches of B of
n rows drawn without replacement: with the smoothness ``L`` of the mean loss and the largest ``L_max`` of one row's,
``L(B) = [n (B - 1) L + (n - B) L_max] / [B (n - 1)]``, which is L_max at B = 1 and L at B = n.

A row's loss has the Gauss-Newton matrix ``Jᵀ C J``, with the derivatives J of its pre-activations by the parameters and
the curvature C of the loss by them, whose eigenvalues are at most kappa. With no hidden layer J does not depend on
theta, its eigenvalues are those of ``x xᵀ`` with 1 appended to x, and ``kappa x xᵀ`` bounds the curvature everywhere.
With hidden layers it is the curvature at one theta: a start for a search, no bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.sparse.linalg import LinearOperator, eigsh

import kernels
from gdbench.pick.steps import lockstep
from gdbench.pick.steps.noise_scale import forward, row_gradients
from kernels import InputError, Network

Values = npt.NDArray[np.float64]
CURVATURES: dict[tuple[str, str], float] = {
    ("identity", "squared_error"): 1.0,
    ("sigmoid", "cross_entropy"): 1 / 4,
    ("softmax", "cross_entropy"): 1 / 2,
    ("sigmoid", "squared_error"): 0.0770,
}
"""Largest second derivative of a row's loss by its pre-activations: of a²/2; of -ln a, a (1 - a); largest eigenvalue of
diag(a) - a aᵀ; for y of 0 or 1 largest a² (1 - a) (2 - 3a), at a = 0.39."""
MEAN_CURVATURES: dict[tuple[str, str], Callable[[Values], float]] = {
    ("identity", "squared_error"): lambda a: 1.0,
    ("sigmoid", "cross_entropy"): lambda a: float((a * (1 - a)).max()),
    ("softmax", "cross_entropy"): lambda a: float(np.linalg.eigvalsh(np.diag(a) - np.outer(a, a))[-1]),
    ("sigmoid", "squared_error"): lambda a: float((a * (1 - a)).max()) ** 2,
}
"""Curvature of a row's loss by its pre-activations, where outputs and targets are both a (k,)."""
MIN_SHARE = 1 / 16
"""Share of kappa that the curvature at the mean targets counts as, at least: a rare class has nearly none there."""
PROBED_ROWS = 1_000
"""Rows whose curvature is probed where there are hidden layers, at most."""
START_SEED = 1901_09401
"""Seed of the vector from which an eigenvalue is sought, and no small number: theta may be drawn from one, and a vector
of the same stream can be all but orthogonal to the eigenvector."""
EXACT, ROUGH = 1e-5, 1e-2
"""Relative accuracy of the eigenvalue: with no hidden layer, and where products take longer."""


def rate_scale(network: Network, X: Values, Y: Values, batch_size: int, *, theta: Values | None = None) -> float:
    """Return ``2 / L(B)``, the centre of the search for a learning rate: positive and finite.

    On a convex quadratic, descent with all rows is stable below it; half of it is safe at any batch size.

    Parameters
    ----------
    network : Network
        What is computed.
    X : array, (n, d)
        Inputs.
    Y : array, (n, k)
        Targets; looked at only where there are hidden layers.
    batch_size : int
        Rows per update, 1 to n; more count as n.
    theta : array, (p,), optional
        Where the curvature of hidden layers is probed; ``network.init`` of a fixed seed when not given.

    Raises
    ------
    InputError
        If the values of X are so large that their squares leave the range of numbers.
    """
    n, B = len(X), min(batch_size, len(X))
    theta = network.init(np.random.default_rng(0)) if theta is None else theta
    kappa = output_curvature(network, Y)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, most = kappa * mean_curvature(network, theta, X), kappa * largest_curvature(network, theta, X, Y)
        most = max(mean, most)
        smoothness = mean if n == 1 else (n * (B - 1) * mean + (n - B) * most) / (B * (n - 1))
    if not 0 < smoothness < np.inf:
        raise InputError("the values of X are too large for a learning rate: standardise the columns of X")
    return float(2 / smoothness)


def output_curvature(network: Network, Y: Values) -> float:
    """Curvature of a row's loss by its pre-activations: kappa, its bound, where there is no hidden layer.

    Else that of outputs equal to the mean of the targets, since the output biases are what descent learns first
    and the bound is far above it: with ten classes of a tenth each, 0.09 instead of 1/4, 0.1 instead of 1/2.
    """
    kappa = CURVATURES[network.output, network.loss]
    if network.n_layers == 1:
        return kappa
    return max(MEAN_CURVATURES[network.output, network.loss](np.clip(Y.mean(axis=0), 0, 1)), MIN_SHARE * kappa)


def mean_curvature(network: Network, theta: Values, X: Values) -> float:
    """Largest eigenvalue of the mean of JᵀJ over the rows of X (n, d), evenly chosen if there are hidden layers."""
    if network.n_layers == 1:  # one output stands for all: each has the same matrix
        return _top_eigenvalue(partial(_gram_product, X), network.n_inputs + 1, EXACT)
    sample = X[:: -(-len(X) // PROBED_ROWS)]
    return _top_eigenvalue(partial(_jacobian_product, _linear(network), theta, sample), network.n_parameters, ROUGH)


def largest_curvature(network: Network, theta: Values, X: Values, Y: Values) -> float:
    """Largest eigenvalue of J Jᵀ of any single row, exactly ``max |x|² + 1`` where there is no hidden layer.

    With hidden layers each row's eigenvalue is estimated from below, by ``|Jᵀu|²`` for the direction u in which
    the row's output is wrong, since that is the direction in which descent moves it.
    """
    if network.n_layers == 1:
        return float(np.square(X).sum(axis=1).max()) + 1
    wrong = forward(network, theta, X)[-1] - Y
    length = np.linalg.norm(wrong, axis=1, keepdims=True)
    u = np.where(length > 0, wrong / np.where(length > 0, length, 1), network.n_outputs**-0.5)
    linear = _linear(network)
    return float(row_gradients(linear, theta, X, forward(linear, theta, X)[-1] - u)[0].max())


def _linear(network: Network) -> Network:
    """Return the network whose outputs are the pre-activations; its loss has the derivative a - y by them."""
    return replace(network, output="identity", loss="squared_error")


def _gram_product(X: Values, v: Values) -> Values:
    """Product of v (d + 1,) with the mean of x xᵀ over the rows, 1 appended to each."""
    along = X @ v[:-1] + v[-1]
    return np.append(along @ X, along.sum()) / len(X)


def _jacobian_product(network: Network, theta: Values, X: Values, v: Values) -> Values:
    """Product of v (p,) with the mean of JᵀJ: forwards along v, and back by the gradient of a loss made to fit."""
    A, along = X, np.zeros_like(X)
    for (W, b), (dW, db), name in zip(network.unpack(theta), network.unpack(v), network.activations, strict=True):
        along = along @ W + A @ dW + db
        A = lockstep.ACTIVATIONS[name](A @ W + b)
        along = along if name == "identity" else along * lockstep.DERIVATIVES[name](A)
    return kernels.get("vectorized").gradient(network, theta, X, A - along)


def _top_eigenvalue(product: Callable[[Values], Values], size: int, tolerance: float) -> float:
    """Largest eigenvalue of a positive semidefinite matrix of that size, from a fixed start; NaN where it overflows."""

    def checked(v: Values) -> Values:  # ARPACK takes what is not finite for numbers
        found = product(v)
        if not np.isfinite(found).all():
            raise FloatingPointError
        return found

    matrix = LinearOperator((size, size), matvec=checked, dtype=np.float64)
    start = np.random.default_rng(START_SEED).normal(size=size)
    try:
        return float(eigsh(matrix, k=1, which="LA", v0=start, tol=tolerance, return_eigenvectors=False)[0])
    except FloatingPointError:
        return float("nan")
