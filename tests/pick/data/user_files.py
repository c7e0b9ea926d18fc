"""Files as users have them: the same table of numbers in every format."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

N = 60
RNG = np.random.default_rng(7)
NUMBERS = pd.DataFrame(RNG.normal(size=(N, 3)) * 10.0 ** np.array([-3, 0, 5]), columns=["size", "age", "price"])
SPECIES = np.array(["setosa", "virginica", "Éland"])[RNG.integers(3, size=N)]
X, PRICE = NUMBERS[["size", "age"]].to_numpy(), NUMBERS["price"].to_numpy()
SAVERS: dict[str, Callable[[Path, pd.DataFrame], object]] = {
    ".csv": lambda path, frame: frame.to_csv(path, index=False),
    ".tsv": lambda path, frame: frame.to_csv(path, index=False, sep="\t"),
    ".parquet": lambda path, frame: frame.to_parquet(path),
}
"""Kinds of tables with names."""


def saved(folder: Path, ending: str, frame: pd.DataFrame) -> Path:
    path = folder / f"houses{ending}"
    SAVERS[ending](path, frame)
    return path


def numbers_file(folder: Path, ending: str) -> tuple[Path, list[str] | None]:
    """Return NUMBERS in a file, and how its target is named."""
    path = folder / f"houses{ending}"
    if ending == ".npy":
        np.save(path, NUMBERS.to_numpy())
        return path, None
    if ending == ".npz":
        np.savez(path, X=X, y=PRICE)
        return path, None
    return saved(folder, ending, NUMBERS), ["price"]
