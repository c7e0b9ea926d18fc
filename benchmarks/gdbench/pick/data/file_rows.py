"""What the rows of a problem are made of, beside the contents of a file: so little that it is sent in their place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gdbench.experiments.datasets import Dataset
from gdbench.pick.data.held_out import hold_out
from gdbench.pick.data.source import RowSource, same_again
from kernels.contract import Array


@dataclass(frozen=True)
class FileRows:
    """The rows of a file that descent is run on, as another process that sees the file reads them."""

    source: RowSource
    """The file, by an absolute path, with how many of its rows were drawn."""
    validation: float | None
    """Share of them that is held out."""
    seed: int
    """Fixes which."""
    dtype: str

    def read(self) -> tuple[Array, Array, Array, Array]:
        """Return X (n, d) and Y (n, k) to train on, and V (m, d) and T (m, k), whose loss counts.

        Raises
        ------
        InputError
            If the file is not there, or cannot be read.
        """
        dataset = self.source.load()
        share, found = self.validation, (dataset.X, dataset.Y)
        apart = found if share is None else hold_out(dataset, share, self.seed)
        del dataset, found  # of large rows in another dtype there is one copy
        X, Y, *held_out = [np.ascontiguousarray(values, self.dtype) for values in apart]
        V, T = held_out or (X, Y)
        return X, Y, V, T


def file_rows(
    source: RowSource, dataset: Dataset, *, validation: float | None, seed: int, dtype: str
) -> FileRows | None:
    """Return how rows that were read are read again, wherever their file is seen; None where they are of no file."""
    if source.file is None:
        return None
    there = replace(same_again(source, dataset), file=str(Path(source.file).absolute()))
    return FileRows(there, validation, seed, dtype)
