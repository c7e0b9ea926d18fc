"""The record of a comparison comes back from its file as it was, also from an older file; a damaged one is refused."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gdbench.basics import records
from gdbench.compare.record.record import FILE, RAW, Comparison, MeasuredBlock, read_record, write_block, write_record
from gdbench.compare.views import markdown, page
from gdbench.compare.views.headline import headline
from kernels import InputError

from ..comparison_records import BASE_BYTES, block, explained, make, with_compile, with_memory

ROW = (
    "case network dataset n_rows task variant batch_size dtype threads metric unit base head verdict ratio low high "
    "p p_adjusted blocks pair_sd bias_sd smallest_effect blocks_needed stage reason claimable "
    "minutes_needed explanation"
)
RECORD = (
    "format command date tier complete progress base head environment settings controls suite groups cases warnings "
    "counts exit_code ended_early differences"
)
GROUP = "by name cases ratio low high verdict reason"
BLOCK = "stage index hash_seed padding_bytes core load_1_minute compiled_while_timed seconds cases"
SAMPLE = "log_ratio base_seconds head_seconds calls quads unsteady cpu_share switches"


@pytest.fixture(scope="module")
def record() -> Comparison:
    made = with_compile(with_memory(make(effects={3: 0.24}), {5: 2 * BASE_BYTES}), [0.4])
    return explained(made, "more work")


def stored(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return found


def test_a_record_comes_back_as_it_was(record: Comparison, tmp_path: Path) -> None:
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record
    assert isinstance(read_record(tmp_path).of_metric("memory")[0].base, int)  # bytes stay whole numbers


def test_programs_that_read_the_files_find_the_keys_that_they_know(record: Comparison, tmp_path: Path) -> None:
    write_record(tmp_path, record)
    found = stored(tmp_path)
    assert list(found) == RECORD.split()
    assert {tuple(row) for row in (*found["cases"], *found["controls"]["cases"])} == {tuple(ROW.split())}
    assert list(found["base"]) == ["text", "kind", "commit", "dirty", "variant", "revision", "installed"]
    assert list(found["suite"]) == GROUP.split()
    assert found["groups"]
    assert {tuple(group) for group in found["groups"]} == {tuple(GROUP.split())}
    assert list(found["controls"]) == ["status", "reason", "cases"]
    counted = next(row for row in found["cases"] if row["metric"] == "memory")
    assert isinstance(counted["base"], int)  # bytes stay whole numbers
    write_block(tmp_path, "screen", replace(block({"a": 0.1}), index=7))
    raw = json.loads((tmp_path / RAW / "screen-007.json").read_text(encoding="utf-8"))
    assert list(raw) == BLOCK.split()
    assert list(raw["cases"]["a"]) == SAMPLE.split()


def test_what_older_versions_wrote_is_read(record: Comparison, tmp_path: Path) -> None:
    plain = records.plain(record)
    del plain["settings"]["seed"]
    del plain["differences"]
    for side in ("base", "head"):
        del plain[side]["revision"], plain[side]["installed"]
    for row in (*plain["cases"], *plain["controls"]["cases"]):
        del row["explanation"]
    for row in plain["controls"]["cases"]:
        for axis in ("network", "dataset", "task"):
            del row[axis]
    (tmp_path / FILE).write_text(json.dumps(plain), encoding="utf-8")
    bare = replace(record, cases=tuple(replace(row, explanation=None) for row in record.cases))
    assert read_record(tmp_path) == bare


def test_a_spike_in_of_an_older_version_is_read_and_shown_under_its_name(tmp_path: Path) -> None:
    plain, old = records.plain(make(spike=0.0)), "spike-in: a tenth more work"
    plain["controls"]["cases"][-1]["case"] = old
    (tmp_path / FILE).write_text(json.dumps(plain), encoding="utf-8")
    found = read_record(tmp_path)
    assert found.controls.cases[-1].case == old
    assert f"extra work was not found ({old})" in headline(found)
    assert f"| {old} |" in markdown.render(found)
    assert old in page.render(found)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, r"holds no comparison: name a folder that gdbench compare made$"),
        ("{", r"holds something else than it should \(.*\): name a folder that gdbench compare made$"),
        ("[]", r"holds something else than it should \(.*\): name a folder that gdbench compare made$"),
        ('{"format": 1}', r"is of another version of gdbench: compare again$"),
        ("{}", r"is of another version of gdbench: compare again$"),
        ('{"format": 2}', r"holds something else than it should \(.*missing.*\): compare again$"),
    ],
)
def test_a_file_that_is_no_record_is_refused_in_a_sentence(text: str | None, sentence: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_record(tmp_path)
    assert re.search(sentence, str(error.value))
    assert str(tmp_path) in str(error.value)


def test_a_block_of_another_shape_is_refused(tmp_path: Path) -> None:
    plain = records.plain(block({"a": 0.1}))
    plain["cases"]["a"]["log_ratio"] = "fast"
    with pytest.raises(ValueError, match=r"log_ratio|cases"):
        records.parse(plain, MeasuredBlock)
