"""PyTorch with a whole epoch compiled by TorchScript: gather, backpropagation by hand and update leave Python once.

The layers of a network are written out in the text that is compiled. Its optimised execution is off: it would
compile anew in later calls, inside the clock, and is no faster once it has (784-128-10, B = 1 to 256: within 2 %).
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import torch

from gdbench.peers._torch import forward, loss, tensor, unpack
from kernels import Network
from kernels.contract import Array, Order
from kernels.validation import check_batch_size

__all__ = ["epoch", "forward", "loss"]

ACTIVATIONS: dict[str, str] = {
    "identity": "{A}",
    "sigmoid": "torch.sigmoid_({A})",
    "tanh": "torch.tanh_({A})",
    "relu": "torch.relu_({A})",
    "softmax": "torch.softmax({A}, 1)",
}
"""Text of an activation of pre-activations A, in place but for softmax, which has no such form."""
DERIVATIVES: dict[str, str] = {
    "sigmoid": "torch.ops.aten.sigmoid_backward({D}, {A})",
    "tanh": "torch.ops.aten.tanh_backward({D}, {A})",
    "relu": "torch.ops.aten.threshold_backward({D}, {A}, 0)",
}
"""Text of D times the derivative of an activation whose value is A."""
OUTPUT_DELTAS: dict[tuple[str, str], str] = {
    ("identity", "squared_error"): "{A}.sub_(y)",
    ("sigmoid", "cross_entropy"): "{A}.sub_(y)",
    ("sigmoid", "squared_error"): "torch.ops.aten.sigmoid_backward({A} - y, {A})",
    ("softmax", "cross_entropy"): "{A}.sub_(y)",
}
"""Text of the derivative of the summed loss by the last pre-activations, from the outputs A and the targets y."""


def epoch(
    network: Network, theta: Array, X: Array, Y: Array, order: Order, batch_size: int, learning_rate: float
) -> Array:
    """Parameters (p,) after one pass over the rows in the given order."""
    check_batch_size(batch_size, len(order))
    with torch.inference_mode(), torch.jit.optimized_execution(False):
        flat = tensor(theta).clone()
        parameters = [values for layer in unpack(network, flat) for values in layer]
        _compiled(network)(parameters, tensor(X), tensor(Y), tensor(order), batch_size, float(learning_rate))
        return flat.numpy()


@cache
def _compiled(network: Network) -> Any:
    with warnings.catch_warnings():  # TorchScript is deprecated, and says so
        warnings.simplefilter("ignore")
        return torch.jit.CompilationUnit(_text(network)).epoch


def _text(network: Network) -> str:
    """Write an epoch out, layer by layer: parameter 2 i is W and 2 i + 1 is b of layer i."""
    last = network.n_layers - 1
    lines = ["a0 = X.index_select(0, part)", "y = Y.index_select(0, part)", "scale = -rate / part.size(0)"]
    for layer, name in enumerate(network.activations):
        A = ACTIVATIONS[name].format(A=f"torch.addmm(p[{2 * layer + 1}], a{layer}, p[{2 * layer}])")
        lines.append(f"a{layer + 1} = {A}")
    lines.append(f"d{last} = {OUTPUT_DELTAS[network.output, network.loss].format(A=f'a{last + 1}')}")
    for layer in range(last, -1, -1):
        if layer > 0:  # before W changes
            back = DERIVATIVES[network.hidden].format(D=f"torch.mm(d{layer}, p[{2 * layer}].t())", A=f"a{layer}")
            lines.append(f"d{layer - 1} = {back}")
        lines.append(f"p[{2 * layer}].addmm_(a{layer}.t(), d{layer}, alpha=scale)")
        lines.append(f"p[{2 * layer + 1}].add_(d{layer}.sum(0), alpha=scale)")
    head = "def epoch(p: List[Tensor], X: Tensor, Y: Tensor, rows: Tensor, size: int, rate: float):"
    return "\n".join([head, "    for part in rows.split(size):", *(f"        {line}" for line in lines), ""])
