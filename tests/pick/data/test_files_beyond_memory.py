"""A file larger than memory allows is read in part: rows as likely as any other, and the same ones again."""

import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
from rich.console import Console
from scipy import stats

from gdbench.cli import pick_show
from gdbench.cli.pick import command
from gdbench.cli.pick_options import question_of
from gdbench.pick.data import sampling, text_lines
from gdbench.pick.data.files import SEPARATORS, read_file
from gdbench.pick.data.sampling import Lottery, Sampling
from gdbench.pick.data.source import DataDescription, RowSource, check_same, describe, source_of
from kernels import InputError

N, WIDTH = 3000, 3
TABLE = pd.DataFrame(np.random.default_rng(3).normal(size=(N, WIDTH)), columns=["size", "age", "price"])
TABLE["size"] = np.arange(N)
"""The first column tells which row is which."""
VALUES = TABLE.to_numpy()
LIMIT = 8 * N * WIDTH // 2
KINDS = ("C.npy", "F.npy", ".csv", ".tsv", "one.parquet", "groups.parquet")
SHARE = {".npy": 112, ".parquet": 112, ".csv": 45, ".tsv": 45}
"""About how many rows fit: of text fewer, for it takes more while it is read."""
READ = """
import sys
from pathlib import Path
import psutil
from gdbench.pick.data import sampling
from gdbench.pick.data.files import read_file

sampling.WHOLE_BYTES = 1 << 24
path, target = sys.argv[1:]
read_file(Path(path).with_name(f"small{Path(path).suffix}"), target=[target])  # imports, and memory that stays
before = psutil.Process().memory_info().rss
Path("/proc/self/clear_refs").write_text("5")
data = read_file(path, target=[target])
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(data.n_rows, data.n_in_file, 1024 * int(peak.split()[1]) - before)
"""
"""Tells by how much the resident memory rose at most; the kernel's mark of its peak is set back before."""


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "WHOLE_BYTES", LIMIT)
    monkeypatch.setattr(sampling, "DRAWN_AT_ONCE", 700)
    monkeypatch.setattr("gdbench.pick.data.array_files.PART_BYTES", 5000)
    monkeypatch.setattr("gdbench.pick.data.parquet_files.PART_BYTES", 5000)
    monkeypatch.setattr(text_lines, "PART_BYTES", 5000)


def written(folder: Path, kind: str, frame: pd.DataFrame = TABLE) -> Path:
    path = folder / f"houses{kind}"
    if path.suffix == ".npy":
        np.save(path, np.array(frame, order="F" if kind[0] == "F" else "C"))
    elif path.suffix == ".parquet":
        frame.to_parquet(path, row_group_size=len(frame) if kind[0] == "o" else 77)
    else:
        frame.to_csv(path, index=False, sep=SEPARATORS[path.suffix])
    return path


def target_of(path: Path) -> list[str]:
    return ["-1"] if path.suffix == ".npy" else ["price"]


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_the_file_are_kept_in_its_order_and_it_is_said_how_many(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, kind)
    data = read_file(path, target=target_of(path), standardise=False)
    rows = data.X[:, 0].astype(int)
    assert data.n_in_file == N
    assert data.n_rows == pytest.approx(SHARE[path.suffix], rel=0.2)
    assert (np.diff(rows) > 0).all()
    assert rows[0] < N / 20 < 19 * N / 20 < rows[-1]  # of all of it, and not of its beginning
    np.testing.assert_allclose(np.column_stack([data.X, data.Y]), VALUES[rows], rtol=1e-15)
    assert f"1 of {N / data.n_rows:,.0f} rows, {data.n_rows:,} of 3,000, drawn with seed 0" in data.origin


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides_which_rows_and_nothing_else_does(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, kind)
    first = read_file(path, target=target_of(path), sampling=Sampling(7, 200), standardise=False)
    monkeypatch.setattr(sampling, "DRAWN_AT_ONCE", 11)
    monkeypatch.setattr(text_lines, "PART_BYTES", 300)
    again = read_file(path, target=target_of(path), sampling=Sampling(7, 200), standardise=False)
    other = read_file(path, target=target_of(path), sampling=Sampling(8, 200), standardise=False)
    assert first.sha256 == again.sha256 != other.sha256
    np.testing.assert_array_equal(first.X[:, 0], Sampling(7).draw(N, 200))  # whatever the kind of file
    assert 0 < np.isin(first.X[:, 0], other.X[:, 0]).sum() < 60  # 13 of 200 by chance


