"""Early checks of what a user passes to a fit; each failure is one sentence that names the remedy."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable

import numpy as np

from kernels.contract import Array
from kernels.errors import InputError
from kernels.network import DTYPES, Network

ROW_SUM_ULPS = 16
"""How far the sum of a softmax target row may be from 1, in units of epsilon per class."""


def check_problem(network: Network, X: Array, Y: Array) -> tuple[Array, Array]:
    """Return X (n, d) and Y (n, k) C-contiguous, or raise InputError."""
    check_inputs(network, X)
    _check_finite("X", X)
    _check_form("Y", Y, network.n_outputs, "outputs")
    _check_finite("Y", Y)
    if X.dtype != Y.dtype:
        raise InputError(f"X is {X.dtype} but Y is {Y.dtype}: convert one of them with .astype")
    if len(X) != len(Y):
        raise InputError(f"X has {len(X)} rows but Y has {len(Y)}: pass one row of Y for each row of X")
    TARGET_CHECKS[network.output, network.loss](Y)
    return np.ascontiguousarray(X), np.ascontiguousarray(Y)


def check_inputs(network: Network, X: Array) -> None:
    """Raise InputError unless X (n, d) is a native float array of the network's width; values are not looked at."""
    if not isinstance(network, Network):
        raise InputError(
            f"network must be a kernels.Network, got {type(network).__name__}: make one, such as Network.linear(d, k)"
        )
    _check_form("X", X, network.n_inputs, "inputs")


def check_shapes(network: Network, theta: Array, X: Array, Y: Array | None = None) -> None:
    """Raise InputError unless the arrays fit the network and each other; compiled code would read past their ends."""
    network.check(theta)
    for name, values, columns in (("X", X, network.n_inputs), ("Y", Y, network.n_outputs)):
        if values is not None and values.shape != (len(X), columns):
            raise InputError(
                f"{name} has shape {values.shape} where the network {network} takes {(len(X), columns)}: "
                "change one of them"
            )


def check_start(network: Network, theta: Array, X: Array) -> Array:
    """Return a copy of the starting parameters theta (p,), or raise InputError."""
    if not isinstance(theta, np.ndarray):
        raise InputError(f"theta must be an array, got {type(theta).__name__}: start from network.init(rng)")
    _check_mask("theta", theta)
    network.check(theta)
    if theta.dtype != X.dtype:  # another byte order is another dtype
        raise InputError(f"theta is {theta.dtype} but X is {X.dtype}: convert it with theta.astype(X.dtype)")
    if not np.isfinite(theta).all():
        raise InputError("theta has values that are not finite: start from network.init(rng)")
    return theta.copy()


def check_training(n: int, batch_size: int, learning_rate: float, epochs: int) -> None:
    """Raise InputError unless the settings of a fit on n rows make sense."""
    check_batch_size(batch_size, n)
    try:
        value = float(learning_rate) if isinstance(learning_rate, numbers.Real) else math.nan
    except OverflowError:  # a whole number beyond the range of floats
        value = math.inf
    if not (math.isfinite(value) and value > 0):
        shown = f"{value:g}" if isinstance(learning_rate, numbers.Real) else learning_rate
        raise InputError(f"the learning rate must be positive and finite, got {shown}: try 0.1")
    if not isinstance(epochs, numbers.Integral) or epochs < 0:
        raise InputError(f"epochs must be a whole number of at least 0, got {epochs}: try 20")


def check_seed(seed: int) -> None:
    """Raise InputError unless seed is a whole number of at least 0, as NumPy's generators take it."""
    if not isinstance(seed, numbers.Integral) or seed < 0:
        raise InputError(f"the seed must be a whole number of at least 0, got {seed}: try 0")


def check_batch_size(batch_size: int, n: int) -> None:
    """Raise InputError unless batch_size is a whole number from 1 to n rows."""
    if not isinstance(batch_size, numbers.Integral) or not 1 <= batch_size <= n:
        raise InputError(f"the batch size must be a whole number from 1 to {n} (all rows), got {batch_size}")


def _check_form(name: str, values: Array, columns: int, what: str) -> None:
    if not isinstance(values, np.ndarray) or values.dtype.name not in DTYPES:
        kind = getattr(values, "dtype", type(values).__name__)
        raise InputError(f"{name} must be a float32 or float64 array, got {kind}: use np.asarray({name}, float)")
    _check_mask(name, values)
    if not values.dtype.isnative:
        raise InputError(
            f"{name} is {values.dtype}, in the byte order of other machines: use {name}.astype(np.{values.dtype.name})"
        )
    if values.ndim != 2:
        raise InputError(
            f"{name} must have two dimensions, got shape {values.shape}: use {name}.reshape(-1, {columns})"
        )
    if len(values) == 0:
        raise InputError(f"{name} has no rows: pass at least one")
    if values.shape[1] != columns:
        raise InputError(
            f"{name} has {values.shape[1]} columns but the network has {columns} {what}: change one of them"
        )


def _check_finite(name: str, values: Array) -> None:
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = bad[0]
        raise InputError(
            f"{name} has {len(bad)} values that are NaN or infinite, the first in row {row}, column {column}: "
            "remove or replace them"
        )


def _check_mask(name: str, values: Array) -> None:
    """Refuse masked arrays: the kernels would compute with what lies under the mask."""
    if isinstance(values, np.ma.MaskedArray):
        raise InputError(f"{name} is a masked array, and masks are ignored here: use {name}.filled(value)")


def _take_any(Y: Array) -> None:
    """Targets that are any finite number."""


def _check_probabilities(Y: Array) -> None:
    if Y.min() < 0 or Y.max() > 1:
        raise InputError(
            f"cross-entropy takes targets from 0 to 1, got {Y.min():g} to {Y.max():g}: "
            "encode classes as 0 and 1, or use squared_error"
        )


def _check_distributions(Y: Array) -> None:
    _check_probabilities(Y)
    sums = Y.sum(axis=1)
    wrong = np.abs(sums - 1) > ROW_SUM_ULPS * np.finfo(Y.dtype).eps * Y.shape[1]
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"softmax takes target rows that sum to 1, but row {row} sums to {sums[row]:g}: one-hot encode the classes"
        )


TARGET_CHECKS: dict[tuple[str, str], Callable[[Array], None]] = {
    ("identity", "squared_error"): _take_any,
    ("sigmoid", "cross_entropy"): _check_probabilities,
    ("sigmoid", "squared_error"): _take_any,
    ("softmax", "cross_entropy"): _check_distributions,
}
"""Raises InputError unless an output and loss can take the finite targets Y (n, k)."""
