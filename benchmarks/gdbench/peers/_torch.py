"""What the peers on PyTorch share: tensors over NumPy's memory, batches, the loss and the deltas of a network.

PyTorch keeps as many threads as the environment of a worker says when this module is imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from kernels import Network
from kernels.contract import Array, Order
from kernels.validation import check_batch_size

Tensor: TypeAlias = torch.Tensor
Layers: TypeAlias = Sequence[tuple[Tensor, Tensor]]

MIN_BUFFERED, MIN_BYTES = 32, 1 << 22

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda Z: Z,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "softmax": lambda Z: torch.softmax(Z, dim=1),
}
DERIVATIVES: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": lambda A: A * (1 - A),
    "tanh": lambda A: 1 - A * A,
    "relu": lambda A: (A > 0).to(A.dtype),
}
"""Derivative of a hidden activation by its pre-activations, from its value A."""
LOSSES: dict[tuple[str, str], Callable[[Tensor, Tensor], Tensor]] = {
    ("identity", "squared_error"): lambda Z, Y: (Z - Y).square().sum() / (2 * len(Z)),
    ("sigmoid", "cross_entropy"): lambda Z, Y: binary_cross_entropy_with_logits(Z, Y, reduction="sum") / len(Z),
    ("sigmoid", "squared_error"): lambda Z, Y: (torch.sigmoid(Z) - Y).square().sum() / (2 * len(Z)),
    ("softmax", "cross_entropy"): lambda Z, Y: -(Y * torch.log_softmax(Z, dim=1)).sum() / len(Z),
}
"""Mean loss from the pre-activations Z of the last layer and the targets Y."""
OUTPUT_DELTAS: dict[tuple[str, str], Callable[[Tensor, Tensor], Tensor]] = {
    ("identity", "squared_error"): lambda residual, A: residual,
    ("sigmoid", "cross_entropy"): lambda residual, A: residual,
    ("sigmoid", "squared_error"): lambda residual, A: residual * A * (1 - A),
    ("softmax", "cross_entropy"): lambda residual, A: residual,
}
"""Derivative of the loss by the last pre-activations, from the residual A - Y."""

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
    if batch_size < MIN_BUFFERED or X.nbytes < MIN_BYTES:
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


def pre_activations(network: Network, layers: Layers, X: Tensor) -> Tensor:
    """Pre-activations of the last layer, (n, k)."""
    A = X
    for (W, b), name in zip(layers[:-1], network.activations, strict=False):
        A = ACTIVATIONS[name](torch.addmm(b, A, W))
    W, b = layers[-1]
    return torch.addmm(b, A, W)


def mean_loss(network: Network, layers: Layers, X: Tensor, Y: Tensor) -> Tensor:
    """Mean loss over the rows, a tensor without dimensions."""
    Z = pre_activations(network, layers, X)
    return LOSSES[network.output, network.loss](Z, Y)


def deltas(network: Network, layers: Layers, X: Tensor, Y: Tensor, scale: Any) -> tuple[list[Tensor], list[Tensor]]:
    """Inputs of each layer, and ``scale`` times the derivative of the rows' summed loss by its pre-activations."""
    inputs = [X]
    for (W, b), name in zip(layers, network.activations, strict=True):
        inputs.append(ACTIVATIONS[name](torch.addmm(b, inputs[-1], W)))
    A = inputs.pop()
    delta = OUTPUT_DELTAS[network.output, network.loss]((A - Y) * scale, A)
    found = [delta]
    for (W, _), A in zip(reversed(layers[1:]), reversed(inputs), strict=False):
        found.append(found[-1] @ W.T * DERIVATIVES[network.hidden](A))
    return inputs, found[::-1]


def forward(network: Network, theta: Array, X: Array) -> Array:
    """Outputs of the network, (n, k), for inputs X (n, d)."""
    with torch.inference_mode():
        Z = pre_activations(network, unpack(network, tensor(theta)), tensor(X))
        return ACTIVATIONS[network.output](Z).numpy()


def loss(network: Network, theta: Array, X: Array, Y: Array) -> float:
    """Mean loss over the rows of X (n, d) and Y (n, k)."""
    with torch.inference_mode():
        return float(mean_loss(network, unpack(network, tensor(theta)), tensor(X), tensor(Y)))
