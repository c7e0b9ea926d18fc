"""Lists of nonzeros hold what is not zero, in order, whichever of the values of a vector that are."""

from dataclasses import replace

import numpy as np
import pytest
from numba import njit

import kernels
from gdbench.verify.bounds import SAFETY, bounds
from kernels import Network
from kernels.variants import sparse
from kernels.variants._tiled.emitter import AVX2, WIDE
from kernels.variants._tiled.layout import plan
from kernels.variants._tiled.nonzeros import MOVES, Nonzeros, list_part

from ..helpers import run_held_to

SPECIAL = (np.nan, -np.inf, np.inf, 1e-45, -1.0)
"""Values that are not zero; the fourth is subnormal in float32."""


@njit
def listed(memory, X, row, first, stop, at, numbers):
    return list_part(memory, X, row, row, (first, stop), Nonzeros(at, numbers, 3, 0))


def test_every_pattern_of_zeros_in_a_vector_is_listed(dtype: type) -> None:
    masks = np.arange(1 << 8)[:, np.newaxis] >> np.arange(8) & 1
    X = np.concatenate([masks, masks[::-1]], axis=1) * np.arange(1, 17)
    X = np.concatenate([X, X[:, :5]], axis=1).astype(dtype)  # and what is left behind whole vectors
    X[X == 0] = -0.0
    X[:, 20] = np.resize(SPECIAL, len(X))
    X[::3][X[::3] > 0] = np.resize(SPECIAL, np.count_nonzero(X[::3] > 0))
    for row, values in enumerate(X):
        memory, numbers = np.full(64, 7.0, dtype), np.full(64, 7, np.int32)
        found = listed(memory, X, row, 0, 21, 5, numbers)
        expected = np.flatnonzero(values)
        assert found == len(expected)
        np.testing.assert_array_equal(numbers[3 : 3 + found], expected)
        np.testing.assert_array_equal(memory[5 : 5 + found], values[expected])
        assert (memory[:5] == 7).all()
        assert (numbers[:3] == 7).all()


def test_a_part_of_the_columns_is_listed_with_their_numbers(dtype: type) -> None:
    X = np.zeros((3, 40), dtype)
    X[1, [2, 16, 17, 31, 32, 39]] = 1, 2, 3, 4, 5, 6
    memory, numbers = np.zeros(64, dtype), np.zeros(64, np.int32)
    assert listed(memory, X, 1, 16, 32, 0, numbers) == 3
    assert numbers[3:6].tolist() == [16, 17, 31]
    assert memory[:3].tolist() == [2, 3, 4]


@pytest.mark.skipif(not (WIDE or AVX2), reason="this processor has no AVX2 to be held to")
@pytest.mark.parametrize(("level", "path"), [("avx2", "by vectors"), ("sse4", "one by one")])
def test_lists_are_right_held_to_older_processors(level: str, path: str) -> None:
    said = run_held_to(level, __file__, "not held_to", "-vv")  # with the names of the tests
    assert f"made[{path}] PASSED" in said, said
    assert "17 passed" in said, said


@pytest.mark.parametrize("path", ["by vectors" if MOVES else "one by one"])
def test_lists_are_made(path: str) -> None:
    """The test above looks whether this one has the name that older processors give it."""
    assert (path == "by vectors") == (WIDE or AVX2)


@pytest.mark.parametrize("width", [1, 20, 33, 65, 130, 200])
def test_blocks_of_columns_and_chunks_of_rows_meet_at_their_edges(dtype: type, width: int) -> None:
    """Several panels at once and alone; a block without nonzeros, rows that come twice, and rows that do not come."""
    rng = np.random.default_rng(width)
    network = Network((1, width, 3), "tanh", "softmax", "cross_entropy")
    size = np.dtype(dtype).itemsize
    block = sparse.block_columns(plan(replace(network, sizes=(3000, width, 3)), size, 128), size)
    for d, rows in ((block - 1, 127), (block, 128), (block + 1, 129), (3 * block + 5, 257)):
        network = replace(network, sizes=(d, width, 3))
        X = rng.normal(size=(200, d)) * (rng.random((200, d)) < 0.2)
        X[:, block : 2 * block] = 0
        theta, Y = rng.normal(size=network.n_parameters) / np.sqrt(d), np.eye(3)[rng.integers(0, 3, 200)]
        theta, X, Y = (values.astype(dtype) for values in (theta, X, Y))
        order = rng.integers(0, 200, rows)
        wide = theta.astype(float), X[order].astype(float), Y[order].astype(float)
        allowed = bounds(network, *wide, theta.dtype).update(0.25)
        found = kernels.get("sparse").epoch(network, theta, X, Y, order, rows, 0.25)
        strain = np.abs(found - allowed.value) / (SAFETY * allowed.error)
        assert strain.max() <= 1, f"{network}, {rows} rows: {strain.max():.3g} at {strain.argmax()} of {strain.size}"
