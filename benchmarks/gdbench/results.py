"""One table of all results: our runs, asv's, pytest-benchmark's and comparisons; unlike ones are never judged together.

Rows that may be judged against each other have the same ``comparable``: it stands for CPU model, logical cores,
threads, name and version of the BLAS, and settings that change compiled code (``machine.settings``). What a tool did
not record is ``not recorded``, which is unlike anything that is known, and unlike that of another tool. Times of
comparisons are unlike all others: an epoch is cut short there, and two live processes share the caches.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from gdbench.basics.records import parse, read
from gdbench.experiments.cases import CASE_COLUMNS, MEASURED
from gdbench.history.asv_cases import case_of
from gdbench.machine.environment import Environment
from gdbench.machine.settings import in_words
from kernels import InputError

COLUMNS = [
    "source",
    *CASE_COLUMNS,
    *("seconds", "seconds_low", "seconds_high", "commit", "date", "machine", "comparable"),
]
"""Seconds of one call; the interval is the source's own: over blocks (ours), within processes (asv), none (NaN)."""
RUN, ASV, PYTEST_BENCHMARK, COMPARISON = "gdbench run", "asv", "pytest-benchmark", "gdbench compare"
NOT_RECORDED = "not recorded"
Row = dict[str, Any]


def collect(paths: Iterable[Path]) -> pd.DataFrame:
    """Read results of all kinds into one table.

    Parameters
    ----------
    paths : paths
        Each a folder of a run, of a comparison or of asv's results (all machines or one), or a file of
        pytest-benchmark, of asv or of a comparison.

    Returns
    -------
    DataFrame
        With ``COLUMNS``, a row per case and measurement; a comparison has one row for each side.

    Raises
    ------
    InputError
        If a path is none of these, or cannot be read.
    """
    table = pd.DataFrame([row for path in paths for row in _rows(path)], columns=COLUMNS[:-1])
    apart = table["machine"].str.contains(NOT_RECORDED) | (table["source"] == COMPARISON)
    key = table["machine"].where(~apart, table["source"] + ": " + table["machine"])
    return table.assign(comparable=pd.factorize(key)[0])


def require_comparable(table: pd.DataFrame) -> None:
    """Raise InputError if rows differ in ``comparable``: they may be shown together but not judged."""
    groups = table.drop_duplicates("comparable")
    if len(groups) > 1:
        told = "; ".join(groups["source"] + " on " + groups["machine"])
        raise InputError(
            "results of unlike machines, threads or BLAS, and those of comparisons and of anything else, are never "
            f"judged against each other ({told}): choose the rows of one"
        )


def machine_key(cpu: object, cores: object, threads: object, blas: object, *, settings: str = NOT_RECORDED) -> str:
    """Name what must be alike for two times to be comparable."""
    parts = (cpu, f"{cores or NOT_RECORDED} logical cores", f"{threads or NOT_RECORDED} threads", blas)
    named = ", ".join(str(part or NOT_RECORDED) for part in parts)
    return f"{named}, settings {settings or 'none'}"


def _rows(path: Path) -> Iterator[Row]:
    readers: tuple[tuple[bool, Callable[[Path], Iterator[Row]]], ...] = (
        ((path / "plan.json").is_file(), _of_run),
        ((path / "comparison.json").is_file(), lambda folder: _of_file(folder / "comparison.json")),
        (any(path.glob("*/machine.json")) or (path / "machine.json").is_file(), _of_asv_folder),
        (path.is_file(), _of_file),
    )
    for matches, rows_of in readers:
        if matches:
            yield from rows_of(path)
            return
    raise InputError(
        f"{path} holds no results: name a folder of a run, of a comparison or of asv, or a file of results"
    )


def _of_file(path: Path) -> Iterator[Row]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if "result_columns" in content:
            yield from _of_asv_file(path)
        elif "benchmarks" in content and "machine_info" in content:
            yield from _of_pytest_benchmark(path, content)
        elif "base" in content and "head" in content and "cases" in content:
            yield from _of_comparison(content)
        else:
            raise InputError(f"{path} is no file of asv, pytest-benchmark or gdbench compare: leave it out")
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} cannot be read as results ({error!r}): leave it out or measure again") from error


