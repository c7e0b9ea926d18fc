"""Gradient-descent kernels: a reference and its faster variants, for any dense network.

>>> import numpy as np, kernels
>>> X = np.array([[0.0], [1.0], [2.0]]); Y = 2 * X + 1
>>> line = kernels.Network.linear(1)
>>> fit = kernels.fit(line, X, Y, variant="vectorized", batch_size=3, learning_rate=0.3, epochs=500)
>>> fit.theta.round(3)
array([2., 1.])
"""

from kernels.auto import Choice, choose
from kernels.costs import LayerCosts
from kernels.epochs import descent_name
from kernels.errors import InputError
from kernels.fit import Diverged, Fit, fit
from kernels.network import Network
from kernels.registry import Variant, VariantError, get, unavailable, variants

__all__ = [
    "Choice",
    "Diverged",
    "Fit",
    "InputError",
    "LayerCosts",
    "Network",
    "Variant",
    "VariantError",
    "choose",
    "descent_name",
    "fit",
    "get",
    "unavailable",
    "variants",
]
