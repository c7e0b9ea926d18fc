"""SciPy's CSR products in the first layer: X is converted in every epoch, inside its time."""

from __future__ import annotations

from scipy.sparse import csr_array

from gdbench.peers._scipy import sparse_epoch
from kernels import Network
from kernels.contract import Array, Order


def epoch(
    network: Network, theta: Array, X: Array, Y: Array, order: Order, batch_size: int, learning_rate: float
) -> Array:
    """Parameters (p,) after one pass over the rows in the given order."""
    return sparse_epoch(network, theta, csr_array(X), Y, order, batch_size, learning_rate)
