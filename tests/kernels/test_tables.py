"""Every table by the name of an activation, or by a pair of output and loss, has the same names: none falls through."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numba import njit

from kernels.network import HIDDEN, OUTPUT_LOSSES
from kernels.variants import jit
from kernels.variants._numba.arguments import LOSSES, multiplies_derivative
from kernels.variants._tiled import elementwise
from kernels.variants._tiled.several import losses_of_single
from kernels.variants._tiled.single_output import epoch_of_single

from ..helpers import ROOT

NAMES: dict[str, set[Any]] = {
    "ACTIVATIONS": {*HIDDEN, *(output for output, _ in OUTPUT_LOSSES)},
    "DERIVATIVES": {*HIDDEN},
    "LOSSES": {*OUTPUT_LOSSES},
    "OUTPUT_DELTAS": {*OUTPUT_LOSSES},
    "TARGETS": {*OUTPUT_LOSSES},
    "SUPPORTED": {*OUTPUT_LOSSES},
    "FITTED_TO": {output for output, _ in OUTPUT_LOSSES},
    "TAKES_ACTIVATIONS": {*LOSSES.values()},
    "TARGET_CHECKS": {*OUTPUT_LOSSES},
    "TARGET_KINDS": {*OUTPUT_LOSSES},
    "HAS_CLASSES": {*OUTPUT_LOSSES},
    "SOLVERS": {*OUTPUT_LOSSES},
    "LOSS_LABELS": {loss for _, loss in OUTPUT_LOSSES},
}
KNOWN = ("kernels/variants/reference", "benchmarks/gdbench/verify/bounds", "benchmarks/gdbench/pick/steps/optimum")
PARTS = {("benchmarks/gdbench/peers/sklearn_partial_fit.py", "ACTIVATIONS"): {*HIDDEN}}
"""It has words for the activations of hidden layers alone."""

UNKNOWN = 99
ROW = np.ones((1, 2))
LOOPS: dict[str, Callable[[], object]] = {
    "tiled, activation": lambda: elementwise.activate(UNKNOWN, ROW[0]),
    "tiled, derivative": lambda: elementwise.multiply_derivative(UNKNOWN, ROW[0], ROW[0]),
    "tiled, loss": lambda: elementwise.mean_loss(UNKNOWN, ROW, ROW),
    "tiled, output delta": lambda: _multiplies(UNKNOWN),
    "tiled, one output": lambda: epoch_of_single(
        (0, UNKNOWN, 0, 0), np.ones(3), (ROW, np.ones((1, 1)), np.arange(1)), (1, 0.1), np.ones(3)
    ),
    "tiled, losses of one output": lambda: losses_of_single(
        (0, UNKNOWN, 0, 0), True, np.ones((1, 3)), (ROW, np.ones((1, 1))), np.zeros((1, 1), np.int64), np.empty(1)
    ),
    "jit, activation": lambda: jit._activate(UNKNOWN, ROW),
    "jit, derivative": lambda: jit._multiply_derivative(UNKNOWN, ROW, ROW),
    "jit, loss": lambda: jit._row_loss(UNKNOWN, ROW[0], ROW[0]),
}
"""Compiled code that has a branch for each name instead of a table; its names are codes."""


@njit
def _multiplies(code):
    return multiplies_derivative(code)


def _files() -> list[str]:
    """Files of ours that have such a table; the others are not imported."""
    starts = tuple(f"{name}{sign}" for name in NAMES for sign in (": dict", " = {"))
    return [
        path.relative_to(ROOT).as_posix()
        for folder in (ROOT / "kernels", ROOT / "benchmarks" / "gdbench")
        for path in sorted(folder.rglob("*.py"))
        if any(line.startswith(starts) for line in path.read_text(encoding="utf-8").splitlines())
    ]


def _imported(file: str) -> ModuleType:
    return import_module(file.removeprefix("benchmarks/").removesuffix(".py").replace("/", "."))


MODULES = {file: _imported(file) for file in _files()}
TABLES = [(file, name) for file, module in MODULES.items() for name in NAMES if name in vars(module)]


def test_the_reference_its_bounds_and_the_search_have_tables() -> None:
    assert {f"{place}.py" for place in KNOWN} <= set(MODULES)


@pytest.mark.parametrize(("file", "name"), TABLES)
def test_a_table_has_every_name_and_no_other(file: str, name: str) -> None:
    assert set(getattr(MODULES[file], name)) == PARTS.get((file, name), NAMES[name])


@pytest.mark.parametrize("call", LOOPS.values(), ids=LOOPS)
def test_compiled_code_refuses_a_name_that_it_has_no_branch_for(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r": add it"):
        call()


@pytest.mark.parametrize("file", MODULES)
def test_contributing_names_every_file_with_a_table(file: str) -> None:
    assert f"`{file}`" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
