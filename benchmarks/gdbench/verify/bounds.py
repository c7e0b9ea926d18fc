"""How far a right answer may be from the truth: running error analysis in the dtype under test.

Every value is carried with a bound of the rounding error that a computation of it may have gathered,
whatever order its sums are taken in (Higham 2002, Accuracy and Stability of Numerical Algorithms,
sections 3.1 and 3.3). A sum of m products of magnitudes |x||w| is uncertain by ``m u`` times their sum,
with u half the epsilon of the dtype; a product carries the errors of its factors on. A bias is one of the
summands of its pre-activation, and a parameter one of the summands of its update. So the tolerance
follows from the dtype, the lengths of the sums and the numbers at hand; nowhere is it a chosen number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from kernels import Network

Values = npt.NDArray[np.float64]

FUNCTION_UNITS = 16
"""Error allowed to exp, log1p and tanh, in units of u: vector libraries promise 4 ulp, which are 8 u."""
SAFETY = 2
"""The truth is itself rounded, in float64; where float64 is under test both may err."""


@dataclass(frozen=True, eq=False)
class Bounded:
    """Values, and a bound of the error of each when it is computed with unit roundoff u."""

    value: Values
    error: Values
    u: float
    tiny: float
    """Smallest normal number of the dtype: what underflow may cost an operation."""
    is_exact: bool = False
    """Whether all errors are 0: products with them, half of the work on large networks, are left out."""

    @classmethod
    def exact(cls, value: Values, dtype: npt.DTypeLike) -> Bounded:
        """Values that the dtype represents without error."""
        limits = np.finfo(np.dtype(dtype))
        value = np.asarray(value, float)
        return cls(value, np.zeros_like(value), float(limits.eps) / 2, float(limits.tiny), is_exact=True)

    @property
    def most(self) -> Values:
        """Largest magnitude that the computed values may have."""
        return np.abs(self.value) if self.is_exact else np.abs(self.value) + self.error

    @property
    def T(self) -> Bounded:
        """Transpose of each matrix."""
        return replace(self, value=self.value.swapaxes(-1, -2), error=self.error.swapaxes(-1, -2))

    def rounded(self, value: Values, error: Values, units: float = 1) -> Bounded:
        """Result of an operation on these values that itself errs by so many units of u."""
        return self._with(value, error + units * self.u * (np.abs(value) + error) + self.tiny)

    def __add__(self, other: Bounded) -> Bounded:
        return self.rounded(self.value + other.value, self.error + other.error)

    def __sub__(self, other: Bounded) -> Bounded:
        return self.rounded(self.value - other.value, self.error + other.error)

    def __mul__(self, other: Bounded) -> Bounded:
        error = np.abs(self.value) * other.error + self.error * other.most
        return self.rounded(self.value * other.value, error)

    def __matmul__(self, other: Bounded) -> Bounded:
        m, most = self.value.shape[-1], other.most
        error = self._gamma(m) * (self.most @ most) + m * self.tiny
        if not other.is_exact:
            error += np.abs(self.value) @ other.error
        if not self.is_exact:
            error += self.error @ most
        return self._with(self.value @ other.value, error)

    def added_to(self, start: Bounded, m: int) -> Bounded:
        """Add a sum of m products to a value that may stand anywhere among the summands.

        A BLAS may sum the products onto what it finds (beta = 1): the start then takes part in up to m + 1 roundings
        instead of one, and every product in one more.
        """
        error = start.error + (m + 1) / m * self.error + self._gamma(m + 1) * start.most
        return self._with(start.value + self.value, error + self.tiny)

    def scaled(self, factor: float) -> Bounded:
        """Multiply by a number that is itself rounded."""
        return self.rounded(self.value * factor, self.error * abs(factor), units=2)

    def sum(self, axis: int, *more: int) -> Bounded:
        """Sum over one axis or several, in any order."""
        axes = (axis, *more)
        m = math.prod(self.value.shape[axis] for axis in axes)
        error = self.error.sum(axes) + self._gamma(m) * self.most.sum(axes)
        return self._with(np.asarray(self.value.sum(axes)), np.asarray(error))

    def _gamma(self, m: int) -> float:
        """Worst relative error of a sum of m products (Higham's gamma_m)."""
        return m * self.u / (1 - m * self.u) if m * self.u < 0.5 else float("inf")

    def _with(self, value: Values, error: Values) -> Bounded:
        return Bounded(value, error, self.u, self.tiny)


@dataclass(frozen=True)
class Bounds:
    """Results of one network on one batch, with what rounding may do to them; stacked where theta was."""

    forward: Bounded
    loss: Bounded
    gradient: Bounded
    theta: Bounded
    n_rows: int

    def update(self, learning_rate: float) -> Bounded:
        """Parameters after one update of all rows, ``theta - learning_rate * gradient``, in any order of the sums."""
        return self.gradient.scaled(-learning_rate).added_to(self.theta, m=self.n_rows)


def bounds(network: Network, theta: Values, X: Values, Y: Values, dtype: npt.DTypeLike) -> Bounds:
    """Values in float64 and error bounds for a computation in dtype, of arguments that it holds exactly.

    Several vectors of parameters may be stacked, theta (..., p): one pass over the layers is much faster than many.
    """
    layers = [(Bounded.exact(W, dtype), Bounded.exact(b, dtype)) for W, b in _unpack(network, np.asarray(theta, float))]
    targets = Bounded.exact(Y, dtype)
    activations = [Bounded.exact(X, dtype)]
    for (W, b), name in zip(layers, network.activations, strict=True):
        Z = (activations[-1] @ W).added_to(b, m=W.value.shape[-2])
        activations.append(ACTIVATIONS[name](Z))
    n = len(X)
    return Bounds(
        forward=activations[-1],
        loss=LOSSES[network.output, network.loss](Z, activations[-1], targets).sum(-2, -1).scaled(1 / n),
        gradient=_gradient(network, layers, activations, targets),
        theta=Bounded.exact(theta, dtype),
        n_rows=n,
    )


def _unpack(network: Network, theta: Values) -> Iterator[tuple[Values, Values]]:
    """Weights (..., fan_in, fan_out) and bias (..., 1, fan_out) of each layer."""
    start, stack = 0, theta.shape[:-1]
    network.unpack(theta[(0,) * len(stack)])  # refuses what does not fit the network
    for fan_in, fan_out in network.shapes:
        middle, stop = start + fan_in * fan_out, start + (fan_in + 1) * fan_out
        yield theta[..., start:middle].reshape(*stack, fan_in, fan_out), theta[..., np.newaxis, middle:stop]
        start = stop


def _relu(Z: Bounded) -> Bounded:
    return Z._with(np.maximum(Z.value, 0), np.where(Z.value < -Z.error, 0, Z.error))  # surely below 0: exactly 0


def _sigmoid(Z: Bounded) -> Bounded:
    a = np.exp(-np.logaddexp(0, -Z.value))
    return Z.rounded(a, Z.error / 4, FUNCTION_UNITS)  # the sigmoid is nowhere steeper than 1/4


def _softmax(Z: Bounded) -> Bounded:
    z, e = Z.value, Z.error
    shifted = z - z.max(axis=-1, keepdims=True)
    a = np.exp(shifted)
    a /= a.sum(axis=-1, keepdims=True)
    # a relative error: both sums err, the shift is rounded, and so are k exponentials and their sum
    relative = 2 * e.max(axis=-1, keepdims=True) + Z.u * (np.abs(shifted) + 1 + z.shape[-1])
    return Z.rounded(a, a * np.minimum(np.expm1(np.minimum(relative, 1)), 1 / Z.u), FUNCTION_UNITS)


def _one(A: Bounded) -> Bounded:
    return A.rounded(np.ones_like(A.value), np.zeros_like(A.value), units=0)


def _relu_derivative(A: Bounded) -> Bounded:
    """Open where rounding may move 0."""
    return A._with((A.value > 0).astype(float), ((A.value <= A.error) & (A.error > 0)).astype(float))


def _squared_error(Z: Bounded, A: Bounded, Y: Bounded) -> Bounded:
    residual = A - Y
    return (residual * residual).scaled(0.5)


def _binary_cross_entropy(Z: Bounded, A: Bounded, Y: Bounded) -> Bounded:
    z, e = Z.value, Z.error
    parts = np.maximum(z, 0) + np.abs(Y.value * z) + np.log1p(np.exp(-np.abs(z)))
    value = np.logaddexp(0, z) - Y.value * z
    return Z._with(value, e + FUNCTION_UNITS * Z.u * (parts + e) + Z.tiny)


def _cross_entropy(Z: Bounded, A: Bounded, Y: Bounded) -> Bounded:
    z, e = Z.value, Z.error
    shifted = z - z.max(axis=-1, keepdims=True)
    negative = np.log(np.exp(shifted).sum(axis=-1, keepdims=True)) - shifted
    carried = 2 * e.max(axis=-1, keepdims=True) + Z.u * (np.abs(shifted) + z.shape[-1])
    return Y * Z.rounded(negative, carried, FUNCTION_UNITS)


ACTIVATIONS: dict[str, Callable[[Bounded], Bounded]] = {
    "identity": lambda Z: Z,
    "sigmoid": _sigmoid,
    "tanh": lambda Z: Z.rounded(np.tanh(Z.value), Z.error, FUNCTION_UNITS),
    "relu": _relu,
    "softmax": _softmax,
}
DERIVATIVES: dict[str, Callable[[Bounded], Bounded]] = {
    "sigmoid": lambda A: A * (_one(A) - A),
    "tanh": lambda A: _one(A) - A * A,
    "relu": _relu_derivative,
}
"""Derivative of a hidden activation, from its value."""
LOSSES: dict[tuple[str, str], Callable[[Bounded, Bounded, Bounded], Bounded]] = {
    ("identity", "squared_error"): _squared_error,
    ("sigmoid", "cross_entropy"): _binary_cross_entropy,
    ("sigmoid", "squared_error"): _squared_error,
    ("softmax", "cross_entropy"): _cross_entropy,
}
"""Terms of the loss, one for each row and output."""
OUTPUT_DELTAS: dict[tuple[str, str], Callable[[Bounded, Bounded], Bounded]] = {
    ("identity", "squared_error"): lambda residual, A: residual,
    ("sigmoid", "cross_entropy"): lambda residual, A: residual,
    ("sigmoid", "squared_error"): lambda residual, A: residual * DERIVATIVES["sigmoid"](A),
    ("softmax", "cross_entropy"): lambda residual, A: residual,
}
"""Derivative of a row's loss by the last pre-activations, from the residual A - Y."""


def _gradient(
    network: Network, layers: list[tuple[Bounded, Bounded]], activations: list[Bounded], Y: Bounded
) -> Bounded:
    n = len(Y.value)
    A = activations[-1]
    delta = OUTPUT_DELTAS[network.output, network.loss](A - Y, A).scaled(1 / n)
    parts: list[Bounded] = []
    for layer in reversed(range(network.n_layers)):
        parts += [delta.sum(-2), activations[layer].T @ delta]
        if layer > 0:
            delta = (delta @ layers[layer][0].T) * DERIVATIVES[network.hidden](activations[layer])
    values, errors = [part.value for part in parts[::-1]], [part.error for part in parts[::-1]]
    return A._with(_pack(values, A.value.shape[:-2]), _pack(errors, A.value.shape[:-2]))


def _pack(arrays: list[Values], stack: tuple[int, ...]) -> Values:
    """Lay the arrays of a gradient, (..., fan_in, fan_out) and (..., fan_out), behind each other as (..., p)."""
    return np.concatenate([array.reshape(*stack, -1) for array in arrays], axis=-1)
