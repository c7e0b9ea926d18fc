"""Which variant ``variant="auto"`` takes: what skipping zeros costs and saves, and where a BLAS pays.

The rule is written down in ``kernels/README.md``; ``gdbench.report.auto_check`` checks it against measured times.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernels.contract import Array
from kernels.costs import LayerCosts, typical
from kernels.density import MAX_DENSITY, share_of_nonzeros
from kernels.errors import InputError
from kernels.network import Network
from kernels.registry import variants
from kernels.validation import check_batch_size, check_inputs

AUTO = "auto"
"""The word that asks for a choice, where the name of a variant is taken."""
DENSE = ("tiled", "jit", "buffered", "vectorized", "reference")
"""Preferences from the fastest on; the last three need no compiler."""
SKIPPING = ("sparse", *DENSE)
"""The same where zeros are worth skipping."""
LARGE = ("buffered", "tiled", "jit", "vectorized", "reference")
"""The same where the parameters are far larger than a cache: a BLAS goes over them less often."""
LARGE_BYTES, LARGE_BATCH = 7 << 20, 128
"""Size of the parameters, and rows of a batch, from which that pays.

For 784-1024-1024-10 and 2048-2048-10 in float32 ``buffered`` takes 0.77 to 0.95 times as long as ``tiled`` there with
AVX-512, and 0.93 to 0.96 times held to AVX2 (one core of an AMD EPYC, Zen 5; batch sizes 256 and n). On a Zen 4 it
takes 0.93 to 1.1 times as long there with AVX-512, but 1.2 times for 3072-256-100 in float64, of 6.2 MiB.
"""


@dataclass(frozen=True)
class Choice:
    """Variants in order of preference, all of them in ``kernels.variants()``, and the sentence that says why."""

    names: tuple[str, ...]
    reason: str


def choose(network: Network, X: Array, batch_size: int, costs: LayerCosts | None = None) -> Choice:
    """Say which variants suit a network, its data and a batch size; the first is what ``variant="auto"`` takes.

    Parameters
    ----------
    network : Network
        What is computed.
    X : array, (n, d), float32 or float64
        At most 64 of its rows are read, for the share of values that are not zero.
    batch_size : int
        Rows per update, 1 to n.
    costs : LayerCosts, optional
        What skipping zeros costs here; by default what it was measured to cost with the same width of vectors.

    Raises
    ------
    InputError
        If X does not fit the network, or the batch size does not fit X.

    Examples
    --------
    >>> import numpy as np
    >>> choose(Network.softmax(4, 3), np.ones((10, 4)), 5).names[0]
    'tiled'
    """
    check_inputs(network, X)
    check_batch_size(batch_size, len(X))
    if costs is not None and not isinstance(costs, LayerCosts):
        raise InputError(f"costs must be kernels.LayerCosts, got {type(costs).__name__}")
    there = variants()
    wanted, reason = _rule(network, X, batch_size, typical(X.itemsize) if costs is None else costs)
    names = tuple(name for name in wanted if name in there)
    return Choice(names, reason if names[0] == wanted[0] else f"{reason}; {wanted[0]} is unavailable here")


def weighs_zeros(network: Network, X: Array) -> bool:
    """Whether costs decide: several weights share an input, and X has zeros that may be worth skipping."""
    return (network.n_layers > 1 or network.n_outputs > 1) and share_of_nonzeros(X) <= MAX_DENSITY


def _rule(network: Network, X: Array, batch_size: int, costs: LayerCosts) -> tuple[tuple[str, ...], str]:
    """Return the preferences, whether or not they are available, and the reason."""
    if network.n_layers == 1 and network.n_outputs == 1:
        return DENSE, "one layer with one output: tiled works through several rows at once"
    share, outputs = share_of_nonzeros(X), network.sizes[1]
    seen = f"{100 * share:.0f} % of X is not zero"
    if share > MAX_DENSITY:
        return _dense(network, X, batch_size, f"{seen}, more than {100 * MAX_DENSITY:.0f} %: dense products are faster")
    skipping, dense = costs.skipping(outputs, batch_size, share), costs.dense(outputs, batch_size)
    seen += (
        f": the first layer is estimated to take {_row(skipping, network)} a row where zeros are skipped, and "
        f"{_row(dense, network)} with dense products"
    )
    return (SKIPPING, seen) if skipping < dense else _dense(network, X, batch_size, seen)


def _dense(network: Network, X: Array, batch_size: int, seen: str) -> tuple[tuple[str, ...], str]:
    """Return the preferences where no zeros are skipped."""
    size = network.n_parameters * X.dtype.itemsize
    if network.n_layers == 1 or size < LARGE_BYTES or batch_size < LARGE_BATCH:
        return DENSE, seen
    large = f"{size / 2**20:.3g} MiB of parameters (at least {LARGE_BYTES >> 20})"
    rows = f"a batch size of {batch_size} (at least {LARGE_BATCH})"
    return LARGE, f"{seen}. With {large} and {rows}, a BLAS reads the parameters less often"


def _row(nanoseconds: float, network: Network) -> str:
    """Time of a row, from that of each of its values."""
    return f"{nanoseconds * network.n_inputs / 1000:.3g} µs"
