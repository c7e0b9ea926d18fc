"""One table of all results: our runs, asv's, pytest-benchmark's and comparisons; unlike ones are never judged together.

Rows that may be judged against each other have the same ``comparable``: it stands for CPU model, logical cores,
threads, name and version of the BLAS, and settings that change compiled code (``machine.settings``). What a tool did
not record is ``not recorded``, which is unlike anything that is known, and unlike that of another tool. Times of
comparisons are unlike all others: an epoch is cut short there, and two live processes share the caches.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pandas as pd

from gdbench.basics.records import decode, parse, read
from gdbench.compare.record.record import Comparison
from gdbench.experiments.cases import CASE_COLUMNS, MEASURED, Case
from gdbench.history.asv_cases import case_of
from gdbench.machine.environment import Environment
from gdbench.machine.settings import in_words, that_matter
from gdbench.processes.launch import THREAD_VARIABLES
from gdbench.run.folder import read_run
from kernels import InputError

RUN, ASV, PYTEST_BENCHMARK, COMPARISON = "gdbench run", "asv", "pytest-benchmark", "gdbench compare"
NOT_RECORDED = "not recorded"
MAX_REASON = 120
"""Characters of an error that are passed on."""
MAX_PATH = 400
"""Characters of a path that are repeated."""
MALFORMED = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What readers raise at files that hold other things than they should."""


@dataclass(frozen=True)
class Origin:
    """Where a time comes from."""

    source: str
    commit: str | None
    date: str | None
    machine: str


@dataclass(frozen=True, kw_only=True)
class ResultRow:
    """A time of a case, in seconds of one call."""

    source: str
    network: str
    dataset: str
    n_rows: int
    task: str
    variant: str
    batch_size: int
    dtype: str
    threads: int
    seconds: float
    seconds_low: float
    """The interval is the source's own: over blocks (ours), within processes (asv), none (NaN)."""
    seconds_high: float
    commit: str | None
    date: str | None
    machine: str


COLUMNS = [*(field.name for field in fields(ResultRow)), "comparable"]


@dataclass(frozen=True)
class Stats:
    """What is read of pytest-benchmark's statistics: seconds of a call."""

    median: float


@dataclass(frozen=True)
class Benchmark:
    """A benchmark of pytest-benchmark; early versions had no parameters."""

    stats: Any = None
    params: dict[str, Any] | None = None


@dataclass(frozen=True)
class PytestBenchmark:
    """A file of pytest-benchmark; ``gdbench`` is what a block of a run adds to it."""

    benchmarks: tuple[Benchmark, ...]
    machine_info: dict[str, Any]
    commit_info: dict[str, Any] | None = None
    datetime: str = ""
    gdbench: Any = None


def collect(paths: str | Path | Iterable[str | Path]) -> pd.DataFrame:
    """Read results of all kinds into one table.

    Parameters
    ----------
    paths : path or paths
        Each a folder of a run, of a comparison or of asv's results (all machines or one), or a file of
        pytest-benchmark, of asv or of a comparison.

    Returns
    -------
    DataFrame
        With ``COLUMNS``, a row per case and measurement; a comparison has one row for each side. Benchmarks that are
        no cases of ours have no row. Without paths it has no rows.

    Raises
    ------
    InputError
        If a path is none of these, cannot be read, or holds no time of a case.
    """
    table = pd.DataFrame([row for path in _paths(paths) for row in _rows(path)], columns=COLUMNS[:-1])
    apart = table["machine"].str.contains(NOT_RECORDED) | (table["source"] == COMPARISON)
    key = table["machine"].where(~apart, table["source"] + ": " + table["machine"])
    return table.assign(comparable=pd.factorize(key)[0])


def _paths(paths: object) -> list[Path]:
    """Return one path or several as a list."""
    several = [paths] if isinstance(paths, str | os.PathLike) else paths
    if not isinstance(several, Iterable):
        raise InputError(f"results are read from a path or several, got {type(paths).__name__}: give a path")
    found = [*several]
    if "" in found:
        raise InputError("a path of results is empty: give the path of a file or folder")
    for path in found:
        if not isinstance(path, str | os.PathLike):
            raise InputError(f"results are read from paths, got {type(path).__name__} among them: give paths")
    return [Path(path) for path in found]


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


def _rows(path: Path) -> list[ResultRow]:
    """Read one path; that nothing is found in it is said, too."""
    try:
        found = [*_reader(path)(path)]
    except InputError:
        raise
    except MALFORMED as error:
        raise InputError(
            f"{_cut(path)} cannot be read as results ({_reason(error)}): leave it out or measure again"
        ) from error
    if not found:
        raise InputError(f"{path} holds no time of a case of gdbench, though it may hold other results: leave it out")
    return found


def _reader(path: Path) -> Callable[[Path], Iterator[ResultRow]]:
    """Return what reads a path, by what lies there."""
    readers: tuple[tuple[bool, Callable[[Path], Iterator[ResultRow]]], ...] = (
        ((path / "plan.json").is_file(), _of_run),
        ((path / "comparison.json").is_file(), lambda folder: _of_file(folder / "comparison.json")),
        (any(path.glob("*/machine.json")) or (path / "machine.json").is_file(), _of_asv_folder),
        (path.is_file(), _of_file),
    )
    reader = next((rows_of for matches, rows_of in readers if matches), None)
    if reader is not None:
        return reader
    if not path.exists():
        home = ", with your home written out in place of ~" if path.parts[:1] and path.parts[0].startswith("~") else ""
        raise InputError(f"there is no file or folder {_cut(path)}: give the path of one{home}")
    files = sorted([*path.glob("*.json"), *path.glob("*/*.json")])  # pytest-benchmark has a folder for each machine
    if files:
        raise InputError(f"{path} is no folder of gdbench or asv: give the files in it themselves, such as {files[0]}")
    raise InputError(
        f"{path} holds no results: name a folder of a run, of a comparison or of asv, or a file of results"
    )


