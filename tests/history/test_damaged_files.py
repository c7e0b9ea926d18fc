"""What is damaged among asv's files costs no more than itself, is named, and is never fine."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gdbench.history.asv_cases import names_of
from gdbench.history.asv_files import load
from gdbench.history.reading import read_histories
from gdbench.history.record import Record, judge, make_record
from gdbench.history.tables import remarks

from .asv_results import MACHINE

COMMITS, STEP, NEW = 30, 20, 18
"""Commits, the one from which ``suite.time_0`` is slow, and the first whose file is damaged."""
MODULE = "suite.time_"
Stored = dict[str, Any]


def seconds(case: int, at: int) -> float:
    """Time of a case at a commit, with a little noise; case 0 is half as slow again from a commit on."""
    return 1e-3 * (1.5 if case == 0 and at >= STEP else 1.0) * (1 + 0.004 * np.sin(12.9898 * (at + 1) * (case + 2.3)))


def stored(at: int) -> Stored:
    """Return what asv stores of a commit, in its format."""
    return {
        "commit_hash": f"{(at * 7919) % 65536:04x}" * 10,
        "env_name": "virtualenv",
        "date": 1_700_000_000_000 + 1000 * at,
        "params": {**MACHINE, "machine": "here"},
        "python": "3.12",
        "requirements": {},
        "env_vars": {},
        "result_columns": ["result", "params", "version"],
        "results": {f"{MODULE}{case}": [[seconds(case, at)], [], "a"] for case in range(3)},
        "durations": {},
        "version": 2,
    }


def save(folder: Path, content: Stored | str, name: str) -> None:
    (folder / "here").mkdir(exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "here" / f"{name}.json").write_text(text, encoding="utf-8")


def judged(folder: Path) -> Record:
    """Judge a folder's results, which lie in no repository."""
    return make_record([judge(history) for history in read_histories(folder, "here", folder)])


def changed(content: Stored, **fields: object) -> Stored:
    return {**content, **fields}


def with_value(content: Stored, value: object) -> Stored:
    return changed(content, results={**content["results"], f"{MODULE}2": value})


