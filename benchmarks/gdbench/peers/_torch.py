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

LEAST_BUFFERED, LEAST_BYTES = 32, 1 << 22

if "OMP_NUM_THREADS" in os.environ:
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def tensor(values: Array) -> Tensor:
    """Tensor on the memory of an array; a copy where it is not contiguous, or may not be written."""
    values = np.ascontiguousarray(values)
    # one value in reversed order is contiguous to NumPy, and refused by PyTorch
    usable = values.flags.writeable and min(values.strides) >= 0
    return torch.from_numpy(values if usable else values.copy())


def batches(X: Array, Y: Array, order: Order, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of rows: from a buffer that stays in the cache, or as views of rows that are gathered once.

    For batches of 32 rows and more of data that no cache holds, filling a buffer for each is up to 28 % faster; for
    smaller batches or data each gather's own cost makes it 3 to 15 % slower. A batch lasts until the next is asked for.

    Raises
    ------
    InputError
        If batch_size is below 1 or above the number of rows.
    """
    check_batch_size(batch_size, len(order))
    return _slices(tensor(X), tensor(Y), tensor(order), batch_size)


def _slices(X: Tensor, Y: Tensor, rows: Tensor, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    sources = X, Y
    if batch_size < LEAST_BUFFERED or X.nbytes < LEAST_BYTES:
        yield from zip(*(values.index_select(0, rows).split(batch_size) for values in sources), strict=True)
        return
    buffers = [torch.empty((batch_size, values.shape[1]), dtype=values.dtype) for values in sources]
    for part in rows.split(batch_size):
        x, y = (buffer[: len(part)] for buffer in buffers)
        torch.index_select(sources[0], 0, part, out=x)
        torch.index_select(sources[1], 0, part, out=y)
        yield x, y


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
