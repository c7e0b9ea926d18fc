"""A user's file that cannot be used is refused in one sentence that names the remedy, whatever is wrong with it."""

import re
import warnings
from collections.abc import Callable
from datetime import date, time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest

from gdbench.pick.data.files import READERS, read_file
from kernels import InputError

from .user_files import NUMBERS, PRICE, SAVERS, SPECIES, N, X, numbers_file


def _text(text: str) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(text.encode())  # type: ignore[return-value]


def _table(**columns: object) -> Callable[[Path], object]:
    frame = NUMBERS.assign(**columns)
    return lambda path: SAVERS[path.suffix](path, frame)


def _cut(path: Path) -> None:
    numbers_file(path.parent, path.suffix)
    whole = path.parent / f"houses{path.suffix}"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])


def _other(ending: str) -> Callable[[Path], object]:
    return lambda path: numbers_file(path.parent, ending)[0].rename(path)


def _arrays(**arrays: object) -> Callable[[Path], None]:
    return lambda path: np.savez(path, **arrays)  # type: ignore[arg-type]


def _array(values: np.ndarray) -> Callable[[Path], None]:
    return lambda path: np.save(path, values)


def _twins(path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table([[1.0, 2], [3.0, 4], [5.0, 6]], names=["a", "a", "price"]), path)


def _with(column: np.ndarray | list[object], *places: object) -> list[object]:
    return [*places, *list(column)[len(places) :]]


