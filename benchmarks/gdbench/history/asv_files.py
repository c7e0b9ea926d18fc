"""asv's files as records: what one of them holds; a benchmark that is damaged leaves the others readable."""

from __future__ import annotations

import codecs
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asv.results import Results

from gdbench.basics.records import decode, parse
from gdbench.history.asv_folders import reason
from gdbench.history.coverage.outcomes import FAILED, MEASURED, SKIPPED, UNUSABLE
from gdbench.history.coverage.values import Value
from kernels import InputError

FORMAT = Results.api_version
HOW_TO_UPDATE = "run asv update in the folder of asv.conf.json"
TEXT = "a text"
"""What is wrong with a value that is one: asv keeps whatever a benchmark returns."""
INTERVAL = ("stats_ci_99_a", "stats_ci_99_b")
Text = str | int | float | None


class OlderFormat(InputError):
    """A file in a format that asv wrote once and no longer reads."""


@dataclass(frozen=True)
class ResultFile:
    """One commit in one environment, as asv stored it.

    Attributes
    ----------
    date : float
        When the commit was made, in ms since 1970.
    unusable : dict
        What is wrong with values that are no numbers, by the benchmark's name.
    """

    commit: str
    environment: str
    date: float | None
    python: str
    machine: dict[str, Text]
    requirements: dict[str, Text]
    variables: dict[str, Text]
    values: tuple[Value, ...]
    unusable: dict[str, str]

    @property
    def moment(self) -> datetime | None:
        """When the commit was made; None where that is no date."""
        try:
            return datetime.fromtimestamp(self.date / 1000, UTC) if self.date else None
        except (OverflowError, ValueError, OSError):
            return None


@dataclass(frozen=True)
class _Stored:
    """The fields of asv's format that are read here; each benchmark's are checked by themselves."""

    version: float
    commit_hash: str
    env_name: str
    date: float | None
    python: str
    params: dict[str, Text]
    requirements: dict[str, Text] | None
    result_columns: list[str]
    results: dict[str, Any]
    env_vars: dict[str, Text] | None = None


def load(path: Path) -> ResultFile:
    """Read one file of results.

    Raises
    ------
    OlderFormat
        If it must be updated first.
    InputError
        If it cannot be read, or holds other things than asv writes.
    """
    try:
        stored = parse(decode(path.read_text(encoding="utf-8")), _Stored)
    except (OSError, ValueError, RecursionError) as error:
        raise _fault(path, error) from error
    if stored.version != FORMAT:
        raise _fault(path, ValueError(f"its version is {stored.version}"))
    values: list[Value] = []
    unusable: dict[str, str] = {}
    for name, row in stored.results.items():
        try:
            found = [*_values(name, row, stored.result_columns)]
        except ValueError as error:
            unusable[name] = reason(error)
            continue
        values += [value for value, _ in found]
        reasons = [wrong for _, wrong in found if wrong]
        if reasons:
            unusable[name] = reasons[0]
    return ResultFile(
        commit=stored.commit_hash,
        environment=stored.env_name,
        date=stored.date,
        python=stored.python,
        machine=stored.params,
        requirements=stored.requirements or {},
        variables=stored.env_vars or {},
        values=tuple(values),
        unusable=unusable,
    )


def _fault(path: Path, error: Exception) -> InputError:
    """Say why asv cannot read a file, with what helps."""
    version = _version(path)
    if version is not None and version < FORMAT:
        return OlderFormat(f"{path} is in an older format of asv: {HOW_TO_UPDATE}")
    if version is not None and version > FORMAT:
        return InputError(f"{path} was written by a newer asv than the one that is here: update asv")
    if isinstance(error, UnicodeDecodeError):
        return InputError(f"{path} is not in UTF-8, in which asv writes: save it as UTF-8")
    if _has_mark(path):
        return InputError(
            f"{path} begins with a byte order mark, which asv does not read: save it as UTF-8 without one"
        )
    return InputError(f"{path} cannot be read as results of asv ({reason(error)}): measure again, or delete it")


def _values(name: str, row: object, columns: Sequence[str]) -> Iterator[tuple[Value, str]]:
    """Yield each case of a benchmark, and what is wrong with its value.

    Raises
    ------
    ValueError
        If the row is not one of asv's.
    """
    told = dict(zip(columns, parse(row, list[Any]), strict=False))
    axes = parse(told.get("params") or [], list[list[str]])
    version = None if told.get("version") is None else parse(told["version"], str)
    count = math.prod(map(len, axes))
    values = told.get("result")
    values = [None] * count if values is None else parse(values, list[Any])  # None where all failed
    if len(values) != count:
        raise ValueError(f"{len(values)} values of {count} cases")
    low, high = (told.get(column) or [] for column in INTERVAL)
    for i, (parameters, value) in enumerate(zip(itertools.product(*axes), values, strict=True)):
        number, wrong = _number(value)
        outcome = MEASURED if number is not None else UNUSABLE if wrong else FAILED if value is None else SKIPPED
        yield Value(name, version, parameters, number, _end(low, i), _end(high, i), outcome), wrong


def _number(value: Any) -> tuple[float | None, str]:
    """Return a number, and what is wrong; asv writes NaN for a case that was skipped, and null for one that failed."""
    if isinstance(value, str):
        return None, TEXT
    if not isinstance(value, int | float | None):
        return None, "no number"
    try:
        number = math.nan if value is None else float(value)
    except OverflowError:  # only whole numbers have no largest
        number = math.inf
    return (number, "") if math.isfinite(number) else (None, "an infinite number" if math.isinf(number) else "")


def _end(column: object, index: int) -> float | None:
    """Return an end of a case's interval; one that is no number is as good as none."""
    return _number(column[index])[0] if isinstance(column, list) and index < len(column) else None


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
