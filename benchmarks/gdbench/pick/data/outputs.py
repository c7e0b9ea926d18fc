"""The columns to be learnt as numbers: targets of a regression, or classes as 0 and 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from gdbench.experiments.encoding import one_hot
from gdbench.pick.data.columns import Values, differ_in_case, is_text, some
from gdbench.pick.data.text_formats import shown
from kernels import InputError

MAX_CLASSES = 1000
MAX_LIKE_CLASSES = 20
"""Different whole numbers up to which a target is said to be taken as quantities, since it may be meant as classes."""


@dataclass(frozen=True)
class Outputs:
    """What is to be learnt, not scaled yet."""

    values: Values
    """(n, k); classes as 0 and 1: one column for two of them, one-hot for more."""
    kind: str
    """``regression`` or ``classification``."""
    words: str


def encode_outputs(frame: pd.DataFrame, kind: str | None, file: str) -> Outputs:
    """Return the targets as classes if they are text or True and False or ``kind`` asks for it, else as a regression.

    Raises
    ------
    InputError
        If there is nothing to learn, or the values do not fit the kind.
    """
    texts = [name for name, column in frame.items() if is_text(column)]
    if texts and kind == "regression":
        raise InputError(
            f"a regression needs numbers, but the target {some(texts)} of {file} holds text, such as "
            f"{shown(frame[texts[0]].iloc[0])}: name another target, or ask for a classification, as by "
            "--network softmax, or logistic for two classes"
        )
    if texts and frame.shape[1] > 1:
        raise InputError(
            f"several targets need numbers, but {some(texts)} of {file} holds text: "
            "leave it out, or name it as the only target"
        )
    are_classes = bool(texts) or all(dtype.kind == "b" for dtype in frame.dtypes)
    if kind == "regression" or (kind is None and not are_classes):
        values = frame.to_numpy(np.float64)
        _check_varies(frame, values, file)
        return Outputs(values, "regression", some(frame.columns) + (_like_classes(values) if kind is None else ""))
    return _classes(frame.iloc[:, 0], file) if frame.shape[1] == 1 else _encoded_classes(frame, file)


def _classes(column: pd.Series, file: str) -> Outputs:
    if not is_text(column) and (column.to_numpy(np.float64) % 1 != 0).any():
        raise InputError(
            f"classes are whole numbers or text, but the target {column.name} of {file} has fractions: "
            "ask for a regression, or turn the target into classes"
        )
    labels = column.astype("category").cat  # categories in sorted order
    names = labels.categories
    _check_count(names, column, file)
    twins = differ_in_case(names)
    words = f"{column.name} (classes {some(names)}{'; ' if twins else ''}{twins})"
    return Outputs(one_hot(labels.codes.to_numpy(), len(names)), "classification", words)


def _check_count(names: pd.Index, column: pd.Series, file: str) -> None:
    count, n = len(names), len(column)
    if count == 1:
        raise InputError(
            f"all {n} rows of {file} are of one class, {column.name}={names[0]}, so there is nothing to learn: "
            "add rows of another class, or name another target"
        )
    if count > min(MAX_CLASSES, max(2, n // 2)):
        most = f"{MAX_CLASSES:,}" if count > MAX_CLASSES else "half of the rows"
        raise InputError(
            f"the target {column.name} of {file} has {count:,} classes in {n:,} rows, more than {most}: "
            "name another target or, if its values are quantities, ask for a regression"
        )


def _encoded_classes(frame: pd.DataFrame, file: str) -> Outputs:
    """Take several columns of 0 and 1 as they are."""
    values = frame.to_numpy(np.float64)
    if not np.isin(values, (0, 1)).all():
        raise InputError(
            f"several target columns are classes only if they hold nothing but 0 and 1, which those of {file} do not: "
            "name one column of classes, or ask for a regression"
        )
    _check_varies(frame, values, file)
    return Outputs(values, "classification", f"{some(frame.columns)} (0 and 1)")


def _like_classes(values: Values) -> str:
    """Say that whole numbers, of which there are few, are taken as quantities, and how they are taken as classes."""
    found = np.unique(values)
    if values.shape[1] > 1 or len(found) > min(MAX_LIKE_CLASSES, len(values) // 2) or (found % 1 != 0).any():
        return ""
    return f" ({len(found)} whole numbers, taken as quantities: the kind classification takes them as classes)"


def _check_varies(frame: pd.DataFrame, values: Values, file: str) -> None:
    constant = frame.columns[values.min(axis=0) == values.max(axis=0)]
    if len(constant):
        raise InputError(
            f"the target {some(constant)} of {file} has the same value in all {len(frame)} rows, "
            "so there is nothing to learn: name another target"
        )