def test_what_is_drawn_is_what_has_the_least_lots_and_every_row_is_drawn_as_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sampling, "DRAWN_AT_ONCE", 16)
    n, count, seeds = 50, 12, 4000
    drawn = np.zeros((seeds, n), bool)
    for seed in range(seeds):
        drawn[seed, Sampling(seed).draw(n, count)] = True
    assert (drawn.sum(axis=1) == count).all()
    assert stats.chisquare(drawn.sum(axis=0)).pvalue > 0.01
    together = (drawn[:, :-1] & drawn[:, 1:]).sum(axis=0)  # neighbours: 12 * 11 / (50 * 49) of the draws
    assert abs(together / (seeds * 132 / 2450) - 1).max() < 0.25
    lots = np.random.default_rng(np.random.SeedSequence(3, spawn_key=sampling.SPAWN_KEY)).random(n)
    np.testing.assert_array_equal(Sampling(3).draw(n, count), np.sort(np.argsort(lots)[:count]))


def test_a_smaller_sample_is_part_of_a_larger_one() -> None:
    assert set(Sampling(5).draw(1000, 30)) < set(Sampling(5).draw(1000, 90))


def test_a_stream_that_ends_early_is_drawn_whole() -> None:
    lottery = Lottery(10, 0)
    lottery.enter(4)
    lottery.enter(3)
    lottery.settle()
    np.testing.assert_array_equal(lottery.rows, np.arange(7))


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_up_to_the_limit_is_read_whole(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, kind)
    slack = 1.05 if path.suffix in SEPARATORS else 1.0  # of text the number of rows is estimated
    monkeypatch.setattr(sampling, "WHOLE_BYTES", int(8 * N * WIDTH * slack))
    data = read_file(path, target=target_of(path), standardise=False)
    np.testing.assert_allclose(np.column_stack([data.X, data.Y]), VALUES, rtol=1e-15)
    assert data.n_in_file is None
    assert "drawn" not in data.origin
    monkeypatch.setattr(sampling, "WHOLE_BYTES", int(8 * N * WIDTH / slack) - 1)
    assert read_file(path, target=target_of(path)).n_in_file == N


def test_where_little_memory_is_available_less_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "C.npy")
    monkeypatch.setattr(sampling, "available_bytes", lambda: sampling.MEMORY_PARTS * LIMIT)
    assert read_file(path).n_rows == int(LIMIT / sampling.SAMPLE_PARTS / 40)


def block(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 20))


def npy(path: Path, order: str) -> None:
    values = np.lib.format.open_memmap(path, "w+", np.float64, (1_000_000, 20), fortran_order=order == "F")
    for begin in range(0, len(values), 100_000):
        values[begin : begin + 100_000] = block(100_000)


def parquet(path: Path) -> None:
    columns = {f"c{j}": np.tile(column, 10) for j, column in enumerate(block(100_000).T)}
    pyarrow.parquet.write_table(pyarrow.table(columns), path, row_group_size=1_000_000, use_dictionary=False)


def csv(path: Path) -> None:
    lines = "\n".join(",".join(map(repr, row)) for row in block(5000).tolist()) + "\n"
    with path.open("w") as file:
        file.write(",".join(f"c{j}" for j in range(20)) + "\n")
        for _ in range(80):
            file.write(lines)


BIG: dict[str, tuple[Callable[[Path], None], int]] = {
    "C.npy": (lambda path: npy(path, "C"), 1_000_000),
    "F.npy": (lambda path: npy(path, "F"), 1_000_000),
    "a.parquet": (parquet, 1_000_000),
    "a.csv": (csv, 400_000),
}


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of resident memory is read from /proc")
@pytest.mark.parametrize("name", BIG)
def test_memory_does_not_grow_with_the_file(tmp_path: Path, name: str) -> None:
    """Files of 160 MB, of which 2 MB are kept."""
    write, n = BIG[name]
    path = tmp_path / name
    write(path)
    assert path.stat().st_size > 150e6
    small = pd.DataFrame(block(100), columns=[f"c{j}" for j in range(20)])
    written(tmp_path, path.suffix, small).rename(tmp_path / f"small{path.suffix}")
    target = "-1" if path.suffix == ".npy" else "c19"
    found = subprocess.run([sys.executable, "-c", READ, path, target], capture_output=True, text=True, check=False)
    path.unlink()
    assert found.returncode == 0, found.stderr
    kept, n_in_file, rise = map(int, found.stdout.split())
    assert (n_in_file, kept < n / 30) == (n, True)
    assert rise < 200e6  # parts of 32 MB, what is kept, and what allocators hold back; read whole it is 400 MB


