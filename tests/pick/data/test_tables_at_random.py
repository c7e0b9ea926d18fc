"""Tables of any make are read to the numbers that went into them, or refused in one sentence."""

import csv
import io
import re
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from gdbench.pick.data.files import read_file
from kernels import InputError

EXAMPLES = 100
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1, max_size=8)
WORDS = (
    "a",
    "b",
    "[b]x[/b]",
    "Éland",
    "x,y",
    'say "hi"',
    "a\tb",
    "12A",
    "65+",
    "no",
    "-",
    "NA",
    "",
    "#1",
    "a;b",
    "None",
)
PLAIN: tuple[Callable[[float], str], ...] = (repr, "{:.3f}".format, "{:e}".format, "{:.17g}".format, "{:+.2f}".format)
"""How a number may be written such that it is one."""
MARKED: tuple[Callable[[float], str], ...] = (
    "{:.1f}%".format,
    "${:.2f}".format,
    "{:.1f} kg".format,
    lambda value: f"{value:.2f}".replace(".", ","),
    lambda value: f"{abs(value) % 24:02.0f}:{abs(value) % 60:02.0f}",
    lambda value: f"({abs(value):.0f})",
)
"""How it is refused; a time may say 24:60, which is none."""


class Column(NamedTuple):
    name: str
    written: list[str]
    inputs: np.ndarray | None
    """What becomes of it, (n, columns); None where it must be refused."""


def numbers(name: str, values: list[float], write: Callable[[float], str]) -> Column:
    texts = [write(value) for value in values]
    return Column(name, texts, np.array([float(text) for text in texts])[:, None])


def categories(name: str, words: list[str]) -> Column:
    if {"", "NA", "None"} & set(words):  # as pandas has them, values that are missing
        return Column(name, words, None)
    return Column(name, words, pd.get_dummies(pd.Series(words, dtype=object)).to_numpy(float))


@st.composite
def tables(draw: st.DrawFn) -> list[Column]:
    n = draw(st.integers(2, 12))
    finite = (
        st.floats(-1e6, 1e6) | st.integers(-9999, 9999).map(float) | st.floats(allow_nan=False, allow_infinity=False)
    )
    few = st.floats(-1e4, 1e4)
    found = []
    for _ in range(draw(st.integers(2, 5))):
        name, kind = draw(NAMES), draw(st.sampled_from(["number", "number", "word", "flag", "marked", "holes"]))
        if kind == "number":
            found.append(numbers(name, draw(st.lists(finite, min_size=n, max_size=n)), draw(st.sampled_from(PLAIN))))
        elif kind == "word":
            pool = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3))
            found.append(categories(name, draw(st.lists(st.sampled_from(pool), min_size=n, max_size=n))))
        elif kind == "flag":
            flags = draw(st.lists(st.booleans(), min_size=n, max_size=n))
            found.append(Column(name, [str(flag) for flag in flags], np.array(flags, float)[:, None]))
        elif kind == "marked":
            write = draw(st.sampled_from(MARKED))
            texts = [write(value) for value in draw(st.lists(few, min_size=n, max_size=n))]
            distinct = len(set(texts)) > 2
            found.append(Column(name, texts, None if distinct else np.full((n, 0), np.nan)))
        else:
            holes = draw(st.lists(st.sampled_from(["1", "", "2.5", "nan"]), min_size=n, max_size=n))
            values = np.array([float(hole or "nan") for hole in holes])[:, None]
            found.append(Column(name, holes, None if np.isnan(values).any() else values))
    return found


def write(path: Path, columns: list[Column], how: dict[str, Any], *, header: bool) -> None:
    text = io.StringIO(newline="")
    out = csv.writer(text, delimiter="\t" if path.suffix == ".tsv" else ",", **how)
    if header:
        out.writerow([column.name for column in columns])
    out.writerows(zip(*(column.written for column in columns), strict=True))
    path.write_text(text.getvalue(), encoding="utf-8-sig" if how["lineterminator"] == "\r\n" else "utf-8", newline="")


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    columns=tables(),
    ending=st.sampled_from([".csv", ".tsv"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    line=st.sampled_from(["\n", "\r\n"]),
    header=st.booleans(),
)
def test_a_table_is_read_to_what_went_into_it_or_refused(
    columns: list[Column], ending: str, quoting: int, line: str, header: bool
) -> None:
    target = len(columns) - 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a [b] %20{ending}")
        write(path, columns, {"quoting": quoting, "lineterminator": line}, header=header)
        wanted = columns[target].name if header else str(target)
        try:
            with warnings.catch_warnings(action="error"):
                data = read_file(path, target=[wanted], standardise=False, header=header)
        except InputError as error:
            refusal = str(error)
        else:
            refusal = ""
    if refusal:
        assert re.fullmatch(r"[^\n]*: [^\n]+", refusal)  # a line, with its remedy behind a colon
        return
    expected = [column.inputs for column in columns]
    assert all(values is not None for values in expected)
    known = [values for values in expected[:target] if values is not None and values.shape[1]]
    if len(known) == target:  # nothing in it whose reading is open
        np.testing.assert_allclose(data.X, np.column_stack(known), rtol=1e-14)
    if data.kind == "regression":
        np.testing.assert_allclose(data.Y, expected[target], rtol=1e-14)
