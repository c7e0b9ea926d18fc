"""Arrays and data frames are encoded as a file with the same values is, and refused in a sentence that helps."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gdbench.pick.data.arrays import read_arrays
from gdbench.pick.data.files import read_file
from kernels import InputError

ROUNDING = 1e-12
"""Sums of columns depend on how they lie in memory."""
rng = np.random.default_rng(0)
X, NUMBERS = rng.normal(size=(12, 3)) * (1, 10, 100) + 5, rng.normal(size=12)
LABELS = np.array(["setosa", "virginica", "other"] * 4)
FRAME = pd.DataFrame({"area": X[:, 0], "city": ["Ulm", "Bonn", "Ulm"] * 4, "new": [True, False] * 6, 3: np.arange(12)})


@pytest.mark.parametrize("standardise", [True, False])
@pytest.mark.parametrize(
    ("y", "kind"),
    [(NUMBERS, None), (NUMBERS[:, None], "regression"), (LABELS, None), (np.arange(12) % 3, "classification")],
)
def test_arrays_are_read_as_a_file_of_them_is(y: Any, kind: str | None, standardise: bool, tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, X=X, y=y)
    there, here = (
        read_file(path, kind=kind, standardise=standardise),
        read_arrays(X, y, kind=kind, standardise=standardise),
    )
    np.testing.assert_allclose(here.X, there.X, rtol=ROUNDING)
    np.testing.assert_allclose(here.Y, there.Y, rtol=ROUNDING)
    assert (here.kind, here.sha256) == (there.kind, there.sha256)


def test_a_data_frame_is_read_as_a_table_of_its_columns_is(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    FRAME.assign(price=NUMBERS).rename(columns=str).to_parquet(path)
    there, here = read_file(path, target=["price"]), read_arrays(FRAME, pd.Series(NUMBERS, name="price"))
    np.testing.assert_allclose(here.X, there.X, rtol=ROUNDING)
    np.testing.assert_allclose(here.Y, there.Y, rtol=ROUNDING)
    assert here.sha256 == there.sha256
    assert "one-hot encoded: city" in here.origin
    assert "target price" in here.origin


def test_rows_go_together_by_their_place_whatever_their_index() -> None:
    other = read_arrays(FRAME.set_index(np.arange(12)[::-1]), pd.Series(NUMBERS, index=np.arange(12) + 7))
    assert other.sha256 == read_arrays(FRAME, NUMBERS).sha256


@pytest.mark.parametrize(
    ("y", "columns"), [(LABELS, 3), (LABELS[:, None] == "other", 1), (pd.Categorical(LABELS), 3), (list(LABELS), 3)]
)
def test_classes_are_one_hot_and_two_of_them_one_column(y: Any, columns: int) -> None:
    found = read_arrays(X, y)
    assert (found.kind, found.Y.shape) == ("classification", (12, columns))
    np.testing.assert_array_equal(found.Y[:, 0], LABELS == "other")
    assert read_arrays(X, np.eye(3)[np.arange(12) % 3], kind="classification").Y.shape == (12, 3)


@pytest.mark.parametrize(
    "arrays",
    [
        (X.tolist(), NUMBERS.tolist()),
        (X.astype(object), NUMBERS.astype(object)),
        (X[::-1][::-1], NUMBERS),
        (np.asfortranarray(X), NUMBERS),
    ],
    ids=["lists", "objects", "views", "fortran"],
)
def test_what_holds_the_same_numbers_is_the_same(arrays: tuple[Any, Any]) -> None:
    found = read_arrays(*arrays)
    assert found.sha256 == read_arrays(X, NUMBERS).sha256
    assert found.X.flags.c_contiguous
    assert found.X.dtype == found.Y.dtype == np.float64


def test_what_a_caller_owns_stays_as_it_is() -> None:
    before = X.copy(), FRAME.copy(deep=True)
    read_arrays(X, NUMBERS)
    read_arrays(FRAME, LABELS)
    np.testing.assert_array_equal(X, before[0])
    pd.testing.assert_frame_equal(FRAME, before[1])


WITH_GAPS = np.where(X.max() == X, np.nan, X)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ((X, NUMBERS[:-1]), "X has 12 rows but y has 11: pass one row of y for each row of X"),
        ((X[:1], NUMBERS[:1]), "X has fewer than 2 rows (1), too few to learn from: add rows"),
        ((X[:, 0], NUMBERS), "X has the shape (12,): pass an array of the shape (n, d), a row for each example; "),
        ((X, X[:, :, None]), "y has the shape (12, 3, 1): pass an array of the shape (n,) or (n, k), a row for each"),
        ((X[:, :0], NUMBERS), "X has no columns: pass at least one"),
        ((sparse.csr_matrix(X), NUMBERS), "X is a sparse matrix, and every value is needed: pass X.toarray()"),
        ((np.ma.masked_less(X, 0), NUMBERS), "X is a masked array: leave out the rows with masked values, or fill"),
        (([[1, 2], [3]], [1, 2]), "X cannot be read as an array ("),
        (
            (WITH_GAPS, NUMBERS),
            "1 of 12 rows of X have missing values (in X[:, 2]): drop these rows or fill the values in",
        ),
        (
            (X, np.where(NUMBERS > 0, np.inf, NUMBERS)),
            "rows of y have infinite values (in y): make infinite values NaN",
        ),
        ((X, np.ones(12)), "the target y of y has the same value in all 12 rows, so there is nothing to learn"),
        ((X, np.full(12, "same")), "all 12 rows of y are of one class, y=same, so there is nothing to learn"),
        ((FRAME[["area", "area"]], NUMBERS), "several columns of X are called area: give each a name of its own"),
        ((FRAME.assign(price="1,137"), NUMBERS), "the column price of X holds numbers with thousands separators"),
        ((X.astype(complex), NUMBERS), "the column X[:, 0] of X holds values of the kind complex: drop it, or"),
        ((X, pd.date_range("2026-01-01", periods=12)), "the column y of y holds dates"),
    ],
    ids=lambda case: case[:40] if isinstance(case, str) else "",
)
def test_what_cannot_be_learnt_from_is_refused_in_a_sentence(arrays: tuple[Any, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        read_arrays(*arrays)


def test_numbers_are_no_classes_and_text_is_no_regression() -> None:
    with pytest.raises(InputError, match="classes are whole numbers or text, but the target y of y has fractions"):
        read_arrays(X, NUMBERS, kind="classification")
    with pytest.raises(InputError, match="a regression needs numbers, but the target y of y holds text, such as"):
        read_arrays(X, LABELS, kind="regression")
    with pytest.raises(InputError, match="there is no kind of target 'clusters'"):
        read_arrays(X, LABELS, kind="clusters")


@pytest.mark.parametrize(
    ("y", "kind", "told"),
    [
        (np.arange(12) % 4, None, True),
        (np.arange(12) % 4, "regression", False),
        (np.arange(12) % 4, "classification", False),
        (np.arange(12) % 4 + 0.5, None, False),
        (np.arange(12), None, False),
    ],
)
def test_few_whole_numbers_are_quantities_and_that_is_told(y: Any, kind: str | None, told: bool) -> None:
    found = read_arrays(X, y, kind=kind)
    assert ("4 whole numbers, taken as quantities" in found.origin) == told
    assert found.kind == (kind or "regression")
