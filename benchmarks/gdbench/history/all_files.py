"""All files of asv's results of a machine: one for each commit and environment, and what is missing of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gdbench.basics.units import counted
from gdbench.history.asv_files import HOW_TO_UPDATE, TEXT, OlderFormat, ResultFile, load
from gdbench.history.asv_folders import HOW_TO_MAKE, result_paths
from gdbench.history.coverage.names import MAX_NAMED
from gdbench.history.coverage.values import Value
from kernels import InputError


@dataclass(frozen=True)
class Found:
    """What the files of a machine hold.

    Attributes
    ----------
    results : tuple of ResultFile
        One for each commit and environment, at least one.
    skipped : tuple of str
        Sentences on what was left out, and why.
    incomplete : tuple of str
        Sentences on what cannot be read, or not be told, though it was measured, and the remedy.
    """

    results: tuple[ResultFile, ...]
    skipped: tuple[str, ...]
    incomplete: tuple[str, ...]


def read_all(folder: Path) -> Found:
    """Read all files of a machine.

    Raises
    ------
    InputError
        If none can be read.
    """
    read: dict[tuple[str, str], list[tuple[Path, ResultFile]]] = {}
    older, wrong = 0, []
    for path in result_paths(folder):
        try:
            result = load(path)
            _check_machine(path, result, folder.name)
            read.setdefault((result.commit, result.environment), []).append((path, result))
        except OlderFormat:
            older += 1
        except InputError as error:
            wrong.append(str(error))
    if not read and older:
        raise InputError(f"all {older} files of results in {folder} are in an older format of asv: {HOW_TO_UPDATE}")
    if not read:
        raise InputError(f"no file of results in {folder} can be read: {wrong[0] if wrong else HOW_TO_MAKE}")
    incomplete = [f"{older} files are in an older format of asv and left out: {HOW_TO_UPDATE}"] if older else []
    incomplete += [f"a file is left out: {text}" for text in wrong[:MAX_NAMED]]
    incomplete += [f"{len(wrong) - MAX_NAMED} other files are left out, too"] if len(wrong) > MAX_NAMED else []
    incomplete += _few([text for files in read.values() for text in _contradictions(files)], "copies contradict others")
    results = tuple(_merge([result for _, result in files]) for files in read.values())
    skipped, unusable = _unusable(results)
    return Found(results, tuple(skipped), (*incomplete, *unusable))


def _check_machine(path: Path, result: ResultFile, machine: str) -> None:
    """Raise InputError if a file is of another machine than its folder."""
    if result.machine.get("machine") not in (None, machine):
        raise InputError(f"{path} is of the machine {result.machine['machine']}, not of {machine}: move it there")


def _key(value: Value) -> tuple[str, str | None, tuple[str, ...]]:
    return value.benchmark, value.version, value.parameters


def _merge(results: Sequence[ResultFile]) -> ResultFile:
    """Join files of one commit and environment, such as asv leaves after its hash_length was changed.

    Of two values of the same, the last one counts, unless it is missing there.
    """
    last = results[-1]
    if len(results) == 1:
        return last
    values: dict[tuple[str, str | None, tuple[str, ...]], Value] = {}
    for value in (value for result in results for value in result.values):
        if value.value is not None or _key(value) not in values:
            values[_key(value)] = value
    unusable = {name: wrong for result in results for name, wrong in result.unusable.items()}
    return replace(last, values=tuple(values.values()), unusable=unusable)


def _contradictions(files: Sequence[tuple[Path, ResultFile]]) -> Iterator[str]:
    """Name copies of one commit and environment that hold other values of the same benchmarks."""
    for (path, earlier), (other, later) in itertools.pairwise(files):
        known = {_key(value): value.value for value in earlier.values if value.value is not None}
        unlike = dict.fromkeys(
            value.benchmark
            for value in later.values
            if value.value is not None and known.get(_key(value), value.value) != value.value
        )
        if unlike:
            yield (
                f"results of one commit contradict each other on {_list(unlike)} in {path} and {other.name}, which is "
                "used: delete the wrong one"
            )


def _unusable(results: Sequence[ResultFile]) -> tuple[list[str], list[str]]:
    """Say which benchmarks have values that are no numbers: those that never have others, and those that do."""
    wrong: dict[str, list[str]] = {}
    for result in results:
        for benchmark, reason in result.unusable.items():
            wrong.setdefault(benchmark, []).append(reason)
    if not wrong:
        return [], []
    right = {value.benchmark for result in results for value in result.values if value.value is not None}
    texts = [name for name, reasons in wrong.items() if name not in right and {*reasons} == {TEXT}]
    skipped = [f"{_list(texts)} cannot be judged: every value is {TEXT}"] if texts else []
    told = [
        f"{counted(len(reasons), 'result')} of {name} cannot be used ({reasons[-1]}): measure these commits again"
        for name, reasons in wrong.items()
        if name not in texts
    ]
    return skipped, _few(told, "benchmarks have such results")


def _few(sentences: Sequence[str], more: str) -> list[str]:
    """Return the first sentences, and one on how many others there are."""
    left = len(sentences) - MAX_NAMED
    return [*sentences[:MAX_NAMED], *([f"{left} other {more}"] if left > 0 else [])]


def _list(names: Iterable[str]) -> str:
    several = [*names]
    return ", ".join(several[:MAX_NAMED]) + (", ..." if len(several) > MAX_NAMED else "")
