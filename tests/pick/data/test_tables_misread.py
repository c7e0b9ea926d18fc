"""Tables that would be read as other ones: rows within a field, numbers and texts that are nearly the same."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

from gdbench.pick.data.files import read_file
from kernels import InputError

from .user_files import NUMBERS, N, saved

WORDS = np.resize(["abc", "def"], N)


@pytest.mark.parametrize("first", ['"abc', '"'])
@pytest.mark.parametrize("second", ['de"f', '"def"', 'def"'])
@pytest.mark.parametrize("place", range(3))
def test_rows_behind_a_stray_quotation_mark_are_not_lost(tmp_path: Path, first: str, second: str, place: int) -> None:
    words = [*WORDS[:5], first, *WORDS[6:30], second, *WORDS[31:]]
    rows = [[f"{value!r}" for value in row] for row in NUMBERS[["size", "price"]].to_numpy().tolist()]
    lines = [",".join([*row[:place], word, *row[place:]]) for row, word in zip(rows, words, strict=True)]
    (tmp_path / "a.csv").write_text("\n".join(["a,b,c", *lines]) + "\n")
    with pytest.raises(
        InputError, match=r"a field of a.csv goes on over 26 lines, '.*…': close its quotation mark|breaks"
    ):
        read_file(tmp_path / "a.csv", target=["abc"[place - 1]])


def test_a_text_on_two_lines_is_a_category(tmp_path: Path) -> None:
    path = saved(tmp_path, ".csv", NUMBERS.assign(place=np.resize(["old\ntown", "harbour"], N)))
    assert read_file(path, target=["price"]).X.shape == (N, 4)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_spaces_around_a_text_make_no_other_class(tmp_path: Path, ending: str) -> None:
    path = saved(tmp_path, ending, NUMBERS.assign(sold=np.resize(["yes", "no", "yes ", "no ", "no"], N)))
    data = read_file(path, target=["sold"])
    assert data.Y.shape == (N, 1)
    assert "(classes no, yes)" in data.origin
    assert read_file(path, target=["price"]).X.shape == (N, 4)


def test_texts_that_differ_only_in_case_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path, ".csv", NUMBERS.assign(sold=np.resize(["yes", "no", "Yes"], N)))
    assert "(classes Yes, no, yes; Yes and yes differ only in case)" in read_file(path, target=["sold"]).origin
    assert "one-hot encoded: sold (Yes and yes differ only in case)" in read_file(path, target=["price"]).origin


@pytest.mark.parametrize("values", [["True", "False", "1", "0"], ["TRUE", "1"], ["false", "1.0", "?"]])
def test_truths_in_two_ways_are_not_classes_of_their_own(tmp_path: Path, values: list[str]) -> None:
    path = saved(tmp_path, ".csv", NUMBERS.assign(sold=np.resize(values, N)))
    for target in (["sold"], ["price"]):
        with pytest.raises(InputError, match=r"the column sold of .* holds True and False as well as 1 and 0"):
            read_file(path, target=target)


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".npy"])
@pytest.mark.parametrize("target", [True, False])
def test_whole_numbers_that_floats_cannot_tell_apart_are_refused(tmp_path: Path, ending: str, target: bool) -> None:
    numbers = pd.DataFrame({"a": 2**53 + np.arange(N) % 2, "b": np.arange(N)})
    if ending == ".npy":
        path = tmp_path / "a.npy"
        np.save(path, numbers.to_numpy())
    else:
        path = saved(tmp_path, ending, numbers)
    name = ("0" if target else "1") if ending == ".npy" else ("a" if target else "b")
    with pytest.raises(InputError, match=r"whole numbers beyond 2\^53, of which floats of 64 bits make some equal"):
        read_file(path, target=[name])


def test_large_whole_numbers_that_stay_different_are_read(tmp_path: Path) -> None:
    path = saved(tmp_path, ".csv", NUMBERS.assign(number=2**60 + 1024 * np.arange(N)))
    assert read_file(path, target=["price"]).X.shape == (N, 3)


@pytest.mark.skipif(np.finfo(np.longdouble).max == np.finfo(float).max, reason="long floats are no longer here")
def test_long_floats_that_become_infinite_are_counted_without_a_warning(tmp_path: Path) -> None:
    values = NUMBERS.to_numpy().astype(np.longdouble)
    values[3] = np.finfo(np.longdouble).max
    np.save(tmp_path / "a.npy", values)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match=r"1 of 60 rows of a.npy have infinite values"):
            read_file(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<!DOCTYPE html>\n<html><body>Not found</body></html>\n", "is a page of HTML or XML"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12345\n", "pointer of Git LFS to the data"),
        ("1 1:0.5 2:0.25\n0 1:0.3 2:7\n", "is in the format of LIBSVM: read it by load_svmlight_file"),
        ("@RELATION a\n@attribute y numeric\n@data\n1\n2\n", "is an ARFF file"),
        ('[{"x":1,"y":2},{"x":2,"y":3}]\n', "is JSON: save it as .csv"),
        ('"x,y"\n"1,2"\n"3,5"\n', "each line of a.csv stands in quotation marks as a whole: delete these"),
        ("My table,,\nx,z,y\n1,2,3\n4,5,7\n", "or delete what stands above the names"),
        ('"Report, 2020",,\n,,\nx,z,y\n1,2,3\n4,5,7\n', "or delete what stands above the names"),
        ("x,y\n1,2\n3,5\n4,4\n,\n,\n", "2 of 5 rows of a.csv have no values at all: drop them"),
    ],
)
def test_what_is_no_table_of_text_is_called_what_it_is(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        read_file(tmp_path / "a.csv", target=["y"])
    assert words in str(caught.value)


def test_many_empty_lines_above_the_names_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\n" * 70_000 + NUMBERS.to_csv(index=False))
    np.testing.assert_array_equal(
        read_file(tmp_path / "a.csv", target=["price"], standardise=False).X[:, 0], NUMBERS["size"]
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros(9, [("a", "f8"), ("y", "f8")]), "has fields with names, a, y: save .*structured_to_unstructured"),
        (np.zeros((9, 3), "V8"), r"holds bytes without a type, \|V8: save numbers"),
        (np.zeros((9, 0)), r"has shape \(9, 0\), without columns"),
    ],
)
def test_arrays_without_numbers_are_called_what_they_are(tmp_path: Path, values: np.ndarray, words: str) -> None:
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(InputError, match=words):
        read_file(tmp_path / "a.npy")


def test_times_of_a_zone_that_nobody_knows_are_times(tmp_path: Path) -> None:
    times = pyarrow.array(range(N), pyarrow.timestamp("s", tz="Nowhere/Land"))
    pyarrow.parquet.write_table(pyarrow.table({"when": times, "y": NUMBERS["price"]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"the column when of a.parquet holds dates or times"):
        read_file(tmp_path / "a.parquet", target=["y"])
