"""The signatures that make a module a variant."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from kernels.network import Array as Array
from kernels.network import Network
from kernels.network import Order as Order

Forward: TypeAlias = Callable[[Network, Array, Array], Array]
Loss: TypeAlias = Callable[[Network, Array, Array, Array], float]
Gradient: TypeAlias = Callable[[Network, Array, Array, Array], Array]
Epoch: TypeAlias = Callable[[Network, Array, Array, Array, Order, int, float], Array]
Epochs: TypeAlias = Callable[[Network, Array, Array, Array, Order, int, float], Array]
Losses: TypeAlias = Callable[[Network, Array, Array, Array, Order | None], Array]
Supports: TypeAlias = Callable[[Network, str, int], bool]

PARAMETERS = {
    "forward": ("network", "theta", "X"),
    "loss": ("network", "theta", "X", "Y"),
    "gradient": ("network", "theta", "X", "Y"),
    "epoch": ("network", "theta", "X", "Y", "order", "batch_size", "learning_rate"),
    "epochs": ("network", "thetas", "X", "Y", "orders", "batch_size", "learning_rate"),
    "losses": ("network", "thetas", "X", "Y", "rows"),
    "supports": ("network", "task", "batch_size"),
}
"""The argument names of each function of a variant, in order."""

REQUIRED = ("forward", "loss", "gradient")
"""The functions without which a module is not a variant; ``epoch`` is optional.

So are ``epochs`` and ``losses``, which do what ``epoch`` and ``loss`` do for several runs in one call: thetas (S, p),
orders (S, m), rows (S, m) or None for all."""
