"""Compiled steps of the oracles: several runs go on together, on what was drawn for them."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
LOOSE = {"reassoc", "contract", "nsz"}
"""Sums may be taken in any order; what overflows stays infinite or no number."""


@numba.njit("void(f8[:,::1], f8[:,:,::1], i8, i8, f8, f8[::1])", cache=True, fastmath=LOOSE)  # type: ignore[misc]
def quadratic_steps(thetas: Values, noise: Values, first: int, last: int, rate: float, h: Values) -> None:
    """Descend from thetas (S, p) with the noise (S, T, p) of some of T steps and curvatures (p,), in place."""
    for s in range(len(thetas)):
        for t in range(first, last):
            for j in range(len(h)):
                thetas[s, j] -= rate * (h[j] * thetas[s, j] + noise[s, t, j])


@numba.njit("void(f8[:,::1], f8[:,:,:,::1], f8[:,:,::1], i8, i8, f8, f8[::1])", cache=True, fastmath=LOOSE)  # type: ignore[misc]
def drawn_rows_steps(
    thetas: Values, rows: Values, noise: Values, first: int, last: int, rate: float, optimum: Values
) -> None:
    """Descend on ``1/2 Σ (x (θ - optimum) - noise)²`` of the rows (S, T, r, p) of each step, in place."""
    gradient = np.empty(len(optimum))
    for s in range(len(thetas)):
        for t in range(first, last):
            gradient[:] = 0.0
            for i in range(rows.shape[2]):
                residual = -noise[s, t, i]
                for j in range(len(optimum)):
                    residual += rows[s, t, i, j] * (thetas[s, j] - optimum[j])
                for j in range(len(optimum)):
                    gradient[j] += residual * rows[s, t, i, j]
            for j in range(len(optimum)):
                thetas[s, j] -= rate * gradient[j]


@numba.njit("void(f8[::1], f8[::1], i8[::1], f8[:,::1], f8[::1])", cache=True, fastmath=LOOSE)  # type: ignore[misc]
def _add_gradient(gradient: Values, theta: Values, index: Numbers, X: Values, y: Values) -> None:
    """Add ``x (x θ - y)`` of the rows that are named."""
    for row in index:
        residual = -y[row]
        for j in range(len(theta)):
            residual += X[row, j] * theta[j]
        for j in range(len(theta)):
            gradient[j] += residual * X[row, j]


@numba.njit("void(f8[:,::1], i8[:,:,::1], i8, i8, f8, f8[:,::1], f8[::1])", cache=True, fastmath=LOOSE)  # type: ignore[misc]
def subset_steps(thetas: Values, index: Numbers, first: int, last: int, rate: float, X: Values, y: Values) -> None:
    """Descend on the mean of ``1/2 (x θ - y)²`` over the rows of X (n, p) with numbers (S, T, m), in place."""
    gradient, m = np.empty(X.shape[1]), index.shape[2]
    for s in range(len(thetas)):
        for t in range(first, last):
            gradient[:] = 0.0
            _add_gradient(gradient, thetas[s], index[s, t], X, y)
            for j in range(X.shape[1]):
                thetas[s, j] -= rate / m * gradient[j]


@numba.njit(
    "void(f8[:,::1], i8[:,:,::1], i8, i8, f8, f8[:,::1], f8[::1], f8[:,::1], f8[::1])", cache=True, fastmath=LOOSE
)  # type: ignore[misc]
def rest_steps(
    thetas: Values,
    index: Numbers,
    first: int,
    last: int,
    rate: float,
    X: Values,
    y: Values,
    H: Values,
    optimum: Values,
) -> None:
    """Descend on the mean over all other rows: their gradients are ``n H (θ - optimum)`` less those of the named."""
    (n, p), m = X.shape, index.shape[2]
    gradient = np.empty(p)
    for s in range(len(thetas)):
        for t in range(first, last):
            for j in range(p):
                gradient[j] = 0.0
                for k in range(p):
                    gradient[j] -= n * H[j, k] * (thetas[s, k] - optimum[k])
            _add_gradient(gradient, thetas[s], index[s, t], X, y)
            for j in range(p):
                thetas[s, j] += rate / (n - m) * gradient[j]


@numba.njit("i8[:,::1](f8[:,::1], i8)", cache=True)  # type: ignore[misc]
def subsets(chances: Values, n: int) -> Numbers:
    """(T, m) row numbers, each line m different ones of n, from numbers (T, m) between 0 and 1: Fisher and Yates."""
    found = np.empty(chances.shape, np.int64)
    places = np.arange(n)
    for t in range(chances.shape[0]):  # any order of the places to begin with is as good
        for i in range(chances.shape[1]):
            other = i + int(chances[t, i] * (n - i))
            places[i], places[other] = places[other], places[i]
            found[t, i] = places[i]
    return found
