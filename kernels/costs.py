"""What skipping zeros costs and what it saves: the time of the first layer, with dense products and without zeros.

All else of an epoch is the same for both. LayerCosts are nanoseconds of one core, for each value of X.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

from kernels.errors import InputError
from kernels.registry import get, variants


@dataclass(frozen=True)
class LayerCosts:
    """Constants of the model for a dtype on a kind of processor, in nanoseconds.

    Outputs count as they are laid out, in whole vectors.
    """

    lanes: int
    """Values in a vector."""
    product: float
    """Dense, for an output of a value: forward and update."""
    listing: float
    """To look whether a value is zero."""
    nonzero: float
    """To list a value that is not."""
    gathered: float
    """For an output of a value that is not zero."""
    nonzero_of_update: float
    """For a value that is not zero, times the updates for each row: each begins the lists of its columns anew."""
    row_product: float
    """For batches of one row, in which an update waits for the next row: as ``product``,"""
    row_listing: float
    """as ``listing``, and"""
    row_gathered: float
    """as ``gathered``."""

    def __post_init__(self) -> None:
        """Refuse what cannot have been measured: InputError."""
        lanes, *costs = astuple(self)
        positive = lanes > 0 and self.product > 0 and self.row_product > 0
        if not (positive and min(costs) >= 0 and all(map(math.isfinite, costs))):
            raise InputError(f"costs must be finite and not negative, those of products and lanes positive, got {self}")

    def dense(self, outputs: int, batch_size: int) -> float:
        """Nanoseconds for each value of X with dense products."""
        return (self.row_product if batch_size == 1 else self.product) * self._laid_out(outputs)

    def skipping(self, outputs: int, batch_size: int, share: float) -> float:
        """Nanoseconds for each value of X where that share of them is not zero, and zeros are skipped."""
        width = self._laid_out(outputs)
        if batch_size == 1:
            return self.row_listing + share * self.row_gathered * width
        return self.listing + share * (self.nonzero + self.gathered * width + self.nonzero_of_update / batch_size)

    def _laid_out(self, outputs: int) -> int:
        return -(-outputs // self.lanes) * self.lanes


def vector_bytes() -> int | None:
    """Return the width of the vectors that skipping zeros uses here: 64 bytes with AVX-512, else 32.

    Nothing where there is no such variant.
    """
    return get("sparse").vector_bytes if "sparse" in variants() else None


def typical(itemsize: int, width: int | None = None) -> LayerCosts:
    """Return what was measured for values of 4 or 8 bytes with vectors of so many bytes, by default as wide as here."""
    return _TYPICAL[WIDE if (width or vector_bytes() or NARROW) >= WIDE else NARROW, itemsize]


NARROW, WIDE = 32, 64
"""Bytes of a vector."""


_TYPICAL = {
    (NARROW, 4): LayerCosts(8, 0.0325, 0.617, 0.462, 0.0567, 26.2, 0.0500, 0.0, 0.130),
    (NARROW, 8): LayerCosts(4, 0.0654, 0.426, 0.921, 0.114, 23.0, 0.103, 0.0, 0.290),
    (WIDE, 4): LayerCosts(16, 0.0357, 0.578, 0.784, 0.0535, 20.0, 0.0595, 0.0241, 0.0907),
    (WIDE, 8): LayerCosts(8, 0.0700, 0.811, 0.0, 0.115, 26.7, 0.113, 0.0, 0.185),
}
"""By bytes of a vector and of a value, as ``gdbench`` measures them: median of seven times on one core of an AMD EPYC
(Zen 4), as it is and held to AVX2. Decisions 35 and 36 say how they hold elsewhere; only their ratios decide. Without
AVX2 zeros are listed one by one, and skipping them costs more than this."""