def text(path: Path, lines: list[str], end: str = "\n") -> Path:
    path.write_bytes(end.join(lines).encode())
    return path


LINES = TABLE.to_csv(index=False).splitlines()


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize(
    ("lines", "end"),
    [
        (["", "", *LINES], "\n"),
        ([line for row in LINES for line in (row, "")], "\n"),
        ([line for row in LINES for line in (row, "")], "\r\n"),
        ([f'"{line.replace(",", chr(34) + "," + chr(34))}"' for line in LINES], "\r\n"),
    ],
    ids=["blank lines above", "blank lines between", "carriage returns", "quotation marks"],
)
def test_empty_lines_are_no_rows_and_ends_of_lines_are_of_any_kind(tmp_path: Path, lines: list[str], end: str) -> None:
    for last in ([], [""]):
        path = text(tmp_path / "a.csv", [*lines, *last], end)
        data = read_file(path, target=["price"], standardise=False, sampling=Sampling(2, 100))
        assert (data.n_rows, data.n_in_file) == (100, N)
        np.testing.assert_allclose(data.X, VALUES[Sampling(2).draw(N, 100), :2], rtol=1e-15)


@pytest.mark.usefixtures("small_limit")
def test_without_a_header_the_first_line_is_a_row_like_any_other(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", ["\ufeff" + LINES[1], *LINES[2:]])
    data = read_file(path, target=["-1"], header=False, standardise=False)
    assert data.n_in_file == N
    np.testing.assert_array_equal(data.X[:, 0], Sampling().draw(N, data.n_rows))
    assert read_file(path, target=["-1"], header=False, sampling=Sampling(0, N - 1)).n_rows == N - 1


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("first", [0, 1])
def test_row_numbers_without_a_name_are_left_out(tmp_path: Path, first: int) -> None:
    rows = [f"{i + first},{line}" for i, line in enumerate(LINES[1:])]
    for header in (LINES[0], f",{LINES[0]}"):
        data = read_file(text(tmp_path / "a.csv", [header, *rows]), target=["price"], standardise=False)
        assert (data.X.shape[1], data.n_in_file) == (2, N)
    shifted = [f"{i // 2},{line}" for i, line in enumerate(LINES[1:])]
    with pytest.raises(InputError, match=r"the rows of a.csv have more fields than its header has names"):
        read_file(text(tmp_path / "a.csv", [LINES[0], *shifted]), target=["price"])


@pytest.mark.usefixtures("small_limit")
def test_lines_are_named_by_their_numbers_in_the_file(tmp_path: Path) -> None:
    drawn = int(Sampling().draw(N, 60)[40])
    longer = ["", *LINES]
    longer[drawn + 2] += ",9"
    with pytest.raises(InputError, match=f"^line {drawn + 3} of a.csv has 4 fields instead of 3: correct it"):
        read_file(text(tmp_path / "a.csv", longer), target=["price"], sampling=Sampling(0, 60))
    for line in (1, 1500, N):  # whether drawn or not
        odd = [*LINES]
        odd[line] = f'"{odd[line]}'
        with pytest.raises(InputError, match=rf"^line {line + 1} of a.csv has a quotation mark without a second one"):
            read_file(text(tmp_path / "a.csv", odd), target=["price"])
    with pytest.raises(InputError, match=r"a.csv has a line of more than 0 MB: end each row by a line feed, or save"):
        read_file(text(tmp_path / "a.csv", [*LINES, "1,2," + "3" * 20_000]), target=["price"])


@pytest.mark.usefixtures("small_limit")
def test_what_is_wrong_with_a_row_that_was_drawn_is_refused_as_ever(tmp_path: Path) -> None:
    holes = TABLE.mask(np.arange(N)[:, None] % 3 == [3, 0, 3])
    for kind in KINDS:
        path = written(tmp_path, kind, holes)
        with pytest.raises(InputError, match=r"^\d+ of \d+ rows of .* have missing values \(in .*\): drop these rows"):
            read_file(path, target=target_of(path))


@pytest.mark.usefixtures("small_limit")
def test_an_archive_of_arrays_is_refused_since_it_cannot_be_read_in_parts(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, X=VALUES[:, :2], y=VALUES[:, 2])
    with pytest.raises(InputError, match=r"a.npz takes 0.0 GB .*: save np.column_stack\(\[X, y\]\) as .npy"):
        read_file(path)
    np.savez(path, X=VALUES[: N // 2, :2], y=VALUES[: N // 2, 2], more=VALUES)
    assert read_file(path).n_rows == N // 2  # others do not count


def classes(count: int) -> pd.DataFrame:
    return TABLE.assign(kind=[f"kind {'abcdefghijklmnopqrst'[i % count]}" for i in range(N)])


@pytest.mark.parametrize("kind", ["a.csv", "groups.parquet"])
@pytest.mark.parametrize(("target", "of_text"), [("price", "inputs"), ("kind", "targets")])
def test_columns_that_come_of_text_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, target: str, of_text: str
) -> None:
    """Twenty columns come of one: what fits as it is in the file may not fit once it is encoded."""
    path, width = written(tmp_path, kind, classes(20)), WIDTH + 20
    monkeypatch.setattr(sampling, "WHOLE_BYTES", 8 * N * (WIDTH + 2))
    data = read_file(path, target=[target], standardise=False)
    assert (data.n_in_file, data.n_rows) == (N, int(sampling.WHOLE_BYTES / sampling.SAMPLE_PARTS / (8 * width + 16)))
    np.testing.assert_array_equal(data.X[:, 0], Sampling().draw(N, data.n_rows))
    assert read_file(path, target=[target], sampling=Sampling(0, data.n_rows)).sha256 == data.sha256
    assert read_file(written(tmp_path, kind, classes(2)), target=[target]).n_in_file is None


@pytest.mark.usefixtures("small_limit")
def test_a_label_that_is_not_drawn_is_not_known(tmp_path: Path) -> None:
    rare = classes(3)
    rare.loc[int(np.setdiff1d(np.arange(N), Sampling().draw(N, 500))[0]), "kind"] = "kind zebra"
    for kind in (".csv", "groups.parquet"):
        for column in (rare["kind"], rare["kind"].astype("category")):
            path = written(tmp_path, kind, rare.assign(kind=column))
            data = read_file(path, target=["kind"])
            assert "classes kind a, kind b, kind c)" in data.origin
            assert data.Y.shape[1] == 3


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("kind", KINDS)
def test_a_record_finds_the_same_rows_again_however_much_memory_there_is(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, kind)
    for limit in (LIMIT, 10 * LIMIT):  # a sample, and all of it
        monkeypatch.setattr(sampling, "WHOLE_BYTES", limit)
        source = RowSource(file=str(path), target=tuple(target_of(path)), seed=4)
        first = source.load()
        data = describe(source, first, n_rows=first.n_rows)
        assert data.n_in_file == (N if limit == LIMIT else None)
        monkeypatch.setattr(sampling, "WHOLE_BYTES", LIMIT // 3)
        again = source_of(data, None).load()
        assert again.n_rows == first.n_rows
        check_same(again, data)
    np.save(tmp_path / "moved.npy", VALUES + 1)
    with pytest.raises(InputError, match=r"moved.npy has changed since"):
        check_same(replace_file(data, tmp_path / "moved.npy").load(), data)


def replace_file(data: DataDescription, path: Path) -> RowSource:
    return RowSource(**{**source_of(data, str(path)).__dict__, "target": ("-1",)})


@pytest.mark.usefixtures("small_limit")
def test_the_command_says_before_the_search_and_in_its_answer_what_was_read(tmp_path: Path) -> None:
    path = written(tmp_path, "C.npy")
    arguments = [str(path), "--network", "linear", "--seed", "5", "--validation", "0.2"]
    question = question_of(command.make_context("pick", arguments).params)
    shown = StringIO()
    pick_show.announce(question, Console(file=shown, width=400))
    assert "1 of 27 rows, 112 of 3,000, drawn with seed 5" in shown.getvalue()
    assert "from 1 to 90" in shown.getvalue()
    data = describe(question.source, question.dataset, n_rows=question.n_rows)
    assert (data.n_rows + data.n_held_out, data.n_in_file) == (112, 3000)
    assert question.dataset.sha256 == read_file(path, sampling=Sampling(5)).sha256
