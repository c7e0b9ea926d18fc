"""PyTorch as it is usually written: the loss of a batch, its ``backward`` and an update in place.

Parameters are leaves, one for each weight matrix and bias: slices of one flat leaf would have a gradient of
full length each. They are updated together by one ``_foreach_add_``, which is what ``torch.optim.SGD`` calls;
the optimiser itself takes 30 to 70 us more for each update.
"""

from __future__ import annotations

import torch

from gdbench.peers._torch import Tensor, batches, forward, loss, mean_loss, tensor, unpack
from kernels import Network
from kernels.contract import Array, Order

__all__ = ["epoch", "forward", "gradient", "loss"]


def gradient(network: Network, theta: Array, X: Array, Y: Array) -> Array:
    """Gradient of ``loss`` by theta, (p,)."""
    leaves = _leaves(network, tensor(theta))
    mean_loss(network, _pairs(leaves), tensor(X), tensor(Y)).backward()
    return torch.cat([leaf.grad.ravel() for leaf in leaves]).numpy()


def epoch(
    network: Network, theta: Array, X: Array, Y: Array, order: Order, batch_size: int, learning_rate: float
) -> Array:
    """Parameters (p,) after one pass over the rows in the given order."""
    flat, learning_rate = tensor(theta).clone(), float(learning_rate)
    leaves = _leaves(network, flat)
    layers = _pairs(leaves)
    for x, y in batches(X, Y, order, batch_size):
        mean_loss(network, layers, x, y).backward()
        with torch.no_grad():
            torch._foreach_add_(leaves, [leaf.grad for leaf in leaves], alpha=-learning_rate)
        for leaf in leaves:
            leaf.grad = None
    return flat.numpy()


def _leaves(network: Network, flat: Tensor) -> list[Tensor]:
    """Views of flat (p,), each a leaf of its own: W and b of layer 1, W and b of layer 2, ..."""
    return [values.detach().requires_grad_() for layer in unpack(network, flat) for values in layer]


def _pairs(leaves: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
    return list(zip(leaves[::2], leaves[1::2], strict=True))
