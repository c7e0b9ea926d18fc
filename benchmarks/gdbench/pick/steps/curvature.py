"""How fast the gradient of the mean loss can change, which tells where the search for a learning rate begins."""

from __future__ import annotations

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

import kernels
from kernels import InputError, Network
from kernels.contract import Array

PROBED_ROWS = 2_000
"""Rows whose curvature is probed, at most, evenly chosen."""
STEP = 1e-4
"""Length of the difference, relative to that of parameters and 1, from which a derivative of the gradient is taken."""
ACCURACY = 0.05
START_SEED = 1901_09401
"""Seed of the vector from which an eigenvalue is sought, and no small number: theta may be drawn from one, and a vector
of the same stream can be all but orthogonal to the eigenvector."""


def largest_curvature(network: Network, theta: Array, X: Array, Y: Array) -> float:
    """Largest absolute eigenvalue of the Hessian of the mean loss at theta, from differences of gradients.

    On a convex quadratic, descent with all rows is stable at learning rates below 2 over it.

    Parameters
    ----------
    network : Network
        What is computed.
    theta : array, (p,)
        Parameters at which it is taken.
    X, Y : array, (n, d) and (n, k)
        Rows.

    Raises
    ------
    InputError
        If the values of X are so large that products with them leave the range of numbers.
    """
    rows = slice(None, None, -(-len(X) // PROBED_ROWS))
    X, Y = np.ascontiguousarray(X[rows], np.float64), np.ascontiguousarray(Y[rows], np.float64)
    theta = np.asarray(theta, np.float64)
    gradient = kernels.get("vectorized").gradient
    length = STEP * max(1.0, float(np.linalg.norm(theta)))

    def product(v: Array) -> Array:
        step = v * (length / np.linalg.norm(v))
        with np.errstate(over="ignore", invalid="ignore"):
            change = gradient(network, theta + step, X, Y) - gradient(network, theta - step, X, Y)
            found = change * (np.linalg.norm(v) / (2 * length))
        if not np.isfinite(found).all():  # which ARPACK would take for numbers
            raise InputError("the values of X are too large for a learning rate: standardise the columns of X")
        return np.asarray(found)

    size = len(theta)
    start = np.random.default_rng(START_SEED).normal(size=size)
    if size <= 2:
        matrix = np.column_stack([product(column) for column in np.eye(size)])
        found = float(np.abs(np.linalg.eigvalsh((matrix + matrix.T) / 2)).max())
    else:
        matrix = LinearOperator((size, size), matvec=product, dtype=np.float64)
        found = abs(float(eigsh(matrix, k=1, which="LM", v0=start, tol=ACCURACY, return_eigenvectors=False)[0]))
    return found if found > 0 else 1.0
