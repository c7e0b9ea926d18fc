"""The record of a pick comes back from its file as it was; what is no record, or another version's, is refused."""

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gdbench.basics import records
from gdbench.pick.choose.choose import choose
from gdbench.pick.choose.objectives import NAMES
from gdbench.pick.record.record import FILE, FORMAT, PickRecord, read_record
from gdbench.pick.steps.answer import BUDGET, CAPPED, UNRELIABLE
from gdbench.pick.views.sentences import in_words
from kernels import InputError

from ..pick_records import N_ROWS, SIZES, WIDE, make_record, make_steps, make_times, unreached

MEMORY = {"memory_bytes": 1e5, "bytes_needed": {size: 1000 * size for size in SIZES}}
RECORDS = {
    **{objective: make_record(objective=objective, options=MEMORY) for objective in NAMES},
    "lost": make_record(make_steps(failed={1024: (UNRELIABLE, "3 of 10 failed")}, extrapolated=(1,), noise=0.02)),
    "unreached": make_record(unreached(CAPPED, "some reason")),
    "noise": make_record(make_steps(noise=20.0), make_times(noise=20.0)),
    "interrupted before": make_record(unreached(BUDGET), stopped_by=signal.SIGINT),
    "nothing": in_words(replace(make_record(), choice=None, steps=None, times=None, status=BUDGET, reason="no time")),
    "again": make_record(times=make_times(variant="jit"), earlier=make_record()),
    "file": make_record(data=replace(make_record().data, name="\udcff.csv")),
}


def written(record: PickRecord, folder: Path) -> dict[str, Any]:
    """Write a record and return its JSON."""
    records.write(folder / FILE, record)
    found: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", sorted(set(RECORDS) - {"file"}))
def test_a_record_comes_back_from_its_file_unchanged(name: str, tmp_path: Path) -> None:
    record = RECORDS[name]
    assert written(record, tmp_path)["format"] == FORMAT == 2
    assert read_record(tmp_path) == read_record(tmp_path / FILE) == record


def test_a_name_that_is_no_text_does_not_keep_a_record_from_being_read(tmp_path: Path) -> None:
    assert written(RECORDS["file"], tmp_path)["data"]["n_rows"] == N_ROWS
    assert read_record(tmp_path).choice == RECORDS["file"].choice


def test_the_halves_that_come_back_give_the_same_choice(tmp_path: Path) -> None:
    record = make_record(make_steps(noise=0.05, failed={1: (UNRELIABLE, "r")}, extrapolated=(2,), warnings=("w",)))
    written(record, tmp_path)
    read = read_record(tmp_path)
    again = choose(read.steps, read.times, n_rows=N_ROWS, current=512, search_seconds=38.0, tolerance=WIDE)
    assert again == record.choice
    assert "w" in read.warnings


def test_the_json_has_the_names_that_other_programs_read(tmp_path: Path) -> None:
    found = written(RECORDS["lost"], tmp_path)
    assert found["exit_code"] == 0
    assert found["seconds"]["total"] == 38.0
    choice = found["choice"]
    assert {"batch_size", "learning_rate", "variant", "table"} <= choice.keys()
    names = ("batch_size", "learning_rate", "steps", "seconds_per_step", "seconds", "seconds_low", "seconds_high")
    for row in choice["table"]:
        assert {*names, "measured", "runs", "chosen"} <= row.keys()
        assert row["steps"] is None or (isinstance(row["steps"], int) and row["steps"] >= 1)
        if row["measured"]:
            assert row["runs"] > 0
            assert row["seconds_low"] < row["seconds"] < row["seconds_high"]
        else:
            assert not row["chosen"]
            assert row["seconds"] is None
    assert [row["batch_size"] for row in choice["table"] if not row["measured"]] == [1, 1024]
    assert [row["batch_size"] for row in choice["table"] if row["chosen"]] == [choice["batch_size"]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "does not exist"),
        (b"{", "holds something else than it should"),
        (b"[1]", "holds something else than it should"),
        (bytes(range(256)), "holds something else than it should"),
        (b'{"format": 2}', "holds something else than it should"),
        (b'{"format": 1, "steps": null, "times": null, "settings": {}}', "an older version of gdbench.*: pick again"),
        (b'{"format": 99}', "a newer version of gdbench.*: pick again"),
    ],
)
def test_a_file_that_is_no_record_is_refused_in_a_sentence(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        read_record(tmp_path / FILE)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_record_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"does not exist: name a pick\.json that gdbench pick wrote"):
        read_record(tmp_path)


Damage = Callable[[dict[str, Any]], Any]
DAMAGES: dict[str, Damage] = {
    "no rows": lambda found: found["steps"].pop("rows"),
    "rows of another kind": lambda found: found["steps"].update(rows=[1, 2]),
    "a row without a field": lambda found: found["steps"]["rows"][0].pop("status"),
    "broken steps": lambda found: found["steps"]["rows"][0].update(steps=1.5),
    "no target": lambda found: found["steps"].update(target=None),
    "no settings": lambda found: found.pop("settings"),
    "a setting of another kind": lambda found: found["settings"].update(threads="two"),
    "a model of another kind": lambda found: found["times"].update(model=3),
    "no such network": lambda found: found["network"].update(loss="none"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_refused_in_a_sentence(damage: str, tmp_path: Path) -> None:
    found = written(make_record(), tmp_path)
    DAMAGES[damage](found)
    (tmp_path / FILE).write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_record(tmp_path)
    assert "\n" not in str(caught.value)
