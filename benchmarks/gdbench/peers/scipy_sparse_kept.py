"""SciPy's CSR products in the first layer: X is converted in the first epoch alone, as one would before training.

What was converted is kept as long as that array lives, and taken for its values: who changes X in place between
calls gets the old ones. No other variant may do so; this one shows what the conversion costs.
"""

from __future__ import annotations

import weakref
from typing import Any

from scipy.sparse import csr_array

from gdbench.peers._scipy import sparse_epoch
from kernels import Network
from kernels.contract import Array, Order

_kept: dict[int, Any] = {}


def epoch(
    network: Network, theta: Array, X: Array, Y: Array, order: Order, batch_size: int, learning_rate: float
) -> Array:
    """Parameters (p,) after one pass over the rows in the given order."""
    return sparse_epoch(network, theta, _converted(X), Y, order, batch_size, learning_rate)


def _converted(X: Array) -> Any:
    if id(X) not in _kept:
        _kept[id(X)] = csr_array(X)
        weakref.finalize(X, _kept.pop, id(X))
    return _kept[id(X)]
