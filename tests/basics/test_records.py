"""Records come back from their files as they were; a damaged file is named in one sentence."""

import math
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gdbench.basics import records
from kernels import InputError


@dataclass(frozen=True)
class Inner:
    name: str
    error: float | None


@dataclass(frozen=True)
class Outer:
    sizes: tuple[int, ...]
    inner: dict[str, Inner]


RECORD = Outer((3, 2), {"ä": Inner("jit", None)})


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    records.write(tmp_path / "a.json", RECORD)
    assert records.read(tmp_path / "a.json", Outer, remedy="measure again") == RECORD
    assert records.parse(records.plain(RECORD), Outer) == RECORD


def test_the_name_of_a_file_that_is_no_text_comes_back(tmp_path: Path) -> None:
    records.write(tmp_path / "a.json", Inner("\udcff.csv", 0.5))
    assert records.read(tmp_path / "a.json", Inner, remedy="measure again") == Inner("\udcff.csv", 0.5)


@dataclass(frozen=True)
class Limit:
    seconds: dict[int, float]


def test_a_record_that_could_not_be_read_back_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    for record in (Limit({1: math.nan}), [Limit({1: math.inf})], {"a": (Limit({1: 1.0}), Limit({2: math.nan}))}):
        with pytest.raises(msgspec.ValidationError, match=r"Expected `float`, got `null`"):
            records.write(file, record)
    assert not file.exists()
    records.write(file, [Limit({1: 0.5})], indent=None)
    assert file.read_text(encoding="utf-8").count("\n") == 1
    assert records.read(file, list[Limit], remedy="") == [Limit({1: 0.5})]


def test_what_is_no_number_becomes_none() -> None:
    assert records.plain([Inner("a", math.inf), Inner("b", math.nan)]) == [
        {"name": "a", "error": None},
        {"name": "b", "error": None},
    ]


def test_numbers_and_arrays_of_numpy_are_written_as_those_of_python() -> None:
    found = records.plain([np.float32(0.5), np.int64(3), np.bool_(True), np.array([1.0, math.nan])])
    assert found == [0.5, 3, True, [1.0, None]]


NAN = '{"sizes": [3], "inner": {"a": {"name": "jit", "error": NaN}}}'
"""Python reads it, but it is no JSON."""


@pytest.mark.parametrize("text", ["", "{", '{"sizes": ["3"], "inner": {}}', '{"inner": {}}', "\xff", NAN])
def test_a_damaged_file_is_named_with_the_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.json.*: measure again$"):
        records.read(tmp_path / "a.json", Outer, remedy="measure again")


def test_a_missing_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.json does not exist: measure again$"):
        records.read(tmp_path / "a.json", Outer, remedy="measure again")