def _of_run(folder: Path) -> Iterator[Row]:
    from gdbench.run.folder import read_run  # noqa: PLC0415 - it gives this module's function to its own users

    run = read_run(folder)
    for row in run.summary[run.summary["status"] == MEASURED].to_dict("records"):
        yield {
            **{name: row[name] for name in (*CASE_COLUMNS, "seconds", "seconds_low", "seconds_high")},
            **_origin(RUN, run.environment, int(row["threads"])),
        }


def _of_comparison(record: dict[str, Any]) -> Iterator[Row]:
    """Read the times of both sides; where variants were compared, each side's are those of its own."""
    for row in record["cases"]:
        for side in ("base", "head"):
            if row["metric"] == "time" and row[side] is not None:
                origin = _origin(COMPARISON, parse(record["environment"], Environment), row["threads"])
                of_side = {"commit": record[side]["commit"], "variant": record[side]["variant"] or row["variant"]}
                yield {**_case(row), **_time(row[side]), **origin, **of_side}


def _of_pytest_benchmark(path: Path, content: dict[str, Any]) -> Iterator[Row]:
    """Read one process's times; those of a run's block are told by the environment beside them."""
    described = path.parent.parent / "environment.json"
    ours = "gdbench" in content and described.is_file()
    environment = read(described, Environment, remedy="leave the file out") if ours else None
    for entry in content["benchmarks"]:
        if not set(CASE_COLUMNS) <= set(entry["params"] or {}):
            continue  # not one of our cases
        threads = entry["params"]["threads"]
        origin = _origin(PYTEST_BENCHMARK, environment, threads) if environment else _told(content, threads)
        yield {**_case(entry["params"]), **_time(entry["stats"]["median"]), **origin, "date": content["datetime"]}


def _told(content: dict[str, Any], threads: int) -> Row:
    cpu = content["machine_info"].get("cpu") or {}
    commit = (content.get("commit_info") or {}).get("id")
    machine = machine_key(cpu.get("brand_raw"), cpu.get("count"), threads, NOT_RECORDED)
    return {"source": PYTEST_BENCHMARK, "commit": commit, "machine": machine}


def _of_asv_folder(folder: Path) -> Iterator[Row]:
    for described in sorted(folder.rglob("machine.json")):
        for path in sorted(described.parent.glob("*.json")):
            if path != described:
                yield from _of_file(path)


def _of_asv_file(path: Path) -> Iterator[Row]:
    from gdbench.history.asv_files import load, results_of  # noqa: PLC0415 - asv is slow to import, and rarely needed

    result = load(path)
    threads = {value for name, value in result.env_vars.items() if name.endswith("_NUM_THREADS")}
    machine = machine_key(
        result.params.get("cpu"),
        result.params.get("num_cpu"),
        threads.pop() if len(threads) == 1 else None,
        NOT_RECORDED,
    )
    date = datetime.fromtimestamp(result.date / 1000, UTC).isoformat() if result.date else ""
    origin = {"source": ASV, "commit": result.commit_hash, "date": date, "machine": machine}
    for key in result.get_all_result_keys():
        for parameters, value, stats in results_of(result, key):
            case = case_of(key, parameters)
            if case is not None and value is not None and not math.isnan(value):
                low, high = (stats.get(name, math.nan) for name in ("ci_99_a", "ci_99_b"))
                yield {**case.to_dict(), **_time(value, low, high), **origin}


def _origin(source: str, environment: Environment, threads: int) -> Row:
    pools = sorted({f"{pool.internal_api} {pool.version}" for pool in environment.blas})
    told = "unknown" if environment.settings is None else in_words(environment.settings)  # of an older version
    parts = environment.cpu, environment.logical_cores, threads, " and ".join(pools)
    machine = machine_key(*parts, settings=told)
    return {"source": source, "commit": environment.commit, "date": environment.date, "machine": machine}


def _case(row: dict[str, Any]) -> Row:
    return {name: row[name] for name in CASE_COLUMNS}


def _time(seconds: float, low: float = math.nan, high: float = math.nan) -> Row:
    return {"seconds": seconds, "seconds_low": low, "seconds_high": high}
