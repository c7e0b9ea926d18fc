"""Reads .npy and .npz files into tables; the arrays of a file become columns with names for messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gdbench.pick.data.columns import some
from gdbench.pick.data.table import Table, numbered
from kernels import InputError

INPUTS = ("X", "x", "data", "features", "inputs", "images")
TARGETS = ("y", "Y", "target", "labels", "targets")
PARTS = (
    ("", ""),
    *(("", part) for part in ("_train", "_tr", "_training", "train", "Train", "tr")),
    *((part, "") for part in ("train_", "tr_", "training_", "train", "Train")),
)
"""What stands before and behind these names, where a file has rows to train on and others: the former are taken."""


def read_npy(file: IO[bytes], name: str, targets: Sequence[str]) -> Table:
    """Return the columns of an .npy file, one array (n, columns); targets are named by number (-1 is the last).

    Raises
    ------
    InputError
        If it holds no two-dimensional array of numbers, or has no such column.
    """
    values = _of_kind(np.lib.format.read_array(file, allow_pickle=False), "the array", name, "iufb")
    if values.ndim != 2:
        raise InputError(
            f"the array of {name} has shape {values.shape}: save two dimensions, rows and columns with the target last"
        )
    frame = pd.DataFrame(values).add_prefix("column ")
    return Table(frame, numbered(targets or ("-1",), list(frame.columns), name))


def read_npz(file: IO[bytes], name: str, targets: Sequence[str]) -> Table:
    """Return the columns of an .npz file with arrays ``X`` and ``y``, or others named alike.

    Where some arrays are to train on and others to test with, such as Keras' ``x_train``, ``y_train``, ``x_test`` and
    ``y_test``, it takes the former, or those that go with a target that is named.

    Raises
    ------
    InputError
        If there are no such arrays, or they are not rows of numbers that belong together.
    """
    with np.load(file, allow_pickle=False) as arrays:
        there = arrays.files
        wanted = list(dict.fromkeys(_known(target, there, name) for target in targets))
        wanted = wanted or [_usual_target(there, name)]
        left = [array for array in there if array not in wanted]
        inputs = left[0] if len(left) == 1 and (targets or left[0] in INPUTS) else _inputs_of(wanted[0], left, name)
        X = arrays[inputs]
        if X.ndim == 1:
            raise InputError(f"the array {inputs} of {name} has one dimension: save {inputs}.reshape(-1, 1)")
        parts = [_frame(X, inputs, name, "iufb"), *(_frame(arrays[target], target, name, "iufbU") for target in wanted)]
    for target, part in zip(wanted, parts[1:], strict=True):
        if len(part) != len(X):
            raise InputError(
                f"{inputs} of {name} has {len(X)} rows but {target} has {len(part)}: save one row for each"
            )
    unused = [array for array in left if array != inputs]
    notes = [f"inputs {inputs}, without {some(unused)}"] if unused else []
    columns = tuple(column for part in parts[1:] for column in part.columns)
    return Table(pd.concat(parts, axis=1), columns, tuple(notes))


def _known(target: str, there: Sequence[str], name: str) -> str:
    if target not in there:
        raise InputError(f"{name} has no array {target!r}: choose the target out of {some(there) or 'none'}")
    return target


def _usual_target(there: Sequence[str], name: str) -> str:
    """Return the array of the targets where the user names none."""
    found = next(
        (target for before, behind in PARTS for stem in TARGETS if (target := before + stem + behind) in there), None
    )
    if found is None:
        raise InputError(
            f"{name} has no array called {', '.join(TARGETS[:-1])} or {TARGETS[-1]}, only {some(there) or 'none'}: "
            "save the inputs as X and the target as y, or name the array of the target by --target"
        )
    return found


def _inputs_of(target: str, there: Sequence[str], name: str) -> str:
    """Return the array of inputs that belongs to a target, such as ``x_train`` to ``y_train``."""
    before, behind = _part_of(target)
    parts = dict.fromkeys([("", ""), (before, behind)])
    found = next((inputs for first, last in parts for stem in INPUTS if (inputs := first + stem + last) in there), None)
    if found is None:
        wanted = f"{before}x{behind}"
        raise InputError(
            f"{name} has no array called {', '.join(INPUTS[:-1])} or {INPUTS[-1]} for the inputs, only "
            f"{some(there) or 'none'} beside the target {target}: save the inputs as {wanted}"
        )
    return found


def _part_of(target: str) -> tuple[str, str]:
    """Return what stands before and behind the name of a target, such as ``_train``: the longest that it can be."""
    if target in TARGETS:
        return "", ""
    for stem in sorted(TARGETS, key=len, reverse=True):
        if target.startswith(stem):
            return "", target.removeprefix(stem)
        if target.endswith(stem):
            return target.removesuffix(stem), ""
    return "", ""


def _frame(values: npt.NDArray[Any], array: str, name: str, kinds: str) -> pd.DataFrame:
    values = _of_kind(values, f"the array {array}", name, kinds)
    if values.ndim == 1:
        return pd.DataFrame({array: values})
    if values.ndim == 2:
        return pd.DataFrame(values, columns=[f"{array}[:, {j}]" for j in range(values.shape[1])])
    raise InputError(
        f"the array {array} of {name} has shape {values.shape}: save two dimensions, such as "
        f"{array}.reshape(len({array}), -1)"
    )


def _of_kind(values: npt.NDArray[Any], what: str, name: str, kinds: str) -> npt.NDArray[Any]:
    """Return the array in the byte order of this machine if its dtype is of one of these kinds."""
    if values.dtype.kind not in kinds:
        text = ", or text by astype(str)" if "U" in kinds else ""
        raise InputError(f"{what} of {name} holds {values.dtype}: save numbers, such as by astype(float){text}")
    return values.astype(values.dtype.newbyteorder("="), copy=False)
