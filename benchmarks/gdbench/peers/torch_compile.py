"""PyTorch with backpropagation by hand, compiled: each update is one call of a function made by ``torch.compile``.

Parameters are tensors of their own and the function returns new ones, since updates in place of views of one
tensor cost it 20 % more. Of the choices for shapes, the default is fastest: the first batch size is compiled as
it is, the second makes the number of rows a symbol that serves all others (B = 1 is always compiled by itself).
Only the update is compiled: each further function would add a quarter of a minute to every certificate.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import TypeAlias

import torch
import torch._dynamo
import torch.compiler.config

with warnings.catch_warnings():  # PyTorch calls what it has deprecated itself
    warnings.simplefilter("ignore")
    import torch._inductor.compile_fx

from gdbench.peers._torch import Layers, Tensor, batches, deltas, tensor, unpack
from kernels import Network
from kernels.contract import Array, Order

Step: TypeAlias = Callable[[Layers, Tensor, Tensor, Tensor], Layers]
COMPILES_SHAPES = True
NEEDS_COMPILER = True

torch._dynamo.config.recompile_limit = 256  # as many networks, dtypes and shapes may live in one process
# the key of the cache on disk does not tell for how wide vectors a graph was compiled: one for AVX-512, found by a
# process that is held to AVX2, left half of each array as it was; nor did it tell the number of threads before 2.13
_settings = torch.compiler.config
_settings.cache_key_tag = (
    f"{_settings.cache_key_tag} {torch.backends.cpu.get_cpu_capability()} {torch.get_num_threads()}"
)


def epoch(
    network: Network, theta: Array, X: Array, Y: Array, order: Order, batch_size: int, learning_rate: float
) -> Array:
    """Parameters (p,) after one pass over the rows in the given order."""
    step, rows = _compiled_step(network), batches(X, Y, order, batch_size)
    with torch.inference_mode():
        layers: Layers = [(W.clone(), b.clone()) for W, b in unpack(network, tensor(theta))]
        sizes = {batch_size, len(order) % batch_size} - {0}
        scales = {m: torch.tensor(-float(learning_rate) / m, dtype=layers[0][0].dtype) for m in sizes}
        for x, y in rows:
            layers = step(layers, x, y, scales[x.shape[0]])
        return torch.cat([values.ravel() for layer in layers for values in layer]).numpy()


@cache
def _compiled_step(network: Network) -> Step:
    def step(layers: Layers, x: Tensor, y: Tensor, scale: Tensor) -> Layers:
        """One update; scale is minus the learning rate over the rows of the batch."""
        inputs, found = deltas(network, layers, x, y, 1.0)
        parts = zip(layers, inputs, found, strict=True)
        # scaled after the product, lest it become an addmm: BLAS sums large batches in parts, and would round the
        # parameters once for each
        return [(W + scale * (A.T @ delta), b + scale * delta.sum(dim=0)) for (W, b), A, delta in parts]

    return torch.compile(step, fullgraph=True)