def _cut(path: Path) -> str:
    """Write a path, of which a very long one is cut."""
    return str(path) if len(str(path)) <= MAX_PATH else f"{str(path)[:MAX_PATH]}..."


def _reason(error: Exception) -> str:
    """First line of what went wrong, cut: some errors hold the whole file."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:MAX_REASON]


def _of_file(path: Path) -> Iterator[ResultRow]:
    raw = path.read_bytes()
    content = decode(raw.decode(json.detect_encoding(raw), "surrogatepass"))  # in UTF-8, 16 or 32
    if not isinstance(content, dict):
        raise InputError(f"{path} holds JSON that is no object, so no results: leave it out")
    if "commit_hash" in content and "results" in content:
        yield from _of_asv_file(path)
    elif "benchmarks" in content and "machine_info" in content:
        yield from _of_pytest_benchmark(path, parse(content, PytestBenchmark))
    elif "base" in content and "head" in content and "cases" in content:
        yield from _of_comparison(parse(content, Comparison))
    else:
        raise InputError(f"{path} is no file of asv, pytest-benchmark or gdbench compare: leave it out")


def _of_run(folder: Path) -> Iterator[ResultRow]:
    run = read_run(folder)
    for row in run.summary[run.summary["status"] == MEASURED].to_dict("records"):
        case = Case(**{name: row[name] for name in CASE_COLUMNS})
        origin = _origin(RUN, run.environment, case.threads)
        yield _row(case, origin, row["seconds"], row["seconds_low"], row["seconds_high"])


def _of_comparison(record: Comparison) -> Iterator[ResultRow]:
    """Read the times of both sides; where variants were compared, each side's are those of its own."""
    for row in record.of_metric("time"):
        for side, seconds in ((record.base, row.base), (record.head, row.head)):
            if seconds is not None and row.threads is not None:
                case = Case(**{name: getattr(row, name) for name in CASE_COLUMNS})
                origin = replace(_origin(COMPARISON, record.environment, row.threads), commit=side.commit)
                yield _row(replace(case, variant=side.variant or case.variant), origin, seconds)


def _of_pytest_benchmark(path: Path, content: PytestBenchmark) -> Iterator[ResultRow]:
    """Read one process's times; those of a run's block are told by the environment beside them."""
    described = path.parent.parent / "environment.json"
    ours = content.gdbench is not None and described.is_file()
    environment = read(described, Environment, remedy="leave the file out") if ours else None
    for entry in content.benchmarks:
        if not set(CASE_COLUMNS) <= set(entry.params or {}):
            continue  # not one of our cases
        case = parse(entry.params, Case)
        origin = _origin(PYTEST_BENCHMARK, environment, case.threads) if environment else _told(content, case.threads)
        seconds = parse(entry.stats, Stats).median
        if seconds <= 0:
            raise InputError(f"{_cut(path)} has a time of {seconds:g} s, and nothing takes no time: measure again")
        if math.isfinite(seconds):
            yield _row(case, replace(origin, date=content.datetime), seconds)


def _told(content: PytestBenchmark, threads: int) -> Origin:
    cpu = content.machine_info.get("cpu")
    known = cpu if isinstance(cpu, dict) else {"brand_raw": cpu}  # a name only in files of years ago
    machine = machine_key(known.get("brand_raw"), known.get("count"), threads, NOT_RECORDED)
    return Origin(PYTEST_BENCHMARK, (content.commit_info or {}).get("id"), content.datetime, machine)


def _of_asv_folder(folder: Path) -> Iterator[ResultRow]:
    from gdbench.history.asv_folders import result_paths  # noqa: PLC0415 - asv is slow to import, and rarely needed

    for described in sorted(folder.rglob("machine.json")):
        for path in result_paths(described.parent):
            yield from _of_asv_file(path)


def _of_asv_file(path: Path) -> Iterator[ResultRow]:
    from gdbench.history.asv_files import load  # noqa: PLC0415 - asv is slow to import, and rarely needed

    result = load(path)
    threads = {value for name, value in result.variables.items() if name in THREAD_VARIABLES}
    machine = machine_key(
        result.machine.get("cpu"),
        result.machine.get("num_cpu"),
        threads.pop() if len(threads) == 1 else None,
        NOT_RECORDED,
        settings=_told_by_asv(result.variables),
    )
    date = result.moment.isoformat() if result.moment else ""
    origin = Origin(ASV, result.commit, date, machine)
    for one in result.values:
        case = case_of(one.benchmark, one.parameters)
        if case is not None and one.value is not None:
            yield _row(case, origin, one.value, one.low, one.high)


def _told_by_asv(variables: Mapping[str, object]) -> str:
    """Write the settings that asv made for an environment; those that it found, it does not record."""
    told = in_words(that_matter({name: "" if value is None else str(value) for name, value in variables.items()}))
    return f"{told} and others {NOT_RECORDED}" if told else NOT_RECORDED


def _origin(source: str, environment: Environment, threads: int) -> Origin:
    pools = sorted({f"{pool.internal_api} {pool.version}" for pool in environment.blas})
    told = "unknown" if environment.settings is None else in_words(environment.settings)  # of an older version
    parts = environment.cpu, environment.logical_cores, threads, " and ".join(pools)
    machine = machine_key(*parts, settings=told)
    return Origin(source, environment.commit, environment.date, machine)


def _row(case: Case, origin: Origin, seconds: float, low: float | None = None, high: float | None = None) -> ResultRow:
    return ResultRow(
        **vars(case), **vars(origin), seconds=seconds, seconds_low=_number(low), seconds_high=_number(high)
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else value