DAYS = np.datetime64("2020-01-01") + np.arange(N)
PRICED: dict[str, object] = {"target": ["price"]}
CLASSES: dict[str, object] = {"target": ["label"], "kind": "classification"}
REFUSED = [
    ("none.csv", lambda path: None, PRICED, "there is no file .*none.csv: check"),
    ("folder.csv", Path.mkdir, PRICED, ".*folder.csv is a folder: name a file"),
    ("a.txt", _text("a,price\n1,2\n"), PRICED, "a.txt does not end in one of .npz, .npy, .csv, .tsv, .parquet: save"),
    ("a", _text("a,price\n1,2\n"), PRICED, "a does not end in one of"),
    *((f"a{ending}", _text(""), PRICED, f"a{ending} is empty: save") for ending in READERS),
    *(
        (f"a{end}", _cut, PRICED, f"a{end} is damaged or not a {end} file: save")
        for end in READERS
        if end not in (".csv", ".tsv")
    ),
    *(
        (f"a{end}", _text("a,price\n1,2\n"), PRICED, f"a{end} is damaged")
        for end in READERS
        if end not in (".csv", ".tsv")
    ),
    ("a.npy", _other(".npz"), {}, "a.npy is damaged or not a .npy file"),
    ("a.npz", _other(".npy"), {}, "a.npz is damaged or not a .npz file"),
    *(("a.csv", _other(end), PRICED, "a.csv is not text in UTF-8: save") for end in (".npy", ".npz", ".parquet")),
    ("a.csv", lambda path: path.write_bytes("a,Größe\n1,2\n".encode("latin-1")), PRICED, "a.csv is not text in UTF-8"),
    ("a.csv", lambda path: path.write_bytes("a,price\n1,2\n".encode("utf-16")), PRICED, "a.csv is not text in UTF-8"),
    ("a.csv", lambda path: path.write_bytes("a,b\n1,2\n".encode("utf-16-le")), PRICED, "a.csv is not text in UTF-8"),
    ("a.csv", _text("\n\n"), PRICED, "a.csv has no lines of text: save"),
    ("a.csv", _text("a,price\n"), PRICED, r"a.csv has fewer than 2 rows \(0\), too few"),
    ("a.csv", _text("a,price\n1,2\n"), PRICED, r"a.csv has fewer than 2 rows \(1\), too few"),
    ("a.npz", _arrays(X=X[:1], y=PRICE[:1]), {}, r"a.npz has fewer than 2 rows \(1\), too few"),
    ("a.csv", _text("price\n1\n2\n"), PRICED, "a.csv has no columns but the target: add"),
    ("a.npy", _array(PRICE[:, None]), {}, "a.npy has no columns but the target"),
    (
        "a.csv",
        _text("a;price\n1;2\n3;4\n"),
        PRICED,
        "the columns of a.csv are separated by ';': separate them by commas",
    ),
    ("a.csv", _text("a,price\n1,2\n1,2,3\n"), PRICED, "line 3 of a.csv has 3 fields instead of 2: correct"),
    ("a.csv", _text("a,price\n1,2,3\n4,5,6\n"), PRICED, "the rows of a.csv have more fields than its header has names"),
    ("a.csv", _text('a,price\n1,"2\n3,4\n'), PRICED, "a.csv breaks off inside of a quoted text: close"),
    ("a.csv", _text("a,price,a\n1,2,3\n4,5,6\n"), PRICED, "a.csv has more than one column called a: give"),
    ("a.parquet", _twins, PRICED, "a.parquet has more than one column called a: give"),
    *(
        (f"a{end}", _table(), {}, f"a{end} does not say what .*: name a column by --target, out of size, age, price$")
        for end in SAVERS
    ),
    *(
        (f"a{end}", _table(), {"target": ["cost"]}, f"a{end} has no column 'cost': .* out of size, age, price$")
        for end in SAVERS
    ),
    (
        "a.csv",
        _table(**{f"c{j}": 1 for j in range(20)}),
        {"target": ["cost"]},
        "a.csv has no column 'cost': .* size, age, price, c0, c1, c2, c3, c4, c5, c6 and 13 more$",
    ),
    *(
        ("a.npy", _array(X), {"target": [word]}, f"a.npy has no column '{word}': .* 0 to 1")
        for word in ("2", "-3", "y")
    ),
    ("a.npz", _arrays(X=X, y=PRICE), {"target": ["cost"]}, "a.npz has no array 'cost': choose .* X, y$"),
    (
        "a.npz",
        _arrays(X=X, cost=PRICE),
        {},
        "a.npz has no array called y, Y, target, labels or targets, only X, cost: save",
    ),
    (
        "a.npz",
        _arrays(A=X, y=PRICE),
        {},
        "a.npz has no array called X, .* or images for the inputs, only A beside the target y: save",
    ),
    ("a.npz", _arrays(X=X[:, 0], y=PRICE), {}, r"the array X of a.npz has one dimension: save X\.reshape\(-1, 1\)"),
    (
        "a.npz",
        _arrays(X=np.zeros((N, 2, 2)), y=PRICE),
        {},
        r"the array X of a.npz has shape \(60, 2, 2\): save two dim",
    ),
    ("a.npy", _array(PRICE), {}, r"the array of a.npy has shape \(60,\): save two dimensions"),
    ("a.npz", _arrays(X=X, y=PRICE[:-1]), {}, "X of a.npz has 60 rows but y has 59: save one row for each"),
    ("a.npz", _arrays(X=X + 0j, y=PRICE), {}, "the array X of a.npz holds complex128: save numbers"),
    ("a.npz", _arrays(X=X, y=PRICE + 1j), {}, "the array y of a.npz holds complex128: save numbers, .*or text"),
    ("a.npy", _array(np.array([["a", "b"]])), {}, "the array of a.npy holds <U1: save numbers"),
    (
        "a.npz",
        _arrays(X=np.array([[{}]], object), y=PRICE),
        {},
        r"the array X of a.npz holds Python objects, .*: save numbers, such as by astype\(float\)$",
    ),
    (
        "a.npz",
        _arrays(X=X, y=np.array(["a", None] * 30, object)),
        {},
        r"the array y .* objects, .*, or text by astype\(str\)$",
    ),
    (
        "a.npz",
        _arrays(X=X, y=DAYS),
        {},
        "the array y of a.npz holds dates or times: turn it into numbers, .*, if they are",
    ),
    (
        "a.npz",
        _arrays(X=DAYS[:, None], y=PRICE),
        {},
        "the array X of a.npz holds dates or times: turn it into .*first one$",
    ),
    ("a.npz", _arrays(X=X, y=DAYS - DAYS[0]), {}, "the array y of a.npz holds dates or times: turn it into numbers"),
    ("a.npy", _array(DAYS[:, None]), {}, "the array of a.npy holds dates or times: turn it into .*first one$"),
    ("a.npz", _arrays(), {}, "a.npz holds no arrays: save the inputs as X and the target as y$"),
    ("a.npz", _arrays(), {"target": ["y"]}, "a.npz holds no arrays: save"),
    ("a.npy", _array(np.array([[{}]], object)), {}, "the array of a.npy holds Python objects, which can run code"),
    *(
        (
            f"a{end}",
            _table(age=_with(X[:, 1], None, np.nan)),
            PRICED,
            rf"2 of 60 rows of a{end} have missing values \(in age\): drop these",
        )
        for end in SAVERS
    ),
    *(
        (
            f"a{end}",
            _table(price=_with(PRICE, np.inf, None)),
            PRICED,
            r"2 of 60 rows .* missing or infinite .*\(in price\): make infinite values NaN",
        )
        for end in SAVERS
    ),
    *((f"a{end}", _table(kind=_with(SPECIES, None)), PRICED, r"1 of 60 .* missing .*\(in kind\)") for end in SAVERS),
    *((f"a{end}", _table(old=[True, None] * 30), PRICED, r"30 of 60 .* missing .*\(in old\)") for end in SAVERS),
    *(
        (f"a{end}", _table(void=None), PRICED, "the column void of .* has no values at all: drop what is empty")
        for end in SAVERS
    ),
    (
        "a.npz",
        _arrays(X=np.where(X > 0, -np.inf, X), y=PRICE),
        {},
        r".* rows of a.npz have infinite .*\(in X\[:, 0\], X",
    ),
    (
        "a.npy",
        _array(np.where(X > 99, X, np.nan)),
        {},
        "the columns column 0, column 1 of a.npy have no values at all: drop",
    ),
    *(
        (f"a{end}", _table(sold=days), PRICED, f"the column sold of a{end} holds dates or times.*: drop it, or turn")
        for end in SAVERS
        for days in (
            pd.date_range("2024-01-30", periods=N),
            [date(2024, 5, 1 + i % 9) for i in range(N)],
            pd.to_timedelta(np.arange(N), "D") if end == ".parquet" else ["31.05.2024"] * N,
            [time(i % 24) for i in range(N)] if end == ".parquet" else [f"5/{1 + i % 9}/24 10:00" for i in range(N)],
        )
    ),
    (
        "a.csv",
        _table(age=_with(X[:, 1], "?")),
        PRICED,
        "the column age of a.csv holds numbers but for 1 of 60 rows, the first with '[?]': correct",
    ),
    *(
        (f"a{end}", _table(text=[f"no {i}" for i in range(N)]), PRICED, "the column text of .* 60 different .* half of")
        for end in SAVERS
    ),
    (
        "a.csv",
        lambda path: _many(101).to_csv(path),
        PRICED,
        "the column text of a.csv .* 101 .* 500 rows, more than 100: d",
    ),
    (
        "a.parquet",
        _table(lists=[[1, 2]] * N),
        PRICED,
        "the column lists of a.parquet holds values of the kind mixed: drop",
    ),
    ("a.parquet", _table(raw=[b"a"] * N), PRICED, "the column raw of a.parquet holds values of the kind bytes: drop"),
    ("a.csv", _table(label="one"), {"target": ["label"]}, "all 60 rows of a.csv are of one class, label=one, so"),
    ("a.csv", _table(label=3), CLASSES, "all 60 rows of a.csv are of one class, label=3, so there is nothing"),
    ("a.csv", _table(label=True), {"target": ["label"]}, "all 60 rows of a.csv are of one class, label=True, so"),
    (
        "a.csv",
        _table(label=3),
        {"target": ["label", "price"]},
        "the target label of a.csv has the same value in all 60",
    ),
    ("a.npz", _arrays(X=X, y=np.full(N, 0.1)), {}, "the target y of a.npz has the same value in all 60 rows, so"),
    (
        "a.csv",
        _table(label=X[:, 0]),
        CLASSES,
        "classes are whole numbers or text, but the target label of a.csv has frac",
    ),
    (
        "a.csv",
        _table(label=np.arange(N)),
        CLASSES,
        "the target label of a.csv has 60 classes in 60 rows, more than half",
    ),
    (
        "a.npz",
        _arrays(X=np.zeros((2400, 1)), y=np.arange(2400) % 1001),
        CLASSES | {"target": None},
        ".* more than 1,000: n",
    ),
    (
        "a.csv",
        _table(a=SPECIES),
        {"target": ["a", "price"]},
        "several targets need numbers, but a of a.csv holds text: l",
    ),
    (
        "a.csv",
        _table(a=SPECIES),
        {"target": ["a"], "kind": "regression"},
        "a regression needs numbers, but the target a of",
    ),
    (
        "a.csv",
        _table(),
        {"target": ["age", "price"], "kind": "classification"},
        "several target columns are classes only",
    ),
    (
        "a.csv",
        _table(),
        PRICED | {"kind": "ranking"},
        "there is no kind of target 'ranking': choose one of regression, cla",
    ),
]


