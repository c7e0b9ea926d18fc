"""Columns of a user's table: what each holds, whether it is complete, and the inputs as numbers, text one-hot."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from kernels import InputError

Values = npt.NDArray[np.float64]

MAX_CATEGORIES = 100
"""Of an input column of text; one with more is free text as a rule, and each makes an input of the network."""
MAX_NAMES = 10
"""Names listed in a message or a description."""

NUMBERS = {"integer", "floating", "mixed-integer-float", "decimal"}
DATES = {"datetime64", "datetime", "date", "timedelta64", "timedelta", "time", "period"}
DATE = r"\s*(\d{4}([-/.])\d{1,2}\2\d{1,2}|\d{1,2}([-/.])\d{1,2}\3(\d{4}|\d\d))([ T]+\d.*)?\s*"
"""A date as text, such as 2024-05-31, 31.5.2024 or 5/31/24, with or without a time of day."""


def some(names: object) -> str:
    """Join the first ten names, each on one line, for a message: ``a, b, c and 5 more``."""
    shown = [" ".join(str(name).split()) for name in names]  # type: ignore[attr-defined]
    more = len(shown) - MAX_NAMES
    return ", ".join(shown[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


def is_text(column: pd.Series) -> bool:
    """Whether a column that ``plain`` returned is of categories."""
    return isinstance(column.dtype, pd.CategoricalDtype)


def plain(frame: pd.DataFrame, file: str) -> pd.DataFrame:
    """Return the table with every column of numbers, of True and False, or categorical; missing values stay missing.

    Raises
    ------
    InputError
        If a column of ``file`` holds dates, numbers that are spoilt by a few texts, or values of another kind.
    """
    if all(dtype.kind in "iufb" for dtype in frame.dtypes):
        return frame
    return pd.DataFrame({name: _plain(column, str(name), file) for name, column in frame.items()})


def check_complete(frame: pd.DataFrame, file: str) -> None:
    """Raise InputError with the count of the rows of ``file`` in which a value is missing or infinite."""
    missing, infinite = frame.isna().to_numpy(), np.zeros(frame.shape, bool)
    are_numbers = [dtype.kind == "f" for dtype in frame.dtypes]
    infinite[:, are_numbers] = np.isinf(frame.loc[:, are_numbers].to_numpy(np.float64, na_value=np.nan))
    wrong = missing | infinite
    if wrong.any():
        found = [word for word, mask in (("missing", missing), ("infinite", infinite)) if mask.any()]
        rows, columns = wrong.any(axis=1).sum(), some(frame.columns[np.flatnonzero(wrong.any(axis=0))])
        first = "make infinite values NaN, then " if infinite.any() else ""
        raise InputError(
            f"{rows} of {len(frame)} rows of {file} have {' or '.join(found)} values (in {columns}): "
            f"{first}drop these rows or fill the values in (dropna and fillna in pandas), and save the file again"
        )


def encode_inputs(frame: pd.DataFrame, file: str) -> tuple[Values, tuple[str, ...]]:
    """Return the inputs (n, d), text one-hot with an input for each category, and the names of the columns of text.

    Raises
    ------
    InputError
        If a column of text has so many categories that it is free text.
    """
    text = tuple(str(name) for name, column in frame.items() if is_text(column))
    if not text:
        return frame.to_numpy(np.float64), ()
    parts = [
        _indicators(column, file) if is_text(column) else column.to_numpy(np.float64)[:, None]
        for _, column in frame.items()
    ]
    return np.column_stack(parts), text


def _plain(column: pd.Series, name: str, file: str) -> pd.Series:
    if column.dtype.kind in "iufb":
        return column
    is_category = is_text(column)
    values = column.astype(object) if is_category else column
    found = pd.api.types.infer_dtype(values, skipna=True)
    if found == "string":
        _check_text(values.dropna(), name, file)
    elif found in DATES:
        raise _dates(name, file)
    elif not (found in NUMBERS or found in ("boolean", "empty")):
        raise InputError(
            f"the column {name} of {file} holds values of the kind {found}: "
            "drop it, or turn it into numbers, text or True and False"
        )
    if found == "string" or (is_category and found != "empty"):
        return values.astype("category")  # categories in sorted order
    return values.astype("boolean" if found == "boolean" else np.float64)


def _check_text(values: pd.Series, name: str, file: str) -> None:
    if len(values) and values.str.fullmatch(DATE).all():
        raise _dates(name, file)
    spoilt = values[pd.to_numeric(values, errors="coerce").isna()]
    if 0 < len(spoilt) < len(values) / 2:  # else one "?" would turn a column of numbers into categories
        raise InputError(
            f"the column {name} of {file} holds numbers but for {len(spoilt)} of {len(values)} rows, "
            f"the first with {spoilt.iloc[0]!r}: correct these rows or drop them"
        )


def _dates(name: str, file: str) -> InputError:
    return InputError(
        f"the column {name} of {file} holds dates or times: "
        "drop it, or turn it into numbers, such as days since the first one"
    )


def _indicators(column: pd.Series, file: str) -> Values:
    count, n = len(column.cat.categories), len(column)
    if count > min(MAX_CATEGORIES, max(2, n // 2)):
        most = MAX_CATEGORIES if count > MAX_CATEGORIES else "half of the rows"
        raise InputError(
            f"the column {column.name} of {file} is text with {count} different values in {n} rows, more than {most}: "
            "drop it, or turn it into numbers or into fewer categories"
        )
    return np.eye(count)[column.cat.codes]
