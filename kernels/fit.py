"""Gradient descent: ``fit`` makes epochs in fresh random orders (Bottou 2012, Stochastic Gradient Descent Tricks)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from kernels.auto import AUTO, choose
from kernels.epochs import descent_name
from kernels.network import Array, Network
from kernels.registry import Variant, get
from kernels.validation import check_problem, check_seed, check_start, check_training

Callback: TypeAlias = Callable[[int, Array, float], bool | None]

DIVERGED_FACTOR = 1e4
"""A loss this many times that of zero parameters (or of the start, if larger) has diverged."""


@dataclass(frozen=True)
class Fit:
    """What a fit returns.

    ``variant`` is the name of the one that computed, never "auto". ``theta`` (p,) are the parameters after the
    last epoch; ``losses`` has the loss before the first epoch and after each one, so ``len(losses) == epochs + 1``.
    """

    network: Network
    variant: str
    batch_size: int
    descent: str
    learning_rate: float
    seed: int
    theta: Array
    losses: tuple[float, ...]

    @property
    def epochs(self) -> int:
        """Epochs made."""
        return len(self.losses) - 1


class Diverged(ArithmeticError):
    """A fit whose loss or parameters left the range of numbers.

    ``epoch`` is the first one after which they had, 0 if the start was outside already; ``losses`` are those
    of the epochs before it.
    """

    def __init__(self, epoch: int, losses: tuple[float, ...], learning_rate: float) -> None:
        super().__init__(
            f"the fit diverged in epoch {epoch} at learning rate {learning_rate:g}: "
            f"try a smaller one, for instance {learning_rate / 4:g}"
            if epoch > 0
            else "the loss of the starting parameters is not finite: scale X and Y, or start from smaller parameters"
        )
        self.epoch = epoch
        self.losses = losses


def fit(
    network: Network,
    X: Array,
    Y: Array,
    *,
    variant: str | Variant = "jit",
    batch_size: int,
    learning_rate: float,
    epochs: int,
    seed: int = 0,
    theta: Array | None = None,
    callback: Callback | None = None,
) -> Fit:
    """Fit a network by gradient descent with a constant learning rate.

    Parameters
    ----------
    X : array, (n, d), float32 or float64
    Y : array, (n, k)
        Targets, of the same dtype.
    variant : str or Variant
        One of ``kernels.variants()``, or a Variant of your own, or ``"auto"``: the first that
        ``kernels.choose`` names for this network, X and batch size; ``Fit.variant`` says which that was.
        Nothing is certified here: ``gdbench check`` and ``gdbench train`` do that.
    batch_size : int
        Rows per update, 1 (stochastic) to n (batch descent).
    learning_rate : float
        Positive and finite.
    epochs : int
        Passes over the data, 0 or more.
    seed : int
        Fixes the starting parameters and, apart from them, the order of rows in each epoch.
    theta : array, (p,), optional
        Starting parameters; ``network.init`` when not given.
    callback : callable, optional
        Called with (epoch, theta, loss), from epoch 0, the start; the fit ends when it returns True.

    Raises
    ------
    InputError
        If an argument does not fit the others, is not finite or does not exist.
    Diverged
        If the loss or a parameter is no longer finite, or the loss has grown 10,000-fold.
    """
    X, Y = check_problem(network, X, Y)
    check_training(len(X), batch_size, learning_rate, epochs)
    kernel = _kernel(variant, network, X, batch_size)
    check_seed(seed)
    learning_rate = float(learning_rate)
    start, shuffle = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    theta = network.init(start, X.dtype) if theta is None else check_start(network, theta, X)

    def pass_once(theta: Array) -> Array:
        return kernel.epoch(network, theta, X, Y, shuffle.permutation(len(X)), batch_size, learning_rate)

    theta, losses = _descend(
        theta, pass_once, lambda theta: kernel.loss(network, theta, X, Y), epochs, learning_rate, callback
    )
    return Fit(network, kernel.name, batch_size, descent_name(batch_size, len(X)), learning_rate, seed, theta, losses)


def _kernel(variant: str | Variant, network: Network, X: Array, batch_size: int) -> Variant:
    if isinstance(variant, Variant):
        return variant
    if isinstance(variant, str) and variant == AUTO:  # an array would compare value by value
        return get(choose(network, X, batch_size).names[0])
    return get(variant)


def _descend(
    theta: Array,
    pass_once: Callable[[Array], Array],
    loss_of: Callable[[Array], float],
    epochs: int,
    learning_rate: float,
    callback: Callback | None,
) -> tuple[Array, tuple[float, ...]]:
    """Repeat passes over the data while the loss stays in range; return theta and the losses from epoch 0 on."""
    losses: list[float] = []
    with np.errstate(over="ignore", invalid="ignore"):  # found below, with the epoch
        limit = DIVERGED_FACTOR * max(loss_of(theta), loss_of(np.zeros_like(theta)))
        for epoch in range(epochs + 1):
            theta = pass_once(theta) if epoch > 0 else theta
            loss = loss_of(theta)
            if not (loss <= limit and np.isfinite(loss) and np.isfinite(theta).all()):
                raise Diverged(epoch, tuple(losses), learning_rate)
            losses.append(loss)
            if callback is not None and callback(epoch, theta, loss):
                break
    return theta, tuple(losses)