DAMAGE: dict[str, Callable[[Stored], Stored | str]] = {
    "cut": lambda content: json.dumps(content)[:200],
    "empty": lambda _: "",
    "newer format": lambda content: changed(content, version=3),
    "another machine": lambda content: changed(content, params={**content["params"], "machine": "another"}),
    "no requirements": lambda content: {name: value for name, value in content.items() if name != "requirements"},
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_newest_files_that_cannot_be_read_are_missing_results(
    damage: Callable[[Stored], Stored | str], tmp_path: Path
) -> None:
    for at in range(COMMITS):
        save(tmp_path, damage(stored(at)) if at >= NEW else stored(at), f"{at:02}")
    record = judged(tmp_path)
    assert (record.exit_code, record.commits) == (3, NEW)
    assert f"here/{NEW}.json" in record.incomplete[0]
    assert record.incomplete[-1] == f"{COMMITS - NEW - 3} other files are left out, too"


VALUES = {
    "text": ["oops"],
    "infinite": [float("inf")],
    "beyond floats": [10**400],
    "list in a list": [[1.0]],
    "no list": 1.0,
    "more values than cases": [1.0, 2.0],
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_value_that_is_no_number_costs_its_benchmark_and_no_other(value: object, tmp_path: Path) -> None:
    for at in range(COMMITS):
        save(tmp_path, with_value(stored(at), [value, [], "a"]) if at >= NEW else stored(at), str(at))
    record = judged(tmp_path)
    assert {step.case for step in record.steps if step.label == "REGRESSION"} == {f"{MODULE}0"}
    assert record.exit_code == 3
    assert record.incomplete[0].startswith(f"{COMMITS - NEW} results of {MODULE}2 cannot be used (")


def test_a_row_that_is_none_costs_its_benchmark_and_no_other(tmp_path: Path) -> None:
    save(tmp_path, with_value(stored(0), None), "0")
    found = load(tmp_path / "here" / "0.json")
    assert ({one.benchmark for one in found.values}, [*found.unusable]) == (
        {f"{MODULE}0", f"{MODULE}1"},
        [f"{MODULE}2"],
    )


def test_a_benchmark_that_returns_texts_is_said_and_does_no_harm(tmp_path: Path) -> None:
    for at in range(COMMITS):
        save(tmp_path, with_value(stored(at), [["2.1"], [], "a"]), str(at))
    record = judged(tmp_path)
    assert (record.exit_code, record.skipped) == (0, (f"{MODULE}2 cannot be judged: every value is a text",))


def test_halves_of_characters_are_read_as_what_can_be_written(tmp_path: Path) -> None:
    save(tmp_path, json.dumps(stored(0)).replace("virtualenv", "a\\ud800b"), "0")
    assert load(tmp_path / "here" / "0.json").environment == "a?b"


PARAMETERS = {
    "number and text": (("1",), ("'1'",)),
    "none and text": (("None",), ("'None'",)),
    "commas": (("'a, b'", "'c'"), ("'a'", "'b, c'")),
    "commas in objects": (("a, b", "c"), ("a", "b, c")),
}


@pytest.mark.parametrize("parameters", PARAMETERS.values(), ids=PARAMETERS)
def test_parameters_that_read_alike_are_series_of_their_own(
    parameters: tuple[tuple[str, ...], ...], tmp_path: Path
) -> None:
    first, second = parameters
    axes = [[*dict.fromkeys(pair)] for pair in zip(first, second, strict=True)]
    for at in range(COMMITS):
        values = [seconds(1, at)] * (len(axes[0]) ** len(axes))
        values[0] = seconds(0, at)
        save(tmp_path, with_value(stored(at), [values, axes, "a"]), str(at))
    slow = names_of([(f"{MODULE}2", first), (f"{MODULE}2", second)])
    assert len({*slow.values()}) == 2
    record = judged(tmp_path)
    assert record.cases == 2 + len(axes[0]) ** len(axes)
    assert slow[f"{MODULE}2", first] in {step.case for step in record.steps}


def test_readable_names_stay_where_they_are_clear() -> None:
    keys = [("time_it", ("'a'", "1")), ("time_it", ("'b'", "1")), ("time_all", ())]
    assert [*names_of(keys).values()] == ["time_it(a, 1)", "time_it(b, 1)", "time_all"]


def test_two_files_of_one_commit_are_read_together(tmp_path: Path) -> None:
    """asv writes another file once its hash_length is changed."""
    for at in range(COMMITS):
        whole = stored(at)
        for name in whole["results"]:
            save(tmp_path, changed(whole, results={name: whole["results"][name]}), f"{at}-{name}")
    record = judged(tmp_path)
    assert (record.cases, record.judged, record.exit_code, record.commits) == (3, 3, 0, COMMITS)
    assert f"{MODULE}0" in {step.case for step in record.steps}


def test_copies_that_contradict_each_other_are_named_and_never_fine(tmp_path: Path) -> None:
    for at in range(COMMITS):
        save(tmp_path, stored(at), str(at))
    for at in (4, 5, 6, 7):
        save(tmp_path, stored(at), f"{at} (copy)")
    assert judged(tmp_path).exit_code == 0
    for at in (4, 5, 6, 7):
        save(tmp_path, with_value(stored(at), [[9.0], [], "a"]), f"{at} (copy)")
    record = judged(tmp_path)
    assert record.exit_code == 3
    told = f"results of one commit contradict each other on {MODULE}2 in {tmp_path}/here/4 (copy).json and 4.json"
    assert record.incomplete[0].startswith(told)
    assert record.incomplete[-1] == "1 other copies contradict others"


def test_one_case_with_too_few_results_has_them(tmp_path: Path) -> None:
    for at in range(COMMITS):
        save(tmp_path, with_value(stored(at), [[1e-3], [], "a" if at < COMMITS - 2 else "b"]), f"{at:02}")
    assert "1 case of 3 has too few results to be judged" in [*remarks(judged(tmp_path))]
