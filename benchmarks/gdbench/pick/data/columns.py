"""Columns of a user's table: what each holds, whether it is complete, and the inputs as numbers, text one-hot."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from gdbench.pick.data import text_formats
from gdbench.pick.data.text_columns import Role, check_text
from kernels import InputError

Values = npt.NDArray[np.float64]

MAX_CATEGORIES = 100
"""Categories of an input column of text; one with more is usually free text, and each makes an input of the network."""
MAX_NAMES = 10
"""Names listed in a message or a description."""

EXACT = 2**53
"""Whole numbers up to this one are different floats of 64 bits."""
NUMBERS = {"integer", "floating", "mixed-integer-float", "decimal"}
DATES = {"datetime64", "datetime", "date", "timedelta64", "timedelta", "time", "period"}


def some(names: object) -> str:
    """Join the first ten names, each on one line, for a message: ``a, b, c and 5 more``."""
    shown = [" ".join(str(name).split()) for name in names]  # type: ignore[attr-defined]
    more = len(shown) - MAX_NAMES
    return ", ".join(shown[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


def is_text(column: pd.Series) -> bool:
    """Whether a column that ``plain`` returned is of categories."""
    return isinstance(column.dtype, pd.CategoricalDtype)


def plain(frame: pd.DataFrame, file: str, *, targets: Collection[str] = (), are_labels: bool = False) -> pd.DataFrame:
    """Return the table with every column of numbers, of True and False, or categorical; missing values stay missing.

    Parameters
    ----------
    frame : DataFrame
        As it was read.
    file : str
        Its name, for messages.
    targets : collection of str
        Columns to be learnt.
    are_labels : bool
        Whether these are asked for as classes: what may be a label there is one.

    Raises
    ------
    InputError
        If a column holds quantities or dates as text, numbers that are spoilt by a few texts, or values of another
        kind.
    """
    for name, column in frame.items():
        _check_whole(column, str(name), file)
    if all(dtype.kind in "iufb" for dtype in frame.dtypes):
        return frame
    roles = {name: Role(is_target=name in targets, is_label=are_labels and name in targets) for name in frame}
    return pd.DataFrame({name: _plain(column, file, roles[name]) for name, column in frame.items()})


def _check_whole(column: pd.Series, name: str, file: str) -> None:
    """Raise InputError if whole numbers become equal as floats of 64 bits."""
    kind = column.dtype.kind
    if kind == "O" and pd.api.types.infer_dtype(column, skipna=True) != "integer":
        return
    if kind not in "iuO" or column.empty:
        return
    values = column.dropna()
    if max(abs(int(values.max())), abs(int(values.min()))) <= EXACT:
        return
    if values.astype(np.float64).nunique() < values.nunique():
        raise InputError(
            f"the column {name} of {file} holds whole numbers beyond 2^53, of which floats of 64 bits make some equal: "
            "subtract the smallest one or, if they are names of the rows, drop it"
        )


def check_complete(frame: pd.DataFrame, file: str) -> None:
    """Raise InputError with the count of the rows of ``file`` in which a value is missing or infinite."""
    missing, infinite = np.zeros(frame.shape, bool, order="F"), np.zeros(frame.shape, bool, order="F")
    for j, (_, column) in enumerate(frame.items()):  # one by one: of large tables no second copy is made
        missing[:, j] = column.isna()
        if column.dtype.kind == "f":
            with np.errstate(over="ignore"):  # long floats, which become infinite
                infinite[:, j] = np.isinf(column.to_numpy(np.float64, na_value=np.nan))
    empty = frame.columns[np.flatnonzero(missing.all(axis=0))]
    if len(empty):
        raise InputError(
            f"the column{'s' if len(empty) > 1 else ''} {some(empty)} of {file} {'have' if len(empty) > 1 else 'has'} "
            "no values at all: drop what is empty (dropna(axis=1, how='all') in pandas), and save the file again"
        )
    wrong = missing | infinite
    no_values = missing.all(axis=1)
    if no_values.any() and np.array_equal(no_values, wrong.any(axis=1)):
        raise InputError(
            f"{no_values.sum()} of {len(frame)} rows of {file} have no values at all: drop them (dropna(how='all') in "
            "pandas), and save the file again"
        )
    if wrong.any():
        found = [word for word, mask in (("missing", missing), ("infinite", infinite)) if mask.any()]
        rows, columns = wrong.any(axis=1).sum(), some(frame.columns[np.flatnonzero(wrong.any(axis=0))])
        first = "make infinite values NaN, then " if infinite.any() else ""
        remedy = "drop these rows or fill the values in (dropna and fillna in pandas)"
        if len(frame) - rows < 2:
            remedy = "fill the values in (fillna in pandas) or drop the columns that lack most"
        raise InputError(
            f"{rows} of {len(frame)} rows of {file} have {' or '.join(found)} values (in {columns}): "
            f"{first}{remedy}, and save the file again"
        )


def encode_inputs(frame: pd.DataFrame, file: str) -> tuple[Values, tuple[str, ...]]:
    """Return the inputs (n, d), text one-hot with an input for each category, and what columns of text there are.

    Raises
    ------
    InputError
        If a column of text has so many categories that it is free text.
    """
    text = tuple(_in_words(column) for _, column in frame.items() if is_text(column))
    widths = [len(column.cat.categories) if is_text(column) else 1 for _, column in frame.items()]
    for (_, column), width in zip(frame.items(), widths, strict=True):
        if is_text(column):
            _check_categories(column, width, file)
    X, begin = np.zeros((len(frame), sum(widths))), 0  # filled column by column: all of them at once would be a copy
    for (_, column), width in zip(frame.items(), widths, strict=True):
        if is_text(column):
            X[np.arange(len(frame)), begin + column.cat.codes.to_numpy()] = 1.0
        else:
            X[:, begin] = column.to_numpy(np.float64)
        begin += width
    return X, text


def _plain(column: pd.Series, file: str, role: Role) -> pd.Series:
    if column.dtype.kind in "iufb":
        return column
    name, is_category = str(column.name), is_text(column)
    values = column.astype(object) if is_category else column
    found = pd.api.types.infer_dtype(values, skipna=True)
    if found == "string":
        role = Role(is_target=role.is_target, is_label=role.is_label or is_category)
        check_text(values.dropna(), name, file, role)
    elif found in DATES:
        remedy = role.remedy(text_formats.DATES)
        raise InputError(f"the column {name} of {file} holds {text_formats.DATES.words}: {remedy}")
    elif not (found in NUMBERS or found in ("boolean", "empty")):
        raise InputError(
            f"the column {name} of {file} holds values of the kind {found}: "
            "drop it, or turn it into numbers, text or True and False"
        )
    if found == "string" or (is_category and found != "empty"):
        return _categories(values)
    return values.astype("boolean" if found == "boolean" else np.float64)


def _categories(values: pd.Series) -> pd.Series:
    """Return categories in sorted order; spaces around a text make no other one."""
    column = values.astype("category")
    texts = {text: text.strip() for text in column.cat.categories if isinstance(text, str) and text != text.strip()}
    return values.replace(texts).astype("category") if texts else column


def differ_in_case(names: Iterable[object]) -> str:
    """Say which texts are the same but for upper and lower case; nothing if none are."""
    lower: dict[str, list[str]] = {}
    for name in map(str, names):
        lower.setdefault(name.casefold(), []).append(name)
    twins = [" and ".join(texts) for texts in lower.values() if len(texts) > 1]
    return f"{some(twins)} differ only in case" if twins else ""


def _in_words(column: pd.Series) -> str:
    twins = differ_in_case(column.cat.categories)
    return f"{column.name} ({twins})" if twins else str(column.name)


def _check_categories(column: pd.Series, count: int, file: str) -> None:
    n = len(column)
    if count > min(MAX_CATEGORIES, max(2, n // 2)):
        most = MAX_CATEGORIES if count > MAX_CATEGORIES else "half of the rows"
        raise InputError(
            f"the column {column.name} of {file} is text with {count} different values in {n} rows, more than {most}: "
            "drop it, or turn it into numbers or into fewer categories"
        )
