"""Files of ordinary shapes, with names in their first line and without: names are read, values are refused."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest

from gdbench.pick.data.files import read_file
from gdbench.pick.data.sampling import Sampling
from gdbench.pick.data.text_files import read_text
from kernels import InputError

N = 60
RNG = np.random.default_rng(12)


def words(*choices: str) -> list[str]:
    return [str(word) for word in RNG.permutation(np.resize(choices, N))]


def whole(low: int, high: int) -> list[int]:
    return [int(value) for value in RNG.integers(low, high, N)]


def floats(scale: float = 1.0) -> list[float]:
    return [float(value) for value in np.round(RNG.normal(size=N) * scale, 3)]


def columns(count: int, make: Callable[[], Sequence[object]]) -> list[Sequence[object]]:
    return [make() for _ in range(count)]


ADULT = [
    whole(17, 90),
    words("Private", "State-gov"),
    words("Bachelors", "HS-grad"),
    whole(1, 99),
    words("<=50K", ">50K"),
]
IRIS = [*columns(4, lambda: np.abs(floats()).tolist()), words("setosa", "versicolor", "virginica")]
MUSHROOM = [words("p", "e"), words("x", "b", "f"), words("s", "y"), words("n", "w", "g")]
CAR = [words("vhigh", "low"), words("d2", "d3"), words("small", "big"), words("acc", "unacc")]
TITANIC = [
    list(range(1, N + 1)),
    whole(0, 2),
    [f"Passenger, Mr. {j}" for j in range(N)],
    words("male", "female"),
    whole(1, 80),
    np.abs(floats(30)).tolist(),
]
HEART = [whole(29, 77), whole(0, 2), words("?", "0", "3"), words("3", "6", "7"), whole(0, 5)]
FILES: dict[str, tuple[list[str], list[Sequence[object]]]] = {
    "iris": (["sepal_length", "sepal_width", "petal_length", "petal_width", "species"], IRIS),
    "adult": (["age", "workclass", "education", "hours", "income"], ADULT),
    "mushroom": (["class", "cap-shape", "cap-surface", "cap-color"], MUSHROOM),
    "car": (["buying", "doors", "boot", "class"], CAR),
    "titanic": (["PassengerId", "Survived", "Name", "Sex", "Age", "Fare"], TITANIC),
    "heart, with ? for missing": (["age", "sex", "ca", "thal", "num"], HEART),
    "houses by year": (["region", "2018", "2019", "2020"], [words("N", "S"), *columns(3, lambda: whole(100, 900))]),
    "digits": ([*(f"p{j}" for j in range(12)), "digit"], columns(13, lambda: whole(0, 16))),
    "flags": (["smokes", "drinks", "risk"], [words("True", "False"), words("True", "False"), words("a", "b", "c")]),
    "percentages": (["left", "right"], columns(2, lambda: [f"{value}%" for value in whole(1, 99)])),
    "dates": (
        ["day", "town", "rain"],
        [[f"2020-01-{j % 28 + 1:02}" for j in range(N)], words("Rome", "Bern"), floats()],
    ),
    "a town that occurs once": (["town", "x", "y"], [["Oslo", *words("Rome", "Bern")[1:]], floats(), whole(0, 2)]),
    "two columns": (["x", "y"], columns(2, floats)),
    "two columns of whole numbers": (["x", "y"], columns(2, lambda: whole(0, 9))),
    "years built and renovated": (["built", "renovated"], columns(2, lambda: whole(1901, 2020))),
    "a series that rises": (["t", "u", "v"], [list(range(k, N + k)) for k in (100, 400, 900)]),
    "windows of a series": (["a", "b", "c", "d", "e"], [list(range(k, N + k)) for k in range(5)]),
    "a first row far from all others": (["a", "b", "c"], [[k, *floats()[1:]] for k in (1e3, 1e4, 1e5)]),
    "one column": (["x"], [floats()]),
    "counts that begin with 5, 6, 7, 8": (["a", "b", "c", "d"], [[k, *whole(1, 9)[1:]] for k in (5, 6, 7, 8)]),
    "counts that begin with 1, 2, 3, 4": (["a", "b", "c", "d"], [[k, *whole(1, 9)[1:]] for k in (1, 2, 3, 4)]),
    "counts and a letter": (
        ["a", "b", "c", "d", "k"],
        [*([k, *whole(1, 9)[1:]] for k in (1, 2, 3, 4)), words("a", "b")],
    ),
    "answers": (["smokes", "rate", "result"], [words("yes", "no"), words("low", "high"), words("good", "bad")]),
}
"""Names and columns of files that people have."""
NUMBERED: dict[str, tuple[list[str], list[Sequence[object]]]] = {
    "years": (["2018", "2019", "2020"], columns(3, floats)),
    "decades": (["1990", "2000", "2010"], columns(3, lambda: whole(100, 900))),
    "years backwards": (["2020", "2019", "2018", "2017"], columns(4, floats)),
    "wavelengths": (["400.5", "410.5", "420.5"], columns(3, lambda: np.abs(floats()).tolist())),
    "wavelengths of a spectrometer": (["400.12", "400.87", "401.65", "402.4"], columns(4, floats)),
    "wavelengths over counts": ([str(400 + 10 * j) for j in range(20)], columns(20, lambda: whole(0, 4000))),
    "pandas without names": (["0", "1", "2"], columns(3, floats)),
    "pandas without names, an index": (["", "0", "1", "2"], [list(range(N)), *columns(3, lambda: whole(0, 9))]),
    "pandas without names, a column": (["", "0", "1"], [list(range(N)), floats(), floats()]),
    "pandas without names, two columns": (["0", "1"], columns(2, floats)),
    "pandas without names, iris": (["0", "1", "2", "3", "4"], IRIS),
    "pandas without names, digits": ([str(j) for j in range(13)], columns(13, lambda: whole(0, 16))),
    "from 1": (["1", "2", "3", "4"], columns(4, floats)),
}
"""Names that are numbers, which no program takes for a row."""


def written(path: Path, names: Sequence[str], table: Sequence[Sequence[object]], *, header: bool) -> Path:
    frame = pd.DataFrame(dict(enumerate(table)))
    frame.to_csv(path, index=False, header=list(names) if header else False)
    return path


@pytest.mark.parametrize("name", [*FILES, *NUMBERED])
def test_names_in_the_first_line_are_read_as_names(tmp_path: Path, name: str) -> None:
    names, table = (FILES | NUMBERED)[name]
    path = written(tmp_path / "a.csv", names, table, header=True)
    with path.open("rb") as file:
        read = read_text(file, path.name, [names[-1]], Sampling())
    assert read.targets == (names[-1],)
    assert len(read.frame) == N


@pytest.mark.parametrize("name", FILES)
def test_values_in_the_first_line_are_refused_and_read_by_number(tmp_path: Path, name: str) -> None:
    names, table = FILES[name]
    path = written(tmp_path / "a.csv", names, table, header=False)
    with path.open("rb") as file, pytest.raises(InputError, match=r"the first line of a.csv has .*: add --no-header"):
        read_text(file, path.name, [str(table[-1][0])], Sampling())
    with path.open("rb") as file:
        assert len(read_text(file, path.name, ["-1"], Sampling(), header=False).frame) == N


def test_a_first_line_that_may_have_names_is_noted_where_it_is_taken_for_a_row(tmp_path: Path) -> None:
    for name in ("mushroom", "answers"):
        path = written(tmp_path / "a.csv", *FILES[name], header=True)
        assert "first line taken for a row: " in read_file(path, target=["-1"], header=False).origin
        written(path, *FILES[name], header=False)
        assert "first line" not in read_file(path, target=["-1"], header=False).origin
    path = written(tmp_path / "a.csv", *NUMBERED["years"], header=True)
    assert "first line taken for a row: 2018, 2019, 2020" in read_file(path, target=["-1"], header=False).origin


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# made by x\n1,2\n3,4\n", "the table of a.csv begins in line 2, below comments: delete the line above"),
        ("# made by x\na,b,y\n1,2,3\n4,5,6\n", "the names of a.csv stand in line 2: delete the line above"),
        ("# made by x\n# foo\na,b,y\n1,2,3\n4,5,6\n", "the names of a.csv stand in line 3: delete the 2 lines above"),
        ("# made by x\n# at y\na,b,y\n1,2,3\n4,5,6\n", "the names of a.csv stand in line 3: delete the 2 lines above"),
        ("# x, 2020\n\n# foo\n\na,b,y\n1,2,3\n4,5,6\n", "the names of a.csv stand in line 5: delete the 4 lines above"),
        ("# a, b, c, d\na,b,y\n1,2,3\n4,5,6\n", "the names of a.csv stand in line 2: delete the line above"),
        ("My table\nof 2020, x\na,b,y\n1,2,3\n4,5,6\n", "the names of a.csv stand in line 3: delete the 2 lines above"),
        (
            "# made by x\n# foo\n1,2,3\n4,5,6\n",
            "the table of a.csv begins in line 3, below comments: delete the 2 lines",
        ),
        ("a,b\n1,2\n1,2,3\n4,5\n", "line 3 of a.csv has 3 fields instead of 2: correct it or drop it"),
        ("# made by x\n# foo\na;b;y\n1;2;3\n4;5;6\n", "separated by ';': separate them by commas"),
        ("# c\n" * 60 + "a,b,y\n1,2,3\n4,5,6\n", "line 61 of a.csv has 3 fields instead of 1"),
        ("a^b^y\n1^2^3\n4^5^6\n", "seem to be separated by '^', which is not known: separate them by commas"),
        ("a:b:y\n1:2:3\n4:5:6\n", "seem to be separated by ':', which is not known: separate them by commas"),
        ("a::b::y\n1::2::3\n4::5::6\n", "seem to be separated by '::', which is not known: separate them by commas"),
        ("a\x01b\n1\x012\n4\x015\n", "seem to be separated by '\\x01', which is not known: separate them by commas"),
        ("a/b\n1\n2\n", "a.csv has no column '1': choose the target out of a/b"),
        ("sep=,\na,b\n1,2\n3,4\n", "the first line of a.csv, sep=,, is for a spreadsheet: delete it"),
        ("sep=;\na;b\n1;2\n3;4\n", "the first line of a.csv, sep=;, is for a spreadsheet: delete it"),
        ("-0.389 1.630 0\n1.2 3.4 1\n", "separated by spaces: separate them by commas"),
        ('"a, x";b;y\n1;2;3\n4;5;6\n', "separated by ';': separate them by commas"),
        ("a,b,a\n1,2,x\n3,4,y\n", "give every column its own name or, if the first line has none, add --no-header"),
    ],
)
def test_what_stands_above_or_between_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        read_file(tmp_path / "a.csv", target=["1"])
    assert message in str(caught.value)


def test_a_mark_within_quotes_separates_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('"a; b"\n1\n2\n')
    with pytest.raises(InputError, match="no columns but the target"):
        read_file(tmp_path / "a.csv", target=["a; b"])


def test_columns_of_lists_and_tables_without_columns_are_named_for_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"lists": [[1], [2]], "y": [1.0, 2.0]}), path)
    with pytest.raises(InputError, match=r"the column lists of a.parquet holds values of the kind mixed: drop it"):
        read_file(path, target=["y"])
    pyarrow.parquet.write_table(pyarrow.table({"": [[1], [2]], "y": [1.0, 2.0]}), path)
    with pytest.raises(InputError, match=r"the column  of a.parquet holds values of the kind mixed"):
        read_file(path, target=["y"])
    pyarrow.parquet.write_table(pyarrow.table({}), path)
    with pytest.raises(InputError, match=r"a.parquet has no column 'y': choose the target out of none"):
        read_file(path, target=["y"])
