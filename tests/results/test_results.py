"""All results load into one table, and unlike machines, threads or BLAS are never judged against each other."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from gdbench.basics.records import parse, plain
from gdbench.compare.record.record import write_record
from gdbench.compare.sides.family import ARROW
from gdbench.compare.sides.sides import ComparedSide
from gdbench.experiments.cases import Case
from gdbench.machine.environment import Environment
from gdbench.results import (
    ASV,
    COLUMNS,
    COMPARISON,
    PYTEST_BENCHMARK,
    RUN,
    collect,
    require_comparable,
)
from gdbench.run.folder import read_run
from kernels import InputError

from ..compare.comparison_records import make, with_memory
from ..helpers import ROOT
from ..history.asv_results import CASES, times, write_result

KEPT = ROOT / "reports" / "limits"
"""A run that is kept with the sources."""
CASE = Case("deep", "wine", 178, "gradient", "jit", 32, "float64")
ENVIRONMENT = {
    "cpu": "A CPU",
    "logical_cores": 2,
    "blas": [{"internal_api": "openblas", "version": "0.3.30"}],
    "commit": "c" * 40,
    "date": "2026-01-31T12:00:00+00:00",
}


def _comparison(
    folder: Path, *, threads: int = 1, variants: tuple[str, str] | None = None, **environment: object
) -> Path:
    base, head = variants or (None, None)
    case = replace(CASE, threads=threads, variant=ARROW.join(variants or (CASE.variant,)))
    record = make(
        [case, replace(case, batch_size=1)],
        absent={1: ("BROKEN", "a kernel is wrong")},
        base=ComparedSide("main", "revision", "a" * 40, variant=base),
        head=ComparedSide("HEAD", "revision", "b" * 40, variant=head),
        environment=parse(ENVIRONMENT | environment, Environment),
    )
    timed, broken = record.cases
    record = replace(record, cases=(replace(timed, base=1e-3, head=1.1e-3), broken))
    write_record(folder, with_memory(record, {0: 20}, base_bytes=10))
    return folder


def _pytest_benchmark(path: Path, threads: int = 1) -> Path:
    entries = [
        {"params": {**CASE.to_dict(), "threads": threads}, "stats": {"median": 2e-3}},
        {"params": {"size": 3}, "stats": {"median": 1.0}},
        {"params": None, "stats": {"median": 1.0}},
    ]
    content = {
        "machine_info": {"cpu": {"brand_raw": "A CPU", "count": 2}},
        "commit_info": {"id": "d" * 40},
        "datetime": "2026-02-01T00:00:00",
        "benchmarks": entries,
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _asv(folder: Path) -> Path:
    write_result(folder, "e" * 40, [None, *times(0, step_at=9, slow={})[1:]])
    return folder


def test_a_run_has_its_times_with_intervals_and_its_origin() -> None:
    table = collect([KEPT])
    run = read_run(KEPT)
    measured = run.summary[run.summary["status"] == "measured"]
    assert list(table.columns) == COLUMNS
    assert len(table) == len(measured)
    assert table["seconds"].tolist() == measured["seconds"].tolist()
    assert (table["seconds_low"] <= table["seconds"]).all()
    assert set(table["source"]) == {RUN}
    assert set(table["commit"]) == {run.environment.commit}
    assert table["comparable"].nunique() == measured["threads"].nunique()


def test_a_block_of_a_run_is_alike_with_the_run(smoke_run: tuple[Path, object]) -> None:
    table = collect([smoke_run[0], smoke_run[0] / "raw" / "block-000.json"])
    assert set(table["source"]) == {RUN, PYTEST_BENCHMARK}
    one_thread = table[table["threads"] == 1]
    require_comparable(one_thread)
    assert one_thread["comparable"].nunique() == 1


def test_all_kinds_of_results_are_in_one_table(tmp_path: Path) -> None:
    compared, results = _comparison(tmp_path / "compared"), _asv(tmp_path / "results")
    benchmarked = _pytest_benchmark(tmp_path / "speed.json")
    table = collect([compared, results, benchmarked])
    counts = table["source"].value_counts().to_dict()
    assert counts == {COMPARISON: 2, ASV: len(CASES) - 1, PYTEST_BENCHMARK: 1}
    comparison = table[table["source"] == COMPARISON]
    assert dict(zip(comparison["commit"].str[0], comparison["seconds"], strict=True)) == {"a": 1e-3, "b": 1.1e-3}
    asv = table[table["source"] == ASV]
    assert set(asv["commit"]) == {"e" * 40}
    assert asv["date"].str.startswith("2023-11-14T").all()
    assert set(asv["network"] + "@" + asv["dataset"]) == {"deep@wine"}
    (row,) = table[table["source"] == PYTEST_BENCHMARK].to_dict("records")
    assert (row["seconds"], row["commit"], row["variant"]) == (2e-3, "d" * 40, "jit")


def test_a_file_is_read_like_the_folder_that_holds_it(tmp_path: Path) -> None:
    compared, results = _comparison(tmp_path / "compared"), _asv(tmp_path / "results")
    (file,) = (path for path in results.glob("here/*.json") if path.name != "machine.json")
    for whole, part in ((compared, compared / "comparison.json"), (results, file), (results, results / "here")):
        pd.testing.assert_frame_equal(collect([whole]), collect([part]))


@pytest.mark.parametrize(
    "change",
    [
        {"cpu": "Another CPU"},
        {"logical_cores": 4},
        {"threads": 2},
        {"blas": [{"internal_api": "mkl", "version": "0.3.30"}]},
        {"blas": [{"internal_api": "openblas", "version": "0.3.31"}]},
    ],
    ids=str,
)
def test_unlike_rows_are_shown_and_refused_to_be_judged(tmp_path: Path, change: dict[str, object]) -> None:
    paths = [_comparison(tmp_path / "one"), _comparison(tmp_path / "other", **change)]
    table = collect(paths)
    assert len(table) == 4
    assert table["comparable"].nunique() == 2
    with pytest.raises(InputError, match="never judged against each other"):
        require_comparable(table)
    require_comparable(collect([paths[0], _comparison(tmp_path / "same", commit="f" * 40)]))


def test_times_of_a_comparison_are_unlike_those_of_a_run_on_the_same_machine(tmp_path: Path) -> None:
    environment = read_run(KEPT).environment
    compared = _comparison(tmp_path / "compared", **plain(environment))
    table = collect([KEPT, compared])
    table = table[table["threads"] == 1]
    assert table["machine"].nunique() == 1
    assert table.groupby("comparable")["source"].agg(set).tolist() == [{RUN}, {COMPARISON}]
    with pytest.raises(InputError, match=rf"\({RUN} on .*; {COMPARISON} on .*\)"):
        require_comparable(table)


def test_times_under_settings_that_change_compiled_code_are_unlike_others(tmp_path: Path) -> None:
    folders = [
        _comparison(tmp_path / "as usual", settings={}),
        _comparison(tmp_path / "as usual, too", settings={}),
        _comparison(tmp_path / "not optimised", settings={"NUMBA_OPT": "0"}),
        _comparison(tmp_path / "of an older version"),
    ]
    table = collect(folders)
    assert table["comparable"].tolist() == [0, 0, 0, 0, 1, 1, 2, 2]
    require_comparable(table[:4])
    with pytest.raises(InputError, match=r"settings none; .* settings NUMBA_OPT=0; .* settings unknown\)"):
        require_comparable(table)


def test_where_variants_were_compared_each_side_has_its_own(tmp_path: Path) -> None:
    table = collect([_comparison(tmp_path / "compared", variants=("jit", "tiled"))])
    assert dict(zip(table["variant"], table["seconds"], strict=True)) == {"jit": 1e-3, "tiled": 1.1e-3}
    require_comparable(table)


def test_what_is_not_recorded_is_unlike_what_is_known_and_what_another_tool_did_not_record(tmp_path: Path) -> None:
    paths = [_comparison(tmp_path / "c"), _asv(tmp_path / "results"), _pytest_benchmark(tmp_path / "speed.json")]
    assert collect(paths)["comparable"].nunique() == 3


def test_no_paths_are_an_empty_table_of_the_same_columns() -> None:
    assert list(collect([]).columns) == COLUMNS


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{", '{"some": "thing"}', '{"benchmarks": [{}], "machine_info": {}}'),
        *('{"base": {}, "head": {}, "cases": []}', '{"base": 1, "head": [], "cases": null}'),
    ],
)
def test_what_holds_no_results_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"other\.json"):
        collect([path])


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    told = {
        tmp_path: "holds no results",
        tmp_path / "nothing": "^there is no file or folder .*nothing: give the path of one",
        "~/nothing.json": r"^there is no file or folder ~/nothing\.json: give .*, with your home written .*",
        "": "^a path of results is empty: give",
        "a" * 5000: r"^a{400}\.\.\. cannot be read as results \(OSError: .*: leave it out",
    }
    for path, sentence in told.items():
        with pytest.raises(InputError, match=sentence):
            collect([path])


def test_of_a_folder_of_pytest_benchmark_the_files_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / ".benchmarks" / "Linux-CPython-3.12-64bit" / "0001_a.json"
    path.parent.mkdir(parents=True)
    _pytest_benchmark(path)
    for folder in (path.parent, path.parent.parent):
        with pytest.raises(InputError, match=rf"give the files in it themselves, such as {re.escape(str(path))}$"):
            collect(folder)
    assert len(collect(path)) == 1


def test_what_asv_sets_for_an_environment_keeps_its_times_apart(tmp_path: Path) -> None:
    for name, variables in {"usual": {}, "slow": {"NUMBA_OPT": "0"}, "threads": {"MKL_NUM_THREADS": "1"}}.items():
        (path,) = [path for path in _asv(tmp_path / name).glob("here/*.json") if path.name != "machine.json"]
        content = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**content, "env_vars": content["env_vars"] | variables}), encoding="utf-8")
    table = collect([tmp_path / "usual", tmp_path / "slow", tmp_path / "threads"])
    assert table["comparable"].drop_duplicates().tolist() == [0, 1]
    assert set(table[table["comparable"] == 0].index) == {*range(len(CASES) - 1), *table.index[-len(CASES) + 1 :]}
    with pytest.raises(InputError, match="settings NUMBA_OPT=0 and others not recorded"):
        require_comparable(table)


def test_one_path_or_several_are_taken_as_text_or_as_paths(tmp_path: Path) -> None:
    path = _pytest_benchmark(tmp_path / "speed.json")
    expected = collect([path])
    assert len(expected) == 1
    for given in (path, str(path), [str(path)], iter([path]), (str(path),)):
        pd.testing.assert_frame_equal(collect(given), expected)
    for given, told in (
        (3, "got int"),
        ([3], "got int among them"),
        ("nowhere.json", "no file or folder nowhere.json"),
    ):
        with pytest.raises(InputError, match=told):
            collect(given)


FOREIGN = {
    "of today": {
        "machine_info": {"cpu": {}},
        "benchmarks": [{"name": "a", "params": {"n": 1}, "stats": {"median": 1}}],
    },
    "of 2015": {"machine_info": {"node": "x"}, "benchmarks": [{"name": "a", "stats": {"median": 1}}], "version": "2.5"},
    "with nothing": {"machine_info": {}, "benchmarks": []},
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_results_of_another_project_are_no_empty_table_without_a_word(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "speed.json"
    path.write_text(json.dumps(FOREIGN[kind]), encoding="utf-8")
    told = (
        rf"^{re.escape(str(path))} holds no time of a case of gdbench, though it may hold other results: leave it out$"
    )
    with pytest.raises(InputError, match=told):
        collect(path)


def test_a_benchmark_of_another_suite_of_asv_is_said_too(tmp_path: Path) -> None:
    foreign = {"name": "other.time_it", "version": "1", "params": []}
    write_result(tmp_path, "e" * 40, [1.0], benchmark=foreign)
    with pytest.raises(InputError, match="holds no time of a case of gdbench"):
        collect(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_file_is_read_in_every_encoding_that_json_may_have(encoding: str, tmp_path: Path) -> None:
    path = _pytest_benchmark(tmp_path / "speed.json")
    expected = collect(path)
    path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
    pd.testing.assert_frame_equal(collect(path), expected)


@pytest.mark.parametrize(
    "content", [b"", b"[1, 2]", b"3", b"{" * 10_000, b"[" * 100_000, b'{"a": "\xe9"}' + b" " * 9999, b"\xff\xfe" * 999]
)
def test_what_is_no_file_of_results_is_refused_in_a_sentence_that_does_not_hold_it(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "speed.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        collect(path)
    assert str(refused.value).startswith(f"{path} ")
    assert len(str(refused.value)) < len(str(path)) + 250


@pytest.mark.parametrize(
    ("changes", "seconds", "told"),
    [
        ({}, 0.0, "has a time of 0 s, and nothing takes no time"),
        ({}, -1.0, "has a time of -1 s"),
        ({"batch_size": -1}, 1e-3, "batch_size of a case is at least 1, got -1"),
        ({"n_rows": 0}, 1e-3, "n_rows of a case is at least 1, got 0"),
    ],
)
def test_times_and_cases_that_cannot_be_are_refused(
    changes: dict[str, int], seconds: float, told: str, tmp_path: Path
) -> None:
    entry = {"params": {**CASE.to_dict(), **changes}, "stats": {"median": seconds}}
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"benchmarks": [entry], "machine_info": {}}), encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(told)):
        collect(path)


def test_halves_of_characters_are_read_as_what_can_be_written(tmp_path: Path) -> None:
    entry = {"params": CASE.to_dict(), "stats": {"median": 1e-3}}
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"benchmarks": [entry], "machine_info": {}, "datetime": "\ud800"}), encoding="utf-8")
    assert collect(path)["date"].tolist() == ["?"]
