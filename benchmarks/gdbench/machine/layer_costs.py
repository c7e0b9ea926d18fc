"""What skipping zeros costs on this machine: the constants by which ``auto`` decides, measured once and kept.

Both variants fit small networks of one layer to data with zeros, in turn; the differences of their times, relative to
the dense one's, give the constants by non-negative least squares (Lawson and Hanson 1974).
"""

from __future__ import annotations

import hashlib
import itertools
import time
from functools import cache
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

import kernels
from gdbench.basics import records
from gdbench.experiments.datasets import cache_folder
from gdbench.machine.environment import cpu_model
from gdbench.machine.fingerprint import version_of
from gdbench.machine.settings import settings
from kernels import InputError, Network
from kernels.contract import Array
from kernels.costs import NARROW, LayerCosts, typical, vector_bytes

DENSE, SKIPPING = "tiled", "sparse"
INPUTS, OUTPUTS, SHARES = (300, 1000), (10, 64, 200), (0.1, 0.3)
ROWS, BATCH_SIZES, ROUNDS = 512, (1, 4, 32, 100), 5
"""Measured as epochs of so many rows, each so often; about a second for a dtype when both are compiled. Batches have
fewer rows than threads would share, however many Numba is given."""


def layer_costs(dtype: str, folder: Path | None = None) -> LayerCosts:
    """Return the costs on this machine, measured if they are not kept yet; typical ones where that is not possible.

    Parameters
    ----------
    dtype : str
        ``"float32"`` or ``"float64"``.
    folder : Path, optional
        Where they are kept; that of all caches if not given.
    """
    known = kept_costs(dtype, folder)
    if known is not None or not {DENSE, SKIPPING} <= set(kernels.variants()):
        return known or typical_costs(dtype)
    path = _path(dtype, folder)
    try:
        found = measure(dtype)
    except (InputError, RuntimeError):  # a machine so busy that no costs explain its times
        return typical_costs(dtype)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        records.write(path, found)
    except OSError:  # measured again next time
        pass
    return found


def kept_costs(dtype: str, folder: Path | None = None) -> LayerCosts | None:
    """Return the costs that were measured on this machine, None if none are kept that can be read."""
    try:
        return records.parse(records.decode(_path(dtype, folder).read_text(encoding="utf-8")), LayerCosts)
    except (OSError, ValueError, InputError):
        return None


def typical_costs(dtype: str) -> LayerCosts:
    """Return those that ``kernels.choose`` takes where none are given."""
    return typical(np.dtype(dtype).itemsize)


def measure(dtype: str) -> LayerCosts:
    """Measure the costs: both variants in turn, the least time of each.

    Raises
    ------
    InputError, RuntimeError
        If no costs, all of them possible, explain the times.
    """
    lanes = (vector_bytes() or NARROW) // np.dtype(dtype).itemsize
    several, single = list[list[float]](), list[list[float]]()
    for inputs, outputs, share in itertools.product(INPUTS, OUTPUTS, SHARES):
        X, width = _rows(inputs, share, dtype), -(-outputs // lanes) * lanes
        for batch_size in BATCH_SIZES:
            dense, skipping = (row / inputs for row in _nanoseconds_a_row(X, outputs, batch_size))
            if batch_size == 1:
                single.append([1, share * width, -width, skipping - dense, dense])
            else:
                terms = [1, share, share * width, -width, share / batch_size]
                several.append([*terms, skipping - dense, dense])
    listing, nonzero, gathered, product, of_update = _fitted(several)
    row_listing, row_gathered, row_product = _fitted(single)
    return LayerCosts(lanes, product, listing, nonzero, gathered, of_update, row_product, row_listing, row_gathered)


def _fitted(rows: list[list[float]]) -> list[float]:
    """Coefficients of the terms that explain the second but last column, errors relative to the last."""
    table = np.array(rows)
    scaled = table[:, :-1] / table[:, -1:]
    return [float(value) for value in nnls(scaled[:, :-1], scaled[:, -1])[0]]


def _rows(inputs: int, share: float, dtype: str) -> Array:
    rng = np.random.default_rng(0)
    rows: Array = (rng.normal(size=(ROWS, inputs)) * (rng.random((ROWS, inputs)) < share)).astype(dtype)
    return rows


def _nanoseconds_a_row(X: Array, outputs: int, batch_size: int) -> list[float]:
    network, rng = Network.softmax(X.shape[1], outputs), np.random.default_rng(1)
    theta, Y = network.init(rng, dtype=X.dtype), np.eye(outputs, dtype=X.dtype)[rng.integers(0, outputs, len(X))]
    order, best = rng.permutation(len(X)), {DENSE: np.inf, SKIPPING: np.inf}
    for turn in range(ROUNDS + 1):
        for name in best:
            start = time.perf_counter()
            kernels.get(name).epoch(network, theta, X, Y, order, batch_size, 1e-3)
            if turn > 0:  # the first call may compile
                best[name] = min(best[name], time.perf_counter() - start)
    return [seconds / len(X) * 1e9 for seconds in best.values()]


def _path(dtype: str, folder: Path | None) -> Path:
    """File of the costs that hold for this processor, these versions and these kernels."""
    return (folder or cache_folder() / "costs") / f"{_digest()}-{dtype}.json"


@cache
def _digest() -> str:
    digest = hashlib.sha256(f"{cpu_model()} {sorted(settings().items())}".encode())
    digest.update(" ".join(f"{name} {version_of(name)}" for name in ("numba", "llvmlite")).encode())
    root = Path(kernels.__path__[0])
    for path in [Path(__file__), root / "costs.py", *sorted((root / "variants").rglob("*.py"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()
