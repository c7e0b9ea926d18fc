"""Training losses of many parameters at once, by NumPy; the least loss of convex problems, by SciPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from kernels import Network
from selftest.simulated.problems import Problem, Values

BLOCK = 1 << 18
"""Activations worked on at a time: they are to stay in the cache."""
SEPARABLE = 1e-3
"""A least loss below this share of that at the start is one that is approached and never attained: 0."""
ITERATIONS = 20_000
HIDDEN: dict[str, Callable[[Values], Values]] = {"tanh": np.tanh, "relu": lambda Z: np.maximum(Z, 0)}


@dataclass(frozen=True)
class Goal:
    """The loss to reach, and what it was made from."""

    target: float
    floor: float
    """Least loss, if it is known, else 0: crossings are interpolated in the logarithm of what is above it."""
    start: float
    """Mean loss before the first step."""


def losses(network: Network, thetas: Values, X: Values, Y: Values) -> Values:
    """(R,) mean losses over the rows of X (n, d) and Y (n, k) at parameters (R, p); infinite where they overflow."""
    size = max(1, BLOCK // (len(X) * max(network.sizes[1:])))
    columns, targets = np.ascontiguousarray(X.T), np.ascontiguousarray(Y.T)
    parts = [thetas[first : first + size] for first in range(0, len(thetas), size)]
    with np.errstate(all="ignore"):
        found = np.concatenate([_losses(network, part, columns, targets) for part in parts])
    return np.where(np.isnan(found), np.inf, found)


def _losses(network: Network, thetas: Values, X: Values, Y: Values) -> Values:
    """Losses with a row per column of X (d, n) and Y (k, n): sums over outputs then run along contiguous rows."""
    Z, n = _outputs(network, thetas, X), X.shape[1]
    if network.loss == "squared_error" and network.output == "identity":
        return np.square(Z - Y).sum(axis=(1, 2)) / (2 * n)
    told = Z.reshape(len(Z), -1) @ Y.ravel()
    if network.output == "softmax":
        highest = Z.max(axis=1)
        return (np.log(np.exp(Z - highest[:, None]).sum(axis=1)) + highest).mean(axis=1) - told / n
    if network.output == "sigmoid" and network.loss == "cross_entropy":
        return ((np.maximum(Z, 0) + np.log1p(np.exp(-np.abs(Z)))).sum(axis=(1, 2)) - told) / n
    raise ValueError(f"no loss is known for {network}")


def _outputs(network: Network, thetas: Values, X: Values) -> Values:
    """(R, k, n) pre-activations of the last layer for X (d, n)."""
    R, A, start = len(thetas), X, 0
    for layer, (fan_in, fan_out) in enumerate(network.shapes):
        middle, stop = start + fan_in * fan_out, start + (fan_in + 1) * fan_out
        W = thetas[:, start:middle].reshape(R, fan_in, fan_out).transpose(0, 2, 1)
        b = thetas[:, middle:stop, None]
        if layer == 0:  # one product for all parameters, since all have the same rows
            Z = (W.reshape(R * fan_out, fan_in) @ A).reshape(R, fan_out, -1) + b
        else:
            Z = W @ HIDDEN[network.hidden](A) + b
        A, start = Z, stop
    return A


def goal_of(problem: Problem, starts: Values) -> Goal:
    """Find the goal of a problem whose runs begin at parameters (R, p)."""
    start = float(losses(problem.network, starts, problem.X, problem.Y).mean())
    if problem.loss:
        return Goal(problem.loss, 0.0, start)
    least = least_loss(problem)
    floor = least if least > SEPARABLE * start else 0.0
    return Goal(floor + problem.share * (start - floor), floor, start)


def least_loss(problem: Problem) -> float:
    """Least training loss of a network of one layer, whose loss is convex."""
    network, X, Y = problem.network, problem.X, problem.Y
    if network.n_layers != 1 or network.loss != "cross_entropy":
        raise ValueError(f"{network} is not convex, or its gradient is not written here")

    def value_and_gradient(theta: Values) -> tuple[float, Values]:
        Z = _outputs(network, theta[None], X.T)[0].T
        if network.output == "softmax":
            A = np.exp(Z - Z.max(axis=1, keepdims=True))
            A /= A.sum(axis=1, keepdims=True)
        else:
            A = 1 / (1 + np.exp(-Z))
        delta = (A - Y) / len(X)
        gradient = np.concatenate([(X.T @ delta).ravel(), delta.sum(axis=0)])
        return float(losses(network, theta[None], X, Y)[0]), gradient

    options = {"maxiter": ITERATIONS, "maxfun": 2 * ITERATIONS, "ftol": 1e-15, "gtol": 1e-9}
    with np.errstate(over="ignore"):
        found = minimize(
            value_and_gradient, np.zeros(network.n_parameters), jac=True, method="L-BFGS-B", options=options
        )
    return float(found.fun)
