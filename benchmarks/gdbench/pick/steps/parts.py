"""Which rows the loss of a run is looked at on: a part of the rows that count, another one for each run.

The steps to a target are told from the mean over runs, so a look at few rows of each run says as much as one at all
rows of fewer runs, and costs a fraction. Runs with consecutive numbers take the parts in turn, so that together they
look at all rows. Where parameters are known near which descent ends, loss and gradient of each part are corrected there
to those of all rows (control variates, as in SVRG, Johnson and Zhang 2013), and only the curvatures of parts differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import kernels
from kernels import Network
from kernels.contract import Array, Order

Values = npt.NDArray[np.float64]
LOOK_SHARE = 0.2
"""Cost of all looks of a run over that of its steps, unless the fewest rows that a look is worth cost more."""
PASSES = 3
"""A step costs about as much as so many looks at its rows: forward pass, deltas, gradient."""
MIN_LOOK_ROWS = 1024
"""Fewer would make runs differ by their rows more than by their steps: a single outlier is in one part only."""


def look_rows(batch_size: int, looks: Sequence[int]) -> int:
    """Rows of a look such that all looks of a run cost ``LOOK_SHARE`` of it, or the fewest that a look is worth.

    Examples
    --------
    >>> look_rows(64, (25, 50, 100, 200)), look_rows(1, (25, 50, 100, 200))
    (1920, 1024)
    """
    return max(int(LOOK_SHARE * PASSES * batch_size * looks[-1] / len(looks)), MIN_LOOK_ROWS)


@dataclass(frozen=True, eq=False)
class Parts:
    """Some rows of each of several parts, and what is added to the loss on them."""

    rows: Order
    """(parts, m)"""
    constants: Values
    """(parts,)"""
    slopes: Values | None
    """(parts, p), times the parameters; None where there are no parameters to correct at."""

    def of(self, seeds: Sequence[int]) -> Parts:
        """Parts of the runs with these numbers, one for each."""
        own = np.array(seeds) % len(self.rows)
        return Parts(self.rows[own], self.constants[own], None if self.slopes is None else self.slopes[own])

    def corrected(self, losses: Values, thetas: Array) -> Values:
        """Losses (S,) of the parts at thetas (S, p), corrected to those of all rows."""
        return losses if self.slopes is None else losses + self.constants + np.einsum("sp,sp->s", thetas, self.slopes)


def split(
    network: Network, rows: tuple[Array, Array], n_parts: int, anchor: Array | None, rng: np.random.Generator
) -> Parts:
    """Split rows (X, Y) into parts of equal size at random; a row may be in two of them, so that all are in one.

    Parameters
    ----------
    anchor : array, (p,), optional
        Parameters where loss and gradient of each part are corrected to those of all rows.
    """
    X, Y = rows
    m = -(-len(X) // n_parts)
    starts = np.linspace(0, len(X) - m, n_parts).astype(int)
    own = rng.permutation(len(X))[starts[:, None] + np.arange(m)]
    if anchor is None:
        return Parts(own, np.zeros(n_parts), None)
    kernel, anchor = kernels.get("vectorized"), anchor.astype(X.dtype)
    slopes = np.stack([kernel.gradient(network, anchor, X[part], Y[part]) for part in own]).astype(float)
    losses = np.array([kernel.loss(network, anchor, X[part], Y[part]) for part in own])
    slopes = kernel.gradient(network, anchor, X, Y) - slopes
    return Parts(own, kernel.loss(network, anchor, X, Y) - losses - slopes @ anchor, slopes)
