"""PyTorch with backpropagation by hand: no graph is recorded, and each result goes into a tensor that stands ready.

The gradient of a weight matrix and its update are one ``addmm_``; in large batches the product stands alone, since
BLAS sums it in parts and would round the parameters once for each. Biases have no such ``addmv_`` for that reason.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from gdbench.peers._torch import Layers, Tensor, batches, deltas, forward, loss, tensor, unpack
from kernels import Network
from kernels.contract import Array, Order

__all__ = ["epoch", "forward", "gradient", "loss"]

_aten = torch.ops.aten
DERIVATIVES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "sigmoid": lambda delta, A: _aten.sigmoid_backward.grad_input(delta, A, grad_input=delta),
    "tanh": lambda delta, A: _aten.tanh_backward.grad_input(delta, A, grad_input=delta),
    "relu": lambda delta, A: _aten.threshold_backward.grad_input(delta, A, 0, grad_input=delta),
}
"""Multiply delta, in place, by the derivative of an activation whose value is A."""
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda Z: Z,
    "sigmoid": torch.sigmoid_,
    "tanh": torch.tanh_,
    "relu": torch.relu_,
    "softmax": lambda Z: torch.softmax(Z, dim=1),
}
"""Activation in place, but for softmax, which has no such form."""
OUTPUT_DELTAS: dict[tuple[str, str], Callable[[Tensor, Tensor], Tensor]] = {
    ("identity", "squared_error"): lambda A, Y: A - Y,
    ("sigmoid", "cross_entropy"): lambda A, Y: A.sub_(Y),
    ("sigmoid", "squared_error"): lambda A, Y: DERIVATIVES["sigmoid"](A - Y, A),
    ("softmax", "cross_entropy"): lambda A, Y: A.sub_(Y),
}
"""Derivative of the summed loss by the last pre-activations, from the outputs A, in place where A is not needed."""

FUSED_ROWS = 256
"""Largest batch whose product of inputs and deltas is added to the parameters as it is made."""


class Workspace:
    """Tensors for the results of one update on m rows: activations, deltas, products, sums over rows."""

    def __init__(self, network: Network, m: int, dtype: torch.dtype) -> None:
        self.A = [torch.empty(m, width, dtype=dtype) for width in network.sizes[1:]]
        self.D = [torch.empty(m, width, dtype=dtype) for width in network.sizes[1:-1]]
        self.G = [torch.empty(shape, dtype=dtype) for shape in network.shapes] if m > FUSED_ROWS else []
        self.sums = [torch.empty(width, dtype=dtype) for width in network.sizes[1:]]


def gradient(network: Network, theta: Array, X: Array, Y: Array) -> Array:
    """Gradient of ``loss`` by theta, (p,)."""
    with torch.inference_mode():
        flat = tensor(theta)
        inputs, found = deltas(network, unpack(network, flat), tensor(X), tensor(Y), 1 / len(X))
        answer = torch.empty_like(flat)
        for (dW, db), A, delta in zip(unpack(network, answer), inputs, found, strict=True):
            torch.mm(A.T, delta, out=dW)
            torch.sum(delta, dim=0, out=db)
        return answer.numpy()


def epoch(
    network: Network, theta: Array, X: Array, Y: Array, order: Order, batch_size: int, learning_rate: float
) -> Array:
    """Parameters (p,) after one pass over the rows in the given order."""
    learning_rate, spaces = float(learning_rate), {}
    with torch.inference_mode():
        flat = tensor(theta).clone()
        layers = unpack(network, flat)
        for x, y in batches(X, Y, order, batch_size):
            m = x.shape[0]
            if m not in spaces:  # twice at most: for full batches, and for a short last one
                spaces[m] = Workspace(network, m, flat.dtype)
            _update(network, layers, x, y, spaces[m], -learning_rate / m)
        return flat.numpy()


def _update(network: Network, layers: Layers, x: Tensor, y: Tensor, space: Workspace, scale: float) -> None:
    A = x
    for (W, b), name, out in zip(layers, network.activations, space.A, strict=True):
        A = ACTIVATIONS[name](torch.addmm(b, A, W, out=out))
    delta = OUTPUT_DELTAS[network.output, network.loss](A, y)
    for layer in reversed(range(network.n_layers)):
        (W, b), above = layers[layer], delta
        below = space.A[layer - 1] if layer > 0 else x
        if layer > 0:  # before W changes
            delta = DERIVATIVES[network.hidden](torch.mm(above, W.T, out=space.D[layer - 1]), below)
        if space.G:
            W.add_(torch.mm(below.T, above, out=space.G[layer]), alpha=scale)
        else:
            W.addmm_(below.T, above, alpha=scale)
        b.add_(torch.sum(above, dim=0, out=space.sums[layer]), alpha=scale)
