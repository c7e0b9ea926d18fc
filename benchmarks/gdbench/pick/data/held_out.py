"""Rows set apart once, by the seed, to monitor the loss of rows that are not trained on."""

from __future__ import annotations

import numpy as np

from gdbench.experiments.datasets import Dataset
from kernels import InputError
from kernels.contract import Array

SPAWN_KEY = (1 << 31, 0)
"""Apart from the keys of runs, whose first number is a batch size or 0."""


def hold_out(dataset: Dataset, share: float, seed: int) -> tuple[Array, Array, Array, Array]:
    """Return X, Y of the rows to train on, and V, T of those set apart: ``share`` of them, to the nearest row.

    Raises
    ------
    InputError
        If no row is left on one side.
    """
    n = dataset.n_rows
    count = round(share * n)
    if not 0 < count < n:
        raise InputError(
            f"--validation {share:g} of {n} rows leaves no rows {'to train on' if count else 'to validate with'}: "
            "name another share, such as 0.2"
        )
    order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=SPAWN_KEY)).permutation(n)
    apart, kept = np.sort(order[:count]), np.sort(order[count:])
    return dataset.X[kept], dataset.Y[kept], dataset.X[apart], dataset.Y[apart]
