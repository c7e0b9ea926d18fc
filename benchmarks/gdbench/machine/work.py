"""Operations and bytes that a case must do and move, and the least time that the machine's limits leave for them.

The roofline model (Williams, Waterman and Patterson 2009, Roofline: an insightful visual performance model for
multicore architectures): work is bound by arithmetic or by the movement of data, whichever takes longer. Arithmetic and
both streams of data are taken to overlap perfectly, so the limit is a least time, not an estimate.

Counted is the dense algorithm: every product with every weight, zero or not. Activations, the loss and the sums over
biases are left out: their operations depend on how ``exp`` is written, and they are few beside the products.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gdbench.experiments.cases import Case
from kernels import Network

BEYOND = "beyond L2"
"""Where a working set lives that fits in no cache of its own core: a shared cache or memory."""


@dataclass(frozen=True)
class Limits:
    """What the best matrix product and the best simple loops reach on this machine, by dtype and by level."""

    cache_bytes: dict[str, int]
    """Sizes of L1 and L2, smallest first."""
    flops_per_second: dict[str, float]
    """Matrix products, by dtype."""
    read_bytes_per_second: dict[str, float]
    """Reading, for working sets in L1, L2 and beyond."""
    update_bytes_per_second: dict[str, float]
    """Updating in place; bytes read and bytes written both count."""
    multiply_adds_per_second: dict[str, float] = field(default_factory=dict)
    """FLOP/s of the core's multiply-adds in registers, by dtype; empty, as those below, in records of old versions."""
    blas_flops_per_second: dict[str, float] = field(default_factory=dict)
    """The matrix products by BLAS alone."""
    tiles_flops_per_second: dict[str, float] = field(default_factory=dict)
    """The same by the register tiles of our own."""
    call_seconds: float = 0.0
    """Time of a call of NumPy that has next to nothing to do."""

    def level_of(self, size: int) -> str:
        """Return the smallest level that holds so many bytes."""
        return next((level for level, held in self.cache_bytes.items() if size <= held), BEYOND)


@dataclass(frozen=True)
class Traffic:
    """Bytes that are moved in one call, out of a working set that lives in one level."""

    moved: int
    size: int
    """Bytes of the working set, which decides where it lives."""
    updated: bool
    """Whether what is read is written again."""

    def seconds(self, limits: Limits) -> float:
        """Return the least time of the movement."""
        speeds = limits.update_bytes_per_second if self.updated else limits.read_bytes_per_second
        return self.moved / speeds[limits.level_of(self.size)]


@dataclass(frozen=True)
class Work:
    """What one call of a case must do."""

    flops: int
    weights: Traffic
    data: Traffic

    @property
    def moved(self) -> int:
        """Bytes moved in all."""
        return self.weights.moved + self.data.moved


def work_of(network: Network, case: Case) -> Work:
    """Return the operations and bytes of one call of a case.

    Weights are read once per call, and written once where there is a gradient; in an epoch once per update, since the
    update may be fused with the next forward pass. An update has no operations of its own: the product for dW may be
    added to the weights. Rows, with their targets or outputs, pass once.
    """
    itemsize, p, rows = np.dtype(case.dtype).itemsize, network.n_parameters, case.rows_per_call
    updates = -(-case.n_rows // case.batch_size) if case.task == "epoch" else 0
    written = case.task in ("gradient", "epoch")
    row_bytes = (network.n_inputs + network.n_outputs) * itemsize
    return Work(
        flops=rows * _flops_per_row(network, case.task),
        weights=Traffic((2 if written else 1) * p * itemsize * max(updates, 1), size=p * itemsize, updated=written),
        data=Traffic(rows * row_bytes, size=rows * row_bytes, updated=False),
    )


def _flops_per_row(network: Network, task: str) -> int:
    """Multiplications and additions of the matrix products, for one row.

    A product with W (fan_in, fan_out) has 2 fan_in fan_out of them. The forward pass has one in each layer, the
    gradient the same again for dW, and once more in each layer above the first for the error that is passed down.
    """
    products = [2 * fan_in * fan_out for fan_in, fan_out in network.shapes]
    if task in ("forward", "loss"):
        return sum(products)
    return 2 * sum(products) + sum(products[1:])


def limit_seconds(work: Work, limits: Limits, dtype: str) -> float:
    """Return the least time of one call: that of its arithmetic or of one of its streams, whichever is longest."""
    return max(work.flops / limits.flops_per_second[dtype], work.weights.seconds(limits), work.data.seconds(limits))
