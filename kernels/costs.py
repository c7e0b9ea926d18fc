"""What an epoch of each variant costs: counts of a network and a batch, times a few speeds of the machine.

Counted are operations, bytes by the cache that holds them, and calls, as in the roofline model (Williams, Waterman and
Patterson 2009), but added up: it is a forecast, not a limit. Only differences between variants matter here; what all of
them pay alike is left out. What was fitted to what: ``benchmarks/decisions/0025-auto-by-a-cost-model.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kernels.density import MAX_DENSITY
from kernels.network import Network


@dataclass(frozen=True)
class Costs:
    """Speeds of one core of a machine; those of arithmetic by dtype."""

    blas_flops_per_second: Mapping[str, float]
    """The fastest matrix products of BLAS."""
    tiles_flops_per_second: Mapping[str, float]
    """The same by the register tiles of ``tiled``."""
    l2_bytes: int
    """What is larger does not stay in the core's own cache."""
    l2_bytes_per_second: float
    """Updating in place there; bytes read and bytes written both count."""
    beyond_bytes_per_second: float
    """The same in a shared cache or in memory."""
    call_seconds: float
    """A call of NumPy that has next to nothing to do."""


TYPICAL = Costs(
    blas_flops_per_second={"float32": 92e9, "float64": 44e9},
    tiles_flops_per_second={"float32": 90e9, "float64": 43e9},
    l2_bytes=1 << 19,
    l2_bytes_per_second=150e9,
    beyond_bytes_per_second=75e9,
    call_seconds=0.5e-6,
)
"""A core with AVX2 and 512 KiB of L2: what is taken where nothing was measured."""

TILED_ROWS, FUSED_ROWS = 64, 512
"""Rows between two passes over the weights."""
TILED_PASS, TILED_STEPS, FUSED_PASS, CALLED_PASS = 2.2, 5.0, 9.0, 17.0
"""How often the weights are moved in such a pass, at the speed of a simple update: by ``tiled`` relative to what it
counts, where a batch is one chunk and where its steps are gathered; by ``fused``; by variants that store gradients."""
BLAS_PADDING = 32
"""Units by which BLAS's products are as if wider: narrow ones fill neither its registers nor its blocks."""
ELEMENT_MOVES = 10
"""Passes over activations and deltas that a variant of whole batches makes."""
EXP_FLOPS = {"tiled": 20, "fused": 20, "sparse": 20, "jit": 240, "buffered": 80, "vectorized": 80}
"""Operations that take as long as one exponential does."""
CALLS = {"jit": 2, "buffered": 14, "vectorized": 20}
"""Calls in each layer of a batch, in units of one of NumPy."""
LISTED_SHARE = 0.5
"""Speed of products with listed nonzeros relative to dense ones."""
LISTING_SECONDS = 0.8e-9
"""Time to look at one value, and to list it twice if it is not zero."""


@dataclass(frozen=True)
class Workload:
    """What an epoch is asked for, and on what."""

    network: Network
    dtype: str
    batch_size: int
    nonzero: float
    """Share of X that is not zero."""
    costs: Costs

    @property
    def itemsize(self) -> int:
        """Bytes of a value."""
        return {"float32": 4, "float64": 8}[self.dtype]

    @property
    def weights(self) -> int:
        """Bytes of all parameters."""
        return self.network.n_parameters * self.itemsize

    @property
    def upper(self) -> int:
        """Bytes of those above the first layer, which deltas go down through."""
        return self.weights - self.first

    @property
    def first(self) -> int:
        """Bytes of the first layer's weights."""
        return self.network.sizes[0] * self.network.sizes[1] * self.itemsize

    @property
    def flops(self) -> int:
        """Operations of all products, for a row."""
        return (4 * self.weights + 2 * self.upper) // self.itemsize

    @property
    def exponentials(self) -> int:
        """Units whose activation is made of an exponential."""
        pairs = zip(self.network.sizes[1:], self.network.activations, strict=True)
        return sum(units for units, name in pairs if name not in ("identity", "relu"))

    def move(self, moved: float, held: float) -> float:
        """Seconds to move so many bytes of a working set of that size."""
        costs = self.costs
        return moved / (costs.l2_bytes_per_second if held <= costs.l2_bytes else costs.beyond_bytes_per_second)


def seconds_per_row(variant: str, work: Workload) -> float:
    """Forecast of a variant's time for a row, without what all variants pay alike."""
    exponentials = EXP_FLOPS[variant] * work.exponentials / work.costs.tiles_flops_per_second[work.dtype]
    return FORECASTS[variant](work) + exponentials


def _tiled(work: Workload) -> float:
    B, both = work.batch_size, work.weights + work.upper
    if B == 1:  # weights are read and written once, and the upper ones read again
        return work.move(2 * work.weights + work.upper, work.weights)
    products = work.flops / work.costs.tiles_flops_per_second[work.dtype]
    often = TILED_STEPS if B > TILED_ROWS and both > work.costs.l2_bytes else TILED_PASS
    return products + work.move(often * (3 * work.weights + 2 * work.upper), both) / min(B, TILED_ROWS)


def _fused(work: Workload) -> float:
    B, d = work.batch_size, work.network.n_inputs
    gathered = work.move(4 * d * work.itemsize, min(B, FUSED_ROWS) * d * work.itemsize)
    packed = work.move(FUSED_PASS * work.weights, work.weights) / min(B, FUSED_ROWS)  # BLAS copies both factors
    calls = 6 * work.network.n_layers * work.costs.call_seconds / min(B, FUSED_ROWS)
    taken = work.move(4 * work.weights, 2 * work.weights) / B if B > FUSED_ROWS else 0.0
    return _by_blas(work) + gathered + packed + calls + taken


def _sparse(work: Workload) -> float:
    if work.nonzero > MAX_DENSITY:
        return _tiled(work)
    speed, first = work.costs.tiles_flops_per_second[work.dtype], work.first
    dense = _tiled(work)
    listing = work.network.n_inputs * LISTING_SECONDS
    if work.batch_size == 1:
        return dense - (1 - 2 * work.nonzero) * work.move(2 * first, work.weights) + listing / 3
    return dense - (1 - work.nonzero / LISTED_SHARE) * 4 * first / work.itemsize / speed + listing


def _by_blas(work: Workload) -> float:
    """Time of the products of a row by BLAS."""
    layers = enumerate(work.network.shapes)
    flops = sum((4 if number == 0 else 6) * k * n * (1 + BLAS_PADDING / min(k, n)) for number, (k, n) in layers)
    return flops / work.costs.blas_flops_per_second[work.dtype]


def _by_call(variant: str) -> Callable[[Workload], float]:
    def forecast(work: Workload) -> float:
        B, rows = work.batch_size, work.batch_size * work.network.n_inputs * work.itemsize
        units = sum(work.network.sizes[1:]) * work.itemsize
        products = _by_blas(work) + work.move(4 * rows, rows) / B
        elements = work.move(ELEMENT_MOVES * units, units * B)
        calls = (CALLS[variant] * work.network.n_layers + 4) * work.costs.call_seconds / B
        return products + elements + work.move(CALLED_PASS * work.weights, 2 * work.weights) / B + calls

    return forecast


FORECASTS: dict[str, Callable[[Workload], float]] = {
    "tiled": _tiled,
    "sparse": _sparse,
    "fused": _fused,
    "jit": _by_call("jit"),
    "buffered": _by_call("buffered"),
    "vectorized": _by_call("vectorized"),
}
"""Forecast of each variant that is worth taking; where two are equal, the first goes first."""
