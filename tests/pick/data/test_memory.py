"""What a file takes to be read is known before: large ones are announced, and those beyond memory refused at once."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gdbench.machine.memory import available_bytes, control_groups
from gdbench.pick.data.files import READERS
from gdbench.pick.data.memory import amount, check_fits, size_of
from kernels import InputError

from ...helpers import invoke
from .user_files import NUMBERS, numbers_file

LONG = pd.concat([NUMBERS] * 3000, ignore_index=True)
"""Text of more than is looked at: 10 MB."""
HUGE_BYTES = 1 << 42


@pytest.mark.parametrize("ending", READERS)
def test_rows_and_columns_are_known_before_a_file_is_read(tmp_path: Path, ending: str) -> None:
    path, _ = numbers_file(tmp_path, ending)
    size = size_of(path)
    assert size is not None
    assert (size.columns, size.file_bytes) == (3, path.stat().st_size)
    assert abs(size.rows - len(NUMBERS)) <= 1  # text has a line of names
    values = 8 * size.rows * size.columns
    assert 5 * values <= size.needed_bytes <= 7 * values
    assert not size.is_large


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
def test_rows_of_long_text_are_estimated_by_its_first_ones(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"long{ending}"
    LONG.to_csv(path, index=False, sep="\t" if ending == ".tsv" else ",")
    size = size_of(path)
    assert size is not None
    assert size.rows == pytest.approx(len(LONG), rel=0.01)
    assert size.columns == 3


def test_rows_to_test_on_are_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x_train=np.ones((50, 4)), y_train=np.arange(50.0), x_test=np.ones((20, 4)), y_test=np.ones(20))
    size = size_of(path)
    assert size is not None
    assert (size.rows, size.columns) == (50, 5)


@pytest.mark.parametrize("name", ["none.csv", "a.txt", "damaged.npz", "damaged.npy", "damaged.parquet", "empty.csv"])
def test_of_what_cannot_be_read_nothing_is_known(tmp_path: Path, name: str) -> None:
    if name != "none.csv":
        (tmp_path / name).write_text("" if name == "empty.csv" else "damaged", encoding="utf-8")
    assert size_of(tmp_path / name) is None
    check_fits(None, name)


def _sparse(path: Path) -> Path:
    """Make a file that says of itself that it is enormous, of which nearly nothing is on the disk."""
    if path.suffix == ".npy":
        header = np.lib.format.header_data_from_array_1_0(np.zeros((3, 128))) | {"shape": (HUGE_BYTES // 1024, 128)}
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
    else:
        LONG.to_csv(path, index=False)
    with path.open("r+b") as file:
        try:
            file.truncate(HUGE_BYTES)
        except OSError:
            pytest.skip("no file may be as large here")
    return path


@pytest.mark.parametrize("name", ["huge.csv", "huge.npy"])
def test_a_file_beyond_memory_is_refused_before_it_is_read(tmp_path: Path, name: str) -> None:
    _sparse(tmp_path / name)
    done = invoke(
        "pick", name, "--target", "price" if name == "huge.csv" else "-1", "--network", "linear", cwd=tmp_path
    )
    announced, refused = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert announced.startswith(f"reading {name} (4.4 TB), which takes about ")
    assert announced.endswith(" of memory")
    assert refused.startswith(f"gdbench: reading {name} (4.4 TB) takes about ")
    assert " are free: save a part of its rows, at most " in refused
    assert {path.name for path in tmp_path.iterdir()} == {name}


@pytest.mark.parametrize("ending", READERS)
def test_the_rows_that_would_fit_are_told(tmp_path: Path, ending: str) -> None:
    path, _ = numbers_file(tmp_path, ending)
    size = size_of(path)
    assert size is not None
    check_fits(size, path.name, available=size.needed_bytes / 0.9)
    with pytest.raises(InputError, match=r"save a part of its rows, at most (29|30) of about (60|61), or free memory"):
        check_fits(size, path.name, available=size.needed_bytes / 0.9 / 2)


def test_a_large_file_is_announced_before_anything_is_said_of_it(tmp_path: Path) -> None:
    np.save(tmp_path / "large.npy", np.zeros((700_000, 10)))
    done = invoke("pick", "large.npy", "--network", "linear", cwd=tmp_path)
    announced, refused = done.stderr.splitlines()
    assert announced == "reading large.npy (56 MB), which takes about 336 MB of memory"
    assert "has the same value in all 700000 rows" in refused


def test_what_is_free_is_of_the_container_where_it_has_less(tmp_path: Path) -> None:
    assert 0 < available_bytes() < 1e15
    new, old = control_groups(tmp_path)
    assert (new.left(), old.left()) == (None, None)
    (tmp_path / "memory").mkdir()
    texts = {
        "memory.max": "1000\n",
        "memory.current": "700\n",
        "memory.stat": "anon 300\ninactive_file 250\nactive_file 100\n",
        "memory/memory.limit_in_bytes": "2000\n",
        "memory/memory.usage_in_bytes": "900\n",
        "memory/memory.stat": "inactive_file 7\ntotal_inactive_file 50\ntotal_active_file 5\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="ascii")
    assert (new.left(), old.left()) == (650, 1155)
    (tmp_path / "memory.max").write_text("max\n", encoding="ascii")
    assert new.left() is None


def test_amounts_are_written_with_two_digits() -> None:
    assert [amount(count) for count in (0, 5e5, 1.2e8, 1.077e9, 4.4e10, 4.4e12)] == [
        "0.0 MB", "0.5 MB", "120 MB", "1.1 GB", "44 GB", "4.4 TB"
    ]  # fmt: skip
