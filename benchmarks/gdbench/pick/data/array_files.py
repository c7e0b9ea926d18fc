"""Reads .npy and .npz files into tables; the arrays of a file become columns with names for messages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gdbench.pick.data.columns import some
from gdbench.pick.data.sampling import PART_BYTES, Rows, Sampling
from gdbench.pick.data.table import Table, numbered
from gdbench.pick.data.text_columns import Role
from gdbench.pick.data.text_formats import DATES
from kernels import InputError

INPUTS = ("X", "x", "data", "features", "inputs", "images")
TARGETS = ("y", "Y", "target", "labels", "targets")
PARTS = (
    ("", ""),
    *(("", part) for part in ("_train", "_tr", "_training", "train", "Train", "tr")),
    *((part, "") for part in ("train_", "tr_", "training_", "train", "Train")),
)
"""What stands before and behind these names, where a file has rows to train on and others: the former are taken."""

INPUT_KINDS, TARGET_KINDS = "iufb", "iufbU"
"""Kinds of dtype that are read, as NumPy abbreviates them: numbers and True and False; targets may be text."""


def read_npy(file: IO[bytes], name: str, targets: Sequence[str], sampling: Sampling) -> Table:
    """Return the columns of an .npy file, one array (n, columns); targets are named by number (-1 is the last).

    Raises
    ------
    InputError
        If it holds no two-dimensional array of numbers, or has no such column.
    """
    shape, dtype = _header(file)
    _check_kind(dtype, "the array", name, INPUT_KINDS)
    if len(shape) != 2:
        raise InputError(
            f"the array of {name} has shape {shape}: save two dimensions, rows and columns with the target last"
        )
    n, width = shape
    if not width:
        raise InputError(f"the array of {name} has shape {shape}, without columns: save inputs and the target last")
    count = sampling.count(n, width)
    if count == n:
        file.seek(0)
        values = np.lib.format.read_array(file, allow_pickle=False)
    else:
        values = _chosen(file.name, sampling.draw(n, count), shape, dtype)
    frame = pd.DataFrame(_native(values), copy=False).add_prefix("column ")
    return Table(frame, numbered(targets or ("-1",), list(frame.columns), name), n)


def read_npz(file: IO[bytes], name: str, targets: Sequence[str], sampling: Sampling) -> Table:
    """Return the columns of an .npz file with arrays ``X`` and ``y``, or others named alike.

    Where some arrays are to train on and others to test with, such as Keras' ``x_train``, ``y_train``, ``x_test`` and
    ``y_test``, it takes the former, or those that go with a target that is named.

    Raises
    ------
    InputError
        If there are no such arrays, they are not rows of numbers that belong together, or more than may be read whole,
        since an archive cannot be read in parts.
    """
    with np.load(file, allow_pickle=False) as arrays:
        there = arrays.files
        if not there:
            raise InputError(f"{name} holds no arrays: save the inputs as X and the target as y")
        wanted = list(dict.fromkeys(_known(target, there, name) for target in targets))
        wanted = wanted or [_usual_target(there, name)]
        left = [array for array in there if array not in wanted]
        inputs = left[0] if len(left) == 1 and (targets or left[0] in INPUTS) else _inputs_of(wanted[0], left, name)
        kinds = {inputs: INPUT_KINDS} | dict.fromkeys(wanted, TARGET_KINDS)
        _check_headers(arrays, kinds, name, sampling)
        X = arrays[inputs]
        if X.ndim == 1:
            raise InputError(f"the array {inputs} of {name} has one dimension: save {inputs}.reshape(-1, 1)")
        parts = [_frame(X, inputs, name), *(_frame(arrays[target], target, name) for target in wanted)]
    n = len(X)
    for target, part in zip(wanted, parts[1:], strict=True):
        if len(part) != n:
            raise InputError(f"{inputs} of {name} has {n} rows but {target} has {len(part)}: save one row for each")
    unused = [array for array in left if array != inputs]
    notes = [f"inputs {inputs}, without {some(unused)}"] if unused else []
    columns = tuple(column for part in parts[1:] for column in part.columns)
    frame = pd.concat(parts, axis=1)
    count = sampling.count(n, frame.shape[1])
    return Table(frame if count == n else frame.iloc[sampling.draw(n, count)], columns, n, tuple(notes))


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and dtype of the array that begins here, without its values."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def _chosen(path: str, rows: Rows, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return some rows of an .npy file; a map of its own for each part of it lets go of the pages that were read."""
    values = np.empty((len(rows), shape[1]), dtype)
    at_once = max(PART_BYTES // (shape[1] * dtype.itemsize), 1)
    ends = np.searchsorted(rows, np.arange(at_once, shape[0] + at_once, at_once))
    for begin, end in zip([0, *ends[:-1]], ends, strict=True):
        values[begin:end] = np.load(path, mmap_mode="r")[rows[begin:end]]
    return values


def _check_headers(arrays: np.lib.npyio.NpzFile, kinds: Mapping[str, str], file: str, sampling: Sampling) -> None:
    """Raise InputError if arrays are of other kinds, or take more than may be read whole; their headers tell."""
    archive, sizes = arrays.zip, []
    assert archive is not None  # until it is closed
    for name, allowed in kinds.items():
        with archive.open(f"{name}.npy" if f"{name}.npy" in archive.namelist() else name) as opened:
            shape, dtype = _header(opened)
        _check_kind(dtype, f"the array {name}", file, allowed)
        sizes.append(math.prod(shape))
    if sampling.is_too_large(1, sum(sizes)):
        raise InputError(
            f"{file} takes {8e-9 * sum(sizes):.1f} GB in float64, more than {1e-9 * sampling.limit:.1f} GB, and cannot "
            f"be read in parts: save np.column_stack([{', '.join(kinds)}]) as .npy, which can"
        )


def _known(target: str, there: Sequence[str], name: str) -> str:
    if target not in there:
        raise InputError(f"{name} has no array {target!r}: choose the target out of {some(there)}")
    return target


def _usual_target(there: Sequence[str], name: str) -> str:
    """Return the array of the targets where the user names none."""
    found = next(
        (target for before, behind in PARTS for stem in TARGETS if (target := before + stem + behind) in there), None
    )
    if found is None:
        raise InputError(
            f"{name} has no array called {', '.join(TARGETS[:-1])} or {TARGETS[-1]}, only {some(there)}: "
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


def _frame(values: npt.NDArray[Any], array: str, name: str) -> pd.DataFrame:
    values = _native(values)
    if values.ndim == 1:
        return pd.DataFrame({array: values}, copy=False)
    if values.ndim == 2:
        return pd.DataFrame(values, columns=[f"{array}[:, {j}]" for j in range(values.shape[1])], copy=False)
    raise InputError(
        f"the array {array} of {name} has shape {values.shape}: save two dimensions, such as "
        f"{array}.reshape(len({array}), -1)"
    )


def _check_kind(dtype: np.dtype[Any], what: str, name: str, kinds: str) -> None:
    """Raise InputError, with the remedy, if an array is not of one of these kinds."""
    if dtype.kind in kinds:
        return
    if dtype.names and not dtype.hasobject:
        raise InputError(
            f"{what} of {name} has fields with names, {some(dtype.names)}: save "
            "numpy.lib.recfunctions.structured_to_unstructured of it"
        )
    if dtype.kind == "V" and not dtype.hasobject:
        raise InputError(f"{what} of {name} holds bytes without a type, {dtype}: save numbers, by view and their type")
    if dtype.kind in "Mm":
        remedy = Role(is_target=True, is_label=False).remedy(DATES) if kinds == TARGET_KINDS else DATES.remedy
        raise InputError(f"{what} of {name} holds {DATES.words}: {remedy}")
    held = "Python objects, which can run code and are not read" if dtype.hasobject else str(dtype)
    text = ", or text by astype(str)" if kinds == TARGET_KINDS else ""
    raise InputError(f"{what} of {name} holds {held}: save numbers, such as by astype(float){text}")


def _native(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the array in the byte order of this machine."""
    return values.astype(values.dtype.newbyteorder("="), copy=False)
