"""Arrays and data frames that a caller has in memory, encoded and scaled as those of a file are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gdbench.experiments.datasets import STANDARDISED, Dataset, sha256_of
from gdbench.experiments.scaling import standardised
from gdbench.pick.data.columns import check_complete, encode_inputs, plain, some
from gdbench.pick.data.files import KINDS
from gdbench.pick.data.outputs import encode_outputs
from kernels import InputError
from kernels.errors import unknown

NAME = "arrays"
"""Name of such data."""
AS_GIVEN = "as given"


def read_arrays(X: object, y: object, *, kind: str | None = None, standardise: bool = True) -> Dataset:
    """Return X (n, d) and Y (n, k) in float64.

    Parameters
    ----------
    X : array or DataFrame, (n, d)
        Inputs; columns of text are one-hot encoded.
    y : array, Series or DataFrame, (n,) or (n, k)
        What is to be learnt.
    kind : {"regression", "classification"}, optional
        By default text and True and False are classes, numbers a regression.
    standardise : bool
        Bring inputs and regression targets to mean 0 and variance 1 by column; constant inputs become zeros.

    Raises
    ------
    InputError
        If they are no tables of numbers or text, a value is missing, or there is nothing to learn.
    """
    if kind is not None and kind not in KINDS:
        raise unknown("kind of target", kind, KINDS)
    inputs, targets = _frame(X, "X"), _frame(y, "y")
    _check_shapes(inputs, targets)
    targets = plain(targets, "y", targets=[*map(str, targets)], are_labels=kind == "classification")
    inputs = plain(inputs, "X")
    check_complete(inputs, "X")
    check_complete(targets, "y")
    values, text = encode_inputs(inputs, "X")
    outputs = encode_outputs(targets, kind, "y")
    encoded = [f"one-hot encoded: {some(text)}"] if text else []
    Y = standardised(outputs.values) if standardise and outputs.kind == "regression" else outputs.values
    return Dataset(
        name=NAME,
        X=np.ascontiguousarray(standardised(values) if standardise else values),
        Y=np.ascontiguousarray(Y),
        kind=outputs.kind,
        scaling=STANDARDISED if standardise else AS_GIVEN,
        origin=", ".join([NAME, f"target {outputs.words}", *encoded]),
        sha256=sha256_of(values, outputs.values),
    )


def _check_shapes(inputs: pd.DataFrame, targets: pd.DataFrame) -> None:
    for name, frame in (("X", inputs), ("y", targets)):
        if not frame.shape[1]:
            raise InputError(f"{name} has no columns: pass at least one")
    if len(inputs) != len(targets):
        raise InputError(f"X has {len(inputs)} rows but y has {len(targets)}: pass one row of y for each row of X")
    if len(inputs) < 2:
        raise InputError(f"X has fewer than 2 rows ({len(inputs)}), too few to learn from: add rows")


def _frame(values: Any, name: str) -> pd.DataFrame:
    """Return a table with names of its own; an array's are ``X[:, 0]``, ``X[:, 1]`` and so on, or ``y``."""
    if isinstance(values, pd.Series):
        values = values.to_frame(name if values.name is None else values.name)
    if not isinstance(values, pd.DataFrame):
        return _of_array(_array(values, name), name)
    names = [str(column) for column in values.columns]
    twice = (
        [column for column in dict.fromkeys(names) if names.count(column) > 1] if len(set(names)) < len(names) else []
    )
    if twice:
        raise InputError(f"several columns of {name} are called {some(twice)}: give each a name of its own")
    return values.set_axis(names, axis=1)


def _array(values: Any, name: str) -> np.ndarray[Any, Any]:
    if hasattr(values, "toarray"):  # sparse matrices of SciPy
        raise InputError(f"{name} is a sparse matrix, and every value is needed: pass {name}.toarray()")
    if np.ma.isMaskedArray(values):
        raise InputError(f"{name} is a masked array: leave out the rows with masked values, or fill these in")
    try:
        return np.asarray(values)
    except Exception as error:  # whatever another library's object raises
        raise InputError(
            f"{name} cannot be read as an array ({error}): pass a NumPy array or a pandas DataFrame"
        ) from error


def _of_array(values: np.ndarray[Any, Any], name: str) -> pd.DataFrame:
    if name == "y" and values.ndim == 1:
        return pd.DataFrame({name: values})
    if values.ndim != 2:
        remedy = "" if values.ndim != 1 else f"; one column is {name}.reshape(-1, 1)"
        wanted = "(n,) or (n, k)" if name == "y" else "(n, d)"
        raise InputError(
            f"{name} has the shape {values.shape}: pass an array of the shape {wanted}, a row for each example{remedy}"
        )
    frame = pd.DataFrame(values, columns=[f"{name}[:, {j}]" for j in range(values.shape[1])], copy=False)
    return frame.infer_objects() if values.dtype.kind == "O" else frame