def _many(count: int) -> pd.DataFrame:
    return pd.DataFrame({"text": [f"word {i % count}" for i in range(500)], "price": np.arange(500)})


@pytest.mark.parametrize(
    ("name", "make", "options", "pattern"), REFUSED, ids=[f"{row[0]} {row[3][:60]}" for row in REFUSED]
)
def test_it_is_refused_in_one_sentence(
    tmp_path: Path, name: str, make: Callable[[Path], object], options: dict[str, object], pattern: str
) -> None:
    make(tmp_path / name)
    with pytest.raises(InputError) as caught:
        read_file(tmp_path / name, **options)
    message = str(caught.value)
    assert re.match(pattern, message), message
    assert "\n" not in message
    assert not re.search(r"[.!?](\s|$)", message), "more than one sentence"
    assert not isinstance(caught.value.__cause__, Warning), "a warning, not the file, was the reason"


@pytest.mark.parametrize("ending", READERS)
def test_damage_anywhere_is_refused_or_harmless(tmp_path: Path, ending: str) -> None:
    """Bytes changed, lost and cut off: never another exception, never a warning."""
    path, target = numbers_file(tmp_path, ending)
    whole, rng, reasons = path.read_bytes(), np.random.default_rng(11), []
    for _ in range(60):
        damaged = bytearray(whole)
        damaged[int(rng.integers(len(whole)))] = int(rng.integers(256))
        first, last = sorted(rng.integers(len(whole), size=2))
        path.write_bytes(damaged[:first] + damaged[last if rng.random() < 0.5 else len(whole) :])
        try:
            with warnings.catch_warnings(action="error"):
                read_file(path, target=target)
        except InputError as error:
            reasons.append(error.__cause__)
    assert len(reasons) > 20
    assert not [reason for reason in reasons if isinstance(reason, Warning)]
