"""What is computed: layer sizes, activations and loss of a dense network, and where its parameters lie."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from kernels.errors import InputError, choices, unknown

Array: TypeAlias = npt.NDArray[Any]
"""float32 or float64; what a function returns has the dtype of what it was given."""
Order: TypeAlias = npt.NDArray[np.int64]
"""Numbers of rows."""

HIDDEN = ("sigmoid", "tanh", "relu")
OUTPUT_LOSSES = (
    ("identity", "squared_error"),
    ("sigmoid", "cross_entropy"),
    ("sigmoid", "squared_error"),
    ("softmax", "cross_entropy"),
)
SCHEMES = ("normal", "zeros", "glorot", "he")
DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Network:
    """A dense network: ``a = f(a_previous @ W + b)`` for each layer.

    Parameters
    ----------
    sizes : tuple of int
        Number of inputs, of units in each hidden layer (none for a linear model), of outputs.
    hidden : {"sigmoid", "tanh", "relu"}
        Activation of the hidden layers.
    output, loss : str
        One of the pairs identity + squared_error, sigmoid + cross_entropy,
        sigmoid + squared_error, softmax + cross_entropy.

    Raises
    ------
    InputError
        If a size is below 1, or a name or pair of names does not exist.
    """

    sizes: tuple[int, ...] = (784, 128, 10)
    hidden: str = "sigmoid"
    output: str = "sigmoid"
    loss: str = "cross_entropy"

    def __post_init__(self) -> None:
        try:
            sizes = tuple(operator.index(size) for size in self.sizes)
        except TypeError:  # one number, or something that is none
            sizes = ()
        if len(sizes) < 2 or min(sizes) < 1:
            raise InputError(f"sizes must be two or more whole numbers of at least 1, got {self.sizes}")
        object.__setattr__(self, "sizes", sizes)
        if self.hidden not in HIDDEN:
            raise unknown("hidden activation", self.hidden, HIDDEN)
        if (self.output, self.loss) not in OUTPUT_LOSSES:
            pairs = choices(" + ".join(pair) for pair in OUTPUT_LOSSES)
            raise InputError(f"there is no output and loss {self.output} + {self.loss}: choose one of {pairs}")

    @classmethod
    def linear(cls, d: int, k: int = 1) -> Network:
        """Linear regression from d inputs to k targets."""
        return cls((d, k), output="identity", loss="squared_error")

    @classmethod
    def logistic(cls, d: int, k: int = 1) -> Network:
        """Logistic regression for k independent yes-or-no targets."""
        return cls((d, k), output="sigmoid", loss="cross_entropy")

    @classmethod
    def softmax(cls, d: int, k: int) -> Network:
        """Softmax (multinomial logistic) regression for k classes."""
        return cls((d, k), output="softmax", loss="cross_entropy")

    @classmethod
    def mlp(
        cls,
        d: int,
        h: int | tuple[int, ...],
        k: int,
        *,
        hidden: str = "sigmoid",
        output: str = "sigmoid",
        loss: str = "cross_entropy",
    ) -> Network:
        """Multi-layer perceptron with hidden layers of h units; one number means one hidden layer."""
        layers = tuple(h) if isinstance(h, Iterable) else (h,)
        return cls((d, *layers, k), hidden, output, loss)

    def __str__(self) -> str:
        """Short label: sizes, the hidden activation if there is a hidden layer, output and loss."""
        hidden = f" {self.hidden}" if len(self.sizes) > 2 else ""
        return f"{'-'.join(map(str, self.sizes))}{hidden} {self.output}+{self.loss}"

    @property
    def n_inputs(self) -> int:
        """Columns of X."""
        return self.sizes[0]

    @property
    def n_outputs(self) -> int:
        """Columns of Y."""
        return self.sizes[-1]

    @property
    def n_layers(self) -> int:
        """Layers with parameters: one more than there are hidden layers."""
        return len(self.sizes) - 1

    @cached_property
    def n_parameters(self) -> int:
        """Length p of theta."""
        return sum((fan_in + 1) * fan_out for fan_in, fan_out in self.shapes)

    @cached_property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(fan_in, fan_out) of each layer."""
        return tuple(zip(self.sizes[:-1], self.sizes[1:], strict=True))

    @property
    def activations(self) -> tuple[str, ...]:
        """Name of the activation of each layer."""
        return (self.hidden,) * (self.n_layers - 1) + (self.output,)

    def check(self, theta: Array) -> None:
        """Raise InputError unless theta is a vector of n_parameters values."""
        if theta.shape != (self.n_parameters,):
            raise InputError(
                f"theta has shape {theta.shape} but the network {self} has {self.n_parameters} parameters: "
                f"pass a vector of shape ({self.n_parameters},), for instance network.init(rng)"
            )

    def unpack(self, theta: Array) -> tuple[tuple[Array, Array], ...]:
        """Views of theta (p,) as ((W, b), ...) with W (fan_in, fan_out) and b (fan_out,).

        Raises
        ------
        InputError
            If theta is not a vector of n_parameters values.
        """
        self.check(theta)
        layers, start = [], 0
        for fan_in, fan_out in self.shapes:
            middle, stop = start + fan_in * fan_out, start + (fan_in + 1) * fan_out
            layers.append((theta[start:middle].reshape(fan_in, fan_out), theta[middle:stop]))
            start = stop
        return tuple(layers)

    def init(self, rng: np.random.Generator, dtype: npt.DTypeLike = np.float64, scheme: str = "normal") -> Array:
        """Starting parameters theta (p,); biases are zero.

        Values are drawn in float64 and rounded, so both dtypes start from the same point.

        Parameters
        ----------
        rng : numpy.random.Generator
        dtype : float32 or float64
        scheme : {"normal", "zeros", "glorot", "he"}
            W is normal with variance 1/fan_in (LeCun et al. 1998, Efficient BackProp), zero,
            uniform within sqrt(6/(fan_in + fan_out)) (Glorot and Bengio 2010), or normal with
            variance 2/fan_in (He et al. 2015).

        Raises
        ------
        InputError
            If the scheme or dtype does not exist.
        """
        if scheme not in SCHEMES:
            raise unknown("initialisation scheme", scheme, SCHEMES)
        _check_dtype(dtype)
        theta = np.zeros(self.n_parameters)
        for (weights, _), (fan_in, fan_out) in zip(self.unpack(theta), self.shapes, strict=True):
            if scheme == "glorot":
                bound = math.sqrt(6 / (fan_in + fan_out))
                weights[:] = rng.uniform(-bound, bound, weights.shape)
            elif scheme != "zeros":
                scale = math.sqrt((2 if scheme == "he" else 1) / fan_in)
                weights[:] = rng.normal(0.0, scale, weights.shape)
        return theta.astype(dtype)


def _check_dtype(dtype: npt.DTypeLike) -> None:
    """Raise InputError unless dtype is float32 or float64 in this machine's byte order."""
    try:
        found = np.dtype(dtype)
    except (TypeError, ValueError):
        raise unknown("dtype", dtype, DTYPES) from None
    if found.name not in DTYPES or not found.isnative:
        raise unknown("dtype", found.name if found.isnative else str(found), DTYPES)
