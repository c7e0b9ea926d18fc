"""Compiled code does not check its indices; the same code run by Python does, and gives the same numbers."""

import os
import subprocess
import sys
from importlib import import_module
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

import kernels
from kernels.network import HIDDEN

INTRINSIC = {"tiled", "sparse"}
"""Their products are written in LLVM's language, which Python cannot run: only the compiled form exists."""
COMPILED = [
    name
    for name in kernels.variants()
    if name not in INTRINSIC
    and any(isinstance(value, Dispatcher) for value in vars(import_module(f"kernels.variants.{name}")).values())
]
UNCOMPILED_RUN = """
import sys, numba, numpy as np, kernels
from numba.core.dispatcher import Dispatcher
from importlib import import_module
results, data = {}, np.load(sys.argv[1])
for key in sys.argv[3:]:
    name, hidden, output, loss, sizes, dtype, batch_size = key.split()
    module = import_module(f"kernels.variants.{name}")
    assert not any(isinstance(value, Dispatcher) for value in vars(module).values()), "compiled after all"
    network = kernels.Network(tuple(map(int, sizes.split("-"))), hidden, output, loss)
    theta, X, Y, order = (data[f"{key} {part}"] for part in ("theta", "X", "Y", "order"))
    results[f"{key} forward"] = module.forward(network, theta, X)
    results[f"{key} loss"] = module.loss(network, theta, X, Y)
    results[f"{key} gradient"] = module.gradient(network, theta, X, Y)
    results[f"{key} epoch"] = module.epoch(network, theta, X, Y, order, int(batch_size), 0.25)
np.savez(sys.argv[2], **results)
"""
ROWS = 5
DEEP = (
    ("sigmoid squared_error", "3-4-2", 2),
    ("softmax cross_entropy", "3-4-3-2", 3),
    ("sigmoid cross_entropy", "3-4-3-2-1", ROWS),
)
CHOICES = [  # every activation, every pair, 0 to 3 hidden layers; batches that divide the rows and that do not
    (f"{HIDDEN[0]} identity squared_error", "3-2", 1),
    *((f"{hidden} {pair}", *others) for hidden, (pair, *others) in zip(HIDDEN, cycle(DEEP), strict=False)),
]


def _keys() -> list[str]:
    return [
        f"{name} {words} {sizes} {dtype} {batch_size}"
        for name in COMPILED
        for words, sizes, batch_size in CHOICES
        for dtype in ("float32", "float64")
    ]


def _network(key: str) -> kernels.Network:
    _, hidden, output, loss, sizes, _, _ = key.split()
    return kernels.Network(tuple(map(int, sizes.split("-"))), hidden, output, loss)


@pytest.fixture(scope="module")
def inputs(problem_of) -> dict[str, tuple[np.ndarray, ...]]:
    order = np.random.default_rng(0).permutation(ROWS)
    return {key: (*problem_of(_network(key), n=ROWS).astype(key.split()[5]).copies(), order) for key in _keys()}


@pytest.fixture(scope="module")
def uncompiled(inputs, tmp_path_factory) -> dict[str, np.ndarray]:
    folder: Path = tmp_path_factory.mktemp("uncompiled")
    names = ("theta", "X", "Y", "order")
    data = {f"{key} {name}": array for key, arrays in inputs.items() for name, array in zip(names, arrays, strict=True)}
    np.savez(folder / "inputs.npz", **data)
    files = str(folder / "inputs.npz"), str(folder / "results.npz")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", UNCOMPILED_RUN, *files, *inputs],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with np.load(files[1]) as results:
        return dict(results)


def test_jit_is_a_compiled_variant() -> None:
    assert "jit" in COMPILED


@pytest.mark.parametrize("key", _keys())
def test_uncompiled_code_gives_the_same_numbers(key: str, inputs, uncompiled) -> None:
    name, *_, dtype, batch_size = key.split()
    variant, network = kernels.get(name), _network(key)
    theta, X, Y, order = inputs[key]
    compiled = {
        "forward": variant.forward(network, theta, X),
        "loss": variant.loss(network, theta, X, Y),
        "gradient": variant.gradient(network, theta, X, Y),
        "epoch": variant.epoch(network, theta, X, Y, order, int(batch_size), 0.25),
    }
    # Same operations in the same order, but another exp and fused products: five updates of some 20 roundings each.
    tolerance = 100 * np.finfo(dtype).eps
    for function, expected in compiled.items():
        found = uncompiled[f"{key} {function}"]
        assert found.dtype == (np.float64 if function == "loss" else dtype)
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance, err_msg=function)
