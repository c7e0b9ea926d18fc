"""asv's files as records: where they lie, whose they are, and what one of them holds, by asv's own reader."""

from __future__ import annotations

import codecs
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asv.util
from asv.machine import Machine
from asv.results import Results

from gdbench.basics.records import parse
from kernels import InputError
from kernels.errors import choices

CONFIG = "asv.conf.json"
RESULTS = Path("reports", "asv", "results")
NO_RESULTS = ("machine.json", "benchmarks.json")
HOW_TO_MAKE = "make some by: asv run HEAD~20..HEAD"
HOW_TO_UPDATE = f"run asv update in the folder of {CONFIG}"
MAX_REASON = 120
"""Characters of another program's message that are passed on: some hold the whole file."""
Text = str | int | float | None


class OlderFormat(InputError):
    """A file in a format that asv wrote once and no longer reads."""


@dataclass(frozen=True)
class Value:
    """What asv measured of one case of a benchmark.

    Attributes
    ----------
    version : str
        What asv made of the benchmark's source; None in early files, which asv takes for the same.
    parameters : tuple of str
        As asv stores them: representations of Python values.
    value : float
        In the benchmark's unit, seconds for times; None if it failed or was skipped.
    low, high : float
        asv's 99 % interval within the process; None where it has none.
    """

    benchmark: str
    version: str | None
    parameters: tuple[str, ...]
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ResultFile:
    """One commit in one environment, as asv stored it; ``date`` is that of the commit in ms since 1970."""

    commit: str
    environment: str
    date: float | None
    python: str
    machine: dict[str, Text]
    requirements: dict[str, Text]
    variables: dict[str, Text]
    values: tuple[Value, ...]

    @property
    def moment(self) -> datetime | None:
        """When the commit was made; None where that is no date."""
        try:
            return datetime.fromtimestamp(self.date / 1000, UTC) if self.date else None
        except (OverflowError, ValueError, OSError):
            return None


def results_folder(folder: Path) -> Path:
    """Return where asv.conf.json of a folder says that results are, or the usual place below the folder."""
    config = folder / CONFIG
    if not config.exists():
        return folder / RESULTS
    try:
        text = asv.util.load_json(str(config), js_comments=True)
        return folder / str(parse(text, dict[str, Any]).get("results_dir", RESULTS))
    except (ValueError, OSError) as error:
        raise InputError(
            f"{config} is not valid JSON ({_reason(error)}): correct it, or name the folder by --results"
        ) from error


def choose_machine(results: Path, wanted: str | None) -> str:
    """Return the machine whose results are read: the one asked for, this one, or the only one.

    Raises
    ------
    InputError
        If there are no results, or those of several machines and none of them is this one: they are never mixed.
    """
    there = sorted(path.parent.name for path in results.glob("*/machine.json") if result_paths(path.parent))
    if not there and (results / "machine.json").is_file():
        above = results.resolve().parent
        raise InputError(
            f"{results} is asv's folder of one machine, {results.resolve().name}: name the one above, {above}"
        )
    undescribed = next((path for path in sorted(results.glob("*/")) if result_paths(path)), None)
    if not there and undescribed is not None:
        raise InputError(
            f"{undescribed} has results but no machine.json, which asv keeps beside them: copy it from where they were "
            f'measured, or save {{"machine": "{undescribed.name}", "version": 1}} under that name'
        )
    if not there:
        raise InputError(f"there are no results of asv in {results}: {HOW_TO_MAKE}")
    if wanted is not None:
        if wanted not in there:
            raise InputError(f"{results} has no results of a machine called {wanted}: choose {choices(there)}")
        return wanted
    here = Machine.get_unique_machine_name()
    if here in there or len(there) == 1:
        return here if here in there else there[0]
    raise InputError(
        f"{results} has results of several machines, which are never mixed: name one of {choices(there)} by --machine"
    )


def result_paths(folder: Path) -> list[Path]:
    """Return the files of results in the folder of a machine."""
    return sorted(path for path in folder.glob("*.json") if path.name not in NO_RESULTS and path.is_file())


def load(path: Path) -> ResultFile:
    """Read one file of results by asv's reader.

    Raises
    ------
    OlderFormat
        If it must be updated first.
    InputError
        If asv cannot read it, or it holds other things than asv writes.
    """
    try:
        found = Results.load(str(path))
        told = {
            "commit": found.commit_hash,
            "environment": found.env_name,
            "date": found.date,
            "python": found._python,
            "machine": found.params,
            "requirements": found._requirements or {},
            "variables": found.env_vars or {},
            "values": [value for key in found.get_all_result_keys() for value in _values(found, key)],
        }
        return parse(told, ResultFile)
    except Exception as error:  # asv's reader takes what it finds for what it wrote, and raises anything
        raise _fault(path, error) from error


def _fault(path: Path, error: Exception) -> InputError:
    """Say why asv cannot read a file, with what helps."""
    version = _version(path)
    if version is not None and version < Results.api_version:
        return OlderFormat(f"{path} is in an older format of asv: {HOW_TO_UPDATE}")
    if version is not None and version > Results.api_version:
        return InputError(f"{path} was written by a newer asv than the one that is here: update asv")
    if isinstance(error, UnicodeDecodeError):
        return InputError(f"{path} is not in UTF-8, in which asv writes: save it as UTF-8")
    if _has_mark(path):
        return InputError(
            f"{path} begins with a byte order mark, which asv does not read: save it as UTF-8 without one"
        )
    return InputError(f"{path} cannot be read as results of asv ({_reason(error)}): measure again, or delete it")


def _values(found: Results, key: str) -> Iterator[dict[str, object]]:
    """Yield the fields of each case of a benchmark."""
    axes = found.get_result_params(key) or []
    values = found.get_result_value(key, axes)
    stats = found.get_result_stats(key, axes) if found._stats.get(key) else [None] * len(values)
    for parameters, value, told in zip(itertools.product(*axes), values, stats, strict=True):
        within: Mapping[str, Any] = told or {}
        yield {
            "benchmark": key,
            "version": found.benchmark_version.get(key),
            "parameters": parameters,
            "value": _finite(value),
            "low": _finite(within.get("ci_99_a")),
            "high": _finite(within.get("ci_99_b")),
        }


def _finite(value: Any) -> float | None:
    """Return a number that is one; asv writes NaN for a case that was skipped, and null for one that failed."""
    return None if value is None or not math.isfinite(value) else float(value)


def _has_mark(path: Path) -> bool:
    """Whether a file begins with the byte order mark of UTF-8."""
    try:
        return path.read_bytes().startswith(codecs.BOM_UTF8)
    except OSError:
        return False


def _version(path: Path) -> float | None:
    """Version of the format that a file says it has; None where it says none."""
    try:
        return float(json.loads(path.read_bytes())["version"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _reason(error: Exception) -> str:
    """First line of what went wrong, cut."""
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    return text if len(text) <= MAX_REASON else f"{text[:MAX_REASON]}..."
