"""Reads .npy and .npz files into tables; the arrays of a file become columns with names for messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gdbench.pick.data.columns import some
from kernels import InputError

INPUTS = ("X", "x", "data", "features")
TARGETS = ("y", "Y", "target", "labels")


def read_npy(file: IO[bytes], name: str, targets: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Return the columns of an .npy file, one array (n, columns), and which are targets, by number (-1 is the last).

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
    chosen = [_column(text, values.shape[1], name) for text in targets or ("-1",)]
    frame = pd.DataFrame(values).add_prefix("column ")
    return frame, list(frame.columns[list(dict.fromkeys(chosen))])


def read_npz(file: IO[bytes], name: str, targets: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Return the columns of an .npz file with arrays ``X`` and ``y``, or others named alike, and which are targets.

    Raises
    ------
    InputError
        If there are no such arrays, or they are not rows of numbers that belong together.
    """
    with np.load(file, allow_pickle=False) as arrays:
        there = arrays.files
        wanted = list(dict.fromkeys(_known(target, there, name) for target in targets))
        wanted = wanted or [_usual(TARGETS, there, name)]
        left = [array for array in there if array not in wanted]
        inputs = left[0] if targets and len(left) == 1 else _usual(INPUTS, left, name)
        X = arrays[inputs]
        if X.ndim == 1:
            raise InputError(f"the array {inputs} of {name} has one dimension: save {inputs}.reshape(-1, 1)")
        parts = [_frame(X, inputs, name, "iufb"), *(_frame(arrays[target], target, name, "iufbU") for target in wanted)]
    for target, part in zip(wanted, parts[1:], strict=True):
        if len(part) != len(X):
            raise InputError(
                f"{inputs} of {name} has {len(X)} rows but {target} has {len(part)}: save one row for each"
            )
    return pd.concat(parts, axis=1), [column for part in parts[1:] for column in part.columns]


def _column(text: str, count: int, name: str) -> int:
    try:
        return range(count)[int(text)]
    except (ValueError, IndexError):
        raise InputError(
            f"{name} has no column {text!r}: name the target by its number, from 0 to {count - 1}, or -1 for the last"
        ) from None


def _known(target: str, there: Sequence[str], name: str) -> str:
    if target not in there:
        raise InputError(f"{name} has no array {target!r}: choose the target out of {some(there) or 'none'}")
    return target


def _usual(names: Sequence[str], there: Sequence[str], name: str) -> str:
    found = next((array for array in names if array in there), None)
    if found is None:
        raise InputError(
            f"{name} has no array called {', '.join(names[:-1])} or {names[-1]}, only {some(there) or 'none'}: "
            "save the inputs as X and the target as y, or name the array of the target by --target"
        )
    return found


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
