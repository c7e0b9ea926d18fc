"""What the peers on PyTorch share: tensors over NumPy's memory, batches, the loss and the deltas of a network.

PyTorch keeps as many threads as the environment of a worker says when this module is imported.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch

from kernels import Network
from kernels.contract import Array, Order
from kernels.validation import check_batch_size

Tensor: TypeAlias = torch.Tensor
Layers: TypeAlias = Sequence[tuple[Tensor, Tensor]]

if "OMP_NUM_THREADS" in os.environ:
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def tensor(values: Array) -> Tensor:
    """Tensor on the memory of an array; a copy where it is not contiguous, or may not be written."""
    values = np.ascontiguousarray(values)
    # one value in reversed order is contiguous to NumPy, and refused by PyTorch
    usable = values.flags.writeable and min(values.strides) >= 0
    return torch.from_numpy(values if usable else values.copy())


def batches(X: Array, Y: Array, order: Order, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Gather all rows once and yield views of them: below 32 rows, a gather for each batch costs 3 to 15 % more.

    Raises
    ------
    InputError
        If batch_size is below 1 or above the number of rows.
    """
    check_batch_size(batch_size, len(order))
    rows = tensor(order)
    gathered = (tensor(values).index_select(0, rows).split(batch_size) for values in (X, Y))
    return zip(*gathered, strict=True)


def unpack(network: Network, flat: Tensor) -> Layers:
    """Views of flat (p,) as pairs of W (fan_in, fan_out) and b (fan_out,)."""
    layers: Any = network.unpack(flat)
    return layers


def activate(name: str, Z: Tensor) -> Tensor:
    """Activation of weighted sums Z (n, k)."""
    if name == "identity":
        return Z
    return torch.softmax(Z, dim=1) if name == "softmax" else getattr(torch, name)(Z)


def weighted_sums(network: Network, layers: Layers, X: Tensor) -> Tensor:
    """Weighted sums of the last layer, (n, k)."""
    A = X
    for (W, b), name in zip(layers[:-1], network.activations, strict=False):
        A = activate(name, torch.addmm(b, A, W))
    W, b = layers[-1]
    return torch.addmm(b, A, W)


def mean_loss(network: Network, layers: Layers, X: Tensor, Y: Tensor) -> Tensor:
    """Mean loss over the rows, a tensor without dimensions."""
    Z = weighted_sums(network, layers, X)
    if network.output == "softmax":
        return -(Y * torch.log_softmax(Z, dim=1)).sum() / len(X)
    if network.loss == "cross_entropy":
        return torch.nn.functional.binary_cross_entropy_with_logits(Z, Y, reduction="sum") / len(X)
    return (activate(network.output, Z) - Y).square().sum() / (2 * len(X))


def deltas(network: Network, layers: Layers, X: Tensor, Y: Tensor, scale: Any) -> tuple[list[Tensor], list[Tensor]]:
    """Inputs of each layer, and ``scale`` times the derivative of the rows' summed loss by its weighted sums."""
    inputs = [X]
    for (W, b), name in zip(layers, network.activations, strict=True):
        inputs.append(activate(name, torch.addmm(b, inputs[-1], W)))
    A = inputs.pop()
    delta = (A - Y) * scale
    if (network.output, network.loss) == ("sigmoid", "squared_error"):
        delta = delta * A * (1 - A)
    found = [delta]
    for (W, _), A in zip(reversed(layers[1:]), reversed(inputs), strict=False):
        found.append(found[-1] @ W.T * slope(network.hidden, A))
    return inputs, found[::-1]


def slope(name: str, A: Tensor) -> Tensor:
    """Derivative of a hidden activation by its weighted sums, from its value A."""
    if name == "sigmoid":
        return A * (1 - A)
    return 1 - A * A if name == "tanh" else (A > 0).to(A.dtype)


def forward(network: Network, theta: Array, X: Array) -> Array:
    """Outputs of the network, (n, k), for inputs X (n, d)."""
    with torch.inference_mode():
        Z = weighted_sums(network, unpack(network, tensor(theta)), tensor(X))
        return activate(network.output, Z).numpy()


def loss(network: Network, theta: Array, X: Array, Y: Array) -> float:
    """Mean loss over the rows of X (n, d) and Y (n, k)."""
    with torch.inference_mode():
        return float(mean_loss(network, unpack(network, tensor(theta)), tensor(X), tensor(Y)))
